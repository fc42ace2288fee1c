//! KLP012, live: a loaded patch has relocations where the kernel has done with the memory when it writes them, or has read it
//! before. Said as soon as the patch is known, since what follows may be a crash.

use super::{gathered::Gathered, objects::VMLINUX, rules::relocations};
use crate::{
    arch::{Arch, NextLoad},
    elf::{
        built_for::{BuiltFor, PER_CPU},
        target,
    },
    journal::{Finding, ObjectRef, PatchMetadata, PatchRef},
    model::{FindingId, Severity},
};

/// Sections of one patch, gated on one object, whose targets are no places for livepatch relocations.
#[derive(Debug, Default)]
pub(super) struct Misplaced {
    sections: Gathered,
    /// Each target, why it is no place, what to do.
    targets: Vec<Target>,
}

#[derive(Debug)]
pub(super) struct Target {
    name: String,
    why: String,
    action: String,
}

impl Misplaced {
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub(super) fn take(&mut self, section: &PatchMetadata, target: Target) {
        self.sections.add(&section.section, section.total, None);
        self.targets.push(target);
    }

    /// KLP012.
    pub(super) fn finding(self, patch: &PatchRef, object: &ObjectRef) -> Finding {
        let (count, name, of) = (self.sections.count(), &patch.name, &object.name);
        let targets: Vec<&str> = self.targets.iter().map(|target| &*target.name).collect();
        let no_place = if targets.len() > 1 {
            "which are no places for livepatch relocations"
        } else {
            "which is no place for a livepatch relocation"
        };
        let message = format!(
            "{} of patch {name} against {of} {} in {}, {no_place}",
            relocations(count),
            if count == 1 { "is" } else { "are" },
            list(&targets),
        );
        let mut whys: Vec<(String, Vec<&str>)> = Vec::new();
        let mut actions: Vec<String> = Vec::new();
        for Target { name, why, action } in &self.targets {
            match whys.iter_mut().find(|(known, _)| known == why) {
                Some((_, names)) => names.push(name),
                None => whys.push((why.clone(), vec![name])),
            }
            if !actions.contains(action) {
                actions.push(action.clone());
            }
        }
        let several = whys.len() > 1;
        let told = |(why, names): (String, Vec<&str>)| {
            if several { format!("{}: {why}", list(&names)) } else { why }
        };
        let why = whys.into_iter().map(told).collect::<Vec<_>>().join("; ");
        self.sections.fill(Finding {
            id: FindingId::Klp012,
            severity: Severity::Error,
            message,
            why,
            action: actions.join("; "),
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
}

/// `.init.text and .init.data`.
fn list(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// Why a section's target is no place for a livepatch relocation, where it is none. `klp-trace inspect` has more rules: they
/// need the file. `clears`: the kernel clears relocations when an object goes; `kernel`: the one that runs.
pub(super) fn misplaced(
    arch: Arch,
    section: &PatchMetadata,
    clears: bool,
    kernel: &BuiltFor,
) -> Option<Target> {
    let (patch, of, into) = (&section.patch.name, &section.object, &section.target);
    let of_module = &**of != VMLINUX;
    let (why, action) = if target::is_per_cpu(into) {
        // Against vmlinux, kernels from 6.16 on write before they copy; of one that cannot be told, nothing is said.
        let never = of_module || kernel.before(PER_CPU) == Ok(true);
        let why = if of_module {
            "the kernel copies the section to each processor when the patch is loaded, and frees the template; what is written \
             to the template later reaches no processor's copy"
        } else {
            "the kernel passes over relocations of per-CPU variables before 6.16: they are never written, and no \
             processor's copy is relocated"
        };
        never.then_some(())?;
        (
            why.to_owned(),
            format!(
                "disable patch {patch} and remove its module; rebuild it so that it sets per-CPU pointers at run time"
            ),
        )
    } else if target::is_init(into) && of_module {
        (
            format!(
                "the kernel frees the section when the patch's init is done: each time {of} is loaded after that, {}{}",
                if arch.next_load() == NextLoad::Refused {
                    "it is refused over what is in that memory now, or the kernel overwrites it silently"
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
    Some(Target { name: into.to_string(), why, action })
}
