//! What the panes list: derived from the picture, the filter, the order and what is folded away.

use super::node::{Node, key};
use super::{Sort, State};
use crate::output::filter::{Filter, Relocation};
use crate::tui::picture::tail::{self, Entry};
use crate::tui::picture::tree::{Object, Patch, Reloc, Section};
use crate::tui::picture::{Picture, Place};
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A row of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeRow {
    /// Which branch.
    pub node: Node,
    /// Where in the picture; what lies below the node is 0.
    pub place: Place,
    /// Whether what is below is shown; none for leaves.
    pub open: Option<bool>,
}

/// A row of the relocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelocRow {
    /// Index in [`Rows::scope`].
    pub section: u32,
    /// Index in the section's relocations.
    pub reloc: u32,
}

/// What the panes list.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// The tree.
    pub tree: Vec<TreeRow>,
    /// The sections of the selected branch.
    pub scope: Vec<Place>,
    /// Their relocations.
    pub relocs: Vec<RelocRow>,
    /// Relocations of the branch, with those that the filter hides.
    pub all: usize,
    /// Findings, by place in the picture's list.
    pub findings: Vec<usize>,
    /// Events, by number.
    pub events: Vec<u64>,
    /// The event that comes next to be looked at.
    next_event: u64,
    /// What the above was derived from.
    from: Option<(u64, u64, u64)>,
}

/// Whether a relocation is shown.
pub fn shows(filter: &Filter, patch: &Patch, object: &Object, section: &Section, reloc: &Reloc) -> bool {
    filter.is_empty()
        || filter.matches_relocation(&Relocation {
            patch: &patch.r.name,
            object: &object.name,
            section: &section.r.name,
            symbol: &reloc.r.symbol,
            verdict: reloc.verdict,
        })
}

impl Rows {
    /// The relocation of a row.
    pub fn reloc<'a>(
        &self,
        picture: &'a Picture,
        row: usize,
    ) -> Option<(Place, &'a Patch, &'a Object, &'a Section, &'a Reloc)> {
        let row = self.relocs.get(row)?;
        let place = *self.scope.get(row.section as usize)?;
        let (patch, object, section) = picture.at(place)?;
        Some((place, patch, object, section, section.relocs.get(row.reloc as usize)?))
    }

    /// Everything is to be derived anew.
    pub fn forget(&mut self) {
        self.from = None;
        self.next_event = 0;
        self.events.clear();
    }
}

impl State {
    /// Derives the rows from the picture again, as far as that has changed; selections stay on what they were on.
    pub(super) fn derive(&mut self, picture: &Picture) {
        let depends = !self.filter.is_empty() || self.sort == Sort::Verdict;
        let from = (picture.shape, if depends { picture.verdicts } else { 0 }, picture.sessions);
        if self.rows.from != Some(from) {
            self.rows.from = Some(from);
            self.derive_tree(picture);
            self.derive_relocs(picture);
        }
        self.derive_findings(picture);
        self.derive_events(picture);
    }

    fn derive_tree(&mut self, picture: &Picture) {
        let matching = (!self.filter.is_empty()).then(|| matching(&self.filter, picture));
        let hidden = |place: Place| matching.as_ref().is_some_and(|matching| !matching.contains(&place));
        let mut rows = vec![TreeRow { node: Node::Host, place: Place::default(), open: None }];
        for (p, patch) in picture.patches.iter().enumerate() {
            let patch_key = key(&patch.r);
            let begin = rows.len();
            let node = Node::Patch(patch_key);
            let open = !self.folded.contains(&node);
            let mut any = patch.objects.is_empty() && self.filter.is_empty();
            let place = Place { patch: p, object: 0, section: 0 };
            rows.push(TreeRow { node, place, open: (!patch.objects.is_empty()).then_some(open) });
            for (o, object) in patch.objects.iter().enumerate() {
                let begin = rows.len();
                let node = Node::Object(patch_key, Arc::clone(&object.name));
                let object_open = !self.folded.contains(&node);
                let place = Place { patch: p, object: o, section: 0 };
                rows.push(TreeRow { node, place, open: Some(object_open) });
                let sections = object.sections.iter().enumerate();
                let shown: Vec<_> = sections
                    .map(|(s, section)| (Place { patch: p, object: o, section: s }, section))
                    .filter(|(place, _)| !hidden(*place))
                    .collect();
                any |= !shown.is_empty();
                if shown.is_empty() || !open {
                    rows.truncate(begin);
                } else if object_open {
                    rows.extend(shown.into_iter().map(|(place, section)| TreeRow {
                        node: Node::Section(patch_key, Arc::clone(&object.name), section.r.index),
                        place,
                        open: None,
                    }));
                }
            }
            if !any {
                rows.truncate(begin);
            }
        }
        self.rows.tree = rows;
        self.follow_node();
    }

    /// Keeps the selection on its branch; on the one above if that is gone.
    pub(super) fn follow_node(&mut self) {
        let mut node = self.node.clone();
        loop {
            if let Some(at) = self.rows.tree.iter().position(|row| row.node == node) {
                self.tree.selected = at;
                self.node = node;
                return;
            }
            if node == Node::Host {
                self.tree.selected = 0;
                self.node = node;
                return;
            }
            node = node.parent();
        }
    }

