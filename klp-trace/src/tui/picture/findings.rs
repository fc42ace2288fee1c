//! The findings made, the worst and latest first.

use crate::journal::Finding;
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
            });
        }
        self.list.sort_by_key(|found| Reverse((found.finding.severity, found.last_ns)));
    }

    /// The finding of that number.
    pub fn get(&self, number: u64) -> Option<&Found> {
        self.list.iter().find(|found| found.number == number)
    }

    /// The worst first; of the same severity, the latest first.
    pub fn list(&self) -> &[Found] {
        &self.list
    }
}
