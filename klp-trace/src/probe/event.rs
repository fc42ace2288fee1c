//! What the probes report, decoded and checked: the only thing that leaves this room.

use std::fmt;

pub use klp_trace_ebpf::Hook;

/// One record of the ring buffer. They come in the order in which the kernel reserved them.
///
/// An exit's walks come before its [`RawEvent::Exit`]: when the exit is seen, all its evidence has been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawEvent {
    /// A hooked function was entered. For apply and clear: of a livepatch section alone.
    Enter(HookEvent),
    /// It returned; for [`Hook::ModuleLoad`]: the walks of a livepatch's sections are over.
    Exit(HookEvent),
    /// A walk over a relocation section begins.
    WalkBegin(Box<WalkBegin>),
    /// Relocations of a walk.
    Chunk(Chunk),
    /// A walk ends.
    WalkEnd(WalkEnd),
    /// A module is loaded and its init is about to run; a livepatch's walks follow.
    ModuleLoad(HookEvent),
    /// A module is being freed.
    ModuleFree(HookEvent),
    /// A patch changes its state.
    Transition(Transition),
    /// A symbol, on demand.
    Symbol(Symbol),
    /// What a `struct module` says, on demand.
    Module(ModuleFacts),
    /// A section of a patch, on demand.
    Header(Box<Header>),
    /// Kernel memory, on demand.
    Block(Box<Block>),
    /// A record that does not decode: a defect of the probes, to be counted as a lost event.
    Malformed {
        /// Why
        reason: &'static str,
        /// Bytes of the record
        length: usize,
    },
}

/// A name as the kernel holds it: any bytes but NUL, hostile until escaped.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KernelName(pub Vec<u8>);

impl KernelName {
    /// The name, with bytes that are not UTF-8 replaced; control characters are still in it.
    pub fn to_lossy(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for KernelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// When and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// `CLOCK_MONOTONIC` nanoseconds
    pub mono_ns: u64,
    /// CPU
    pub cpu: u32,
}

/// The task that ran into the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Thread, in the first PID namespace
    pub pid: u32,
    /// Process
    pub tgid: u32,
    /// Process of the parent
    pub ppid: Option<u32>,
    /// Real user
    pub uid: u32,
    /// Audit's login user
    pub auid: Option<u32>,
    /// Command
    pub comm: KernelName,
}

/// `enum module_state` (include/linux/module.h, 6.1 to 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    /// In use
    Live,
    /// Full formed, its init is running
    Coming,
    /// Going away
    Going,
    /// Still being set up
    Unformed,
    /// Not in the list
    Other(u32),
}

/// A `struct module`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Its address
    pub address: u64,
    /// `module.name`
    pub name: KernelName,
    /// `module.state`
    pub state: ModuleState,
    /// `module.klp`
    pub livepatch: bool,
    /// `module.klp_info` is set
    pub klp_info: bool,
    /// The struct could not be read in full: name, state and flags may be empty
    pub unreadable: bool,
}

/// Entry to or exit from a hooked function, or a tracepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookEvent {
    /// Which
    pub hook: Hook,
    /// When and where
    pub stamp: Stamp,
    /// Who
    pub task: Task,
    /// The module it is about: the patch for apply and clear
    pub module: Module,
    /// Return value, at exit of klp_module_coming and apply_relocate_add
    pub ret: Option<i64>,
    /// Index of the relocation section, for apply and clear
    pub relsec: Option<u32>,
    /// At exit: sections walked before this record. Fewer [`RawEvent::WalkBegin`] seen: they were lost.
    pub walks: u32,
}

/// Identity of a walk, unique for the life of the machine's boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WalkId(pub u64);

/// A walk over one relocation section begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkBegin {
    /// Identity
    pub walk: WalkId,
    /// Why the section is read: [`Hook::Apply`], [`Hook::Clear`], [`Hook::Cleanup`], [`Hook::Going`], [`Hook::Coming`]
    /// (failed, where cleanup is not hooked), [`Hook::ModuleLoad`], [`Hook::Demand`]
    pub hook: Hook,
    /// When and where
    pub stamp: Stamp,
    /// Who
    pub task: Task,
    /// The patch's `struct module`
    pub module: u64,
    /// `module.name` of the patch
    pub name: KernelName,
    /// The module whose coming or going caused the walk
    pub cause: Option<u64>,
    /// Return value of apply, or of the coming that failed
    pub ret: Option<i64>,
    /// The section
    pub section: SectionInfo,
}

