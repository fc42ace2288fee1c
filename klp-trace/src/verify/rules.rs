//! The findings' words: what happened, why, what to do.

use super::{
    gathered::Gathered,
    next_load::Next,
    section::{Patch, Reloc, Section},
};
use crate::{
    arch::Arch,
    arch::machine::NOT_CLEARING_YET,
    journal::{EventsLost, Finding, LossCause, ObjectRef, PatchRef, SectionRef},
    model::{FindingId, Reason, Severity},
};
use std::sync::Arc;

/// What was left in a patch's sections gated on one object.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub stale: Gathered,
    pub cleared: u32,
}

pub(super) fn relocations(count: u32) -> String {
    if count == 1 { "1 relocation".to_owned() } else { format!("{count} relocations") }
}

/// KLP001, or KLP002 where the kernel clears, or KLP004 for a detached patch.
pub(super) fn stale_after_unload(
    arch: Arch,
    patch: &Patch,
    object: &ObjectRef,
    left: Left,
    clears: bool,
) -> Finding {
    if patch.detached.is_some() {
        return super::detached::detached_stale(arch, patch, object, left.stale, false);
    }
    let next = Next::of(arch, patch, &object.name);
    let (name, of, count) = (&patch.r.name, &object.name, relocations(left.stale.count()));
    let stopped = left.stale.first.as_ref().map(|(section, reloc)| {
        format!("; it stopped at {} of {} (symbol {})", reloc.number(), section.name, reloc.symbol)
    });
    let (id, message, why, action) = if clears {
        (
            FindingId::Klp002,
            format!(
                "the kernel cleared {} and left {count} of patch {name} when {of} was unloaded{}",
                left.cleared,
                stopped.unwrap_or_default()
            ),
            "clearing stops at the first target whose bytes are not what the kernel wrote, without an error"
                .to_owned(),
            format!("expect the next load of {of} to be refused (-ENOEXEC); disable and remove {name} first"),
        )
    } else {
        (
            FindingId::Klp001,
            next.left(left.stale.count(), name, of),
            next.why().unwrap_or_else(|| {
                format!(
                    "this kernel never clears relocation targets ({NOT_CLEARING_YET}) and refuses to write over a value that is \
                     not zero (-ENOEXEC, \"existing value is nonzero\")"
                )
            }),
            next.action(
                name,
                of,
                format!(
                    "before {of} is loaded again, disable patch {name} and remove its module, then load both again"
                ),
            ),
        )
    };
    left.stale.fill(Finding {
        id,
        severity: next.severity(),
        message,
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

/// KLP001, of values found when the tool looked: the unload that left them was not seen. KLP004 for a detached patch.
pub(super) fn found_stale(
    arch: Arch,
    patch: &Patch,
    object: &ObjectRef,
    stale: Gathered,
    clears: bool,
    there: bool,
) -> Finding {
    if patch.detached.is_some() {
        return super::detached::detached_stale(arch, patch, object, stale, there);
    }
    let (name, of, count) = (&patch.r.name, &object.name, stale.count());
    let held = format!(
        "{} of patch {name} {} values of {of}{}",
        relocations(count),
        if count == 1 { "holds" } else { "hold" },
        super::detached::since(there)
    );
    let next = Next::of(arch, patch, of);
    let why = if clears {
        "a load of it failed after they were written, or a clear stopped half-way: both leave them silently"
            .to_owned()
    } else {
        format!("this kernel never clears relocation targets ({NOT_CLEARING_YET})")
    };
    let refused = format!("disable patch {name} and remove its module before {of} is loaded again");
    stale.fill(Finding {
        id: FindingId::Klp001,
        severity: next.severity(),
        message: format!("{held}: {}", next.clause("the next", of)),
        why: next.why().unwrap_or_else(|| why.clone()),
        action: next.action(name, of, refused),
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

/// KLP003.
pub(super) fn failed_load(arch: Arch, patch: &Patch, object: &ObjectRef, left: Gathered) -> Finding {
    let next = Next::of(arch, patch, &object.name);
    let patch = &patch.r;
    let (name, of) = (&patch.name, &object.name);
    let count = left.count();
    left.fill(Finding {
        id: FindingId::Klp003,
        severity: next.severity(),
        message: format!(
            "the load of {of} failed after {} of patch {name} had been written: {}",
            relocations(count),
            next.clause("every further", of)
        ),
        why: next.why().unwrap_or_else(|| {
            "the kernel's clean-up after a failed load stops before the patch that failed, so its targets keep their values"
                .to_owned()
        }),
        action: next.action(
            name,
            of,
            format!("disable patch {name} and remove its module, then load {of}"),
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

/// The section that the kernel refused to write.
pub(super) struct Culprit<'a> {
    pub patch: &'a PatchRef,
    pub section: &'a Section,
    pub stopped_at: Option<&'a Reloc>,
}

/// KLP009, with the cause where it shows.
pub(super) fn refused(
    object: &ObjectRef,
    ret: i64,
    culprit: Option<&Culprit>,
    absent: Option<&super::absent::Absent>,
) -> Finding {
    let of = &object.name;
    let (why, action) = match (culprit, absent) {
        (Some(Culprit { patch, section, stopped_at: Some(reloc) }), _) if !reloc.leftover => (
            in_the_file(section, reloc),
            format!(
                "disable patch {0} and remove its module, then load {of}; {0} cannot be applied to {of} before it is rebuilt",
                patch.name
            ),
        ),
        (Some(Culprit { patch, section, stopped_at: Some(reloc) }), _) => {
            let name = &patch.name;
            let origin = match reloc.reason {
                Some(Reason::FailedLoad) => "a load that failed",
                _ => "the previous load",
            };
            (
                format!(
                    "stale target of patch {name} from {origin}: {} of {} (symbol {}) is not zero, so \
                     apply_relocate_add refused the section",
                    reloc.r.number(), section.r.name, reloc.r.symbol
                ),
                format!("disable patch {name} and remove its module, then load {of}"),
            )
        }
        (Some(Culprit { patch, section, stopped_at: None }), _) => (
            format!(
                "apply_relocate_add failed on {} of patch {}, and no stale target explains it",
                section.r.name, patch.name
            ),
            format!("read the kernel's log for its reason; patch {} and {of} may not belong together", patch.name),
        ),
        (None, Some(absent)) => absent.refused(of),
        (None, None) => (
            "no relocation was refused: a symbol was not found, a callback failed, or the functions could not be patched"
                .to_owned(),
            "read the kernel's log for its reason (lines that begin with \"livepatch:\")".to_owned(),
        ),
    };
    let stopped_at = culprit.and_then(|culprit| culprit.stopped_at);
    Finding {
        id: FindingId::Klp009,
        severity: Severity::Error,
        message: format!("livepatch refused to let {of} load (error {ret})"),
        why,
        action,
        patch: culprit.map(|culprit| culprit.patch.clone()),
        object: Some(object.clone()),
        section: culprit.map(|culprit| culprit.section.r.clone()),
        sections: Vec::new(),
        relocations: u32::from(stopped_at.is_some()),
        first: stopped_at.map(|reloc| Arc::clone(&reloc.r)),
        commands: Vec::new(),
        kernel: Vec::new(),
        opened_ns: 0,
    }
}

/// KLP009, of a patch that is being loaded while its object is there.
pub(super) fn not_enabled(object: &ObjectRef, ret: i64, culprit: &Culprit<'_>) -> Finding {
    let (name, of) = (&culprit.patch.name, &object.name);
    let mut finding = refused(object, ret, Some(culprit), None);
    finding.message = format!(
        "livepatch refused to enable patch {name} (error {ret}): what it needs of {of} could not be written"
    );
    if culprit.stopped_at.is_some() {
        finding.action =
            format!("rebuild {name}, or load another build of it: this one can never be applied to {of}");
    }
    finding
}

/// Why a section was refused over a value that no load has left.
fn in_the_file(section: &Section, reloc: &Reloc) -> String {
    format!(
        "the patch's own file has a value where {} of {} (symbol {}) is to be written, and no earlier load left it: the \
         kernel writes over zero alone, so apply_relocate_add refused the section",
        reloc.r.number(),
        section.r.name,
        reloc.r.symbol
    )
}

/// KLP011.
pub(super) fn file_differs(patch: &PatchRef, section: SectionRef, path: &str, difference: &str) -> Finding {
    Finding {
        id: FindingId::Klp011,
        severity: Severity::Error,
        message: format!("{path} is not what was loaded as {}: {difference}", patch.name),
        why: "expected bytes are computed from the file; a file that differs proves nothing about what is in memory".to_owned(),
        action: "name the file that was loaded with --ko, or put it back where it was".to_owned(),
        patch: Some(patch.clone()),
        object: None,
        section: Some(section),
        sections: Vec::new(),
        relocations: 0,
        first: None,
        commands: Vec::new(),
        kernel: Vec::new(),
        opened_ns: 0,
    }
}

/// KLP013.
pub(super) fn events_lost(lost: &EventsLost) -> Finding {
    let count = if lost.count == 0 { "records".to_owned() } else { format!("{} records", lost.count) };
    let (why, action) = match lost.cause {
        LossCause::RingFull => ("the ring buffer was full", "choose a larger --ring-size"),
        LossCause::Incomplete => (
            "a section's records arrived incomplete: the ring buffer was full, or the section was going",
            "choose a larger --ring-size if that happens again",
        ),
        LossCause::Recursion => {
            ("the kernel skipped a program because another was running", "nothing: it is rare")
        }
        LossCause::MissedExit => {
            ("a function's return was not seen", "use --attach fentry where the kernel allows it")
        }
        LossCause::MapFull => (
            "more livepatch sections are loaded than the programs keep: the others are not read at the moment their object goes",
            "choose a larger --max-sections",
        ),
        LossCause::CallsFull => (
            "more calls were under way at once than the programs keep (1024)",
            "load and unload fewer modules at once; please report it",
        ),
        LossCause::HelperRefused => (
            "the kernel refused a helper that a program called",
            "please report it, with what klp-trace doctor --json writes",
        ),
        LossCause::BlindWindow => (
            "a module was loaded and the hooks did not fire",
            "keep kernel.ftrace_enabled at 1 while watching",
        ),
        LossCause::FtraceDisabled => {
            ("kernel.ftrace_enabled is 0: no hook fires", "set kernel.ftrace_enabled to 1")
        }
    };
    Finding {
        id: FindingId::Klp013,
        severity: Severity::Warning,
        message: format!(
            "{count} of {} were lost; what they concern is unknown until it is read again",
            lost.hook
        ),
        why: why.to_owned(),
        action: action.to_owned(),
        patch: None,
        object: None,
        section: None,
        sections: Vec::new(),
        relocations: 0,
        first: None,
        commands: match lost.cause {
            LossCause::BlindWindow | LossCause::FtraceDisabled => {
                vec!["sysctl -w kernel.ftrace_enabled=1".to_owned()]
            }
            _ => Vec::new(),
        },
        kernel: Vec::new(),
        opened_ns: 0,
    }
}

/// KLP005. `had`: they were written before. `detached`: the patch is out of use, and what it held is zero all the same.
pub(super) fn not_reapplied(
    patch: &PatchRef,
    object: &ObjectRef,
    missing: Gathered,
    had: bool,
    detached: bool,
) -> Finding {
    let count = missing.count();
    let (name, of) = (&patch.name, &object.name);
    let were = if count == 1 { "was" } else { "were" };
    // Applied before: the kernel clears nothing while the object is there.
    let what = match (had, detached) {
        (true, true) => format!("{were} zeroed although {of} is loaded and the patch is out of use"),
        (true, false) => format!("{were} zeroed although {of} is loaded and the patch is enabled"),
        (false, _) => format!("{were} not written although {of} is loaded and the patch is enabled"),
    };
    let message = format!("{} of patch {name} {what} ({})", relocations(count), missing.places());
    missing.fill(Finding {
        id: FindingId::Klp005,
        severity: Severity::Error,
        message,
        why: "the targets are zero: code that uses them calls or reads a wrong place".to_owned(),
        action: if detached {
            format!("find out who wrote there; remove the module of patch {name}: nothing new calls its code")
        } else {
            format!("disable patch {name} now; it may crash the kernel")
        },
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
