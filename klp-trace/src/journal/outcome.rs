//! Events that are conclusions: derived by the verifier, and derived anew on replay.

use super::derived::Derived;
use super::evidence::{Memory, SymbolSource};
use super::refs::{ObjectRef, PatchRef, RelocRef, SectionRef};
use crate::model::{Address, Bytes, FindingEnd, FindingId, Hook, Reason, Severity, Verdict};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The state of one relocation, said when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelocState {
    /// The patch.
    pub patch: PatchRef,
    /// The object that gates the relocation.
    pub object: ObjectRef,
    /// The section.
    pub section: SectionRef,
    /// The relocation.
    pub reloc: RelocRef,
    /// Address of the target; none before the first read.
    pub address: Option<Address>,
    /// The bytes that should be there, where there is an expectation.
    pub expected: Option<Bytes>,
    /// The bytes that are there (as many as the type writes; eight for an unknown type); none when they are not known
    /// now. With `read`, this is evidence: replay judges it.
    pub actual: Option<Bytes>,
    /// The symbol's value as the kernel recorded it.
    pub recorded: Option<Address>,
    /// The symbol's value by the independent lookup, where the verdict rests on it.
    pub live: Option<Address>,
    /// What the verdict rests on; none when it changed without a look at the relocation.
    pub witnesses: Option<Witnesses>,
    /// At which hook it was read; none when the verdict changed without a read.
    pub read: Option<Hook>,
    /// The verdict; none for R_*_NONE, which is listed and not judged.
    pub verdict: Option<Verdict>,
    /// Why, where that needs saying.
    pub reason: Option<Reason>,
    /// The verdict before.
    pub previous: Option<Verdict>,
}

/// What a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Witnesses {
    /// Which ELF says type, offset, addend and symbol.
    pub elf: ElfWitness,
    /// Where the symbol's value came from; none when the verdict needs none (an object that is gone).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<SymbolSource>,
    /// How the bytes were read.
    pub memory: Memory,
}

/// Which ELF a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElfWitness {
    /// The .ko, which agrees with what the kernel holds.
    File,
    /// The kernel's own copy, the weaker witness: no .ko was found.
    Memory,
    /// None: the .ko found is not what was loaded (KLP011).
    Differs,
}

impl ElfWitness {
    /// Its word in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Memory => "memory",
            Self::Differs => "differs",
        }
    }
}

/// What a person acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// How much it matters.
    pub severity: Severity,
    /// What: one sentence.
    pub message: String,
    /// Why: one sentence.
    pub why: String,
    /// What to do: one sentence.
    pub action: String,
    /// The same as commands for a root shell of that host, in order; none where there is no command for it.
    pub commands: Vec<String>,
    /// The patch, where it is about one.
    pub patch: Option<PatchRef>,
    /// The object, where it is about one.
    pub object: Option<ObjectRef>,
    /// The section of the first relocation, or the only one that it is about.
    pub section: Option<SectionRef>,
    /// The sections of the relocations that it covers, where these are several.
    pub sections: Vec<Covered>,
    /// How many relocations it covers, of all sections.
    pub relocations: u32,
    /// The first relocation it covers.
    pub first: Option<Arc<RelocRef>>,
    /// What the kernel's own log said of it: it corroborates, and is not what the finding rests on.
    pub kernel: Vec<Arc<str>>,
    /// Since when it holds: `CLOCK_MONOTONIC`, nanoseconds. Earlier than the event where the same was found before, and has
    /// held ever since.
    pub opened_ns: u64,
}

/// How many of a finding's relocations stand in a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Covered {
    /// The section's index in the patch's section headers.
    pub index: u32,
    /// Its name.
    pub name: Arc<str>,
    /// How many relocations of it the finding covers.
    pub relocations: u32,
}

/// A finding does not hold any more. `id`, `patch`, `object` and `opened_ns` are those of the `finding` that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingClosed {
    /// Its id.
    pub id: FindingId,
    /// How much it mattered, when it was said last.
    pub severity: Severity,
    /// The patch, where it was about one.
    pub patch: Option<PatchRef>,
    /// The object, where it was about one, as it was then.
    pub object: Option<ObjectRef>,
    /// `CLOCK_MONOTONIC` since when it held, nanoseconds.
    pub opened_ns: u64,
    /// What ended it.
    pub end: FindingEnd,
}

impl FindingClosed {
    /// Whether it is about that finding.
    pub fn ends(&self, finding: &Finding) -> bool {
        let name = |object: &Option<ObjectRef>| object.as_ref().map(|object| Arc::clone(&object.name));
        (finding.id, finding.opened_ns) == (self.id, self.opened_ns)
            && finding.patch == self.patch
            && name(&finding.object) == name(&self.object)
    }
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SessionEnd {
    /// Why it ended.
    pub reason: EndReason,
    /// Relocations by their last verdict, of the patches still loaded.
    pub verdicts: Totals,
    /// Findings made, by id.
    pub findings: std::collections::BTreeMap<FindingId, u32>,
    /// Those of them that hold at the end, by id.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub open: std::collections::BTreeMap<FindingId, u32>,
    /// Records known to be lost.
    pub lost: u64,
    /// That the journal from which this session was taken turned out not to be whole, where its start could not say so: it
    /// was read as it arrived. Evidence, though the rest of the record is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Derived>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// SIGINT or SIGTERM.
    Signal,
    /// The time asked for is over.
    Duration,
    /// The recording ends here.
    EndOfRecording,
    /// The reader of the output went away.
    OutputClosed,
    /// Something failed.
    Failure,
    /// Everything asked was done.
    Complete,
}

/// Relocations counted by verdict; only those above zero.
pub type Totals = std::collections::BTreeMap<Verdict, u64>;
