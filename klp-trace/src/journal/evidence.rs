//! Events that are evidence: what sources see. The verifier draws its conclusions from these alone.

use super::derived::Derived;
use super::refs::{ObjectRef, PatchRef, SectionRef};
use crate::model::{Address, Bytes, Hook, Phase, Reason};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The start of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Session {
    /// The tool's command line.
    pub command: Vec<String>,
    /// The hooks, attached or not.
    pub hooks: Vec<HookInfo>,
    /// Whether this kernel clears relocation targets when an object goes (x86 from 6.3). Of other architectures it
    /// is not believed: their kernels have a `clear_relocate_add` that is empty.
    pub clears: bool,
    /// Size of the ring buffer, bytes.
    pub ring_bytes: u32,
    /// How kernel memory is read.
    #[serde(default, skip_serializing_if = "Memory::is_bpf")]
    pub memory: Memory,
    /// Where the kernel's `_text` is: how far KASLR has moved the kernel. Not there: not known, or redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel_base: Option<Address>,
    /// Whether the kernel's own log is read beside the hooks: where it is not, findings lack its words, and nothing else.
    #[serde(default, skip_serializing_if = "is_not")]
    pub kernel_log: bool,
    /// Whether the addresses are those of a kernel without KASLR (`--redact-addresses`), and none is of this boot.
    #[serde(default, skip_serializing_if = "is_not")]
    pub redacted: bool,
    /// That this session was taken from a journal that is not whole: what is left of it was judged, no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Derived>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_not(yes: &bool) -> bool {
    !*yes
}

/// How kernel memory is read: which memory witness a session's verdicts rest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Memory {
    /// By eBPF programs (`bpf_probe_read_kernel`).
    #[default]
    Bpf,
    /// Through /proc/kcore.
    Kcore,
}

impl Memory {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    const fn is_bpf(&self) -> bool {
        matches!(self, Self::Bpf)
    }

    /// Its word in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bpf => "bpf",
            Self::Kcore => "kcore",
        }
    }
}

/// One hook of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct HookInfo {
    /// The hook.
    pub name: Hook,
    /// How it is attached (`fentry`, `kprobe`, `tracepoint`); none when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Why it is not attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A module came, went or was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModuleEvent {
    /// What happened.
    pub action: ModuleAction,
    /// The module's name.
    pub name: Arc<str>,
    /// Address of its `struct module`, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Whether it is a livepatch.
    pub livepatch: bool,
    /// What keeps it loaded: of a module that relocations' symbols are in, where it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ModuleUsage>,
}

impl ModuleEvent {
    /// Nothing is said of what keeps it.
    pub const fn new(
        action: ModuleAction,
        name: Arc<str>,
        address: Option<Address>,
        livepatch: bool,
    ) -> Self {
        Self { action, name, address, livepatch, usage: None }
    }
}

/// What keeps a module loaded, by /proc/modules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModuleUsage {
    /// References to it; not there where the kernel cannot unload modules at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refcount: Option<i64>,
    /// Whether it can never be unloaded: it has an init and no exit function.
    #[serde(default, skip_serializing_if = "is_not")]
    pub permanent: bool,
    /// The modules that use what it exports, and those that use these in turn, in order of their names.
    pub holders: Vec<Arc<str>>,
}

impl ModuleUsage {
    /// Whether the module could be unloaded now.
    pub fn is_free(&self) -> bool {
        self.refcount.is_some_and(|count| count <= 0) && !self.permanent
    }
}

/// What happened to a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModuleAction {
    /// Found loaded when the tool looked.
    Present,
    /// Found being loaded when the tool looked: its init has not returned (`MODULE_STATE_COMING`), and livepatch may not have
    /// written yet what is gated on it.
    Loading,
    /// Found being unloaded when the tool looked (`MODULE_STATE_GOING`): its exit function runs before livepatch clears what is
    /// gated on it (kernel/module/main.c, `delete_module`), and what is there may be right still.
    Unloading,
    /// Not loaded when the tool looked.
    Absent,
    /// The tracepoint module_load: loaded, its init about to run.
    Loaded,
    /// The tracepoint module_free: its memory is about to be freed.
    Freed,
    /// It kept coming and going while what is gated on it was read: nothing can be told.
    Unsettled,
}

