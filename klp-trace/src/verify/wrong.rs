//! KLP006: which value is wrong, what it should be, and what it points to.

use super::{
    rules::relocations,
    section::{Reloc, Section},
};
use crate::{
    arch::{Arch, NextLoad},
    event::{Finding, Nearest, ObjectRef, PatchRef},
    model::{FindingId, Reason, Severity, Verdict},
};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

/// What the finding's words rest on.
pub(super) struct Known<'a> {
    pub arch: Arch,
    pub clears: bool,
    pub detached: bool,
    pub places: &'a BTreeMap<u64, Nearest>,
}

/// KLP006.
pub(super) fn wrong_value(
    patch: &PatchRef,
    object: &ObjectRef,
    section: &Section,
    known: &Known<'_>,
) -> Finding {
    let wrong = || section.relocs.values().filter(|reloc| reloc.verdict == Some(Verdict::Mismatch));
    let count = section.count(Verdict::Mismatch);
    // The first that nothing excuses, or else the first.
    let excused = |reloc: &&Reloc| reloc.reason == Some(Reason::WrittenAtRunTime);
    let harmless = wrong().all(|reloc| excused(&reloc));
    let first = wrong().find(|reloc| !excused(reloc)).or_else(|| wrong().next());
    let mut message = format!(
        "{} of patch {} against {} in {} {} a value that is not the expected one",
        relocations(count),
        patch.name,
        object.name,
        section.r.name,
        if count == 1 { "holds" } else { "hold" },
    );
    if let Some(reloc) = first {
        let _ = write!(message, ": {}", values(reloc, known));
    }
    let why = match (harmless, known.detached, known.clears) {
        (false, ..) => "the bytes are neither zero nor what type, symbol and addend give",
        (true, true, _) => "the section is writable: the patch's own code may have changed it",
        (true, false, true) => {
            "the section is writable: the patch's own code may have changed it; when the object is unloaded, the kernel's clear \
             will stop there, since it compares before it zeroes"
        }
        (true, false, false) if known.arch.next_load() != NextLoad::Refused => {
            "the section is writable: the patch's own code may have changed it; the object's next load writes over it"
        }
        (true, false, false) => {
            "the section is writable: the patch's own code may have changed it; this kernel clears no relocations, and \
             refuses the object's next load while the value is not zero"
        }
    };
    let (name, of) = (&patch.name, &object.name);
    Finding {
        id: FindingId::Klp006,
        severity: if harmless { Severity::Warning } else { Severity::Error },
        message,
        why: why.to_owned(),
        action: if harmless {
            format!(
                "before {of} is unloaded, disable patch {name} and remove its module: its next load {}",
                if known.arch.next_load() == NextLoad::Refused {
                    "may be refused"
                } else {
                    "writes over the value"
                }
            )
        } else {
            format!(
                "find out who wrote there; until then, disable patch {name}: its code may run into the wrong place"
            )
        },
        patch: Some(patch.clone()),
        object: Some(object.clone()),
        section: Some(section.r.clone()),
        relocations: count,
        first: first.map(|reloc| Arc::clone(&reloc.r)),
        kernel: Vec::new(),
    }
}

/// `relocation 3 at 0x… holds 2c70ffff, which points to vmlinux:_printk+0x10, and not 10c027c0 (target_secret)`.
fn values(reloc: &Reloc, known: &Known<'_>) -> String {
    let mut text = format!("relocation {}", reloc.r.index);
    let size = known.arch.size(reloc.rtype).unwrap_or(8);
    let (Some(address), Some(bytes)) = (reloc.address, reloc.bytes) else { return text };
    let actual = crate::model::Bytes::new(bytes, size);
    let _ = write!(text, " at {address} holds {actual}");
    if let Some(to) = known.arch.symbol(reloc.rtype, actual, reloc.r.addend, address.0) {
        match known.places.get(&to) {
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
