//! What Prometheus is told: one closed list of metrics, and the snapshot that they are taken from.
//!
//! ```text
//! events ── Counts ─┐
//!                   ├─ Snapshot ── samples (capped) ── Exposition: text format 0.0.4
//! the verifier ─────┘
//! ```
//!
//! Three things are kept apart everywhere: *verified*, *wrong* and *cannot tell*. What was not looked at is absent, or counts as
//! `unknown`; it is never 0 of something bad.
#![forbid(unsafe_code)]

mod caps;
mod counts;
pub mod document;
mod exposition;
mod metric;
mod samples;
mod snapshot;

#[cfg(test)]
mod tests;

pub use crate::model::Process;
pub use counts::Counts;
pub use exposition::{CONTENT_TYPE, Exposition, ExpositionError};
pub use metric::{Kind, Label, Metric};
pub use snapshot::{Journal, Kernel, Looks, Moment, PatchState, STALE, Sight, Snapshot, State, label};
