//! Where the addresses of a kernel are, and what of them a relocation's bytes hold: what a redaction has to know.

use super::{Arch, x86_64};
use std::ops::Range;

/// Where a kernel and its modules are in the address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Where `_text` is without KASLR.
    pub unmoved: u64,
    /// KASLR leaves `_text` below this.
    pub last_base: u64,
    /// The image and the modules are from here up; a distance between two of them never leads below.
    pub top: u64,
    /// Above all modules: small negative numbers, and addresses that are the same on every boot.
    pub end: u64,
    /// Where the kernel's half of the address space begins.
    pub half: u64,
}

/// What a relocation's bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Nothing.
    Nothing,
    /// An address of 64 bits.
    Address,
    /// The lower 32 bits of an address.
    LowerHalf,
    /// A distance between two addresses, of 32 bits.
    Distance,
    /// A distance between two addresses, of 64 bits.
    LongDistance,
}

/// What is taken for a kernel address in a text of which no architecture is known.
pub const LOOKS_LIKE_AN_ADDRESS: Range<u64> = x86_64::SPACE.half..x86_64::SPACE.end;

impl Arch {
    /// Where its kernels' addresses are; `None` where it is not known, so that nothing of it can be redacted.
    pub const fn space(self) -> Option<Space> {
        match self {
            Self::X86_64 => Some(x86_64::SPACE),
            Self::Ppc64le | Self::S390x | Self::Aarch64 | Self::Loongarch64 => None,
        }
    }

    /// What a relocation of this type holds; `None` where it is not known.
    pub fn holds(self, rtype: u32) -> Option<Holds> {
        match self {
            Self::X86_64 => x86_64::Type::from_number(rtype).map(x86_64::Type::holds),
            Self::Ppc64le | Self::S390x | Self::Aarch64 | Self::Loongarch64 => None,
        }
    }

    /// Bit N: relocations of type N write eight bytes, all others at most four; as the eBPF programs take it.
    pub fn wide_types(self) -> u64 {
        (0..64).filter(|rtype| self.size(*rtype) == Some(8)).fold(0, |bits, rtype| bits | 1 << rtype)
    }
}

/// Whether relocations of this type, by its psABI name, hold a difference of two addresses, which tells neither.
pub fn is_distance(type_name: &str) -> bool {
    let holds = |kind: x86_64::Type| matches!(kind.holds(), Holds::Distance | Holds::LongDistance);
    x86_64::Type::ALL.into_iter().any(|kind| kind.name() == type_name && holds(kind))
}

/// A type's psABI name without what all names of its architecture begin with: `PC32` of `R_X86_64_PC32`.
pub fn short_type_name(name: &str) -> &str {
    let prefixes = ["R_X86_64_", "R_PPC64_", "R_390_", "R_AARCH64_", "R_LARCH_"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_tell_no_address() {
        for (name, distance) in [
            ("R_X86_64_PC32", true),
            ("R_X86_64_PLT32", true),
            ("R_X86_64_PC64", true),
            ("R_X86_64_64", false),
            ("R_X86_64_32S", false),
            ("R_390_PC32", false),
            ("", false),
        ] {
            assert_eq!(is_distance(name), distance, "{name}");
        }
    }

    #[test]
    fn names_are_shortened_on_every_architecture() {
        for (name, short) in
            [("R_X86_64_PC32", "PC32"), ("R_PPC64_REL24", "REL24"), ("R_390_64", "64"), ("?", "?")]
        {
            assert_eq!(short_type_name(name), short);
        }
    }

    #[test]
    fn two_types_of_x86_are_wide() {
        // R_X86_64_64 and R_X86_64_PC64 (psABI 4.4.1).
        assert_eq!(Arch::X86_64.wide_types(), 1 << 1 | 1 << 24);
    }
}
