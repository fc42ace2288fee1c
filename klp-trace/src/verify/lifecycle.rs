//! An object came or went: what that means for the patches that wait for it.

use super::{
    absent,
    conclude::gated,
    gathered::Gathered,
    heard,
    objects::Failure,
    rules::{self, Left},
    section::{Patch, Reloc},
    verifier::Verifier,
};
use crate::{
    arch::Arch,
    journal::{Body, EventsLost, Finding, KernelMessage, ObjectRef},
    model::{Address, Reason, Verdict},
};
use std::sync::Arc;

impl Verifier {
    /// klp_module_coming returned.
    pub(super) fn came(&mut self, name: &Arc<str>, ret: i64, say: &mut dyn FnMut(Body)) {
        if ret >= 0 {
            if self.objects.is_coming(name) {
                self.objects.live(name, None);
            }
            self.has_come(name);
            return;
        }
        let object = self.objects.reference(name);
        let failures = std::mem::take(&mut self.objects.entry(name).failures);
        // What was refused while it was written needs no other cause.
        let absent = if failures.is_empty() { self.absent_symbol(name) } else { None };
        let mut findings: Vec<Finding> =
            absent.iter().map(|absent| absent::not_found(absent, &object)).collect();
        self.objects.gone(name);
        self.forget_symbols(name);
        self.want_applied(name);
        self.third_went(name, say);
        let arch = self.arch;
        for patch in self.patches.values_mut() {
            findings.extend(left_by_failure(arch, patch, &object));
        }
        let culprit = failures.first().and_then(|failure| self.culprit(failure));
        findings.push(rules::refused(&object, ret, culprit.as_ref(), absent.as_ref()));
        let said = self.heard.refusal(name);
        for mut finding in findings {
            self.corroborate(&mut finding, &said);
            self.say_finding(finding, say);
        }
    }

    /// A load has gone as far as livepatch goes with it: what has not been seen written by now has to be read.
    pub(super) fn has_come(&mut self, name: &Arc<str>) {
        self.third_came(name);
        let load = self.objects.get(name).map_or(0, |object| object.load);
        for patch in self.patches.values_mut().filter(|patch| patch.enabled && patch.detached.is_none()) {
            let unwritten = |section: &&mut super::section::Section| {
                *section.object == **name && section.written_for != load
            };
            patch.sections.values_mut().filter(unwritten).for_each(|section| section.wanted = true);
        }
    }

    /// klp_module_going returned.
    pub(super) fn went(&mut self, name: &Arc<str>, say: &mut dyn FnMut(Body)) {
        let object = self.objects.reference(name);
        self.objects.gone(name);
        self.forget_symbols(name);
        self.want_applied(name);
        self.third_went(name, say);
        let (arch, clears) = (self.arch, self.clears);
        let load = object.load.unwrap_or(0);
        for section in self.patches.values_mut().flat_map(|patch| patch.sections.values_mut()) {
            if section.object == *name && section.count(Verdict::Stale) > 0 {
                section.said_stale = Some(load);
            }
        }
        let findings: Vec<Finding> = self
            .patches
            .values()
            .filter_map(|patch| {
                let left = left_in(patch, name);
                (!left.stale.is_empty())
                    .then(|| rules::stale_after_unload(arch, patch, &object, left, clears))
            })
            .collect();
        let said = self.heard.departure(name);
        for mut finding in findings {
            let patch = finding.patch.as_ref().map_or("", |patch| &patch.name);
            let own = heard::of_patch(&said, patch);
            self.corroborate(&mut finding, own);
            self.say_finding(finding, say);
        }
    }

    /// Puts to a finding what the kernel's own log said of it.
    pub(super) fn corroborate(&self, finding: &mut Finding, said: &[KernelMessage]) {
        let (patch, section) = (finding.patch.as_ref(), finding.section.as_ref());
        let section = patch.and_then(|p| self.patches.get(&p.address.0)?.sections.get(&section?.index));
        let reloc = finding.first.as_ref().and_then(|first| section?.relocs.get(&first.index));
        heard::corroborate(finding, said, reloc);
    }

