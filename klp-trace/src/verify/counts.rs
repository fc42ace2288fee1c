//! How many of a section's relocations have which verdict, kept up to date with each change, so that nobody has to walk
//! through 100,000 relocations to know.

use crate::model::{Reason, Verdict};

/// Of one relocation, what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counted {
    /// Whether anything was said of it.
    pub said: bool,
    /// Its verdict now.
    pub verdict: Option<Verdict>,
    /// The last verdict that was not `unknown`: what cannot be told now has not ended for that.
    pub known: Option<Known>,
}

/// A verdict, as findings tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// `stale` for a symbol in a module of its own (KLP016).
    StaleOfThird,
    /// Any other.
    Verdict(Verdict),
}

impl Known {
    /// What is known after a judgement; none when it tells nothing.
    pub(super) fn of(verdict: Option<Verdict>, reason: Option<Reason>) -> Option<Self> {
        match verdict? {
            Verdict::Unknown => None,
            Verdict::Stale if reason.is_some_and(Reason::is_of_third) => Some(Self::StaleOfThird),
            verdict => Some(Self::Verdict(verdict)),
        }
    }
}

const KINDS: usize = Verdict::ALL.len();

/// The counts of one section.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    said: u32,
    now: [u32; KINDS],
    known: [u32; KINDS],
    of_third: u32,
}

impl Counts {
    /// Relocations that have this verdict now.
    pub(super) fn now(&self, verdict: Verdict) -> u32 {
        self.now[verdict as usize]
    }

    /// Relocations that have this verdict, or had it before they became `unknown`.
    pub(super) fn known(&self, verdict: Verdict) -> u32 {
        self.known[verdict as usize]
    }

    /// Whether any relocation is bad, or was before it became `unknown`.
    pub(super) fn any_bad(&self) -> bool {
        self.of_third > 0
            || Verdict::ALL.into_iter().any(|verdict| verdict.is_bad() && self.known(verdict) > 0)
    }

    /// Whether any relocation points to where a symbol of another module was, or did before it became `unknown`.
    pub(super) const fn any_of_third(&self) -> bool {
        self.of_third > 0
    }

    /// Relocations of which something was said.
    pub(super) const fn said(&self) -> u32 {
        self.said
    }

    /// One relocation has changed.
    pub(super) fn change(&mut self, before: Counted, after: Counted) {
        self.add(before, u32::wrapping_sub);
        self.add(after, u32::wrapping_add);
    }

    fn add(&mut self, counted: Counted, add: fn(u32, u32) -> u32) {
        let one = |count: &mut u32| *count = add(*count, 1);
        if counted.said {
            one(&mut self.said);
            if let Some(verdict) = counted.verdict {
                one(&mut self.now[verdict as usize]);
            }
        }
        match counted.known {
            Some(Known::StaleOfThird) => one(&mut self.of_third),
            Some(Known::Verdict(verdict)) => one(&mut self.known[verdict as usize]),
            None => {}
        }
    }
}
