//! What happened when, for the time line: lifetimes of modules, verdicts and transitions of patches.

use crate::model::Verdict;
use std::collections::VecDeque;
use std::sync::Arc;

/// Marks kept.
pub const MARKS: usize = 1 << 13;
/// Lanes kept: patches and modules; later ones are not drawn.
pub const LANES: usize = 128;

/// The time line.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// Who it is about, in the order of their first marks.
    pub lanes: Vec<Lane>,
    /// In the order in which they were told.
    pub marks: VecDeque<Mark>,
    /// First and last time of any event (CLOCK_MONOTONIC, nanoseconds).
    pub span: Option<(u64, u64)>,
}

/// A patch or a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is a livepatch.
    pub livepatch: bool,
}

/// Something that happened in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// When (CLOCK_MONOTONIC, nanoseconds).
    pub mono_ns: u64,
    /// Index of the lane.
    pub lane: u16,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Loaded, or found loaded.
    Loaded,
    /// Unloaded, or found absent.
    Gone,
    /// Its load was refused.
    Refused,
    /// Relocations became so.
    Verdict(Verdict),
    /// A transition began.
    TransitionBegan,
    /// It ended.
    TransitionEnded,
}

impl Story {
    /// Takes note of a time at which something happened.
    pub(super) fn reach(&mut self, mono_ns: u64) {
        let (first, last) = self.span.unwrap_or((mono_ns, mono_ns));
        self.span = Some((first.min(mono_ns), last.max(mono_ns)));
    }

    /// Takes note of something that happened.
    pub(super) fn mark(&mut self, mono_ns: u64, name: &Arc<str>, livepatch: bool, what: What) {
        let Some(lane) = self.lane(name, livepatch) else { return };
        let mark = Mark { mono_ns, lane, what };
        if self.marks.back() == Some(&mark) {
            return;
        }
        if self.marks.len() >= MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(mark);
    }

    fn lane(&mut self, name: &Arc<str>, livepatch: bool) -> Option<u16> {
        let known = self.lanes.iter().position(|lane| lane.livepatch == livepatch && lane.name == *name);
        let at = match known {
            Some(at) => at,
            None if self.lanes.len() < LANES => {
                self.lanes.push(Lane { name: Arc::clone(name), livepatch });
                self.lanes.len() - 1
            }
            None => return None,
        };
        u16::try_from(at).ok()
    }
}
