//! The ring buffer's consumer.

use std::{
    os::fd::{AsFd, BorrowedFd},
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{RawEvent, decode::decode};

/// Records one call of [`Ring::drain`] takes at most: the caller gets its turn however fast they come.
const BATCH: usize = 16_384;

/// How long a record that is being written is given before it is looked at again.
pub(super) const PAUSE: Duration = Duration::from_micros(200);

/// Records, first in, first out. The kernel orders them by the moment at which their room was reserved.
pub(super) struct Ring {
    ring: RingBuf<MapData>,
}

impl Ring {
    pub fn new(ring: RingBuf<MapData>) -> Self {
        Self { ring }
    }

    /// The next record; `None`: there is none, or the next one is being written.
    pub fn next(&mut self) -> Option<RawEvent> {
        self.ring.next().map(|record| decode(&record))
    }

    /// The next record, waited for until then; `None`: none came.
    pub fn wait(&mut self, until: Instant) -> Option<RawEvent> {
        loop {
            if let Some(event) = self.next() {
                return Some(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            // Readable at once where a record is being written and has not been finished: then this is no wait, and the pause
            // keeps the processor free for the one that writes.
            let fd = self.fd();
            let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
            let _ = poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&left));
            if let Some(event) = self.next() {
                return Some(event);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Hands over what is there; gives how many.
    pub fn drain(&mut self, sink: &mut dyn FnMut(RawEvent)) -> usize {
        let mut taken = 0;
        while taken < BATCH
            && let Some(event) = self.next()
        {
            sink(event);
            taken += 1;
        }
        taken
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
