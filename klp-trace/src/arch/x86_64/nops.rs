//! Filling behind an instruction that was made shorter: `optimize_nops()`, arch/x86/kernel/alternative.c.

/// `BYTES_NOP5` of arch/x86/include/asm/nops.h.
pub const NOP5: [u8; 5] = [0x0f, 0x1f, 0x44, 0x00, 0x00];

/// `x86_nops` without their prefixes, longest first, and the one byte that traps.
const FILLING: [&[u8]; 7] = [
    &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &NOP5,
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0x00],
    &[0x90],
    &[0xcc],
];

/// The code behind one nop, or int3.
fn behind_one(code: &[u8]) -> Option<&[u8]> {
    let prefixes = code.iter().take(4).take_while(|byte| matches!(byte, 0x66 | 0x2e)).count();
    let nop = code.get(prefixes..)?;
    FILLING.iter().find_map(|core| nop.strip_prefix(*core))
}

/// Whether all of it is filling: nops, int3, or one jump over the rest of it (6.5 and later).
pub fn all(code: &[u8]) -> bool {
    let mut rest = code;
    while !rest.is_empty() {
        if let [0xeb, over, behind @ ..] = rest {
            return usize::from(*over) == behind.len()
                && behind.iter().all(|byte| matches!(byte, 0xcc | 0x90));
        }
        let Some(after) = behind_one(rest) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_filling_is_filling() {
        for code in [
            &[][..],
            &[0x90, 0x90],
            &NOP5,
            &[0xcc; 4],
            &[0xeb, 2, 0xcc, 0xcc],
            &[0x66, 0x90, 0x0f, 0x1f, 0x00],
        ] {
            assert!(all(code), "{code:x?}");
        }
        for code in
            [&[0x0f][..], &[0x0f, 0x1f, 0x44, 0, 1], &[0xeb, 1, 0xcc, 0xcc], &[0x31, 0xc0], &[0x90, 0x55]]
        {
            assert!(!all(code), "{code:x?}");
        }
    }
}
