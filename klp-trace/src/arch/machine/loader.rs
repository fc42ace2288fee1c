//! What the module loader of each machine demands of a livepatch, beside what it writes (`arch/*/kernel/module*.c`, 6.1 to 7.3).

use super::Machine;

impl Machine {
    /// A type that writes an absolute value of fewer bits than every address of the kernel or of a module has: whether the loader
    /// refuses what does not fit, else it writes the lower bits. `None`: the type is wide enough. x86: addresses begin at
    /// 0xffffffff80000000, R_X86_64_32 is extended with zeros, R_X86_64_32S with the sign. aarch64, s390x, loongarch64, ppc64:
    /// modules and kernel are above 4 GiB (`apply_relocate_add()` of each).
    pub fn too_narrow(self, rtype: u32) -> Option<bool> {
        let (refused, cut): (&[u32], &[u32]) = match self {
            // 32.
            Self::X86_64 => (&[10], &[]),
            // 8, 12, 16, 32, 20.
            Self::S390x => (&[1, 2, 3, 4, 57], &[]),
            // ABS32, ABS16, MOVW_UABS_G0, G1, G2.
            Self::Aarch64 => (&[258, 259, 263, 265, 267], &[]),
            // R_PPC64_ADDR32, R_LARCH_32.
            Self::Ppc64 | Self::Loongarch64 => (&[], &[1]),
        };
        if refused.contains(&rtype) { Some(true) } else { cut.contains(&rtype).then_some(false) }
    }

    /// Where symbols of the kernel and of modules are, if that is within 4 GiB of what 32 bits can hold with an addend: from
    /// `__START_KERNEL_map` to `MODULES_END` (Documentation/arch/x86/x86_64/mm.rst).
    pub const fn near_symbols(self) -> Option<(i128, i128)> {
        match self {
            Self::X86_64 => Some((0xffff_ffff_8000_0000, 0xffff_ffff_ff00_0000)),
            _ => None,
        }
    }

    /// The compiler's option that makes no type that is too narrow, and the type that it makes instead.
    pub const fn narrow_remedy(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => Some("-mcmodel=kernel, which makes R_X86_64_32S of it"),
            _ => None,
        }
    }

    /// Whether the loader looks at what is in a place before it writes, and refuses all but zero (arch/x86/kernel/module.c,
    /// since commit eda9cec4c9a1).
    pub const fn writes_over_zero_alone(self) -> bool {
        matches!(self, Self::X86_64)
    }

    /// The first version of Linux whose kernels clear relocation targets when their object goes; `None`: none up to 7.3.
    pub const fn clears_from(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => Some("6.3"),
            _ => None,
        }
    }

    /// The sections that list where ftrace can hook a function: where places stand at a function's very start, and where compilers
    /// may put them before it.
    pub const fn ftrace_lists(self) -> (&'static [&'static [u8]], bool) {
        match self {
            Self::X86_64 | Self::S390x => (&[b"__mcount_loc"], false),
            _ => (&[b"__patchable_function_entries", b"__mcount_loc"], true),
        }
    }
}

/// Which architectures' kernels clear relocation targets, in words.
pub const CLEARING: &str = "x86 does from 6.3";
/// The same of a kernel that is too old for it.
pub const NOT_CLEARING_YET: &str = "fixed for x86 in 6.3";
