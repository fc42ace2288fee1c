//! What the probes missed: counted where it happens, reported as increments.

use std::{collections::HashMap, fs, os::fd::AsRawFd, os::fd::BorrowedFd};

use klp_trace_ebpf::{Counters, Hook};

/// What one hook missed since the last question. Each of them means that records or calls are missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Records that did not fit into the ring buffer
    pub ring_full: u64,
    /// Calls during which the kernel did not run the program: it was already running on that CPU
    pub recursion: u64,
    /// Calls whose exit was not seen (kretprobes are limited in number)
    pub missed_exits: u64,
    /// Reads of kernel memory that failed; the entries concerned say so themselves
    pub read_errors: u64,
    /// Sections that did not fit into the programs' map of them
    pub sections_full: u64,
    /// Calls that did not fit into the programs' map of them
    pub calls_full: u64,
    /// Helpers that refused, such as one that goes through a map
    pub helper_errors: u64,
}

impl Lost {
    /// Whether nothing was missed.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            ring_full: self.ring_full.saturating_sub(before.ring_full),
            recursion: self.recursion.saturating_sub(before.recursion),
            missed_exits: self.missed_exits.saturating_sub(before.missed_exits),
            read_errors: self.read_errors.saturating_sub(before.read_errors),
            sections_full: self.sections_full.saturating_sub(before.sections_full),
            calls_full: self.calls_full.saturating_sub(before.calls_full),
            helper_errors: self.helper_errors.saturating_sub(before.helper_errors),
        }
    }
}

/// What one hook missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The hook
    pub hook: Hook,
    /// How much
    pub lost: Lost,
}

/// The totals of the last question.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    before: HashMap<Hook, Lost>,
    /// Exits that never came, noticed by the thread's end
    abandoned: HashMap<Hook, u64>,
    /// Whether it was said that there are more sections than the programs keep
    said_full: bool,
}

impl Ledger {
    /// An exit that never came.
    pub fn abandon(&mut self, hook: Hook) {
        *self.abandoned.entry(hook).or_default() += 1;
    }

    /// What a hook missed since the last call, from its totals; `None`: nothing.
    pub fn settle(&mut self, hook: Hook, mut total: Lost) -> Option<Loss> {
        total.missed_exits += self.abandoned.get(&hook).copied().unwrap_or(0);
        let before = self.before.insert(hook, total).unwrap_or_default();
        let mut lost = total.since(&before);
        // What a hook found no room for is read on demand at once, and finds none then either.
        if hook == Hook::Demand && self.said_full {
            lost.sections_full = 0;
        }
        self.said_full |= lost.sections_full > 0;
        (!lost.is_nothing()).then_some(Loss { hook, lost })
    }
}

/// The counters of one hook, entry and exit together, over all CPUs.
pub(super) fn total(hook: Hook, enter: &Counters, exit: &Counters, recursion: u64) -> Lost {
    Lost {
        // What was asked for is asked for again: nothing is lost.
        ring_full: if hook == Hook::Demand { 0 } else { enter.drops + exit.drops },
        recursion,
        missed_exits: enter.missed_exits + exit.missed_exits,
        read_errors: enter.read_errors + exit.read_errors,
        // A section that does not fit is read at each question all the same: that it does not fit is said once.
        sections_full: if hook == Hook::Demand {
            enter.sections_full.min(1)
        } else {
            enter.sections_full + exit.sections_full
        },
        calls_full: enter.calls_full + exit.calls_full,
        helper_errors: enter.helper_errors + exit.helper_errors,
    }
}

/// Counters as the map holds them: for each CPU the fields of [`Counters`] in their order.
pub(super) type Row = [u64; 9];

const _: () = assert!(size_of::<Row>() == size_of::<Counters>());

/// The sum of two.
pub(super) fn add(a: Counters, b: &Counters) -> Counters {
    Counters {
        hits: a.hits + b.hits,
        records: a.records + b.records,
        drops: a.drops + b.drops,
        read_errors: a.read_errors + b.read_errors,
        sections_full: a.sections_full + b.sections_full,
        missed_exits: a.missed_exits + b.missed_exits,
        helper_errors: a.helper_errors + b.helper_errors,
        calls_full: a.calls_full + b.calls_full,
        walks: a.walks + b.walks,
    }
}

