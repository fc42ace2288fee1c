//! What the collecting thread lays down, and others pick up: neither waits for the other.

use crate::kernel::own_process;
use crate::metrics::{Moment, Snapshot};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The latest snapshot, and the counts of those who ask.
#[derive(Debug)]
pub(super) struct Shelf {
    latest: Mutex<(Arc<Snapshot>, Instant)>,
    requests: [AtomicU64; 3],
}

impl Shelf {
    pub(super) fn new(first: Snapshot) -> Self {
        Self { latest: Mutex::new((Arc::new(first), Instant::now())), requests: Default::default() }
    }

    /// Lays down the next snapshot.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        let next = (Arc::new(snapshot), Instant::now());
        // The lock is held for the exchange alone, here and below; the one before is dropped after it.
        let before =
            std::mem::replace(&mut *self.latest.lock().unwrap_or_else(PoisonError::into_inner), next);
        drop(before);
    }

    /// Counts an answer.
    pub(super) fn answered(&self, status: u16) {
        let place = match status {
            200..=299 => 0,
            400..=499 => 1,
            _ => 2,
        };
        if let Some(count) = self.requests.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was laid down last.
    pub(super) fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.latest.lock().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// What is known now, and of the process.
    pub(super) fn moment(&self) -> Moment {
        let (snapshot, laid) = self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let requests = [0, 1, 2]
            .map(|place: usize| self.requests.get(place).map_or(0, |count| count.load(Ordering::Relaxed)));
        Moment {
            snapshot,
            age: laid.elapsed(),
            requests: Some(requests),
            process: own_process::read(Path::new("/")),
        }
    }
}
