//! Relocations counted by verdict.

use crate::model::Verdict;

/// How many relocations have which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([u32; Verdict::ALL.len()]);

impl Counts {
    /// One more.
    pub fn add(&mut self, verdict: Verdict) {
        if let Some(count) = self.0.get_mut(verdict as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// One less.
    pub fn remove(&mut self, verdict: Verdict) {
        if let Some(count) = self.0.get_mut(verdict as usize) {
            *count = count.saturating_sub(1);
        }
    }

    /// As many more as `others` counts.
    pub fn merge(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_add(other);
        }
    }

    /// As many less as `others` counts.
    pub fn subtract(&mut self, others: &Self) {
        for (count, other) in self.0.iter_mut().zip(others.0) {
            *count = count.saturating_sub(other);
        }
    }

    /// How many have this verdict.
    pub fn of(&self, verdict: Verdict) -> u32 {
        self.0.get(verdict as usize).copied().unwrap_or(0)
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// Verdicts that occur, worst first, each with its number.
    pub fn worst_first(&self) -> impl Iterator<Item = (Verdict, u32)> + '_ {
        Verdict::ALL.into_iter().rev().map(|verdict| (verdict, self.of(verdict))).filter(|(_, n)| *n > 0)
    }

    /// The worst verdict that occurs.
    pub fn worst(&self) -> Option<Verdict> {
        self.worst_first().next().map(|(verdict, _)| verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_rolled_up() {
        let mut counts = Counts::default();
        assert_eq!((counts.worst(), counts.total()), (None, 0));
        for verdict in [Verdict::Applied, Verdict::Stale, Verdict::Stale] {
            counts.add(verdict);
        }
        assert_eq!(counts.worst_first().collect::<Vec<_>>(), [(Verdict::Stale, 2), (Verdict::Applied, 1)]);
        let mut all = counts;
        all.merge(&counts);
        all.subtract(&counts);
        assert_eq!(all, counts);
        all.remove(Verdict::Mismatch);
        assert_eq!(all, counts, "what is not there cannot be taken away");
    }

    #[test]
    fn every_verdict_has_its_own_place() {
        for verdict in Verdict::ALL {
            let mut counts = Counts::default();
            counts.add(verdict);
            assert_eq!((counts.worst(), counts.total(), counts.of(verdict)), (Some(verdict), 1, 1));
        }
    }
}
