//! KLP012, live: a loaded patch has relocations where the kernel has done with the memory when it writes them, or has read it
//! before. Said as soon as the patch is known, since what follows may be a crash.

use super::{objects::VMLINUX, rules::relocations};
use crate::{
    arch::{Arch, NextLoad},
    elf::target,
    event::{Finding, PatchMetadata},
    model::{FindingId, Severity},
};

/// KLP012 of a section, where its target is no place for a livepatch relocation. `klp-trace inspect` has more rules: they
/// need the file. `clears`: the kernel clears relocations when an object goes.
pub(super) fn misplaced(arch: Arch, section: &PatchMetadata, clears: bool) -> Option<Finding> {
    let (patch, of, into) = (&section.patch.name, &section.object, &section.target);
    let of_module = &**of != VMLINUX;
    let (why, action) = if target::is_per_cpu(into) {
        (
            "the kernel copies the section to each processor when the patch is loaded, and frees the template; what is written \
             to the template later reaches no processor's copy"
                .to_owned(),
            format!("disable patch {patch} and remove its module; rebuild it so that it sets per-CPU pointers at run time"),
        )
    } else if target::is_init(into) && of_module {
        (
            format!(
                "the kernel frees the section when the patch's init is done: each time {of} is loaded after that, {}{}",
                if arch.next_load() == NextLoad::Refused {
                    "it is refused over what is in that memory now, or the kernel overwrites it without a word"
                } else {
                    "the kernel overwrites what is in that memory now"
                },
                if clears {
                    format!("; and each time {of} is unloaded, the kernel reads it: an oops")
                } else {
                    String::new()
                }
            ),
            format!(
                "neither load nor unload {of} before patch {patch} is disabled and its module removed; rebuild it so that \
                 nothing in __init or __initdata refers to {of}"
            ),
        )
    } else {
        let consequence = target::special(into).filter(|_| of_module)?;
        (
            consequence.to_owned(),
            format!(
                "disable patch {patch}; rebuild it so that no entry of {into} refers to {of} (klp-trace inspect)"
            ),
        )
    };
    let count = section.total;
    Some(Finding {
        id: FindingId::Klp012,
        severity: Severity::Error,
        message: format!(
            "{} of patch {patch} against {of} {} in {into}, which is no place for a livepatch relocation",
            relocations(count),
            if count == 1 { "is" } else { "are" },
        ),
        why,
        action,
        patch: Some(section.patch.clone()),
        object: None,
        section: Some(section.section.clone()),
        relocations: count,
        first: None,
        kernel: Vec::new(),
    })
}
