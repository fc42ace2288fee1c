//! What a process takes of its host.

use std::time::Duration;

/// A process, as its own /proc shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Process {
    /// Time that its threads were run, user and system.
    pub cpu: Duration,
    /// Resident bytes.
    pub resident: u64,
    /// When it was started, since 1970, by the wall clock of now.
    pub started: Duration,
    /// Open file descriptors.
    pub open_fds: u64,
    /// How many it may open; none: any number.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: u64,
}
