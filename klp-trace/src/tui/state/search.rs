//! The next relocation that matches, wherever it is.

use super::node::Node;
use super::rows::shows;
use super::{Focus, State};
use crate::tui::picture::{Picture, Place};

impl State {
    /// Selects the next (or previous) relocation that the filter lets through; without a filter, one that needs a look.
    /// Goes round at the end.
    pub(super) fn search(&mut self, forward: bool, picture: &Picture) {
        let mut matches: Vec<(Place, u32)> = Vec::new();
        let mut here = None;
        let selected =
            self.rows.reloc(picture, self.relocs.selected).map(|(place, _, _, _, r)| (place, r.r.index));
        for (place, patch, object, section) in picture.sections() {
            for reloc in &section.relocs {
                let at = (place, reloc.r.index);
                let wanted = if self.filter.is_empty() {
                    reloc.needs_a_look()
                } else {
                    shows(&self.filter, patch, object, section, reloc)
                };
                if Some(at) == selected {
                    here = Some((matches.len(), wanted));
                }
                if wanted {
                    matches.push(at);
                }
            }
        }
        // In the tree, the first look at a match is at the selected one itself.
        let arrives = self.focus != Focus::Relocs;
        let next = match (here, forward) {
            (Some((at, true)), _) if arrives => at,
            (Some((at, true)), true) => at + 1,
            (Some((at, false)), true) => at,
            (Some((at, _)), false) => at.checked_sub(1).unwrap_or(matches.len().saturating_sub(1)),
            (None, true) => 0,
            (None, false) => matches.len().saturating_sub(1),
        };
        let Some(found) = matches.get(next).or_else(|| matches.first()).copied() else {
            let what =
                if self.filter.is_empty() { "no relocation is wrong" } else { "nothing matches the filter" };
            self.notice = Some(what.to_owned());
            return;
        };
        self.go_to(found, picture);
    }

    /// Selects a relocation, and a branch that has it.
    fn go_to(&mut self, (place, index): (Place, u32), picture: &Picture) {
        let Some(section) = Node::section(picture, place) else { return };
        if !self.node.holds(&section) {
            self.folded.remove(&section.parent());
            self.folded.remove(&section.parent().parent());
            self.node = section.clone();
        }
        self.selected_reloc = Some((section, index));
        self.rows.forget();
        self.focus = Focus::Relocs;
        self.sync(picture);
    }
}
