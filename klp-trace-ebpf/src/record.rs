//! Records of the ring buffer. Each begins with a [`Head`]; its `kind` tells which it is.

/// Relocations a [`Chunk`] carries at most.
pub const CHUNK: usize = 64;
/// Bytes of a module's name, with its final NUL (`MODULE_NAME_LEN` is 56 on 64-bit; a multiple of 8 here).
pub const MODULE_NAME: usize = 64;
/// Bytes kept of a section's name, with its final NUL.
pub const SECTION_NAME: usize = 256;
/// Bytes kept of a symbol's name, with its final NUL (`KSYM_NAME_LEN` is 512; `.klp.sym.<object>.` and `,<sympos>`).
pub const SYMBOL_NAME: usize = 640;

/// [`Head::kind`]: a [`HookRecord`] at entry.
pub const KIND_ENTER: u32 = 1;
/// [`Head::kind`]: a [`HookRecord`] at exit, after every walk that the exit caused.
pub const KIND_EXIT: u32 = 2;
/// [`Head::kind`]: a [`Begin`].
pub const KIND_BEGIN: u32 = 3;
/// [`Head::kind`]: a [`Chunk`].
pub const KIND_CHUNK: u32 = 4;
/// [`Head::kind`]: an [`End`].
pub const KIND_END: u32 = 5;
/// [`Head::kind`]: a [`Symbol`].
pub const KIND_SYMBOL: u32 = 6;
/// [`Head::kind`]: a [`ModuleFacts`].
pub const KIND_MODULE: u32 = 7;
/// [`Head::kind`]: a [`Transition`].
pub const KIND_TRANSITION: u32 = 8;

/// [`Head::kind`]: a [`Header`].
pub const KIND_HEADER: u32 = 9;
/// [`Head::kind`]: a [`Block`].
pub const KIND_BLOCK: u32 = 10;

/// Bytes of a [`Block`]: a power of two, so that none crosses the end of a page.
pub const BLOCK: usize = 512;

/// [`HookRecord::flags`], [`ModuleFacts::flags`]: the module is a livepatch (`module.klp`).
pub const FLAG_LIVEPATCH: u32 = 1;
/// [`HookRecord::flags`], [`Begin::flags`]: `module.klp_info` is set; clear at the load-time apply of vmlinux sections.
pub const FLAG_KLP_INFO: u32 = 2;
/// A read of the kernel's own structures failed: fields that depend on it are zero.
pub const FLAG_READ_ERROR: u32 = 4;

/// [`Begin::flags`]: the section's header gives it more than [`MAX_ENTRIES`]: no section of a patch, but memory that was freed.
/// `total` is [`MAX_ENTRIES`] then, and no chunk follows.
pub const FLAG_CAPPED: u32 = 8;
/// [`Transition::flags`]: `klp_patch.replace` could be read.
pub const FLAG_REPLACE_READ: u32 = 16;
/// [`Transition::flags`]: `klp_patch.replace`: the patch replaces all others.
pub const FLAG_REPLACE: u32 = 32;

/// Entries that a section may have to be walked: 24 MiB of them, and `bpf_loop` under klp_mutex has an end.
pub const MAX_ENTRIES: u32 = 1 << 20;

/// [`Chunk::rela_error`]: the entries could not be read.
pub const RELA_UNREADABLE: u32 = 1;

/// What every record begins with.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// `KIND_*`
    pub kind: u32,
    /// [`crate::Hook`]'s number
    pub hook: u32,
    /// Identity of the walk, or of the question that a [`Symbol`] or [`ModuleFacts`] answers; zero: neither
    pub walk: u64,
    /// `CLOCK_MONOTONIC` nanoseconds
    pub ktime_ns: u64,
    /// CPU
    pub cpu: u32,
    /// Zero
    pub reserved: u32,
}

/// The task that ran into the hook.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Thread
    pub pid: u32,
    /// Process
    pub tgid: u32,
    /// Process of the parent; `u32::MAX`: not known
    pub ppid: u32,
    /// Real user
    pub uid: u32,
    /// Audit's login user; `u32::MAX`: none or not known
    pub auid: u32,
    /// Zero
    pub reserved: u32,
    /// Command, NUL-terminated
    pub comm: [u8; 16],
}

/// Entry to or exit from a hooked function, or a tracepoint.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookRecord {
    /// Head
    pub head: Head,
    /// Task
    pub task: Task,
    /// `struct module *`
    pub module: u64,
    /// Return value at exit of a function that has one, else zero
    pub ret: i64,
    /// `module.state`: 0 live, 1 coming, 2 going, 3 unformed
    pub state: u32,
    /// `FLAG_*`
    pub flags: u32,
    /// Index of the relocation section, for apply and clear
    pub relsec: u32,
    /// At exit: sections walked before this record
    pub walks: u32,
    /// `module.name`, NUL-terminated
    pub name: [u8; MODULE_NAME],
}

/// A walk over one relocation section begins.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Head
    pub head: Head,
    /// Task
    pub task: Task,
    /// `struct module *` of the patch
    pub module: u64,
    /// `struct module *` of the module whose coming or going caused the walk, or zero
    pub cause: u64,
    /// Return value of apply, or of the coming that failed; else zero
    pub ret: i64,
    /// Address of the section that the relocations write to
    pub target_base: u64,
    /// Its size in bytes
    pub target_size: u64,
    /// Its `sh_flags`
    pub target_flags: u64,
    /// Its index (`sh_info` of the relocation section)
    pub target_section: u32,
    /// Index of the relocation section
    pub relsec: u32,
    /// Entries of the relocation section
    pub total: u32,
    /// `FLAG_*`
    pub flags: u32,
    /// `module.name` of the patch, NUL-terminated
    pub name: [u8; MODULE_NAME],
    /// Name of the relocation section, NUL-terminated, cut at the array's end; empty without `FLAG_KLP_INFO`
    pub section: [u8; SECTION_NAME],
    /// Name of the target section, likewise
    pub target: [u8; SECTION_NAME],
}

