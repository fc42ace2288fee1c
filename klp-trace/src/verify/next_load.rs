//! What becomes of values that are left of an object, in words, and how much that matters: each architecture's loader treats
//! them in its own way when the object comes again.

use super::{conclude::gated, rules::relocations, section::Patch};
use crate::{
    arch::{Arch, NextLoad},
    model::Severity,
};

/// What the next load of an object does to what is left of it in a patch.
pub(super) struct Next {
    how: NextLoad,
    arch: &'static str,
    /// The patch reaches the object through slots that are filled once.
    slots: bool,
}

impl Next {
    pub(super) fn of(arch: Arch, patch: &Patch, object: &str) -> Self {
        let slots =
            gated(patch, object).flat_map(|s| s.relocs.values()).any(|reloc| arch.keeps_slot(reloc.rtype));
        Self { how: arch.next_load(), arch: arch.name(), slots }
    }

    /// Where nothing is refused and all is written anew, nobody has to act.
    pub(super) fn severity(&self) -> Severity {
        match self.how {
            NextLoad::Refused => Severity::Error,
            NextLoad::KeepsSlots if self.slots => Severity::Error,
            NextLoad::TakesStubs => Severity::Warning,
            NextLoad::KeepsSlots | NextLoad::WritesOver => Severity::Info,
        }
    }

    /// `the next load of tmod will be refused`; `load` is `the next` or `every further`.
    pub(super) fn clause(&self, load: &str, of: &str) -> String {
        match self.how {
            NextLoad::Refused => format!("{load} load of {of} will be refused"),
            NextLoad::TakesStubs => format!(
                "{load} load of {of} writes over them, unless it comes to another address and the patch has no stubs left"
            ),
            NextLoad::KeepsSlots if self.slots => {
                format!("{load} load of {of} writes over them, but not over the slots of the patch's GOT")
            }
            NextLoad::KeepsSlots | NextLoad::WritesOver => format!("{load} load of {of} writes over them"),
        }
    }

    /// Why; none where the loader refuses: its reason depends on what left the values.
    pub(super) fn why(&self) -> Option<String> {
        let arch = self.arch;
        Some(match self.how {
            NextLoad::Refused => return None,
            NextLoad::TakesStubs => format!(
                "kernels of {arch} never clear relocation targets, and write over what is there; but a call to a new address \
                 takes one more of the patch's stubs, and none is ever given back (arch/powerpc/kernel/module_64.c; before \
                 6.3 no call is written a second time)"
            ),
            NextLoad::KeepsSlots if self.slots => format!(
                "kernels of {arch} never clear relocation targets, and write over what is there; but a slot of the GOT is \
                 filled once and keeps the first load's address (arch/s390/kernel/module.c, got_initialized)"
            ),
            NextLoad::KeepsSlots | NextLoad::WritesOver => {
                format!("kernels of {arch} never clear relocation targets, and write over what is there")
            }
        })
    }

    /// What to do; `refused` is said where the loader refuses.
    pub(super) fn action(&self, name: &str, of: &str, refused: String) -> String {
        match self.how {
            NextLoad::Refused => refused,
            NextLoad::TakesStubs => format!(
                "if {of} is refused when it is loaded again, disable patch {name} and remove its module, then load both again"
            ),
            NextLoad::KeepsSlots if self.slots => format!(
                "before {of} is loaded again, disable patch {name} and remove its module, then load both again: {of} is not \
                 refused, and {name} would read and write where {of} was"
            ),
            NextLoad::KeepsSlots | NextLoad::WritesOver => format!("nothing: {of} can be loaded again"),
        }
    }

    /// That the values of what has been unloaded are still there.
    pub(super) fn left(&self, count: u32, name: &str, of: &str) -> String {
        let clause = self.clause("the next", of);
        format!(
            "{} of patch {name} still hold values of {of}, which was unloaded: {clause}",
            relocations(count)
        )
    }
}
