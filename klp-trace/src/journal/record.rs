//! One line of the journal: a flat JSON object in which each kind of event fills the parts it needs.
//!
//! docs/journal.md says what each field means. A field that is not there is not known or does not apply; `null` is
//! never written. Fields that this version does not know are passed over when reading.

use super::chain::Hash;
use super::envelope::{EventId, Host, Schema, Time, Tool};
use super::evidence::{Elf, EventsLost, Lookup, MetaEntry, ModuleEvent, Rewrites, Session, TransitionStep};
use super::found::{Nearest, Stalled, Standing};
use super::log::KernelMessage;
use super::outcome::{Covered, SessionEnd, Witnesses};
use super::refs::{ObjectRef, PatchRef, RelocRef, SectionRef, Task};
use super::unread::Unread;
use crate::model::{Address, Bytes, FindingEnd, FindingId, Hook, Phase, Reason, Severity, Verdict};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

mod kind;
mod read;
mod write;

pub use kind::Kind;
pub use read::Malformed;
pub use write::{Envelope, Listed};

/// A record of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Record {
    /// The format: [`super::envelope::SCHEMA`].
    pub schema: Schema,
    /// Number of the record in its session, from 1.
    pub seq: u64,
    /// Wall-clock time of the event.
    pub time: Time,
    /// CLOCK_MONOTONIC of the event, nanoseconds.
    pub mono_ns: u64,
    /// What kind of event, and its id.
    pub event: EventPart,
    /// The host that was watched.
    pub host: Arc<Host>,
    /// The tool that watched.
    pub tool: Arc<Tool>,
    /// The task in whose context it happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Arc<Task>>,
    /// The patch it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchRef>,
    /// The object it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// The section it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<SectionRef>,
    /// The relocation it is about; of a finding, the first one that it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reloc: Option<RelocRef>,
    /// The relocated location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetPart>,
    /// The symbol's value as the kernel recorded it (st_value).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Address>,
    /// The symbol's value by the independent lookup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Address>,
    /// At which hook the memory was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Hook>,
    /// The relocation's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub verdict: Option<Verdict>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub reason: Option<Reason>,
    /// What the verdict rests on.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_part")]
    pub witnesses: Option<Witnesses>,
    /// The verdict before.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "known_word")]
    pub previous: Option<Verdict>,
    /// Of a `finding`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<FindingPart>,
    /// Of a `finding_closed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<ClosedPart>,
    /// Of a `session`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Of a `patch_metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MetadataPart>,
    /// Of a `symbol_lookup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<SymbolPart>,
    /// Of an `address_lookup`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlacePart>,
    /// Of a `livepatch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub livepatch: Option<LivepatchPart>,
    /// Of a `module`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleEvent>,
    /// Of a `hook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<HookPart>,
    /// Of a `section_read`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk: Option<WalkPart>,
    /// Of a `section_read` or a `section_state` that takes several records: which of them this is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// How many records it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u32>,
    /// Of a `section_read`: what was read, of the relocations of which there is news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<EntryPart>>,
    /// Of a `section_state`: the relocations whose state it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relocations: Option<Vec<RelocPart>>,
    /// Of a `transition`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transition: Option<TransitionPart>,
    /// Of a `stall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stall: Option<Stalled>,
    /// Of a `kernel_message`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<KernelMessage>,
    /// Of an `events_lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<EventsLost>,
    /// Of a `session_end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<SessionEnd>,
    /// Of a `continued`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<ContinuesPart>,
    /// The hash of the line before.
    pub prev: Hash,
    /// The hash of this line; none until the line is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
}

/// What kind of event a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EventPart {
    /// The kind.
    pub kind: Kind,
    /// The record's name among those of all hosts.
    pub id: EventId,
}

/// The relocated location.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TargetPart {
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The bytes that should be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Bytes>,
    /// The bytes that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Bytes>,
}

/// The body of a `finding`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FindingPart {
    /// Its stable id.
    pub id: FindingId,
    /// Its stable name.
    pub name: Cow<'static, str>,
    /// How much it matters.
    pub severity: Severity,
    /// What.
    pub message: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub action: String,
    /// The same as commands for a root shell of that host, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
    /// How many relocations it covers, of all sections.
    pub relocations: u32,
    /// The sections that these relocations stand in, where there are several; `section` is that of `reloc`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Covered>,
    /// What the kernel's own log said of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel: Vec<Arc<str>>,
    /// `mono_ns` since when it holds; left out where that is this record's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_ns: Option<u64>,
}