/// The sum over all CPUs.
pub(super) fn sum<'a>(rows: impl Iterator<Item = &'a Row>) -> Counters {
    rows.fold(Counters::default(), |all, row| {
        let &[
            hits,
            records,
            drops,
            read_errors,
            sections_full,
            missed_exits,
            helper_errors,
            calls_full,
            walks,
        ] = row;
        let one = Counters {
            hits,
            records,
            drops,
            read_errors,
            sections_full,
            missed_exits,
            helper_errors,
            calls_full,
            walks,
        };
        add(all, &one)
    })
}

/// `recursion_misses` of a program (5.12 and later), from its `fdinfo`: the one place that needs no privilege.
pub(super) fn recursion_misses(program: BorrowedFd<'_>) -> u64 {
    let path = format!("/proc/self/fdinfo/{}", program.as_raw_fd());
    fs::read_to_string(path).map_or(0, |text| misses_in(&text))
}

fn misses_in(fdinfo: &str) -> u64 {
    let value = fdinfo.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    value.and_then(|v| v.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_alone_are_reported() {
        let mut ledger = Ledger::default();
        let three = Lost { ring_full: 3, ..Lost::default() };
        assert_eq!(ledger.settle(Hook::Apply, Lost::default()), None);
        assert_eq!(ledger.settle(Hook::Apply, three), Some(Loss { hook: Hook::Apply, lost: three }));
        assert_eq!(ledger.settle(Hook::Apply, three), None);
        ledger.abandon(Hook::Apply);
        let lost = ledger.settle(Hook::Apply, Lost { ring_full: 5, ..three }).map(|l| l.lost);
        assert_eq!(lost, Some(Lost { ring_full: 2, missed_exits: 1, ..Lost::default() }));
        assert_eq!(ledger.settle(Hook::Clear, three), Some(Loss { hook: Hook::Clear, lost: three }));
    }

    #[test]
    fn a_demand_that_found_no_room_is_no_loss() {
        let full = Counters { drops: 4, read_errors: 1, ..Counters::default() };
        let none = Counters::default();
        assert_eq!(total(Hook::Demand, &full, &none, 0).ring_full, 0);
        let kept = Counters { sections_full: 9, ..none };
        assert_eq!(total(Hook::Demand, &kept, &none, 0).sections_full, 1, "once, however often it is read");
        assert_eq!(total(Hook::Apply, &none, &kept, 0).sections_full, 9);
        assert_eq!(
            total(Hook::Apply, &none, &full, 2),
            Lost { ring_full: 4, recursion: 2, read_errors: 1, ..Lost::default() }
        );
    }

    #[test]
    fn that_sections_do_not_fit_is_not_said_of_their_reading_again() {
        let full = Lost { sections_full: 1, ..Lost::default() };
        let mut ledger = Ledger::default();
        assert_eq!(ledger.settle(Hook::Apply, full), Some(Loss { hook: Hook::Apply, lost: full }));
        assert_eq!(ledger.settle(Hook::Demand, full), None);
        let more = Lost { sections_full: 3, ..full };
        let two = Lost { sections_full: 2, ..full };
        assert_eq!(ledger.settle(Hook::Apply, more), Some(Loss { hook: Hook::Apply, lost: two }));
        // Where no hook saw them, that is how it becomes known.
        assert_eq!(Ledger::default().settle(Hook::Demand, full).map(|loss| loss.lost), Some(full));
    }

    #[test]
    fn cpus_are_added_up() {
        let rows: [Row; 2] = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 20, 30, 40, 50, 60, 70, 80, 90]];
        let want = Counters {
            hits: 11,
            records: 22,
            drops: 33,
            read_errors: 44,
            sections_full: 55,
            missed_exits: 66,
            helper_errors: 77,
            calls_full: 88,
            walks: 99,
        };
        assert_eq!(sum(rows.iter()), want);
    }

    #[test]
    fn recursion_misses_are_found_in_fdinfo() {
        assert_eq!(
            misses_in("pos:\t0\nprog_type:\t26\nrun_cnt:\t0\nrecursion_misses:\t12\nverified_insns:\t99\n"),
            12
        );
        assert_eq!(misses_in("pos:\t0\n"), 0);
    }
}
