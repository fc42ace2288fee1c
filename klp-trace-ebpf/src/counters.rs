//! What each program counts, for each CPU.

/// The counters of one hook and phase on one CPU; they only grow.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the program ran
    pub hits: u64,
    /// Records sent
    pub records: u64,
    /// Records that did not fit into the ring buffer
    pub drops: u64,
    /// Reads of kernel memory that failed where the kernel's structures promised memory (for a chunk: at least one)
    pub read_errors: u64,
    /// Sections that did not fit into their map
    pub sections_full: u64,
    /// Calls of the function whose exit was never seen, noticed when the same thread entered it again
    pub missed_exits: u64,
    /// Calls of helpers that the kernel refused, such as a loop over too many entries
    pub helper_errors: u64,
    /// Calls that did not fit into their map
    pub calls_full: u64,
    /// Walks begun: what makes each one's identity its own
    pub walks: u64,
}
