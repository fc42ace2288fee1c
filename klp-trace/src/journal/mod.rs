//! What happened and what was read, as live sources yield it, the verifier judges it and the journal keeps it.
//!
//! An [`Event`] is evidence (from the kernel, a file, the symbol table) or a conclusion (a verdict, a finding). A
//! journal keeps both; replaying one takes the evidence and derives the conclusions anew.
#![forbid(unsafe_code)]

pub mod chain;
pub mod check;
pub mod derived;
pub mod envelope;
pub mod evidence;
pub mod files;
pub mod found;
pub mod lines;
pub mod log;
pub mod outcome;
pub mod polled;
pub mod reader;
pub mod record;
pub mod recording;
pub mod redact;
pub mod refs;
pub mod schema;
pub mod signature;
pub mod unread;
pub mod writer;
pub mod zstd;

#[cfg(test)]
pub(crate) mod testing;

pub use derived::Derived;
pub use envelope::{Clock, Host, Kernel, Origin, SCHEMA, Tool};
pub use evidence::{
    Elf, EntryRead, EventsLost, HookEvent, HookInfo, ListedPlace, Lookup, LossCause, Memory, MetaEntry,
    ModuleAction, ModuleEvent, ModuleUsage, PatchMetadata, Rewrites, SectionRead, Session, SymbolLookup,
    SymbolSet, SymbolSource, Transition, TransitionStep,
};
pub use found::{AddressLookup, Blocking, Hindrance, Livepatch, Looked, Nearest, Stall, Stalled, Standing};
pub use log::{KernelMessage, Says};
pub use outcome::{
    Covered, ElfWitness, EndReason, Finding, FindingClosed, RelocState, SessionEnd, Totals, Witnesses,
};
pub use reader::{Integrity, Reader};
pub use refs::{ObjectRef, PatchRef, RelocRef, SectionRef, Task};
pub use unread::Unread;
pub use writer::Journal;

use std::sync::Arc;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// CLOCK_MONOTONIC of the host, nanoseconds: of the kernel's record where there is one, else of the tool.
    pub mono_ns: u64,
    /// The task in whose context it happened.
    pub task: Option<Arc<Task>>,
    /// What it is.
    pub body: Body,
}

/// The kinds of events, a closed list.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// First of a session.
    Session(Session),
    /// What the patch's ELF file (or the kernel's copy) says of one section.
    PatchMetadata(PatchMetadata),
    /// Where a referenced symbol really is, by an independent lookup.
    SymbolLookup(SymbolLookup),
    /// Which symbol an address belongs to.
    AddressLookup(AddressLookup),
    /// A livepatch as a look found it.
    Livepatch(Livepatch),
    /// A module came, went or was found.
    Module(ModuleEvent),
    /// A watched function was entered or left.
    Hook(HookEvent),
    /// The verdict of one relocation, with the bytes it rests on.
    RelocState(RelocState),
    /// A whole section of relocations was read.
    SectionRead(SectionRead),
    /// A step of a patch's transition.
    Transition(Transition),
    /// A transition that does not end.
    Stall(Stall),
    /// What the kernel's own log said.
    KernelMessage(KernelMessage),
    /// Something a person acts on.
    Finding(Finding),
    /// A finding does not hold any more.
    FindingClosed(FindingClosed),
    /// Records were lost, or may have been.
    EventsLost(EventsLost),
    /// Last of a session.
    SessionEnd(SessionEnd),
}

impl Body {
    /// The kind's name in the journal.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Session(_) => "session",
            Self::PatchMetadata(_) => "patch_metadata",
            Self::SymbolLookup(_) => "symbol_lookup",
            Self::AddressLookup(_) => "address_lookup",
            Self::Livepatch(_) => "livepatch",
            Self::Module(_) => "module",
            Self::Hook(_) => "hook",
            Self::RelocState(_) => "reloc_state",
            Self::SectionRead(_) => "section_read",
            Self::Transition(_) => "transition",
            Self::Stall(_) => "stall",
            Self::KernelMessage(_) => "kernel_message",
            Self::Finding(_) => "finding",
            Self::FindingClosed(_) => "finding_closed",
            Self::EventsLost(_) => "events_lost",
            Self::SessionEnd(_) => "session_end",
        }
    }
}