/// The body of a `finding_closed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ClosedPart {
    /// The finding's stable id.
    pub id: FindingId,
    /// Its stable name.
    pub name: Cow<'static, str>,
    /// How much it mattered.
    pub severity: Severity,
    /// `mono_ns` since when it held: that of its first `finding`.
    pub opened_ns: u64,
    /// What ended it.
    pub end: FindingEnd,
}

/// The body of a `patch_metadata`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetadataPart {
    /// Where this was read.
    pub elf: Elf,
    /// Name of the section that is relocated.
    pub target: Arc<str>,
    /// Whether it is writable at run time.
    pub writable: bool,
    /// Entries of the whole section.
    pub total: u32,
    /// The entries of this record.
    pub entries: Vec<MetaEntry>,
}

/// The body of a `symbol_lookup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SymbolPart {
    /// The symbol's own name.
    pub name: Arc<str>,
    /// Its position among its namesakes; 0: must be unique.
    pub sympos: u64,
    /// What was found.
    pub lookup: Lookup,
}

/// The body of an `address_lookup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlacePart {
    /// The address.
    pub address: Address,
    /// The symbol at or before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Nearest>,
}

/// The body of a `livepatch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct LivepatchPart {
    /// Where the patch stands.
    pub standing: Standing,
    /// How many livepatch relocation sections it has.
    pub sections: u32,
    /// Why they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<Unread>,
    /// References to its module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refcount: Option<i64>,
    /// The objects that it lists, while it is in livepatch's list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<Arc<str>>>,
}

/// The body of a `hook`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HookPart {
    /// Which.
    pub name: Hook,
    /// Entered or left.
    pub phase: Phase,
    /// What it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<i64>,
    /// The processor.
    pub cpu: u32,
}

/// The body of a `section_read`: how the section's entries were accounted for. With none lost, `total` is `listed` and
/// `unchanged` together; with any lost, nothing of the read is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WalkPart {
    /// Entries of the section.
    pub total: u32,
    /// Entries whose record was lost.
    pub lost: u32,
    /// Entries that are listed, in all parts: in `entries`, or, in journals of earlier versions, in `reloc_state` records
    /// before this one.
    pub listed: u32,
    /// Entries that are as they were when last listed.
    pub unchanged: u32,
    /// What the hooked function returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<i64>,
    /// What the module loader may have made of the section since it was relocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrites: Option<Rewrites>,
}

/// What was read of one relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EntryPart {
    /// Its index in the section as the kernel keeps it, from 0.
    pub index: u32,
    /// Address of the target.
    pub address: Address,
    /// The bytes there, as many as the relocation's type writes; not there: the kernel refused the read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Bytes>,
    /// The symbol's value as the kernel recorded it (st_value).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Address>,
}

/// One relocation of a `section_state`. Its offset and its addend stand in the `patch_metadata`, at the same index; where it
/// is and what was read there, in the `section_read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RelocPart {
    /// Its index in the section as the kernel keeps it, from 0.
    pub index: u32,
    /// Its index in the file's section, where the kernel has sorted the entries and it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_index: Option<u32>,
    /// The type's name, or `type N` when the architecture has no such type.
    #[serde(rename = "type")]
    pub rtype: Arc<str>,
    /// The referenced symbol's own name.
    pub symbol: Arc<str>,
    /// The symbol's position among its namesakes, where it has one; not there: 0, it must be unique.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sympos: u64,
    /// The bytes that should be there. Of an `applied` relocation, not there where they are those that are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Bytes>,
    /// The bytes that are there. Of an `applied` relocation, not there where they are those that should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<Bytes>,
    /// The symbol's value by the independent lookup, where the verdict needs it and it is not the recorded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Address>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The body of a `transition`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TransitionPart {
    /// What happened.
    pub step: TransitionStep,
    /// Whether the patch replaces all others; not there where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<bool>,
}

/// The body of a `continued`: what joins a rotated file, whose chain starts anew, to the file before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ContinuesPart {
    /// Number of this file in its session; the one with the `session` record is 1.
    pub file: u32,
    /// The hash of the last line of the file before.
    pub head: Hash,
}

/// Reads a word of a closed list; a word that this version does not know is passed over, like a field that it does not
/// know. For conclusions only: a replay derives them anew, so nothing rests on them.
pub(super) fn known_word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'word> Deserialize<'word>,
{
    let word = Option::<Cow<'de, str>>::deserialize(deserializer)?;
    Ok(word.and_then(|word| {
        let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            serde::de::IntoDeserializer::into_deserializer(&*word);
        T::deserialize(word).ok()
    }))
}

/// The same for a part of several fields.
fn known_part<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let part = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(part.and_then(|part| serde_json::from_value(part).ok()))
}

#[cfg(test)]
mod tests;
