//! When everything was looked at, and whether what is known is what is.

use crate::metrics::{Looks, STALE};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The looks of a session.
#[derive(Debug)]
pub(super) struct Watched {
    looks: Looks,
    /// When the last look began, and whether the list of modules could be read.
    began: Instant,
    listed: bool,
    /// It has not ended: sections are left to be read.
    open: bool,
    /// Since when any section has been waiting to be read.
    waiting: Option<Instant>,
    /// Records taken at the last step.
    taken: u64,
}

impl Watched {
    pub(super) fn new(interval: Duration) -> Self {
        let looks = Looks { interval, ..Looks::default() };
        Self { looks, began: Instant::now(), listed: false, open: true, waiting: None, taken: 0 }
    }

    /// Looks are to be so far apart.
    pub(super) fn every(&mut self, interval: Duration) {
        self.looks.interval = interval;
    }

    /// Looks; `look` says whether the list of modules could be read.
    pub(super) fn look(&mut self, look: impl FnOnce() -> bool) {
        self.began = Instant::now();
        self.open = true;
        self.listed = look();
    }

    /// Whether it is time for another look; one that could not be made is made again with the next second.
    pub(super) fn is_due(&self) -> bool {
        let wait = if self.listed { self.looks.interval } else { Duration::from_secs(1) };
        self.began.elapsed() >= wait
    }

    /// So many records have been taken, and nothing is left to be read.
    pub(super) fn step(&mut self, taken: u64, read_all: bool) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        if taken > std::mem::replace(&mut self.taken, taken) {
            self.looks.last_record = now;
        }
        self.waiting = if read_all { None } else { Some(self.waiting.unwrap_or_else(Instant::now)) };
        if read_all && self.listed && self.open {
            self.open = false;
            self.looks.last = now;
            self.looks.took = self.began.elapsed();
        }
    }

    pub(super) fn looks(&self) -> Looks {
        self.looks
    }

    /// Why what is known is not what is.
    pub(super) fn blind(&self) -> Option<String> {
        if !self.listed {
            return Some("the list of modules cannot be read: /proc/modules".to_owned());
        }
        if self.looks.last.is_none() {
            return Some("the first look has not ended".to_owned());
        }
        let waited = self.waiting.map(|since| since.elapsed()).filter(|waited| *waited > STALE)?;
        Some(format!("sections could not be read for {} s", waited.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_look_has_ended() {
        let mut watched = Watched::new(Duration::from_mins(15));
        assert!(watched.blind().is_some() && !watched.is_due());
        watched.look(|| false);
        watched.step(0, true);
        assert!(watched.blind().is_some_and(|why| why.contains("/proc/modules")));
        watched.look(|| true);
        watched.step(3, false);
        assert!(
            watched.blind().is_some_and(|why| why.contains("first look")) && watched.looks().last.is_none()
        );
        watched.step(3, true);
        assert_eq!(watched.blind(), None);
        assert!(watched.looks().last.is_some() && watched.looks().last_record.is_some());
    }

    #[test]
    fn what_cannot_be_read_for_long_is_not_known() {
        let mut watched = Watched::new(Duration::from_mins(15));
        watched.look(|| true);
        watched.step(0, true);
        watched.step(0, false);
        assert_eq!(watched.blind(), None, "a moment");
        assert!(watched.waiting.is_some());
        watched.waiting = Instant::now().checked_sub(STALE + Duration::from_secs(1));
        assert!(watched.blind().is_some_and(|why| why.starts_with("sections could not be read")));
        watched.step(0, true);
        assert_eq!(watched.blind(), None);
    }

    #[test]
    fn looks_come_at_their_interval() {
        let mut watched = Watched::new(Duration::ZERO);
        watched.look(|| true);
        assert!(watched.is_due());
        watched.every(Duration::from_mins(1));
        assert!(!watched.is_due());
    }
}