    pub(super) fn derive_relocs(&mut self, picture: &Picture) {
        let kept = self.selected_reloc.clone();
        let mut rows = std::mem::take(&mut self.rows);
        rows.scope.clear();
        rows.relocs.clear();
        rows.all = 0;
        let mut selected = None;
        for (place, patch, object, section) in picture.sections() {
            let Some(node) = Node::section(picture, place).filter(|section| self.node.holds(section)) else {
                continue;
            };
            let index = u32::try_from(rows.scope.len()).unwrap_or(u32::MAX);
            let here = kept.as_ref().filter(|(kept, _)| *kept == node).map(|(_, reloc)| *reloc);
            rows.scope.push(place);
            rows.all += section.relocs.len();
            for (at, reloc) in section.relocs.iter().enumerate() {
                if !shows(&self.filter, patch, object, section, reloc) {
                    continue;
                }
                if here == Some(reloc.r.index) {
                    selected = Some(rows.relocs.len());
                }
                rows.relocs.push(RelocRow { section: index, reloc: u32::try_from(at).unwrap_or(u32::MAX) });
            }
        }
        let chosen = selected.and_then(|at| rows.relocs.get(at).copied());
        self.rows = rows;
        self.order(picture);
        if let Some(at) = chosen.and_then(|row| self.rows.relocs.iter().position(|other| *other == row)) {
            self.relocs.selected = at;
        }
    }

    fn order(&mut self, picture: &Picture) {
        let mut relocs = std::mem::take(&mut self.rows.relocs);
        let scope = &self.rows.scope;
        let of = |row: &RelocRow| {
            let (_, _, section) = picture.at(*scope.get(row.section as usize)?)?;
            section.relocs.get(row.reloc as usize)
        };
        match self.sort {
            Sort::Place => {}
            Sort::Verdict => relocs.sort_by_cached_key(|row| Reverse(of(row).map(|reloc| reloc.verdict))),
            Sort::Symbol => relocs.sort_by_cached_key(|row| of(row).map(|reloc| Arc::clone(&reloc.r.symbol))),
            Sort::Type => relocs.sort_by_cached_key(|row| of(row).map(|reloc| Arc::clone(&reloc.r.rtype))),
        }
        self.rows.relocs = relocs;
    }

    fn derive_findings(&mut self, picture: &Picture) {
        self.rows.findings.clear();
        let list = picture.findings.list().iter().enumerate();
        let filter = &self.filter;
        let shown = list.filter(|(_, found)| {
            let event = || crate::journal::Event {
                mono_ns: found.last_ns,
                task: None,
                body: crate::journal::Body::Finding(found.finding.clone()),
            };
            filter.is_empty() || filter.matches(&event())
        });
        // What is about a livepatch that is gone comes after what can still be mended.
        let (past, present): (Vec<_>, Vec<_>) = shown.partition(|(_, found)| picture.is_past(&found.finding));
        self.rows.findings.extend(present.into_iter().chain(past).map(|(at, _)| at));
    }

    fn derive_events(&mut self, picture: &Picture) {
        let tail = &picture.tail;
        let rows = &mut self.rows;
        if rows.next_event > tail.end() {
            // A replay went back.
            rows.next_event = 0;
            rows.events.clear();
        }
        let gone = rows.events.partition_point(|number| *number < tail.first());
        rows.events.drain(..gone);
        self.events.selected = self.events.selected.saturating_sub(gone);
        // The last entry may have grown since.
        let again = rows.next_event.saturating_sub(1).max(tail.first());
        if rows.events.last().is_some_and(|last| *last >= again) {
            rows.events.pop();
        }
        for number in again..tail.end() {
            let Some(entry) = tail.get(number) else { continue };
            if entry_shows(&self.filter, self.verbose, entry) {
                rows.events.push(number);
            }
        }
        rows.next_event = tail.end();
        if self.follow {
            self.events.selected = rows.events.len().saturating_sub(1);
        }
    }
}

fn entry_shows(filter: &Filter, verbose: bool, entry: &Entry) -> bool {
    match entry {
        Entry::Event(event) => (verbose || tail::is_news(&event.body)) && filter.matches(event),
        Entry::States(states) => {
            let state = &states.first;
            let shows = |symbol: &str| {
                filter.matches_relocation(&Relocation {
                    patch: &state.patch.name,
                    object: &state.object.name,
                    section: &state.section.name,
                    symbol,
                    verdict: state.verdict,
                })
            };
            filter.is_empty()
                || shows(&state.reloc.symbol)
                || states.symbols.iter().any(|symbol| shows(symbol))
        }
    }
}

/// The sections of which a relocation is shown.
fn matching(filter: &Filter, picture: &Picture) -> BTreeSet<Place> {
    let sections = picture.sections();
    let any = sections.filter(|(_, patch, object, section)| {
        section.relocs.iter().any(|reloc| shows(filter, patch, object, section, reloc))
    });
    any.map(|(place, ..)| place).collect()
}