    /// apply_relocate_add failed on a section. While the object is being loaded that is remembered until klp_module_coming
    /// returns; of an object that is there, the kernel only writes what a patch needs that is itself being loaded.
    pub(super) fn apply_failed(&mut self, patch: Address, section: u32, ret: i64, say: &mut dyn FnMut(Body)) {
        let gate = self.patches.get(&patch.0).and_then(|patch| patch.sections.get(&section));
        let Some(gate) = gate else { return };
        let arch = self.arch;
        let stopped_at = gate.relocs.values().find(|reloc| reloc.is_in_the_way(arch));
        let stopped_at = stopped_at.map(|reloc| reloc.r.index);
        let object = Arc::clone(&gate.object);
        let failure = Failure { patch: patch.0, section, stopped_at };
        if self.objects.get(&object).is_none_or(|object| !object.is_live()) {
            self.objects.entry(&object).failures.push(failure);
            return;
        }
        let Some(culprit) = self.culprit(&failure) else { return };
        let mut finding = rules::not_enabled(&self.objects.reference(&object), ret, &culprit);
        let said = self.heard.failure();
        self.corroborate(&mut finding, &said);
        self.say_finding(finding, say);
    }

    fn culprit(&self, failure: &Failure) -> Option<rules::Culprit<'_>> {
        let patch = self.patches.get(&failure.patch)?;
        let section = patch.sections.get(&failure.section)?;
        let stopped_at = failure.stopped_at.and_then(|index| section.relocs.get(&index));
        Some(rules::Culprit { patch: &patch.r, section, stopped_at })
    }

    /// Counts a loss without distrusting what is not concerned.
    pub(super) fn note_loss(&mut self, lost: &EventsLost, say: &mut dyn FnMut(Body)) {
        self.count_loss(lost.count);
        if self.open_loss() {
            let finding = rules::events_lost(lost);
            self.say_finding(finding, say);
        }
    }

    /// Sections gated on an object that has left, still judged as if it were there, have to be read.
    fn want_applied(&mut self, name: &str) {
        for section in self.patches.values_mut().flat_map(|patch| patch.sections.values_mut()) {
            let judged_present = |reloc: &super::section::Reloc| {
                matches!(reloc.verdict, Some(Verdict::Applied | Verdict::Missing))
                    || reloc.reason.is_some_and(Reason::is_of_third)
            };
            if &*section.object == name && section.relocs.values().any(judged_present) {
                section.wanted = true;
            }
        }
    }
}

/// What an object's unload left in a patch.
fn left_in(patch: &Patch, object: &str) -> Left {
    let mut left = Left::default();
    for section in gated(patch, object) {
        let stays = |reloc: &&Reloc| matches!(reloc.verdict, Some(Verdict::Stale | Verdict::Mismatch));
        let first = section.relocs.values().find(stays).map(|reloc| &reloc.r);
        let stale = section.count(Verdict::Stale).saturating_add(section.count(Verdict::Mismatch));
        left.stale.add(&section.r, stale, first);
        left.cleared = left.cleared.saturating_add(section.count(Verdict::Cleared));
    }
    left
}

/// KLP003: what a failed load of the object left in a patch, said when there is more than before.
fn left_by_failure(arch: Arch, patch: &mut Patch, object: &ObjectRef) -> Option<Finding> {
    let mut left = Gathered::default();
    let mut said = 0;
    let sections = patch.sections.values_mut().filter(|section| section.object == object.name);
    for section in sections {
        let failed = || section.relocs.values().filter(|reloc| reloc.reason == Some(Reason::FailedLoad));
        let count = u32::try_from(failed().count()).unwrap_or(u32::MAX);
        left.add(&section.r, count, failed().next().map(|reloc| &reloc.r));
        said += section.said_failed;
        section.said_failed = count;
    }
    (left.count() > said).then(|| rules::failed_load(arch, patch, object, left))
}