/// A watched function was entered or left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookEvent {
    /// Which.
    pub hook: Hook,
    /// Entered or left.
    pub phase: Phase,
    /// What it returned; none at entry and for functions that return nothing.
    pub ret: Option<i64>,
    /// The processor.
    pub cpu: u32,
    /// The patch, for functions that work on one.
    pub patch: Option<PatchRef>,
    /// The module that comes or goes, for functions that work on one.
    pub object: Option<ObjectRef>,
    /// The section, for apply_relocate_add and clear_relocate_add.
    pub section: Option<SectionRef>,
}

/// What the ELF witness says of one section of a patch; large sections come in several, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchMetadata {
    /// The patch.
    pub patch: PatchRef,
    /// The section.
    pub section: SectionRef,
    /// The object that gates the section.
    pub object: Arc<str>,
    /// Where this was read.
    pub elf: Elf,
    /// Name of the section that is relocated.
    pub target: Arc<str>,
    /// Whether the relocated section is writable at run time.
    pub writable: bool,
    /// Entries of the whole section.
    pub total: u32,
    /// The entries; `index` says where they stand.
    pub entries: Vec<MetaEntry>,
}

/// Which copy of the patch's ELF is the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "source")]
pub enum Elf {
    /// The .ko on disk, which agrees with what the kernel holds.
    File {
        /// The file.
        path: String,
        /// Its build-id, hex; none when it has none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        build_id: Option<String>,
    },
    /// No .ko was found: the kernel's own copy, the weaker witness.
    Memory {
        /// Why no file is used.
        why: String,
    },
    /// A .ko was found and is not what was loaded (KLP011): no verdict rests on it.
    Differs {
        /// The file.
        path: String,
        /// The first difference.
        difference: String,
    },
}

/// One relocation entry as the ELF witness has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct MetaEntry {
    /// Index in the section as the kernel keeps it, from 0.
    pub index: u32,
    /// Its index in the file's section, where the kernel has sorted the entries and it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_index: Option<u32>,
    /// r_offset.
    pub offset: Address,
    /// ELF64_R_TYPE.
    #[serde(rename = "type")]
    pub rtype: u32,
    /// r_addend.
    pub addend: i64,
    /// The symbol's whole name (`.klp.sym.<object>.<symbol>,<sympos>`), escaped.
    pub symbol: Arc<str>,
    /// The eight bytes at the target before any relocation was written (zero past the section's end); not written where all
    /// are zero.
    #[serde(default = "zeros", skip_serializing_if = "is_zeros")]
    pub original: Bytes,
}

fn zeros() -> Bytes {
    Bytes::new([0; 8], 8)
}

fn is_zeros(bytes: &Bytes) -> bool {
    *bytes == zeros()
}

/// Where a symbol is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolLookup {
    /// The object as it was loaded at the lookup.
    pub object: ObjectRef,
    /// The symbol's own name.
    pub symbol: Arc<str>,
    /// Its position among its namesakes; 0: must be unique.
    pub sympos: u64,
    /// What was found.
    pub outcome: Lookup,
}

/// What a symbol lookup gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Lookup {
    /// Found.
    Found {
        /// The symbol's value.
        address: Address,
        /// The set it was looked up in.
        set: SymbolSet,
        /// Where the addresses came from.
        from: SymbolSource,
    },
    /// Not found, or not certain.
    Failed {
        /// Why.
        why: Reason,
    },
}

/// The set of an object's symbols that a lookup counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SymbolSet {
    /// All of the symbol table, .init included: what the kernel sees while the object is COMING.
    Full,
    /// What remains once the object is live.
    Core,
}

/// Where symbol addresses came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolSource {
    /// /proc/kallsyms.
    Kallsyms,
    /// The object's .ko and its load addresses.
    ObjectFile,
    /// The object's own symbol table in kernel memory (`module.kallsyms`), of which /proc/kallsyms is the text.
    ModuleMemory,
}

impl SymbolSource {
    /// Its word in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kallsyms => "kallsyms",
            Self::ObjectFile => "object-file",
            Self::ModuleMemory => "module-memory",
        }
    }
}

