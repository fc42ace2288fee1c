//! Where the kernel keeps what the programs read. User space fills the globals in before the programs are loaded, from
//! the running kernel's BTF (Rust has no CO-RE relocations); the verifier then sees constants.

use aya_ebpf::{Global, cty::c_void, helpers::generated};

macro_rules! globals {
    ($($(#[$doc:meta])* $name:ident: $ty:ty = $value:expr;)*) => {
        $($(#[$doc])*
        #[unsafe(no_mangle)]
        pub static $name: Global<$ty> = Global::new($value);)*
    };
}

/// A member that this kernel does not have.
pub const ABSENT: u32 = u32::MAX;

globals! {
    /// `struct module`: state
    MOD_STATE: u32 = 0;
    /// name
    MOD_NAME: u32 = 0;
    /// klp
    MOD_KLP: u32 = 0;
    /// klp_info
    MOD_KLP_INFO: u32 = 0;
    /// core_kallsyms.strtab
    MOD_STRTAB: u32 = 0;
    /// core_kallsyms.num_symtab
    MOD_NUM_SYMTAB: u32 = 0;
    /// mem[MOD_TEXT].base, before 6.4 core_layout.base
    MOD_TEXT: u32 = ABSENT;
    /// mem[MOD_TEXT].size, before 6.4 core_layout.text_size
    MOD_TEXT_SIZE: u32 = ABSENT;
    /// `struct klp_modinfo`: hdr.e_shnum
    KLP_SHNUM: u32 = 0;
    /// sechdrs
    KLP_SECHDRS: u32 = 0;
    /// secstrings
    KLP_SECSTRINGS: u32 = 0;
    /// symndx
    KLP_SYMNDX: u32 = 0;
    /// `struct task_struct`: real_parent
    TASK_PARENT: u32 = ABSENT;
    /// tgid
    TASK_TGID: u32 = ABSENT;
    /// loginuid
    TASK_LOGINUID: u32 = ABSENT;
    /// pid: the thread's number in the first PID namespace
    TASK_PID: u32 = 0;
    /// start_time
    TASK_START: u32 = 0;
    /// exit_state: not zero once the thread has ended
    TASK_EXIT_STATE: u32 = 0;
    /// `struct klp_patch`: mod
    PATCH_MOD: u32 = 0;
    /// free_work
    PATCH_FREE_WORK: u32 = ABSENT;
    /// replace
    PATCH_REPLACE: u32 = 0;
    /// `struct klp_object`: name
    OBJECT_NAME: u32 = 0;
    /// Address of the variable klp_transition_patch, or zero
    TRANSITION_PATCH: u64 = 0;
    /// Address of the variable klp_target_state, or zero
    TARGET_STATE: u64 = 0;
    /// Bit t: relocation type t writes eight bytes; the others write four
    WIDE_TYPES: u64 = 0;
    /// klp_cleanup_module_patches_limited is hooked: the exits of going and coming need not re-read
    CLEANUP_HOOKED: u32 = 0;
}

/// Elf64_Shdr: its size, and the offsets of its members (ELF-64 object file format, 1.5).
const SHDR: u64 = 64;
pub const SH_NAME: u64 = 0;
pub const SH_FLAGS: u64 = 8;
pub const SH_ADDR: u64 = 16;
pub const SH_SIZE: u64 = 32;
pub const SH_INFO: u64 = 44;

/// Set on a relocation section that livepatch applies (include/uapi/linux/elf.h).
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

/// Elf64_Sym: size and the offset of st_value.
pub const SYM: u64 = 24;
/// st_value
pub const ST_VALUE: u64 = 8;

/// Elf64_Rela: size.
pub const RELA: u64 = 24;

/// Copies `size` bytes of kernel memory; the destination is zeroed when they cannot be read. Negative: an error.
///
/// # Safety
/// `to` points to `size` writable bytes; the verifier proves it again.
#[inline(always)]
pub unsafe fn copy(to: *mut c_void, size: u32, from: u64) -> i64 {
    // SAFETY: the caller's promise; any kernel address may be tried, the helper catches the fault.
    unsafe { generated::bpf_probe_read_kernel(to, size, from as *const c_void) }
}

/// Copies a string with its NUL, cut at `size` bytes. Negative: an error, and the destination is zeroed.
///
/// # Safety
/// As [`copy`].
#[inline(always)]
pub unsafe fn copy_str(to: *mut c_void, size: u32, from: u64) -> i64 {
    // SAFETY: as in copy.
    unsafe { generated::bpf_probe_read_kernel_str(to, size, from as *const c_void) }
}

/// A value of kernel memory. `T` is an integer or made of integers.
#[inline(always)]
pub fn read<T: Copy>(from: u64) -> Option<T> {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: value is size_of::<T>() bytes; the helper fills or zeroes all of them, and any bytes are a T.
    unsafe {
        let rc = copy(value.as_mut_ptr().cast(), size_of::<T>() as u32, from);
        if rc < 0 { None } else { Some(value.assume_init()) }
    }
}

/// A field at an offset from BTF.
#[inline(always)]
pub fn field<T: Copy>(base: u64, offset: &Global<u32>) -> Option<T> {
    read(base + u64::from(offset.load()))
}

/// Copies a member of the header of section `index`. One at a time: whole headers would not fit on the stack.
///
/// # Safety
/// As [`copy`].
#[inline(always)]
pub unsafe fn copy_header(to: *mut c_void, size: u32, sechdrs: u64, index: u32, member: u64) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { copy(to, size, sechdrs + SHDR * u64::from(index) + member) }
}

/// A member of the header of section `index`.
#[inline(always)]
pub fn header<T: Copy>(sechdrs: u64, index: u32, member: u64) -> Option<T> {
    read(sechdrs + SHDR * u64::from(index) + member)
}

/// Whether livepatch applies section `index`. The first question everywhere: apply_relocate_add runs for every
/// relocation section of every module.
#[inline(always)]
pub fn is_livepatch_section(sechdrs: u64, index: u32) -> bool {
    match header::<u64>(sechdrs, index, SH_FLAGS) {
        Some(flags) => flags & SHF_RELA_LIVEPATCH != 0,
        None => false,
    }
}

/// `klp_modinfo` of a patch, kept from copy_module_elf() until the module is freed.
#[derive(Clone, Copy)]
pub struct Info {
    pub sechdrs: u64,
    pub secstrings: u64,
    pub symndx: u32,
    pub shnum: u32,
}

/// The strings of a patch's section names; zero: `klp_info` is not set, or unreadable.
#[inline(always)]
pub fn kept_names(module: u64) -> u64 {
    let info: u64 = field(module, &MOD_KLP_INFO).unwrap_or(0);
    if info == 0 { 0 } else { field(info, &KLP_SECSTRINGS).unwrap_or(0) }
}

/// `module.klp_info`; `None`: not set, or unreadable (a null pointer's members are).
#[inline(always)]
pub fn klp_info(module: u64) -> Option<Info> {
    let mut at = 0u64;
    let mut info = Info { sechdrs: 0, secstrings: 0, symndx: 0, shnum: 0 };
    // SAFETY: each destination is a field of the size asked for. No branch on each result: one at the end.
    let rc = unsafe {
        let mut rc = copy((&raw mut at).cast(), 8, module + u64::from(MOD_KLP_INFO.load()));
        rc |= copy((&raw mut info.sechdrs).cast(), 8, at + u64::from(KLP_SECHDRS.load()));
        rc |= copy((&raw mut info.secstrings).cast(), 8, at + u64::from(KLP_SECSTRINGS.load()));
        rc |= copy((&raw mut info.symndx).cast(), 4, at + u64::from(KLP_SYMNDX.load()));
        // Two bytes of four: little-endian, as the target is.
        rc | copy((&raw mut info.shnum).cast(), 2, at + u64::from(KLP_SHNUM.load()))
    };
    if rc < 0 { None } else { Some(info) }
}
