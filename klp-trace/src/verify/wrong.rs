//! KLP006: which value is wrong, what it should be, and what it points to.

use super::{
    gathered::Gathered,
    rules::relocations,
    section::{Reloc, Section},
};
use crate::{
    arch::{Arch, NextLoad},
    journal::{Finding, Nearest, ObjectRef, PatchRef},
    model::{FindingId, Reason, Severity, Verdict},
};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// What KLP006's words rest on, beside the values.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    pub arch: Arch,
    pub clears: bool,
    pub detached: bool,
}

/// Wrong values of one patch against one object.
#[derive(Debug, Default)]
pub(super) struct Wrong {
    all: Gathered,
    /// What is there instead, of the one that is named.
    told: String,
    /// The one that is named is excused, and so are all: one that nothing excuses is named first.
    harmless: bool,
}

impl Wrong {
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes the wrong values of a section.
    pub(super) fn take(&mut self, section: &Section, arch: Arch, places: &BTreeMap<u64, Nearest>) {
        let wrong = || section.relocs.values().filter(|reloc| reloc.verdict == Some(Verdict::Mismatch));
        let excused = |reloc: &&Reloc| reloc.reason == Some(Reason::WrittenAtRunTime);
        let Some(first) = wrong().find(|reloc| !excused(reloc)).or_else(|| wrong().next()) else { return };
        let harmless = excused(&first);
        if self.all.is_empty() || self.harmless && !harmless {
            self.harmless = harmless;
            self.told = values(first, arch, places);
            self.all.first = Some((section.r.clone(), Arc::clone(&first.r)));
        }
        self.all.add(&section.r, section.count(Verdict::Mismatch), None);
    }

    /// KLP006.
    pub(super) fn finding(self, patch: &PatchRef, object: &ObjectRef, known: Surroundings) -> Finding {
        let count = self.all.count();
        let message = format!(
            "{} of patch {} against {} in {} {} a value that is not the expected one: {}",
            relocations(count),
            patch.name,
            object.name,
            self.all.places(),
            if count == 1 { "holds" } else { "hold" },
            self.told,
        );
        let refused = known.arch.next_load() == NextLoad::Refused;
        let why = match (self.harmless, known.detached, known.clears) {
            (false, ..) => "the bytes are neither zero nor what type, symbol and addend give",
            (true, true, _) => "the section is writable: the patch's own code may have changed it",
            (true, false, true) => {
                "the section is writable: the patch's own code may have changed it; when the object is unloaded, the kernel's clear \
                 will stop there, since it compares before it zeroes"
            }
            (true, false, false) if refused => {
                "the section is writable: the patch's own code may have changed it; this kernel clears no relocations, and \
                 refuses the object's next load while the value is not zero"
            }
            (true, false, false) => {
                "the section is writable: the patch's own code may have changed it; the object's next load writes over it"
            }
        };
        let (name, of) = (&patch.name, &object.name);
        let action = match (self.harmless, refused) {
            (true, true) => format!(
                "before {of} is unloaded, disable patch {name} and remove its module: its next load may be refused"
            ),
            (true, false) => {
                format!(
                    "before {of} is loaded again, disable patch {name} if it needs the value that it wrote there"
                )
            }
            (false, _) => format!(
                "find out who wrote there; until then, disable patch {name}: its code may run into the wrong place"
            ),
        };
        self.all.fill(Finding {
            id: FindingId::Klp006,
            severity: if self.harmless { Severity::Warning } else { Severity::Error },
            message,
            why: why.to_owned(),
            action,
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

/// `relocation 3 at 0x… holds 2c70ffff, which points to vmlinux:_printk+0x10, and not 10c027c0 (target_secret)`.
fn values(reloc: &Reloc, arch: Arch, places: &BTreeMap<u64, Nearest>) -> String {
    let mut text = reloc.r.number();
    let size = arch.size(reloc.rtype).unwrap_or(8);
    let (Some(address), Some(bytes)) = (reloc.address, reloc.bytes) else { return text };
    let actual = crate::model::Bytes::new(bytes, size);
    let _ = write!(text, " at {address} holds {actual}");
    if let Some(to) = arch.symbol(reloc.rtype, actual, reloc.r.addend, address.0) {
        match places.get(&to) {
            Some(Nearest { object, symbol, offset: 0 }) => {
                let _ = write!(text, ", which points to {object}:{symbol}");
            }
            Some(Nearest { object, symbol, offset }) => {
                let _ = write!(text, ", which points to {object}:{symbol}+{offset:#x}");
            }
            None => {
                let _ = write!(text, ", which points to {to:#x}, where no symbol is known");
            }
        }
    }
    if let Some(expected) = reloc.expected {
        let _ = write!(text, ", and not {expected}");
        if !expected.is_zero() {
            let _ = write!(text, " ({})", reloc.r.symbol);
        }
    }
    if let Some(reason) = reloc.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}
