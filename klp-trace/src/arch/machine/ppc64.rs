//! 64-bit POWER: `apply_relocate_add()` of `arch/powerpc/kernel/module_64.c`, 6.12. It has no case for NONE. Of a call
//! (REL24) that leaves the module it also restores r2, in the instruction behind: not counted in its size, since a call
//! within the module has another instruction there.

use super::{RelocType, row};

/// The types that the loader accepts, by number. Those of PCREL kernels (`CONFIG_PPC_KERNEL_PCREL`) among them.
pub(super) const TYPES: &[RelocType] = &[
    row(1, "R_PPC64_ADDR32", 4),
    row(10, "R_PPC64_REL24", 4),
    row(26, "R_PPC64_REL32", 4),
    row(38, "R_PPC64_ADDR64", 8),
    row(44, "R_PPC64_REL64", 8),
    row(47, "R_PPC64_TOC16", 2),
    row(48, "R_PPC64_TOC16_LO", 2),
    row(50, "R_PPC64_TOC16_HA", 2),
    row(51, "R_PPC64_TOC", 8),
    row(63, "R_PPC64_TOC16_DS", 2),
    row(64, "R_PPC64_TOC16_LO_DS", 2),
    // A hint: the loader writes nothing.
    row(109, "R_PPC64_TOCSAVE", 0),
    row(116, "R_PPC64_REL24_NOTOC", 4),
    // Two instructions, which set up r2.
    row(118, "R_PPC64_ENTRY", 8),
    row(132, "R_PPC64_PCREL34", 8),
    row(133, "R_PPC64_GOT_PCREL34", 8),
    row(250, "R_PPC64_REL16_LO", 2),
    row(252, "R_PPC64_REL16_HA", 2),
];
