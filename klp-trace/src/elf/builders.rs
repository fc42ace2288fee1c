//! What the tools that build livepatches leave in a module's file: sections that they made for one of their own steps and
//! that nobody reads when the module runs.

/// Whether a section is a table of a build step. Those that the patch's own init reads are none: kpatch-build's
/// `.kpatch.funcs`, `.kpatch.callbacks.*` and `.kpatch.force`, klp-build's `.init.klp_*`, `__klp_objects` and
/// `__klp_funcs`.
///
/// - `__klp_relocs`, `__klp_relocs.<object>` (tools/objtool/klp-diff.c, 6.19 to 7.3), read by `objtool klp post-link`;
/// - `.kpatch.relocations`, `.kpatch.symbols`, `.kpatch.arch` and, of the old format, `.kpatch.dynrelas`
///   (kpatch-build/create-klp-module.c, create-kpatch-module.c), read by create-klp-module;
/// - `.klp.module_relocs.<object>` (klp-convert's `KLP_MODULE_RELOC`);
/// - `.klp.arch.<object>.*`, which only kernels before 5.8 look at;
/// - `.discard.*`, thrown away by the kernel's link where that is run.
pub fn is_left_over(section: &[u8]) -> bool {
    let of = |name: &[u8]| {
        section.strip_prefix(name).is_some_and(|rest| matches!(rest.first(), None | Some(b'.')))
    };
    of(b"__klp_relocs")
        || of(b".discard")
        || is_input_of_kpatch(section)
        || is_input_of_klp_convert(section)
        || of(b".klp.arch")
}

/// Tables that create-klp-module turns into livepatch relocations, and removes.
pub fn is_input_of_kpatch(section: &[u8]) -> bool {
    [&b".kpatch.relocations"[..], b".kpatch.symbols", b".kpatch.arch", b".kpatch.dynrelas"].contains(&section)
}

/// Annotations that klp-convert takes in.
pub fn is_input_of_klp_convert(section: &[u8]) -> bool {
    section.starts_with(b".klp.module_relocs.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_build_steps_are_told_from_what_the_patch_reads() {
        for name in [
            "__klp_relocs",
            "__klp_relocs.vmlinux",
            "__klp_relocs.nfsd",
            ".kpatch.relocations",
            ".kpatch.symbols",
            ".klp.module_relocs.nfsd",
            ".klp.arch.nfsd.altinstructions",
            ".discard.sym_checksum",
        ] {
            assert!(is_left_over(name.as_bytes()), "{name}");
        }
        for name in [
            ".text",
            ".data",
            "__klp_relocsx",
            "__klp_objects",
            "__klp_funcs",
            ".init.klp_funcs",
            ".kpatch.funcs",
            ".kpatch.callbacks.pre_patch",
            ".discardable",
        ] {
            assert!(!is_left_over(name.as_bytes()), "{name}");
        }
    }
}
