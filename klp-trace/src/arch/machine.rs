//! The architectures whose livepatch modules can be read: their relocation types by name and size.
//!
//! Reading is not judging: only [`super::Arch`] knows what bytes a relocation must become. The tables list the types that
//! each kernel's module loader accepts; it refuses a module with any other.

mod aarch64;
mod loader;
mod loongarch64;
mod ppc64;
mod s390x;

use super::x86_64;

pub use loader::{CLEARING, NOT_CLEARING_YET};

/// An architecture with livepatching (`HAVE_LIVEPATCH` in `arch/*/Kconfig`, 6.1 to 7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// 64-bit POWER, in practice little-endian.
    Ppc64,
    /// IBM Z, 64 bits, big-endian.
    S390x,
    /// 64-bit Arm.
    Aarch64,
    /// LoongArch, 64 bits.
    Loongarch64,
}

/// A relocation type that a kernel's module loader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelocType {
    /// Its number, the low 32 bits of `r_info`.
    pub number: u32,
    /// The psABI's name, such as `R_X86_64_PC32`.
    pub name: &'static str,
    /// Bytes at the target that the loader may change: an instruction or a word. 0 where it writes nothing.
    pub size: u8,
}

/// A row of a table: number, name, size.
const fn row(number: u32, name: &'static str, size: u8) -> RelocType {
    RelocType { number, name, size }
}

impl Machine {
    /// Every machine.
    pub const ALL: [Self; 5] = [Self::X86_64, Self::Ppc64, Self::S390x, Self::Aarch64, Self::Loongarch64];

    /// The machine of this `e_machine`.
    pub fn from_elf(e_machine: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|machine| machine.number() == e_machine)
    }

    /// `e_machine` of its ELF files.
    pub const fn number(self) -> u16 {
        match self {
            Self::X86_64 => x86_64::ELF_MACHINE,
            Self::Ppc64 => 21,
            Self::S390x => 22,
            Self::Aarch64 => 183,
            Self::Loongarch64 => 258,
        }
    }

    /// Whether kernels of it run in this byte order.
    pub const fn has_order(self, big_endian: bool) -> bool {
        match self {
            Self::X86_64 | Self::Loongarch64 => !big_endian,
            Self::S390x => big_endian,
            Self::Ppc64 | Self::Aarch64 => true,
        }
    }

    /// Its name as `uname -m` has it.
    pub const fn name(self, big_endian: bool) -> &'static str {
        match (self, big_endian) {
            (Self::X86_64, _) => "x86_64",
            (Self::Ppc64, false) => "ppc64le",
            (Self::Ppc64, true) => "ppc64",
            (Self::S390x, _) => "s390x",
            (Self::Aarch64, false) => "aarch64",
            (Self::Aarch64, true) => "aarch64_be",
            (Self::Loongarch64, _) => "loongarch64",
        }
    }

    /// A relocation type; `None` when this machine's module loader refuses it.
    pub fn reloc(self, rtype: u32) -> Option<RelocType> {
        let table = match self {
            Self::X86_64 => return x86(rtype),
            Self::Ppc64 => ppc64::TYPES,
            Self::S390x => s390x::TYPES,
            Self::Aarch64 => aarch64::TYPES,
            Self::Loongarch64 => loongarch64::TYPES,
        };
        table.binary_search_by_key(&rtype, |t| t.number).ok().and_then(|at| table.get(at)).copied()
    }
}

fn x86(rtype: u32) -> Option<RelocType> {
    let kind = x86_64::Type::from_number(rtype)?;
    // At most eight.
    Some(row(rtype, kind.name(), u8::try_from(kind.size()).unwrap_or(u8::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_for_the_search_and_named_after_their_machine() {
        for (table, prefix) in [
            (ppc64::TYPES, "R_PPC64_"),
            (s390x::TYPES, "R_390_"),
            (aarch64::TYPES, "R_AARCH64_"),
            (loongarch64::TYPES, "R_LARCH_"),
        ] {
            assert!(table.windows(2).all(|w| w[0].number < w[1].number), "{prefix}");
            assert!(table.iter().all(|t| t.name.starts_with(prefix) && t.size <= 8), "{prefix}");
        }
    }

    #[test]
    fn a_machine_is_found_by_its_number_and_knows_its_types() {
        for machine in Machine::ALL {
            assert_eq!(Machine::from_elf(machine.number()), Some(machine));
        }
        assert_eq!(Machine::from_elf(3), None, "i386 has no livepatching");
        assert_eq!(Machine::X86_64.reloc(4).map(|t| (t.name, t.size)), Some(("R_X86_64_PLT32", 4)));
        assert_eq!(Machine::Ppc64.reloc(10).map(|t| t.name), Some("R_PPC64_REL24"));
        assert_eq!(Machine::S390x.reloc(20).map(|t| t.name), Some("R_390_PLT32DBL"));
        assert_eq!(Machine::Aarch64.reloc(283).map(|t| t.name), Some("R_AARCH64_CALL26"));
        assert_eq!(Machine::Loongarch64.reloc(66).map(|t| t.name), Some("R_LARCH_B26"));
        for machine in Machine::ALL {
            assert_eq!(machine.reloc(u32::MAX), None);
        }
    }

    #[test]
    fn byte_orders_are_those_of_kernels() {
        assert!(Machine::S390x.has_order(true) && !Machine::S390x.has_order(false));
        assert!(!Machine::X86_64.has_order(true));
        assert_eq!((Machine::Ppc64.name(false), Machine::Ppc64.name(true)), ("ppc64le", "ppc64"));
    }
}
