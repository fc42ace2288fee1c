//! What ends a finding, id by id: docs/findings says it for people.
//!
//! What cannot be told any more has not ended: a finding about relocations that became `unknown` stays open until they are
//! read again.

use super::{
    objects::{Object, VMLINUX},
    open::{About, OpenFinding},
    section::{Patch, Section},
    verifier::Verifier,
};
use crate::model::{FindingEnd, FindingId, Verdict};
use std::sync::Arc;

impl Verifier {
    /// What ended a finding; none while it holds.
    pub(super) fn ended(&self, about: &About, open: &OpenFinding) -> Option<FindingEnd> {
        let patch = match about.patch {
            None => None,
            Some((address, load)) => match self.patches.get(&address) {
                Some(patch) if patch.r.load == load => Some(patch),
                _ => return Some(FindingEnd::PatchRemoved),
            },
        };
        let object = about.object.as_ref().and_then(|name| self.objects.get(name));
        let there = object.is_some_and(Object::is_there) || about.object.as_deref() == Some(VMLINUX);
        let gate = about.object.as_deref().unwrap_or_default();
        match about.id {
            FindingId::Klp001 | FindingId::Klp002 | FindingId::Klp003 | FindingId::Klp004 => {
                // An absent object's values may have been changed since: they were not cleared either.
                let left =
                    known(patch?, gate, Verdict::Stale) || (!there && known(patch?, gate, Verdict::Mismatch));
                (!left).then_some(now_well(patch?, gate, there))
            }
            FindingId::Klp005 => {
                let end = if there { now_well(patch?, gate, there) } else { FindingEnd::ObjectUnloaded };
                (!known(patch?, gate, Verdict::Missing)).then_some(end)
            }
            FindingId::Klp006 => {
                (!known(patch?, gate, Verdict::Mismatch)).then_some(now_well(patch?, gate, there))
            }
            FindingId::Klp007 => {
                (!known(patch?, gate, Verdict::Orphaned)).then_some(FindingEnd::ObjectListed)
            }
            FindingId::Klp009 | FindingId::Klp014 => {
                let before = open.object.as_ref().and_then(|object| object.load).unwrap_or(0);
                let loaded = object.is_some_and(|object| object.is_live() && object.load > before);
                loaded.then_some(FindingEnd::ObjectLoaded)
            }
            FindingId::Klp010 => {
                (!patch?.said.contains(&FindingId::Klp010)).then_some(FindingEnd::TransitionWentOn)
            }
            FindingId::Klp011 => (!patch?.differs()).then_some(FindingEnd::FileAgrees),
            FindingId::Klp013 => (!self.loss_open).then_some(FindingEnd::ReadAgain),
            FindingId::Klp016 => self.third_ended(patch?, gate, about.third.as_ref()?),
            FindingId::Klp008 | FindingId::Klp012 | FindingId::Klp015 => None,
        }
    }

    /// KLP016: of values that point to where a symbol was, or of what is foretold.
    fn third_ended(
        &self,
        patch: &Patch,
        gate: &str,
        (third, foretold): &(Arc<str>, bool),
    ) -> Option<FindingEnd> {
        if !foretold {
            let stale = sections(patch, gate)
                .filter(|section| section.thirds.contains(third) && section.counts.any_of_third());
            let stale = stale.flat_map(|section| section.relocs.values()).any(|reloc| reloc.dangles(third));
            let there = self.objects.get(gate).is_some_and(Object::is_there) || gate == VMLINUX;
            return (!stale).then_some(now_well(patch, gate, there));
        }
        if self.objects.lacks(third) {
            return Some(FindingEnd::SymbolModuleGone);
        }
        if patch.detached.is_some() {
            return Some(FindingEnd::PatchDetached);
        }
        let free = super::third::is_free(patch, &(gate.into(), Arc::clone(third)), &self.objects);
        (!free).then_some(FindingEnd::SymbolModuleHeld)
    }

    /// What was said once is said again if it comes to be so again.
    pub(super) fn may_say_again(&mut self, about: &About, end: FindingEnd) {
        let Some(patch) = about.patch.and_then(|(address, _)| self.patches.get_mut(&address)) else { return };
        let gate = about.object.as_deref().unwrap_or_default();
        match (about.id, &about.third) {
            (FindingId::Klp011, _) => {
                patch.said.remove(&FindingId::Klp011);
            }
            (FindingId::Klp016, Some((third, true))) if end == FindingEnd::SymbolModuleHeld => {
                if let Some(said) = patch.said_third.get_mut(&(gate.into(), Arc::clone(third))) {
                    said.foretell_again();
                }
            }
            (id, _) => {
                for section in patch.sections.values_mut().filter(|section| *section.object == *gate) {
                    match id {
                        FindingId::Klp001 | FindingId::Klp002 | FindingId::Klp003 | FindingId::Klp004 => {
                            section.said_stale = None;
                        }
                        FindingId::Klp005 => section.said_missing = None,
                        FindingId::Klp006 => section.said_wrong = None,
                        _ => {}
                    }
                }
            }
        }
    }
}

fn sections<'a>(patch: &'a Patch, gate: &'a str) -> impl Iterator<Item = &'a Section> {
    patch.sections.values().filter(move |section| *section.object == *gate)
}

/// How what was wrong with a patch's relocations against an object is well now, or not.
fn now_well(patch: &Patch, gate: &str, there: bool) -> FindingEnd {
    if sections(patch, gate).any(|section| section.counts.any_bad()) {
        FindingEnd::Superseded
    } else if there {
        FindingEnd::Written
    } else {
        FindingEnd::Cleared
    }
}

/// Whether any relocation of a patch against an object has this verdict, or had it before it became `unknown`.
fn known(patch: &Patch, gate: &str, verdict: Verdict) -> bool {
    sections(patch, gate).any(|section| section.counts.known(verdict) > 0)
}
