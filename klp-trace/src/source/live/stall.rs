//! A transition that does not end: said after a while, and again when it has lasted much longer.

use super::{Live, Out, Reader, convert, now};
use crate::journal::{Body, PatchRef, Stall};

/// From here on a transition counts as stalled: most end within a second, and after 15 s the kernel itself begins to signal
/// the tasks that are left (kernel/livepatch/transition.c, `SIGNALS_TIMEOUT`).
const STALLED: u64 = 10_000_000_000;

/// A transition under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub patch: PatchRef,
    /// Whether it replaces all others; none: not known.
    pub replace: Option<bool>,
    /// When it began, or was first seen.
    since: u64,
    /// When it is next looked at.
    next: u64,
}

impl<R: Reader> Live<R> {
    /// A transition begins, or is reversed.
    pub(super) fn began(&mut self, patch: Option<PatchRef>, replace: Option<bool>, since: u64) {
        let next = since.saturating_add(STALLED);
        self.transitioning = patch.map(|patch| UnderWay { patch, replace, since, next });
    }

    /// Says who holds up a transition that has been under way for long: after 10 s, 20 s, 40 s and so on.
    pub(super) fn watch_transition(&mut self, out: Out) {
        let now = now();
        let Some(under_way) = self.transitioning.as_mut().filter(|under_way| under_way.next <= now) else {
            return;
        };
        let (patch, waited) = (under_way.patch.clone(), now.saturating_sub(under_way.since));
        under_way.next = now.saturating_add(waited);
        match self.sysfs.patch(&patch.name) {
            Ok(Some(listed)) if listed.transition => {
                let found = convert::stalled(&self.root, i8::from(listed.enabled), Some(waited));
                self.say(None, Body::Stall(Stall { patch, found }), out);
            }
            // Its end was not seen.
            _ => self.transitioning = None,
        }
    }
}
