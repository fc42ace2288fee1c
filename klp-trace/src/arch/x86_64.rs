//! x86-64, by the kernel's own rules: `__apply_relocate_add()` of `arch/x86/kernel/module.c` in 6.1,
//! `__write_relocate_add()` in 6.3 and later. The cases are the same in both.

pub mod listed;
mod nops;
pub mod sorted;

use super::{Holds, NoExpectation, Space};
use crate::model::Bytes;

/// `EM_X86_64` of the ELF header.
pub const ELF_MACHINE: u16 = 62;

/// Where a kernel of x86-64 is (Documentation/arch/x86/x86_64/mm.rst): `_text` at `CONFIG_PHYSICAL_START` as every distribution
/// has it, KASLR within the gigabyte above `__START_KERNEL_map`, modules up to `MODULES_END`.
pub const SPACE: Space = Space {
    unmoved: 0xffff_ffff_8100_0000,
    last_base: 0xffff_ffff_c000_0000,
    top: 0xffff_ffff_8000_0000,
    end: 0xffff_ffff_ff00_0000,
    half: 0xffff_8000_0000_0000,
};

/// What the module loader's messages begin with (`pr_fmt` of arch/x86/kernel/module.c, 6.1 to 7.3).
pub const LOG_PREFIX: &str = "x86/modules: ";

/// The relocation types that the kernel's loader knows; every other one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// `R_X86_64_NONE`: skipped.
    None,
    /// `R_X86_64_64`: S + A.
    Abs64,
    /// `R_X86_64_PC32`: S + A - P. Not checked for overflow (the check stands under `#if 0`).
    Pc32,
    /// `R_X86_64_PLT32`: as PC32, the kernel has no PLT.
    Plt32,
    /// `R_X86_64_32`: S + A, which must survive zero extension.
    Abs32,
    /// `R_X86_64_32S`: S + A, which must survive sign extension.
    Abs32S,
    /// `R_X86_64_PC64`: S + A - P.
    Pc64,
}

impl Type {
    /// Every type, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Abs64, Self::Pc32, Self::Plt32, Self::Abs32, Self::Abs32S, Self::Pc64];

    /// The type with this number (the low 32 bits of `r_info`).
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.number() == number)
    }

    /// Its number in the psABI.
    pub fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Abs64 => 1,
            Self::Pc32 => 2,
            Self::Plt32 => 4,
            Self::Abs32 => 10,
            Self::Abs32S => 11,
            Self::Pc64 => 24,
        }
    }

    /// Its name in the psABI.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "R_X86_64_NONE",
            Self::Abs64 => "R_X86_64_64",
            Self::Pc32 => "R_X86_64_PC32",
            Self::Plt32 => "R_X86_64_PLT32",
            Self::Abs32 => "R_X86_64_32",
            Self::Abs32S => "R_X86_64_32S",
            Self::Pc64 => "R_X86_64_PC64",
        }
    }

    /// What it holds.
    pub const fn holds(self) -> Holds {
        match self {
            Self::None => Holds::Nothing,
            Self::Abs64 => Holds::Address,
            Self::Abs32 | Self::Abs32S => Holds::LowerHalf,
            Self::Pc32 | Self::Plt32 => Holds::Distance,
            Self::Pc64 => Holds::LongDistance,
        }
    }

    /// How many bytes the kernel writes.
    pub fn size(self) -> usize {
        match self {
            Self::None => 0,
            Self::Pc32 | Self::Plt32 | Self::Abs32 | Self::Abs32S => 4,
            Self::Abs64 | Self::Pc64 => 8,
        }
    }
}

/// The bytes that are stored when nothing checks whether the value fits, cut to the type's size: what
/// `__apply_relocate_add()` of kernels before 6.3 leaves even where it then finds an overflow and refuses the section.
/// `None` for a type that the loader does not know.
pub fn stored(rtype: u32, s: u64, a: i64, p: u64) -> Option<Bytes> {
    let kind = Type::from_number(rtype)?;
    let absolute = s.wrapping_add_signed(a);
    let value = match kind {
        Type::None | Type::Abs64 | Type::Abs32 | Type::Abs32S => absolute,
        Type::Pc32 | Type::Plt32 | Type::Pc64 => absolute.wrapping_sub(p),
    };
    Some(Bytes::new(value.to_le_bytes(), kind.size()))
}

/// The bytes that the kernel writes; arithmetic wraps at 64 bits, as the kernel's `u64` does.
pub fn expected(rtype: u32, s: u64, a: i64, p: u64) -> Result<Bytes, NoExpectation> {
    let kind = Type::from_number(rtype).ok_or(NoExpectation::Unsupported { rtype })?;
    let absolute = s.wrapping_add_signed(a);
    let value = match kind {
        Type::None | Type::Abs64 => absolute,
        Type::Abs32 if u32::try_from(absolute).is_ok() => absolute,
        Type::Abs32S if i32::try_from(absolute.cast_signed()).is_ok() => absolute,
        Type::Abs32 | Type::Abs32S => return Err(NoExpectation::Overflow { rtype, value: absolute }),
        Type::Pc32 | Type::Plt32 | Type::Pc64 => absolute.wrapping_sub(p),
    };
    Ok(Bytes::new(value.to_le_bytes(), kind.size()))
}

