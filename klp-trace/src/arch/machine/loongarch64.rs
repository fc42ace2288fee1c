//! LoongArch: `reloc_rela_handlers[]` of `arch/loongarch/kernel/module.c`, 6.12. The MARK and SOP_PUSH types and the
//! stack's operators write nothing themselves; SOP_POP writes what the stack holds.

use super::{RelocType, row};

/// The types that the loader accepts, by number.
pub(super) const TYPES: &[RelocType] = &[
    row(0, "R_LARCH_NONE", 0),
    row(1, "R_LARCH_32", 4),
    row(2, "R_LARCH_64", 8),
    row(20, "R_LARCH_MARK_LA", 0),
    row(21, "R_LARCH_MARK_PCREL", 0),
    row(22, "R_LARCH_SOP_PUSH_PCREL", 0),
    row(23, "R_LARCH_SOP_PUSH_ABSOLUTE", 0),
    row(24, "R_LARCH_SOP_PUSH_DUP", 0),
    row(29, "R_LARCH_SOP_PUSH_PLT_PCREL", 0),
    row(32, "R_LARCH_SOP_SUB", 0),
    row(33, "R_LARCH_SOP_SL", 0),
    row(34, "R_LARCH_SOP_SR", 0),
    row(35, "R_LARCH_SOP_ADD", 0),
    row(36, "R_LARCH_SOP_AND", 0),
    row(37, "R_LARCH_SOP_IF_ELSE", 0),
    row(39, "R_LARCH_SOP_POP_32_U_10_12", 4),
    row(40, "R_LARCH_SOP_POP_32_S_10_12", 4),
    row(41, "R_LARCH_SOP_POP_32_S_10_16", 4),
    row(42, "R_LARCH_SOP_POP_32_S_10_16_S2", 4),
    row(43, "R_LARCH_SOP_POP_32_S_5_20", 4),
    row(44, "R_LARCH_SOP_POP_32_S_0_5_10_16_S2", 4),
    row(45, "R_LARCH_SOP_POP_32_S_0_10_10_16_S2", 4),
    row(46, "R_LARCH_SOP_POP_32_U", 4),
    row(50, "R_LARCH_ADD32", 4),
    row(51, "R_LARCH_ADD64", 8),
    row(55, "R_LARCH_SUB32", 4),
    row(56, "R_LARCH_SUB64", 8),
    row(66, "R_LARCH_B26", 4),
    row(71, "R_LARCH_PCALA_HI20", 4),
    row(72, "R_LARCH_PCALA_LO12", 4),
    row(73, "R_LARCH_PCALA64_LO20", 4),
    row(74, "R_LARCH_PCALA64_HI12", 4),
    row(75, "R_LARCH_GOT_PC_HI20", 4),
    row(76, "R_LARCH_GOT_PC_LO12", 4),
    row(99, "R_LARCH_32_PCREL", 4),
    row(109, "R_LARCH_64_PCREL", 8),
];
