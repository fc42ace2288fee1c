//! Plain addresses of 64 bits, S + A in the machine's byte order: the one type that every architecture has and that needs
//! neither the instruction that it stands in nor a stub, a slot or a base register. Of the architectures other than x86-64
//! nothing else is judged yet.

use super::Arch;
use crate::model::Bytes;

/// `R_PPC64_ADDR64`, `R_390_64`, `R_AARCH64_ABS64`, `R_LARCH_64` (each psABI).
const fn number(arch: Arch) -> Option<u32> {
    match arch {
        Arch::X86_64 => None,
        Arch::Ppc64le => Some(38),
        Arch::S390x => Some(22),
        Arch::Aarch64 => Some(257),
        Arch::Loongarch64 => Some(2),
    }
}

/// 8 for an address, 0 for NONE.
pub(super) fn size(arch: Arch, rtype: u32) -> Option<usize> {
    if number(arch) == Some(rtype) {
        return Some(8);
    }
    let none = |name: &str| name.ends_with("_NONE");
    arch.type_name(rtype).filter(|name| none(name)).map(|_| 0)
}

/// The symbol value that the bytes of an address come of.
pub(super) fn symbol(arch: Arch, rtype: u32, bytes: Bytes, a: i64) -> Option<u64> {
    number(arch).filter(|number| *number == rtype)?;
    let eight: [u8; 8] = bytes.as_slice().try_into().ok()?;
    let value = if arch.is_big_endian() { u64::from_be_bytes(eight) } else { u64::from_le_bytes(eight) };
    Some(value.wrapping_sub(a.cast_unsigned()))
}

/// The bytes of an address; none for NONE.
pub(super) fn stored(arch: Arch, rtype: u32, s: u64, a: i64) -> Option<Bytes> {
    let size = size(arch, rtype)?;
    let value = s.wrapping_add(a.cast_unsigned());
    Some(Bytes::new(if arch.is_big_endian() { value.to_be_bytes() } else { value.to_le_bytes() }, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_seen_on_real_kernels() {
        // 7.3.4 under QEMU: S + A, and the bytes that stood in memory.
        for (arch, rtype, value, bytes) in [
            (Arch::Ppc64le, 38, 0xc008_0000_0014_0048, "48001400000008c0"),
            (Arch::S390x, 22, 0x3ff_6000_00e0, "000003ff600000e0"),
            (Arch::Aarch64, 257, 0xffff_8000_78a8_0030, "3000a8780080ffff"),
        ] {
            let stored = arch.expected(rtype, value - 8, 8, 0).unwrap();
            assert_eq!(stored.to_string(), bytes, "{}", arch.name());
            assert_eq!(arch.symbol(rtype, stored, 8, 0), Some(value - 8));
        }
    }

    #[test]
    fn what_has_another_formula_has_no_expectation() {
        for (arch, rtype) in
            [(Arch::Ppc64le, 10), (Arch::S390x, 26), (Arch::Aarch64, 283), (Arch::Loongarch64, 66)]
        {
            assert!(arch.type_name(rtype).is_some());
            assert_eq!((arch.size(rtype), arch.stored(rtype, 1, 0, 0)), (None, None), "{}", arch.name());
            assert!(arch.expected(rtype, 1, 0, 0).is_err());
            // The loader of powerpc refuses NONE.
            assert_eq!(arch.is_none(0), arch != Arch::Ppc64le, "{}", arch.name());
        }
    }
}
