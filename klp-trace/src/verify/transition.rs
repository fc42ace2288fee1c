//! A patch is enabled, disabled, replaced: what that means for its relocations.

use super::{section::Detached, verifier::Verifier};
use crate::{
    journal::{Body, Transition, TransitionStep},
    model::FindingId,
};
use std::sync::Arc;

impl Verifier {
    pub(super) fn transition(&mut self, mut transition: Transition, say: &mut dyn FnMut(Body)) {
        let address = transition.patch.as_ref().map(|patch| patch.address.0);
        let step = transition.step;
        if let Some(patch) = address.and_then(|address| self.patches.get_mut(&address)) {
            transition.patch = Some(patch.r.clone());
            if step != TransitionStep::Forced {
                patch.said.remove(&FindingId::Klp010);
            }
            match step {
                TransitionStep::Patching => {
                    patch.enabled = true;
                    patch.detached = None;
                    patch.unpatching = false;
                }
                TransitionStep::Unpatching => patch.unpatching = true,
                TransitionStep::Detached => {
                    let replaced = self.completed.clone().filter(|name| *name != patch.r.name);
                    patch.detached = Some(match replaced {
                        _ if patch.unpatching => Detached::Disabled,
                        Some(by) => Detached::Replaced(by),
                        None => Detached::Unseen,
                    });
                }
                TransitionStep::Complete | TransitionStep::Forced => {}
            }
        }
        let name = transition.patch.as_ref().map(|patch| Arc::clone(&patch.name));
        match step {
            TransitionStep::Complete => self.completed = name,
            TransitionStep::Forced => self.forced(address, name, transition.replace),
            _ => {}
        }
        say(Body::Transition(transition));
    }

    /// klp_force_transition marks the patches that are being taken out of use (kernel/livepatch/transition.c, 6.1 to
    /// 7.3): the one that is being disabled; else all others, if the one being enabled replaces them, and none if it does not.
    /// Of an unknown patch neither is known: who was marked before stays marked. Where it is not known whether a patch
    /// replaces the others (`replace`, not in older journals), they count as marked: the more careful of two.
    fn forced(&mut self, address: Option<u64>, by: Option<Arc<str>>, replace: Option<bool>) {
        let Some(by) = by else { return };
        let disabling = address.and_then(|address| self.patches.get_mut(&address)).filter(|p| p.unpatching);
        match disabling {
            Some(patch) => patch.forced_by = Some(by),
            None if replace == Some(false) => {}
            None => {
                for (_, patch) in self.patches.iter_mut().filter(|(at, _)| Some(**at) != address) {
                    patch.forced_by = Some(Arc::clone(&by));
                }
            }
        }
    }
}