/// Up to [`CHUNK`] relocations of the section whose walk began.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Head
    pub head: Head,
    /// `struct module *` of the patch
    pub module: u64,
    /// Index of the relocation section
    pub relsec: u32,
    /// Index of the first relocation
    pub first: u32,
    /// How many of the array's elements hold a relocation; the others hold nothing
    pub count: u32,
    /// `RELA_UNREADABLE` or zero
    pub rela_error: u32,
    /// Bit j: the symbol of relocation j could not be read
    pub symbol_errors: u64,
    /// Bit j: the target of relocation j could not be read
    pub target_errors: u64,
    /// `r_offset`, `r_info`, `r_addend`
    pub rela: [[u64; 3]; CHUNK],
    /// `st_value` of its symbol
    pub st_value: [u64; CHUNK],
    /// The bytes at its target, as many as its type writes, as a little-endian number
    pub bytes: [u64; CHUNK],
}

/// A walk ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Head
    pub head: Head,
    /// `struct module *` of the patch
    pub module: u64,
    /// Index of the relocation section
    pub relsec: u32,
    /// Entries of the section
    pub total: u32,
    /// Entries whose chunks were sent
    pub sent: u32,
    /// Zero
    pub reserved: u32,
}

/// A symbol of a patch, on demand.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Head
    pub head: Head,
    /// `struct module *`
    pub module: u64,
    /// `st_value`: what the kernel resolved last
    pub value: u64,
    /// Index in the symbol table
    pub index: u32,
    /// `st_info`
    pub info: u32,
    /// `st_shndx`
    pub shndx: u32,
    /// `FLAG_READ_ERROR` or zero
    pub flags: u32,
    /// Name, NUL-terminated, cut at the array's end
    pub name: [u8; SYMBOL_NAME],
}

/// What a `struct module` says, on demand.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleFacts {
    /// Head
    pub head: Head,
    /// `struct module *`
    pub module: u64,
    /// Start of its core text, zero when the kernel's layout is not known
    pub text: u64,
    /// `module.state`
    pub state: u32,
    /// `FLAG_*`
    pub flags: u32,
    /// Bytes of its core text
    pub text_size: u32,
    /// `e_shnum` of a patch, else zero
    pub sections: u32,
    /// Index of the symbol table of a patch, else zero
    pub symindex: u32,
    /// Entries of the symbol table of a patch, else zero
    pub symbols: u32,
    /// `module.name`, NUL-terminated
    pub name: [u8; MODULE_NAME],
}

/// A patch changes its state.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Head
    pub head: Head,
    /// Task
    pub task: Task,
    /// `struct klp_patch *`, zero when not known
    pub patch: u64,
    /// `struct module *` of the patch, zero when not known
    pub module: u64,
    /// The state aimed at (1 patched, 0 unpatched), or `apply` of `klp_write_object_relocs`; -1: not known
    pub state: i32,
    /// `FLAG_READ_ERROR`, `FLAG_REPLACE_READ`, `FLAG_REPLACE`
    pub flags: u32,
    /// `module.name` of the patch, NUL-terminated
    pub name: [u8; MODULE_NAME],
    /// Name of the object (`klp_write_object_relocs`), NUL-terminated; empty: vmlinux, or no object
    pub object: [u8; MODULE_NAME],
}

/// A section of a patch, of any kind, on demand.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Head
    pub head: Head,
    /// `struct module *` of the patch
    pub module: u64,
    /// `sh_addr`: where the section is
    pub address: u64,
    /// `sh_size`
    pub size: u64,
    /// `sh_flags`
    pub flags: u64,
    /// Its index
    pub index: u32,
    /// Zero
    pub reserved: u32,
    /// Its name, NUL-terminated, cut at the array's end
    pub name: [u8; SECTION_NAME],
}

/// Kernel memory, on demand.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Head
    pub head: Head,
    /// Its address, a multiple of [`BLOCK`]
    pub address: u64,
    /// What is there
    pub bytes: [u8; BLOCK],
}

const _: () = {
    // No implicit padding: the sum of the fields is the size.
    assert!(size_of::<Head>() == 32);
    assert!(size_of::<Task>() == 40);
    assert!(size_of::<HookRecord>() == 32 + 40 + 32 + MODULE_NAME);
    assert!(size_of::<Begin>() == 32 + 40 + 64 + MODULE_NAME + 2 * SECTION_NAME);
    assert!(size_of::<Chunk>() == 32 + 40 + 40 * CHUNK);
    assert!(size_of::<End>() == 32 + 24);
    assert!(size_of::<Symbol>() == 32 + 32 + SYMBOL_NAME);
    assert!(size_of::<ModuleFacts>() == 32 + 40 + MODULE_NAME);
    assert!(size_of::<Header>() == 32 + 40 + SECTION_NAME);
    assert!(size_of::<Block>() == 32 + 8 + BLOCK);
    assert!(size_of::<Transition>() == 32 + 40 + 24 + 2 * MODULE_NAME);
    // One walk step (begin, chunk, end, each with its 8-byte header) fits into the smallest ring, one page.
    assert!(size_of::<Begin>() + size_of::<Chunk>() + size_of::<End>() + 3 * 8 < 4096);
};
