//! What an audit found, as a whole: the latest state of each relocation, by patch, object and section.

use super::filter::Filter;
use crate::journal::{Body, Elf, Event, Finding, Livepatch, Origin, RelocState, Session};
use crate::model::{Severity, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod csv;
mod line;
mod text;
mod to_sink;

pub use to_sink::{Form, ReportSink};

/// Gathers the events of an audit; [`Report::text`], [`Report::csv`] and [`Report::line`] tell them.
#[derive(Debug)]
pub struct Report {
    origin: Origin,
    filter: Filter,
    session: Option<(u64, Session)>,
    livepatches: BTreeMap<(Arc<str>, u64), Found>,
    findings: Vec<Finding>,
    /// Findings that the filter hides.
    hidden: usize,
    /// Objects that would not hold still.
    unsettled: BTreeSet<Arc<str>>,
    /// Modules that are loaded, of those that matter.
    loaded: BTreeSet<Arc<str>>,
}

/// One livepatch.
#[derive(Debug, Default)]
struct Found {
    livepatch: Option<Livepatch>,
    /// Whether the filter lets the patch through by itself.
    shown: bool,
    /// By object, then by index.
    objects: BTreeMap<Arc<str>, BTreeMap<u32, Section>>,
}

/// One section.
#[derive(Debug)]
struct Section {
    name: Arc<str>,
    elf: Elf,
    total: u32,
    relocs: BTreeMap<u32, Reloc>,
}

/// One relocation.
#[derive(Debug)]
struct Reloc {
    state: RelocState,
    shown: bool,
}

impl Report {
    /// A report of what happens at `origin`, limited to what the filter lets through.
    pub fn new(origin: Origin, filter: Filter) -> Self {
        Self {
            origin,
            filter,
            session: None,
            livepatches: BTreeMap::new(),
            findings: Vec::new(),
            hidden: 0,
            unsettled: BTreeSet::new(),
            loaded: BTreeSet::new(),
        }
    }

    /// Another session begins: of the one before, the findings are kept.
    pub fn begin(&mut self, origin: Origin) {
        let filter = std::mem::take(&mut self.filter);
        let (findings, hidden) = (std::mem::take(&mut self.findings), self.hidden);
        *self = Self { findings, hidden, ..Self::new(origin, filter) };
    }

    /// Takes an event as it comes from the verifier.
    pub fn event(&mut self, event: &Event) {
        let shown = self.filter.matches(event);
        match &event.body {
            Body::Session(session) => self.session = Some((event.mono_ns, session.clone())),
            Body::Livepatch(found) => {
                let key = (Arc::clone(&found.patch.name), found.patch.address.0);
                let patch = self.livepatches.entry(key).or_default();
                patch.livepatch = Some(found.clone());
                patch.shown = shown;
            }
            Body::PatchMetadata(meta) => {
                let key = (Arc::clone(&meta.patch.name), meta.patch.address.0);
                let objects = &mut self.livepatches.entry(key).or_default().objects;
                let sections = objects.entry(Arc::clone(&meta.object)).or_default();
                sections.entry(meta.section.index).or_insert_with(|| Section {
                    name: Arc::clone(&meta.section.name),
                    elf: meta.elf.clone(),
                    total: meta.total,
                    relocs: BTreeMap::new(),
                });
            }
            Body::RelocState(state) => self.state(state, shown),
            Body::Module(module) => self.module(module),
            Body::Finding(finding) if shown => self.findings.push(finding.clone()),
            Body::Finding(_) => self.hidden += 1,
            // An audit says what is there now.
            Body::FindingClosed(closed) => self.findings.retain(|finding| !closed.ends(finding)),
            _ => {}
        }
    }

    fn state(&mut self, state: &RelocState, shown: bool) {
        let key = (Arc::clone(&state.patch.name), state.patch.address.0);
        let section = self
            .livepatches
            .get_mut(&key)
            .and_then(|patch| patch.objects.get_mut(&state.object.name))
            .and_then(|sections| sections.get_mut(&state.section.index));
        if let Some(section) = section {
            section.relocs.insert(state.reloc.index, Reloc { state: state.clone(), shown });
        }
    }

    fn module(&mut self, module: &crate::journal::ModuleEvent) {
        use crate::journal::ModuleAction::{Absent, Freed, Loaded, Loading, Present, Unloading, Unsettled};
        match module.action {
            Present | Loading | Unloading | Loaded if !module.livepatch => {
                self.loaded.insert(Arc::clone(&module.name));
            }
            Unsettled => {
                self.unsettled.insert(Arc::clone(&module.name));
            }
            Absent | Freed if module.livepatch => {
                self.livepatches.retain(|(name, _), _| *name != module.name);
            }
            Absent | Freed => {
                self.loaded.remove(&module.name);
            }
            Present | Loading | Unloading | Loaded => {}
        }
    }

    /// Relocations by verdict, whatever the filter hides; those never read are `unknown`.
    fn totals(&self) -> BTreeMap<Verdict, u64> {
        let mut totals = BTreeMap::new();
        for section in self.sections() {
            for (verdict, count) in section.verdicts() {
                *totals.entry(verdict).or_default() += count;
            }
        }
        totals
    }

    fn sections(&self) -> impl Iterator<Item = &Section> {
        self.livepatches.values().flat_map(|patch| patch.objects.values().flat_map(BTreeMap::values))
    }

    fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

impl Section {
    fn verdicts(&self) -> BTreeMap<Verdict, u64> {
        let mut verdicts = BTreeMap::new();
        for verdict in self.relocs.values().filter_map(|reloc| reloc.state.verdict) {
            *verdicts.entry(verdict).or_default() += 1;
        }
        let unread = u64::from(self.total).saturating_sub(self.relocs.len() as u64);
        if unread > 0 {
            *verdicts.entry(Verdict::Unknown).or_default() += unread;
        }
        verdicts
    }
}

#[cfg(test)]
mod tests;