/// A livepatch relocation section of a loaded patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionInfo {
    /// Index of the relocation section
    pub relsec: u32,
    /// Its name; `None` at the load-time apply, when the kernel has not kept the section names yet
    pub name: Option<KernelName>,
    /// The name is longer than what was kept of it
    pub name_cut: bool,
    /// Entries
    pub total: u32,
    /// Index of the section that the relocations write to (`sh_info`)
    pub target_section: u32,
    /// Its name
    pub target_name: Option<KernelName>,
    /// Its address
    pub target_base: u64,
    /// Its size in bytes
    pub target_size: u64,
    /// Its `sh_flags`
    pub target_flags: u64,
    /// Its header gives it more entries than any section has (`MAX_ENTRIES`): it was being freed, and none was read
    pub capped: bool,
}

/// Relocations of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The walk
    pub walk: WalkId,
    /// Why the section is read
    pub hook: Hook,
    /// When and where
    pub stamp: Stamp,
    /// The patch's `struct module`
    pub module: u64,
    /// Index of the relocation section
    pub relsec: u32,
    /// Index of the first entry
    pub first: u32,
    /// The entries
    pub entries: Vec<Entry>,
}

/// One relocation as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `r_offset`, `r_info` and `r_addend`; `None`: unreadable
    pub rela: Option<Rela>,
    /// `st_value` of its symbol: what the kernel resolved last; `None`: unreadable
    pub st_value: Option<u64>,
    /// The bytes at its target, as many as its type writes, as a little-endian number; `None`: unreadable
    pub bytes: Option<u64>,
}

/// An `Elf64_Rela`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rela {
    /// `r_offset`: from the target section's start
    pub offset: u64,
    /// Low half of `r_info`
    pub r_type: u32,
    /// High half of `r_info`: index in the patch's symbol table
    pub symbol: u32,
    /// `r_addend`
    pub addend: i64,
}

/// A walk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkEnd {
    /// The walk
    pub walk: WalkId,
    /// Why the section was read
    pub hook: Hook,
    /// When and where
    pub stamp: Stamp,
    /// The patch's `struct module`
    pub module: u64,
    /// Index of the relocation section
    pub relsec: u32,
    /// Entries of the section
    pub total: u32,
    /// Entries that were sent; fewer than `total`: the others were lost
    pub sent: u32,
}

/// A symbol of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The question that it answers
    pub question: WalkId,
    /// When and where
    pub stamp: Stamp,
    /// The patch's `struct module`
    pub module: u64,
    /// Index in its symbol table
    pub index: u32,
    /// Name, such as `.klp.sym.nfsd.foo,0`
    pub name: KernelName,
    /// The name is longer than what was kept of it
    pub name_cut: bool,
    /// `st_value`: what the kernel resolved last
    pub value: u64,
    /// `st_info`
    pub info: u8,
    /// `st_shndx`
    pub shndx: u16,
    /// Something of it could not be read
    pub unreadable: bool,
}

/// What a `struct module` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFacts {
    /// The question that they answer
    pub question: WalkId,
    /// When and where
    pub stamp: Stamp,
    /// The module
    pub module: Module,
    /// Core text: address and bytes
    pub text: Option<(u64, u32)>,
    /// Of a patch: sections (`e_shnum`)
    pub sections: u32,
    /// Of a patch: index of its symbol table
    pub symindex: u32,
    /// Of a patch: symbols
    pub symbols: u32,
}

/// A patch changes its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Which function: one of the optional hooks
    pub hook: Hook,
    /// When and where
    pub stamp: Stamp,
    /// Who
    pub task: Task,
    /// The patch's `struct module`
    pub module: Option<u64>,
    /// `module.name` of the patch
    pub name: KernelName,
    /// [`Hook::WriteObjectRelocs`]: the object; `None`: vmlinux
    pub object: Option<KernelName>,
    /// The state aimed at (true: patched), or whether relocations are applied rather than cleared
    pub target: Option<bool>,
    /// Whether the patch replaces all others (`klp_patch.replace`); none: not known
    pub replace: Option<bool>,
}

/// A section of a patch, of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The question that it answers
    pub question: WalkId,
    /// Its index
    pub index: u32,
    /// Its name
    pub name: KernelName,
    /// Where it is
    pub address: u64,
    /// Its size in bytes
    pub size: u64,
    /// Its `sh_flags`
    pub flags: u64,
}

/// Kernel memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The question that it answers
    pub question: WalkId,
    /// Its address, a multiple of [`klp_trace_ebpf::BLOCK`]
    pub address: u64,
    /// What is there
    pub bytes: [u8; klp_trace_ebpf::BLOCK],
}