/// The symbol value that these bytes come of: [`expected`] turned round.
pub fn symbol(rtype: u32, bytes: Bytes, a: i64, p: u64) -> Option<u64> {
    let kind = Type::from_number(rtype).filter(|kind| kind.size() == bytes.as_slice().len())?;
    let mut eight = [0; 8];
    for (to, from) in eight.iter_mut().zip(bytes.as_slice()) {
        *to = *from;
    }
    let [b0, b1, b2, b3, ..] = eight;
    let (wide, narrow) = (u64::from_le_bytes(eight), u32::from_le_bytes([b0, b1, b2, b3]));
    let signed = i64::from(narrow.cast_signed()).cast_unsigned();
    let value = match kind {
        Type::None => return None,
        Type::Abs64 => wide,
        Type::Abs32 => u64::from(narrow),
        Type::Abs32S => signed,
        Type::Pc32 | Type::Plt32 => signed.wrapping_add(p),
        Type::Pc64 => wide.wrapping_add(p),
    };
    Some(value.wrapping_sub(a.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ok(rtype: u32, s: u64, a: i64, p: u64) -> String {
        expected(rtype, s, a, p).expect("a value").to_string()
    }

    #[test]
    fn a_call_seen_on_a_real_kernel() {
        // 6.12 under QEMU: P, S and the displacement that stood in memory.
        assert_eq!(ok(4, 0xffff_ffff_c026_6028, -5, 0xffff_ffff_c080_104b), "d84fa6ff");
    }

    #[test]
    fn none_writes_nothing() {
        assert_eq!(expected(0, u64::MAX, 1, 7), Ok(Bytes::default()));
    }

    #[test]
    fn overflow_is_checked_where_the_kernel_checks_it() {
        let over = |rtype, value| Err(NoExpectation::Overflow { rtype, value });
        assert_eq!(ok(10, 0xffff_ffff, 0, 0), "ffffffff");
        assert_eq!(expected(10, 0xffff_ffff, 1, 0), over(10, 0x1_0000_0000));
        assert_eq!(expected(10, 0, -1, 0), over(10, u64::MAX));
        assert_eq!(ok(11, 0x7fff_ffff, 0, 0), "ffffff7f");
        assert_eq!(expected(11, 0x8000_0000, 0, 0), over(11, 0x8000_0000));
        assert_eq!(ok(11, 0xffff_ffff_8000_0000, 0, 0), "00000080");
        assert_eq!(expected(11, 0xffff_ffff_8000_0000, -1, 0), over(11, 0xffff_ffff_7fff_ffff));
        assert_eq!(ok(2, 0x1_0000_0000_0000, 0, 0), "00000000", "the kernel truncates PC32 silently");
    }

    proptest! {
        #[test]
        fn what_fits_is_stored_whole(rtype in prop::sample::select(vec![0u32, 1, 2, 4, 10, 11, 24]), s: u64, a: i64, p: u64) {
            if let Ok(bytes) = expected(rtype, s, a, p) {
                prop_assert_eq!(stored(rtype, s, a, p), Some(bytes));
            }
        }
    }

    #[test]
    fn a_type_the_loader_does_not_know_is_refused() {
        for rtype in (0..=64).chain([u32::MAX]) {
            let known = [0, 1, 2, 4, 10, 11, 24].contains(&rtype);
            assert_eq!(expected(rtype, 0, 0, 0).is_ok(), known, "type {rtype}");
            assert_eq!(Type::from_number(rtype).is_some(), known);
        }
    }

    proptest! {
        /// What the processor computes from the written displacement is the symbol's address again.
        #[test]
        fn relative_values_lead_back_to_the_symbol(p in any::<u64>(), distance in any::<i32>(), a in -4096i64..4096) {
            let s = p.wrapping_add_signed(i64::from(distance)).wrapping_sub(a.cast_unsigned());
            for rtype in [2, 4] {
                let bytes = expected(rtype, s, a, p).expect("no overflow check");
                let field = i32::from_le_bytes(bytes.as_slice().try_into().expect("four bytes"));
                prop_assert_eq!(p.wrapping_add_signed(i64::from(field)).wrapping_sub(a.cast_unsigned()), s);
                prop_assert_eq!(symbol(rtype, bytes, a, p), Some(s));
            }
        }

        #[test]
        fn wide_values_always_lead_back(p in any::<u64>(), s in any::<u64>(), a in any::<i64>()) {
            let value = |rtype| {
                let bytes = expected(rtype, s, a, p).expect("64-bit values cannot overflow");
                u64::from_le_bytes(bytes.as_slice().try_into().expect("eight bytes"))
            };
            prop_assert_eq!(value(24).wrapping_add(p), value(1));
            prop_assert_eq!(value(1).wrapping_sub(a.cast_unsigned()), s);
            for rtype in [1, 24] {
                prop_assert_eq!(symbol(rtype, expected(rtype, s, a, p).expect("no overflow"), a, p), Some(s));
            }
        }

        /// A 32-bit value is given exactly when extending it yields S + A.
        #[test]
        fn narrow_values_extend_to_the_whole(s in any::<u64>(), a in -4096i64..4096, low in any::<bool>()) {
            let s = if low { s & 0xffff_ffff } else { s | 0xffff_ffff_0000_0000 };
            let value = s.wrapping_add_signed(a);
            let zero = expected(10, s, a, 0).map(|b| u32::from_le_bytes(b.as_slice().try_into().expect("four")));
            prop_assert_eq!(zero.ok(), u32::try_from(value).ok());
            let sign = expected(11, s, a, 0).map(|b| i32::from_le_bytes(b.as_slice().try_into().expect("four")));
            prop_assert_eq!(sign.ok(), i32::try_from(value.cast_signed()).ok());
            for bytes in [10, 11].into_iter().filter_map(|rtype| Some((rtype, expected(rtype, s, a, 0).ok()?))) {
                prop_assert_eq!(symbol(bytes.0, bytes.1, a, 0), Some(s));
            }
        }
    }
}
