//! The ring buffer's consumer.

use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{MapData, RingBuf};

use super::{RawEvent, decode::decode};

/// Records one call of [`Ring::drain`] takes at most: the caller gets its turn however fast they come.
const BATCH: usize = 16_384;

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
