//! The vocabulary: relocations, verdicts, findings. No I/O, no state.
#![forbid(unsafe_code)]

pub mod bytes;
pub mod escape;
pub mod finding;
pub mod finding_end;
pub mod glob;
pub mod hook;
pub mod mistake;
pub mod nearest;
mod page;
pub mod process;
pub mod verdict;

pub use bytes::{Address, Bytes};
pub use finding::{FindingId, Severity};
pub use finding_end::FindingEnd;
pub use hook::{Hook, Phase};
pub use page::page;
pub use process::Process;
pub use verdict::{Reason, Verdict};
