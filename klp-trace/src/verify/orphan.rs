//! KLP007: a section gated on an object that its patch does not list. klp_init_object_loaded and klp_module_coming go by the
//! patch's objects (kernel/livepatch/core.c, 5.8 to 7.3), so nothing ever leads them to such a section; and nothing says so.

use super::{gathered::Gathered, objects::VMLINUX, rules::relocations, section::Patch};
use crate::{
    journal::{Finding, ObjectRef, PatchRef},
    model::{FindingId, Severity},
};

impl Patch {
    /// Marks the sections gated on objects that the patch does not list. They have to be read to be judged as such.
    pub(super) fn find_orphans(&mut self) {
        let Some(objects) = &self.objects else { return };
        for section in self.sections.values_mut() {
            let orphan = &*section.object != VMLINUX && !objects.contains(&section.object);
            section.wanted |= orphan != section.orphan;
            section.orphan = orphan;
        }
    }
}

/// KLP007.
pub(super) fn never_written(patch: &PatchRef, object: &ObjectRef, orphaned: Gathered) -> Finding {
    let count = orphaned.count();
    let (name, of) = (&patch.name, &object.name);
    let (sections, wait, this) = if orphaned.is_spread() {
        ("sections", "wait", "these sections")
    } else {
        ("section", "waits", "this section")
    };
    let message = format!(
        "{} of patch {name} in {} {} never written: the {sections} {wait} for {of}, which {name} does not list",
        relocations(count),
        orphaned.places(),
        if count == 1 { "is" } else { "are" },
    );
    let named = if orphaned.is_spread() { "they are" } else { "the section is" };
    orphaned.fill(Finding {
        id: FindingId::Klp007,
        severity: Severity::Error,
        message,
        why: format!(
            "the kernel writes relocations for the objects that a patch lists (/sys/kernel/livepatch/{name}) and for vmlinux; \
             it loads the patch, calls it enabled, and passes over {this} silently"
        ),
        action: format!(
            "disable patch {name}: its code would call or read a wrong place; rebuild it so that it lists {of}, or so that \
             {named} named for an object that it patches"
        ),
        patch: Some(patch.clone()),
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
