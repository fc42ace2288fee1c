//! What each architecture's module loader writes for a relocation: names, sizes, expected bytes.
//!
//! Pure: no I/O, and no knowledge of kernels' versions.
#![forbid(unsafe_code)]

mod address;
mod livepatch;
pub mod machine;
mod space;
pub mod x86_64;

use crate::model::Bytes;

pub use livepatch::{NextLoad, clears, writes_over_zero_alone};
pub use machine::{Machine, RelocType};
pub use space::{Holds, LOOKS_LIKE_AN_ADDRESS, Space, is_distance, short_type_name};
pub use x86_64::{
    LOG_PREFIX,
    listed::{Place, Table, World},
    sorted::Sorted,
};

/// An architecture whose journals and livepatches can be judged: on x86-64 every type, elsewhere plain addresses of 64
/// bits alone; the other types are `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64: `arch/x86/kernel/module.c`.
    X86_64,
    /// 64-bit POWER, little-endian: `arch/powerpc/kernel/module_64.c`.
    Ppc64le,
    /// IBM Z: `arch/s390/kernel/module.c`.
    S390x,
    /// 64-bit Arm, little-endian: `arch/arm64/kernel/module.c`.
    Aarch64,
    /// LoongArch, 64 bits: `arch/loongarch/kernel/module.c`.
    Loongarch64,
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
    /// The module loader of this architecture does not know the type, or its formula is not known here.
    #[error("relocation type {rtype} is unknown to the kernel's module loader, or its formula is not known")]
    Unsupported {
        /// Relocation type as in the ELF file.
        rtype: u32,
    },
}

impl Arch {
    /// Every architecture.
    pub const ALL: [Self; 5] = [Self::X86_64, Self::Ppc64le, Self::S390x, Self::Aarch64, Self::Loongarch64];

    /// The architecture of ELF files with this `e_machine` in this byte order, if it can be judged.
    pub fn from_elf(machine: u16, big_endian: bool) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|arch| arch.machine().number() == machine && arch.is_big_endian() == big_endian)
    }

    /// The architecture that `uname -m` calls so, if it can be judged.
    pub fn from_uname(machine: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == machine)
    }

    /// The architecture that this program is built for, which is its kernel's too.
    pub const fn native() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            Some(Self::Ppc64le)
        } else if cfg!(target_arch = "s390x") {
            Some(Self::S390x)
        } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
            Some(Self::Aarch64)
        } else if cfg!(target_arch = "loongarch64") {
            Some(Self::Loongarch64)
        } else {
            None
        }
    }

    /// Its tables of relocation types.
    pub const fn machine(self) -> Machine {
        match self {
            Self::X86_64 => Machine::X86_64,
            Self::Ppc64le => Machine::Ppc64,
            Self::S390x => Machine::S390x,
            Self::Aarch64 => Machine::Aarch64,
            Self::Loongarch64 => Machine::Loongarch64,
        }
    }

    const fn is_big_endian(self) -> bool {
        matches!(self, Self::S390x)
    }

    /// Its name as in `uname -m`.
    pub const fn name(self) -> &'static str {
        self.machine().name(self.is_big_endian())
    }

    /// The psABI's name of a relocation type, such as `R_X86_64_PC32`; `None` when the loader does not know it.
    pub fn type_name(self, rtype: u32) -> Option<&'static str> {
        match self {
            Self::X86_64 => x86_64::Type::from_number(rtype).map(x86_64::Type::name),
            _ => self.machine().reloc(rtype).map(|kind| kind.name),
        }
    }

    /// How many bytes the kernel writes for a type that can be judged: 0 for NONE; `None` when the loader does not know the
    /// type, or its formula is not known here.
    pub fn size(self, rtype: u32) -> Option<usize> {
        match self {
            Self::X86_64 => x86_64::Type::from_number(rtype).map(x86_64::Type::size),
            _ => address::size(self, rtype),
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
            _ => address::symbol(self, rtype, bytes, a),
        }
    }

    /// The table of this name, where it is one whose entries the kernel moves after it has relocated them; known of x86-64
    /// alone: elsewhere the types that stand in such tables are not judged.
    pub fn sorted(self, section: &str) -> Option<Sorted> {
        match self {
            Self::X86_64 => x86_64::sorted::sorted(section),
            _ => None,
        }
    }

    /// The symbol that the loader puts in this one's place in an entry of a sorted table; `None`: it leaves it.
    pub fn exchanged(self, symbol: &str) -> Option<String> {
        match self {
            Self::X86_64 => x86_64::sorted::exchanged(symbol),
            _ => None,
        }
    }

    /// The names of the tables that list code which the loader rewrites.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Self::X86_64 => &x86_64::listed::TABLES,
            _ => &[],
        }
    }

    /// The name of the first table that lists a place in code, and what all that do allow there; `None`: none lists it.
    pub fn listed(
        self,
        tables: &[Table],
        place: &Place<'_>,
        world: &mut dyn World,
    ) -> Option<(String, Vec<Bytes>)> {
        match self {
            Self::X86_64 => x86_64::listed::listed(tables, place, world),
            _ => None,
        }
    }

    /// The bytes that are stored for a value that may not fit, cut to the type's size; `None` for an unknown type.
    pub fn stored(self, rtype: u32, s: u64, a: i64, p: u64) -> Option<Bytes> {
        match self {
            Self::X86_64 => x86_64::stored(rtype, s, a, p),
            _ => address::stored(self, rtype, s, a),
        }
    }

    /// The bytes that the kernel writes for type `rtype`, symbol value `s`, addend `a`, at address `p`.
    pub fn expected(self, rtype: u32, s: u64, a: i64, p: u64) -> Result<Bytes, NoExpectation> {
        match self {
            Self::X86_64 => x86_64::expected(rtype, s, a, p),
            _ => address::stored(self, rtype, s, a).ok_or(NoExpectation::Unsupported { rtype }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_number_and_its_name() {
        for (number, big, name) in [
            (62, false, "x86_64"),
            (21, false, "ppc64le"),
            (22, true, "s390x"),
            (183, false, "aarch64"),
            (258, false, "loongarch64"),
        ] {
            let arch = Arch::from_uname(name).unwrap();
            assert_eq!((Arch::from_elf(number, big), arch.name()), (Some(arch), name));
            assert_eq!(Arch::from_elf(number, !big), None, "{name} in the other byte order");
        }
        for name in ["i686", "ppc64", "aarch64_be", "riscv64", ""] {
            assert_eq!(Arch::from_uname(name), None, "{name}");
        }
        assert_eq!(Arch::native().map(Arch::name), Some(std::env::consts::ARCH));
    }

    #[test]
    fn types_have_the_psabis_names() {
        assert_eq!(Arch::X86_64.type_name(0), Some("R_X86_64_NONE"));
        assert_eq!(Arch::X86_64.type_name(11), Some("R_X86_64_32S"));
        assert_eq!(Arch::X86_64.type_name(77), None);
        assert_eq!(Arch::Ppc64le.type_name(10), Some("R_PPC64_REL24"));
        assert_eq!(Arch::S390x.type_name(26), Some("R_390_GOTENT"));
    }
}
