//! The latest events, as a ring: relocations of one section that changed alike are one entry.

use crate::journal::{Body, Event, RelocState};
use crate::model::{Hook, Reason, Verdict};
use std::collections::VecDeque;
use std::sync::Arc;

/// Entries kept.
pub const ENTRIES: usize = 1 << 14;
/// Symbols kept of relocations that share an entry: what a filter asks for.
const SYMBOLS: usize = 256;

/// The latest events.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    entries: VecDeque<Entry>,
    /// Number of the oldest entry kept.
    first: u64,
}

/// One line of the tail.
#[derive(Debug, Clone)]
pub enum Entry {
    /// An event for itself.
    Event(Arc<Event>),
    /// Relocations of one section that changed alike.
    States(Box<States>),
}

/// Relocations of one section that changed alike.
#[derive(Debug, Clone)]
pub struct States {
    /// When.
    pub mono_ns: u64,
    /// The first of them.
    pub first: RelocState,
    /// How many.
    pub count: u32,
    /// The symbols of the others, at most [`SYMBOLS`].
    pub symbols: Vec<Arc<str>>,
}

impl States {
    fn is_like(&self, state: &RelocState) -> bool {
        let key = |state: &RelocState| -> (Option<Verdict>, Option<Verdict>, Option<Reason>, Option<Hook>) {
            (state.verdict, state.previous, state.reason, state.read)
        };
        self.first.section.index == state.section.index
            && self.first.patch.address == state.patch.address
            && key(&self.first) == key(state)
    }
}

impl Entry {
    /// When it happened.
    pub fn mono_ns(&self) -> u64 {
        match self {
            Self::Event(event) => event.mono_ns,
            Self::States(states) => states.mono_ns,
        }
    }
}

impl Tail {
    /// Takes an event.
    pub(super) fn event(&mut self, event: Event) {
        self.push(Entry::Event(Arc::new(event)));
    }

    /// Takes a state, into the entry before it if that changed alike.
    pub(super) fn state(&mut self, mono_ns: u64, state: &RelocState) {
        if let Some(Entry::States(states)) = self.entries.back_mut()
            && states.is_like(state)
        {
            states.count = states.count.saturating_add(1);
            if states.symbols.len() < SYMBOLS {
                states.symbols.push(Arc::clone(&state.reloc.symbol));
            }
            return;
        }
        let first = state.clone();
        self.push(Entry::States(Box::new(States { mono_ns, first, count: 1, symbols: Vec::new() })));
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= ENTRIES {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.push_back(entry);
    }

    /// Number of the oldest entry kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Number of the entry that comes next.
    pub fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// The entry of that number, while it is kept.
    pub fn get(&self, number: u64) -> Option<&Entry> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get(at)
    }
}

/// Whether an event is worth a line when only what matters is shown.
pub fn is_news(body: &Body) -> bool {
    use crate::journal::{Elf, Lookup, ModuleAction};
    match body {
        // That it is enabled, its transition says.
        Body::Livepatch(found) => found.unread.is_some() || found.sections == 0,
        Body::Session(_)
        | Body::Transition(_)
        | Body::Stall(_)
        | Body::Finding(_)
        | Body::FindingClosed(_)
        | Body::EventsLost(_)
        | Body::SessionEnd(_)
        | Body::RelocState(_) => true,
        Body::PatchMetadata(meta) => matches!(meta.elf, Elf::Differs { .. }),
        Body::SymbolLookup(lookup) => matches!(lookup.outcome, Lookup::Failed { .. }),
        Body::Module(module) => match module.action {
            ModuleAction::Loaded | ModuleAction::Freed | ModuleAction::Unsettled => true,
            ModuleAction::Present | ModuleAction::Loading | ModuleAction::Unloading => module.livepatch,
            ModuleAction::Absent => false,
        },
        Body::Hook(hook) => hook.ret.is_some_and(|ret| ret < 0),
        Body::SectionRead(read) => read.lost > 0,
        Body::AddressLookup(_) | Body::KernelMessage(_) => false,
    }
}
