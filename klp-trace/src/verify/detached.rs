//! KLP004: a disabled or replaced patch holds values of an object that has gone. The kernel clears the targets of active
//! patches only (klp_cleanup_module_patches_limited walks klp_patches), so nobody ever will.

use super::{
    gathered::Gathered,
    rules::relocations,
    section::{Detached, Patch},
};
use crate::{
    arch::Arch,
    journal::{Finding, ObjectRef},
    model::{FindingId, Severity},
};

/// KLP004. `there`: the object has been loaded again since.
pub(super) fn detached_stale(
    arch: Arch,
    patch: &Patch,
    object: &ObjectRef,
    stale: Gathered,
    there: bool,
) -> Finding {
    let how = patch.detached.as_ref().unwrap_or(&Detached::Unseen);
    let (name, of, count) = (&patch.r.name, &object.name, stale.count());
    let forced = was_forced(patch, how);
    let state = match how {
        Detached::Disabled => "was disabled".to_owned(),
        Detached::Replaced(by) => format!("was replaced by {by}"),
        Detached::Unseen => "is disabled or was replaced".to_owned(),
    };
    let only = if arch.clears(true) {
        "the kernel clears the targets of active patches only".to_owned()
    } else {
        format!("kernels of {} never clear relocation targets", arch.name())
    };
    let remain = format!(
        "reboot when you can: the kernel never lets {name} be removed after a forced transition; until then, do not wake what \
         may still sleep in it"
    );
    let (severity, why, action) = if forced {
        (
            Severity::Error,
            format!(
                "{only}; and the transition that took {name} out of use was forced: a task may still be running its code, \
                 and follow these values into memory that is no longer {of}'s"
            ),
            remain,
        )
    } else if patch.referenced {
        (
            Severity::Error,
            format!(
                "{only}; and the module {name} is still referenced, as after a forced transition: a task may still be running \
                 its code, and follow these values into memory that is no longer {of}'s"
            ),
            remain,
        )
    } else {
        (
            Severity::Warning,
            format!("{only}; ftrace no longer leads to {name}, so its code should not run any more"),
            format!("remove the module {name} (rmmod {name}); nothing refuses {of} because of it"),
        )
    };
    stale.fill(Finding {
        id: FindingId::Klp004,
        severity,
        message: format!(
            "{} of patch {name}, which {state}, still {} values of {of}{}",
            relocations(count),
            if count == 1 { "holds" } else { "hold" },
            since(there)
        ),
        why,
        action,
        patch: Some(patch.r.clone()),
        object: Some(object.clone()),
        section: None,
        sections: Vec::new(),
        relocations: 0,
        first: None,
        commands: Vec::new(),
        kernel: Vec::new(),
        opened_ns: 0,
    })
}

/// Which load of the object values are of that its present state does not explain.
pub(super) const fn since(there: bool) -> &'static str {
    if there { " from before it was loaded again" } else { ", which is not loaded" }
}

/// Whether a task may still be running the code of a patch that is out of use.
pub(super) fn may_run(patch: &Patch) -> bool {
    patch.referenced || patch.detached.as_ref().is_some_and(|how| was_forced(patch, how))
}

/// Whether the very transition that took the patch out of use was forced.
fn was_forced(patch: &Patch, how: &Detached) -> bool {
    match how {
        Detached::Disabled => patch.forced_by.as_ref() == Some(&patch.r.name),
        Detached::Replaced(by) => patch.forced_by.as_ref() == Some(by),
        Detached::Unseen => patch.forced_by.is_some(),
    }
}
