//! What the kernel does, in the words that several rules share.

use super::facts::Section;

/// What a refused section leads to, by its gate: `klp_apply_section_relocs()` is called when the patch is loaded for
/// sections gated on vmlinux (`apply_relocations()`, 5.8 and later), and from `klp_init_object_loaded()` for those gated
/// on a module: when the patch is enabled with the module there, else when the module comes.
pub(super) fn refused(section: &Section, error: &str) -> String {
    match section.module() {
        None => format!("refuses to load the patch: insmod fails with {error}"),
        Some(module) => format!(
            "loads the patch while {module} is absent, then refuses to load {module} for as long as the patch is there \
             (modprobe {module} fails with {error}); with {module} present, it refuses the patch"
        ),
    }
}

/// When a section is written.
pub(super) fn when(section: &Section) -> String {
    match section.module() {
        None => "when the patch is loaded".to_owned(),
        Some(module) => format!("when {module} is there"),
    }
}

/// The tools that write livepatch sections, to be run again.
pub(super) const REBUILD: &str = "build the patch again, with the post-link step last (kpatch-build, objtool klp post-link, klp-convert); \
     nothing may rewrite the .ko after it but signing";
