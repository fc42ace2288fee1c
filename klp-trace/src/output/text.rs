//! Events as text for people: one line an event, and a summary at the end.
//!
//! ```text
//! 12:00:02.123 ✓ applied   lp_one → klp_target  .klp.rela.klp_target..text  12 relocations, were pending
//! ```
//!
//! Quiet unless something needs a look: relocations of a section that changed alike share a line, those that are where
//! they should be are not named, hooks are shown when they fail. Verbose shows every event. Times are UTC.

use super::filter::Filter;
use super::style::Style;
use crate::journal::{Body, Event, Origin};
use std::collections::BTreeSet;
use std::sync::Arc;

mod integrity;
mod kinds;
pub(crate) mod layout;
mod states;
mod summary;
mod to_sink;
pub(in crate::output) mod words;

pub use integrity::{integrity, short as short_integrity};
use layout::Layout;
pub use layout::count;
pub(crate) use layout::{name, relocation};
use states::States;
use summary::Summary;
pub use to_sink::TextSink;
pub(crate) use words::ended;

/// Names remembered, so that a hostile journal does not take memory without end.
const MAX_NAMES: usize = 4096;

/// Turns events into lines (without their newlines).
#[derive(Debug)]
pub struct Text {
    layout: Layout,
    verbose: bool,
    /// Only what is wrong, and what cannot be told.
    quiet: bool,
    filter: Filter,
    states: States,
    summary: Summary,
    /// The summary has been given and nothing happened since.
    told: bool,
    /// Modules that livepatches are about.
    objects: BTreeSet<Arc<str>>,
    /// Loads of patches (address, load) of which it was said where their ELF is read.
    witnesses: BTreeSet<(u64, u32)>,
}

impl Text {
    /// Text in a style, of the events that the filter lets through.
    pub fn new(style: Style, filter: Filter) -> Self {
        Self {
            layout: Layout::new(style),
            verbose: false,
            quiet: false,
            filter,
            states: States::default(),
            summary: Summary::default(),
            told: false,
            objects: BTreeSet::new(),
            witnesses: BTreeSet::new(),
        }
    }

    /// Whether to show every event and every relocation.
    #[must_use]
    pub fn verbose(mut self, verbose: bool) -> Self {
        self.verbose = verbose;
        self
    }

    /// Whether to show findings and losses alone, and a summary only where there were any.
    #[must_use]
    pub fn quiet(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// Says where the events from here on come from.
    pub fn set_origin(&mut self, origin: &Origin) {
        self.layout.clock = Some(origin.clock);
        self.summary.set_host(&origin.host);
    }

    /// Adds the lines of an event to `out`: as they come from the verifier, every event, in order; what the filter hides
    /// is left out here, and counted in the summary all the same. Some lines wait for the events that belong to them:
    /// call [`Text::flush`] whenever there is nothing more for now.
    pub fn event(&mut self, event: &Event, out: &mut Vec<String>) {
        let mut said = Vec::new();
        self.tell_event(event, &mut said);
        put(said, out);
    }

    fn tell_event(&mut self, event: &Event, out: &mut Vec<String>) {
        let shown = self.filter.matches(event);
        self.summary.take(event, shown);
        self.told = false;
        if let Body::RelocState(state) = &event.body {
            if !shown || self.quiet {
                return;
            }
            if self.verbose {
                out.push(states::alone(&mut self.layout, event.mono_ns, state));
            } else {
                self.states.take(&mut self.layout, event.mono_ns, state, out);
            }
            return;
        }
        // A hidden section_read ends what was said of the section, too.
        self.states.flush(&mut self.layout, out);
        let wrong = matches!(event.body, Body::Finding(_) | Body::FindingClosed(_) | Body::EventsLost(_));
        let worth_a_line = if self.quiet { wrong } else { self.is_news(&event.body) || self.verbose };
        if shown && worth_a_line {
            self.layout.event(event, self.verbose, out);
        }
        // What comes after it, in a recording, is another session: perhaps of another host.
        if matches!(event.body, Body::SessionEnd(_)) {
            self.tell(out);
            self.layout.begin_anew();
            self.objects.clear();
            self.witnesses.clear();
        }
    }

    /// Adds the lines that were waiting.
    pub fn flush(&mut self, out: &mut Vec<String>) {
        let mut said = Vec::new();
        self.states.flush(&mut self.layout, &mut said);
        put(said, out);
    }

    /// Ends the text with what the exit code means. The summary stands before it: every relocation seen, whatever the
    /// filter hides, the findings, the losses. A `SessionEnd` has brought it already.
    pub fn summary(&mut self, exit_code: u8, meaning: &str, out: &mut Vec<String>) {
        if !self.told {
            let mut said = Vec::new();
            self.tell(&mut said);
            put(said, out);
        }
        if !self.quiet || exit_code != 0 {
            out.push(format!("exit {exit_code}: {meaning}"));
        }
    }

    fn tell(&mut self, out: &mut Vec<String>) {
        self.states.flush(&mut self.layout, out);
        if !self.quiet || self.summary.is_of_note() {
            self.summary.lines(&self.layout, !self.filter.is_empty(), out);
        }
        self.summary.forget();
        self.told = true;
    }

    /// Whether an event is shown when only what matters is.
    fn is_news(&mut self, body: &Body) -> bool {
        match body {
            // That it is enabled, its transition says.
            Body::Livepatch(found) => found.unread.is_some() || found.sections == 0,
            Body::Session(_)
            | Body::Transition(_)
            | Body::Finding(_)
            | Body::FindingClosed(_)
            | Body::EventsLost(_) => true,
            Body::PatchMetadata(meta) => {
                if self.objects.len() < MAX_NAMES {
                    self.objects.insert(meta.object.clone());
                }
                self.witnesses.len() < MAX_NAMES
                    && self.witnesses.insert((meta.patch.address.0, meta.patch.load))
            }
            Body::SymbolLookup(lookup) => kinds::is_failed(lookup),
            Body::Module(module) => {
                kinds::is_change(module) && (module.livepatch || self.objects.contains(&module.name))
            }
            Body::Hook(hook) => hook.ret.is_some_and(|ret| ret < 0),
            Body::SectionRead(read) => read.lost > 0,
            // The summary says it, or the finding that it belongs to.
            Body::RelocState(_)
            | Body::SessionEnd(_)
            | Body::AddressLookup(_)
            | Body::Stall(_)
            | Body::KernelMessage(_) => false,
        }
    }
}

/// Adds lines, each by itself: a new day and what hangs over come in one piece.
fn put(said: Vec<String>, out: &mut Vec<String>) {
    for piece in said {
        out.extend(piece.split('\n').map(str::to_owned));
    }
}

#[cfg(test)]
mod tests;
