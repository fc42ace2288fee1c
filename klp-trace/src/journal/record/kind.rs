//! What a record can be.

use serde::{Deserialize, Serialize};

/// The kinds of records, a closed list within one `schema`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// First of a session.
    Session,
    /// What a patch's ELF says of one section.
    PatchMetadata,
    /// Where a symbol is.
    SymbolLookup,
    /// Which symbol an address belongs to.
    AddressLookup,
    /// A livepatch as a look found it.
    Livepatch,
    /// A module came, went or was found.
    Module,
    /// A watched function was entered or left.
    Hook,
    /// The state of one relocation, in journals of earlier versions.
    RelocState,
    /// A section was read.
    SectionRead,
    /// The state of relocations of a section.
    SectionState,
    /// A step of a patch's transition.
    Transition,
    /// A transition that does not end.
    Stall,
    /// What the kernel's own log said.
    KernelMessage,
    /// Something a person acts on.
    Finding,
    /// A finding does not hold any more.
    FindingClosed,
    /// Records were lost.
    EventsLost,
    /// Last of a session.
    SessionEnd,
    /// First of a file that goes on with the session of the file before it.
    Continued,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 18] = [
        Self::Session,
        Self::PatchMetadata,
        Self::SymbolLookup,
        Self::AddressLookup,
        Self::Livepatch,
        Self::Module,
        Self::Hook,
        Self::RelocState,
        Self::SectionRead,
        Self::SectionState,
        Self::Transition,
        Self::Stall,
        Self::KernelMessage,
        Self::Finding,
        Self::FindingClosed,
        Self::EventsLost,
        Self::SessionEnd,
        Self::Continued,
    ];

    /// The kind's name in the journal.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::PatchMetadata => "patch_metadata",
            Self::SymbolLookup => "symbol_lookup",
            Self::AddressLookup => "address_lookup",
            Self::Livepatch => "livepatch",
            Self::Module => "module",
            Self::Hook => "hook",
            Self::RelocState => "reloc_state",
            Self::SectionRead => "section_read",
            Self::SectionState => "section_state",
            Self::Transition => "transition",
            Self::Stall => "stall",
            Self::KernelMessage => "kernel_message",
            Self::Finding => "finding",
            Self::FindingClosed => "finding_closed",
            Self::EventsLost => "events_lost",
            Self::SessionEnd => "session_end",
            Self::Continued => "continued",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The parts that a record of this kind cannot do without.
    pub const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Session => &["session"],
            Self::PatchMetadata => &["patch", "object", "section", "metadata"],
            Self::SymbolLookup => &["object", "symbol"],
            Self::AddressLookup => &["place"],
            Self::Livepatch => &["patch", "livepatch"],
            Self::Module => &["module"],
            Self::Hook => &["hook"],
            Self::RelocState => &["patch", "object", "section", "reloc"],
            Self::SectionRead => &["patch", "object", "section", "read", "walk"],
            Self::SectionState => &["patch", "object", "section", "relocations"],
            Self::Transition => &["transition"],
            Self::Stall => &["patch", "stall"],
            Self::KernelMessage => &["message"],
            Self::Finding => &["finding"],
            Self::FindingClosed => &["closed"],
            Self::EventsLost => &["lost"],
            Self::SessionEnd => &["end"],
            Self::Continued => &["continues"],
        }
    }

    /// Whether records of this kind are conclusions, which a replay derives anew.
    pub const fn is_conclusion(self) -> bool {
        matches!(self, Self::SectionState | Self::Finding | Self::FindingClosed | Self::SessionEnd)
    }
}