/// A whole section of relocations was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionRead {
    /// The patch.
    pub patch: PatchRef,
    /// The section.
    pub section: SectionRef,
    /// The object that gates it.
    pub object: ObjectRef,
    /// At which hook it was read.
    pub read: Hook,
    /// What the hooked function returned (apply); none otherwise.
    pub ret: Option<i64>,
    /// Entries of the section.
    pub total: u32,
    /// Entries whose record was lost. When there are any, nothing of this read is judged: it has to be read again.
    pub lost: u32,
    /// Entries read, in order. With none lost, those that are not here (a journal lists what is news alone) are as they
    /// were when last listed.
    pub entries: Vec<EntryRead>,
    /// What the loader may have made of the section since it was relocated, where that was looked at.
    pub rewrites: Option<Rewrites>,
}

/// What the module loader has made of a section against vmlinux after it relocated it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Rewrites {
    /// The section is a table that the kernel sorts, and was read whole: each entry was found where the sort has put it, or is
    /// in none of its places.
    #[serde(default, skip_serializing_if = "is_not")]
    pub sorted: bool,
    /// Relocations whose places the patch's own tables list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listed: Vec<ListedPlace>,
}

/// What a patch's own tables allow at the place of a relocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ListedPlace {
    /// The relocation's index in its section.
    pub index: u32,
    /// The first table that lists the place, such as `.static_call_sites`.
    pub table: Arc<str>,
    /// What may be there, by the tables' entries and the code around the place; none: that code is of no form.
    pub allowed: Vec<Bytes>,
}

/// What was read of one relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryRead {
    /// Index in the section, from 0.
    pub index: u32,
    /// Address of the target.
    pub address: Address,
    /// The eight bytes there; none when the kernel refused the read.
    pub bytes: Option<[u8; 8]>,
    /// The symbol's value as the kernel has it (st_value); none when unreadable.
    pub recorded: Option<Address>,
}

/// A step of a patch's transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The patch, where known.
    pub patch: Option<PatchRef>,
    /// What happened.
    pub step: TransitionStep,
    /// Whether the patch replaces all others (`klp_patch.replace`); none: not known.
    pub replace: Option<bool>,
}

/// The steps of a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransitionStep {
    /// Towards the patched state.
    Patching,
    /// Towards the unpatched state.
    Unpatching,
    /// Completed.
    Complete,
    /// Forced by the administrator.
    Forced,
    /// The patch was disabled or replaced and has left livepatch's list.
    Detached,
}

/// Records were lost, or may have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EventsLost {
    /// Whose records.
    pub hook: Hook,
    /// Why.
    pub cause: LossCause,
    /// How many; 0 when that cannot be known.
    pub count: u64,
}

/// How records come to be lost.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum LossCause {
    /// The ring buffer was full.
    RingFull,
    /// The kernel skipped a program because one was running (recursion_misses).
    Recursion,
    /// A function was entered and its return not seen (kretprobe misses).
    MissedExit,
    /// The programs' map of sections was full.
    MapFull,
    /// The programs' map of calls under way was full.
    CallsFull,
    /// The kernel refused a helper to a program, such as the one that goes through a map.
    HelperRefused,
    /// A module was loaded without klp_module_coming having been seen: the hooks did not fire.
    BlindWindow,
    /// kernel.ftrace_enabled was 0: no hook fires.
    FtraceDisabled,
    /// A section's records arrived incomplete.
    Incomplete,
}

impl LossCause {
    /// Every cause.
    pub const ALL: [Self; 9] = [
        Self::RingFull,
        Self::Recursion,
        Self::MissedExit,
        Self::MapFull,
        Self::CallsFull,
        Self::HelperRefused,
        Self::BlindWindow,
        Self::FtraceDisabled,
        Self::Incomplete,
    ];

    /// Its word in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RingFull => "ring-full",
            Self::Recursion => "recursion",
            Self::MissedExit => "missed-exit",
            Self::MapFull => "map-full",
            Self::CallsFull => "calls-full",
            Self::HelperRefused => "helper-refused",
            Self::BlindWindow => "blind-window",
            Self::FtraceDisabled => "ftrace-disabled",
            Self::Incomplete => "incomplete",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_losses_are_the_serialised_names() {
        for cause in LossCause::ALL {
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{}\"", cause.word()));
        }
    }
}
