//! The states of relocations: those of one section that changed alike share a line.

use super::layout::{Layout, Mark, count, relocation};
use crate::journal::RelocState;
use crate::model::{Hook, Reason, Verdict};

/// Relocations that need a look are all named up to this number.
const NAMED: usize = 8;
/// Of more, the first ones are.
const SAMPLE: usize = 3;

/// States that wait for more of their section.
#[derive(Debug, Default)]
pub(super) struct States {
    of: Option<Of>,
    groups: Vec<Group>,
}

/// What states must have in common to be shown together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Of {
    patch: u64,
    section: u32,
    read: Option<Hook>,
}

/// States that changed alike.
#[derive(Debug)]
struct Group {
    mono_ns: u64,
    change: (Option<Verdict>, Option<Verdict>, Option<Reason>),
    count: u64,
    first: Vec<RelocState>,
}

impl States {
    /// Takes a state; adds the lines of the states before it to `out`, if it is of another section or read.
    pub(super) fn take(
        &mut self,
        layout: &mut Layout,
        mono_ns: u64,
        state: &RelocState,
        out: &mut Vec<String>,
    ) {
        let of = Of { patch: state.patch.address.0, section: state.section.index, read: state.read };
        if self.of != Some(of) {
            self.flush(layout, out);
            self.of = Some(of);
        }
        let change = (state.verdict, state.previous, state.reason);
        if let Some(group) = self.groups.iter_mut().find(|group| group.change == change) {
            group.count += 1;
            if group.first.len() < NAMED {
                group.first.push(state.clone());
            }
        } else {
            self.groups.push(Group { mono_ns, change, count: 1, first: vec![state.clone()] });
        }
    }

    /// Adds the lines of the states that were waiting.
    pub(super) fn flush(&mut self, layout: &mut Layout, out: &mut Vec<String>) {
        self.of = None;
        for group in self.groups.drain(..) {
            group.lines(layout, out);
        }
    }
}

/// The line of one state for itself.
pub(super) fn alone(layout: &mut Layout, mono_ns: u64, state: &RelocState) -> String {
    let columns = layout.columns(&state.patch, &state.object, &state.section.name);
    let text = format!("{columns}  {}{}{}", relocation(&state.reloc), memory(state), change(state, 1));
    match state.verdict {
        Some(verdict) => layout.verdict_line(mono_ns, verdict, &text),
        None => layout.line(mono_ns, Mark::notice("listed"), &text),
    }
}

impl Group {
    fn lines(&self, layout: &mut Layout, out: &mut Vec<String>) {
        // What is listed and not judged (R_*_NONE) is for the verbose.
        let (Some(verdict), Some(first)) = (self.change.0, self.first.first()) else { return };
        let columns = layout.columns(&first.patch, &first.object, &first.section.name);
        let what = format!("{columns}  {}{}", count(self.count, "relocation"), change(first, self.count));
        out.push(layout.verdict_line(self.mono_ns, verdict, &what));
        if !verdict.is_bad() {
            return;
        }
        let named = if self.count <= NAMED as u64 { NAMED } else { SAMPLE };
        for state in self.first.iter().take(named) {
            out.push(layout.under(&format!("{}{}", relocation(&state.reloc), memory(state))));
        }
        let more = self.count.saturating_sub(named as u64);
        if more > 0 {
            out.push(layout.under(&format!("and {more} more")));
        }
    }
}

/// `, was pending, failed-load`.
fn change(state: &RelocState, count: u64) -> String {
    let mut text = String::new();
    if let Some(previous) = state.previous.filter(|previous| Some(*previous) != state.verdict) {
        text.push_str(if count == 1 { ", was " } else { ", were " });
        text.push_str(previous.word());
    }
    if let Some(reason) = state.reason {
        text.push_str(", ");
        text.push_str(reason.word());
    }
    text
}

/// ` at 0xffffffffc0400010: holds 2c70ffff, expected 00000000`.
fn memory(state: &RelocState) -> String {
    let address = state.address.map(|address| format!(" at {address}")).unwrap_or_default();
    let holds = state.actual.map(|bytes| format!("holds {bytes}"));
    let expected = state
        .expected
        .filter(|expected| Some(*expected) != state.actual)
        .map(|bytes| format!("expected {bytes}"));
    let said: Vec<_> = holds.into_iter().chain(expected).collect();
    if said.is_empty() { address } else { format!("{address}: {}", said.join(", ")) }
}
