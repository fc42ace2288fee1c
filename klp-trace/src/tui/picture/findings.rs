//! The findings made: those that hold before those that are over, the worst and latest first.

use crate::journal::{Finding, FindingClosed};
use crate::model::FindingEnd;
use std::cmp::Reverse;

/// Findings kept.
pub const FINDINGS: usize = 1000;

/// A finding, however often it was made.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its number among all that were made.
    pub number: u64,
    /// What was last said.
    pub finding: Finding,
    /// When it was first and last said (CLOCK_MONOTONIC, nanoseconds).
    pub first_ns: u64,
    /// When it was last said.
    pub last_ns: u64,
    /// How often.
    pub times: u32,
    /// When it ceased to hold, and what ended it; none while it holds.
    pub closed: Option<(u64, FindingEnd)>,
}

/// The findings of a session.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    list: Vec<Found>,
    next: u64,
    /// Findings that are no longer kept.
    pub forgotten: u64,
}

impl Findings {
    /// Takes a finding.
    pub(super) fn take(&mut self, mono_ns: u64, finding: Finding) {
        let same = |known: &&mut Found| {
            let known = &known.finding;
            (known.id, &known.patch, &known.section, &known.message)
                == (finding.id, &finding.patch, &finding.section, &finding.message)
        };
        if let Some(known) = self.list.iter_mut().find(same) {
            known.times = known.times.saturating_add(1);
            known.last_ns = mono_ns;
            known.finding = finding;
            known.closed = None;
        } else {
            if self.list.len() >= FINDINGS {
                self.list.pop();
                self.forgotten += 1;
            }
            self.next += 1;
            self.list.push(Found {
                number: self.next,
                finding,
                first_ns: mono_ns,
                last_ns: mono_ns,
                times: 1,
                closed: None,
            });
        }
        self.sort();
    }

    /// A finding, in all the words in which it was said, does not hold any more.
    pub(super) fn close(&mut self, mono_ns: u64, closed: &FindingClosed) {
        for found in self.list.iter_mut().filter(|found| found.closed.is_none()) {
            found.closed = closed.ends(&found.finding).then_some((mono_ns, closed.end));
        }
        self.sort();
    }

    fn sort(&mut self) {
        let key = |found: &Found| (found.closed.is_none(), found.finding.severity, found.last_ns);
        self.list.sort_by_key(|found| Reverse(key(found)));
    }

    /// How many of those kept hold.
    pub fn open(&self) -> usize {
        self.list.iter().filter(|found| found.closed.is_none()).count()
    }

    /// The finding of that number.
    pub fn get(&self, number: u64) -> Option<&Found> {
        self.list.iter().find(|found| found.number == number)
    }

    /// Those that hold first; of these the worst first; of the same severity, the latest first.
    pub fn list(&self) -> &[Found] {
        &self.list
    }
}
