//! What each architecture's module loader writes for a relocation: names, sizes, expected bytes.
//!
//! Pure: no I/O, and no knowledge of kernels' versions. Whether a kernel clears relocations is a
//! capability of the running kernel (its BTF has `clear_relocate_add`), not of the architecture.
#![forbid(unsafe_code)]

pub mod machine;
pub mod x86_64;

use crate::model::Bytes;

pub use machine::{Machine, RelocType};

/// An architecture whose relocations can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64: `arch/x86/kernel/module.c`.
    X86_64,
}

/// Why no expected bytes exist for a relocation. In both cases the kernel refuses the section with `-ENOEXEC`; before
/// 6.3 it has by then stored what does not fit ([`Arch::stored`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoExpectation {
    /// The kernel checks this type for overflow and the value does not fit.
    #[error("value {value:#x} overflows relocation type {rtype}")]
    Overflow {
        /// Relocation type as in the ELF file.
        rtype: u32,
        /// S + A, before truncation.
        value: u64,
    },
    /// The module loader of this architecture does not know the type.
    #[error("relocation type {rtype} is unknown to the kernel's module loader")]
    Unsupported {
        /// Relocation type as in the ELF file.
        rtype: u32,
    },
}

impl Arch {
    /// The architecture with this `e_machine` (ELF header), if it can be judged.
    pub fn from_elf_machine(machine: u16) -> Option<Self> {
        (machine == x86_64::ELF_MACHINE).then_some(Self::X86_64)
    }

    /// The architecture that `uname -m` calls so, if it can be judged.
    pub fn from_uname(machine: &str) -> Option<Self> {
        (machine == "x86_64").then_some(Self::X86_64)
    }

    /// Its name as in `uname -m`.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
        }
    }

    /// The psABI's name of a relocation type, such as `R_X86_64_PC32`; `None` when the loader does not know it.
    pub fn type_name(self, rtype: u32) -> Option<&'static str> {
        match self {
            Self::X86_64 => x86_64::Type::from_number(rtype).map(x86_64::Type::name),
        }
    }

    /// How many bytes the kernel writes for a type: 0 for NONE, `None` when the loader does not know it.
    pub fn size(self, rtype: u32) -> Option<usize> {
        match self {
            Self::X86_64 => x86_64::Type::from_number(rtype).map(x86_64::Type::size),
        }
    }

    /// Whether this is the architecture's NONE type: listed, never judged.
    pub fn is_none(self, rtype: u32) -> bool {
        self.size(rtype) == Some(0)
    }

    /// The symbol value that `bytes` at address `p` would come of, for type `rtype` and addend `a`: the formula turned
    /// round. `None` for types that write nothing or are not known.
    pub fn symbol(self, rtype: u32, bytes: Bytes, a: i64, p: u64) -> Option<u64> {
        match self {
            Self::X86_64 => x86_64::symbol(rtype, bytes, a, p),
        }
    }

    /// The bytes that are stored for a value that may not fit, cut to the type's size; `None` for an unknown type.
    pub fn stored(self, rtype: u32, s: u64, a: i64, p: u64) -> Option<Bytes> {
        match self {
            Self::X86_64 => x86_64::stored(rtype, s, a, p),
        }
    }

    /// The bytes that the kernel writes for type `rtype`, symbol value `s`, addend `a`, at address `p`.
    pub fn expected(self, rtype: u32, s: u64, a: i64, p: u64) -> Result<Bytes, NoExpectation> {
        match self {
            Self::X86_64 => x86_64::expected(rtype, s, a, p),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_64_is_known_by_its_number_and_its_name() {
        assert_eq!(Arch::from_elf_machine(62), Some(Arch::X86_64));
        assert_eq!(Arch::from_uname("x86_64"), Some(Arch::X86_64));
        assert_eq!(Arch::X86_64.name(), "x86_64");
        for (machine, name) in [(3, "i686"), (183, "aarch64"), (22, "s390x")] {
            assert_eq!((Arch::from_elf_machine(machine), Arch::from_uname(name)), (None, None), "{name}");
        }
    }

    #[test]
    fn types_have_the_psabis_names() {
        assert_eq!(Arch::X86_64.type_name(0), Some("R_X86_64_NONE"));
        assert_eq!(Arch::X86_64.type_name(11), Some("R_X86_64_32S"));
        assert_eq!(Arch::X86_64.type_name(77), None);
    }
}
