//! Sessions: the one loop from a source through the redaction to the outputs, on the running kernel and on a journal.
//!
//! ```text
//! the kernel ─ Collector ─┐
//!                         ├─ Sinks: redaction, then text, journal, report, policy …
//! a journal  ─ replay ────┘
//! ```

mod collector;
mod error;
mod origin;
mod replay;
mod signals;
mod sinks;
mod watch;

pub use collector::Collector;
pub use error::SessionError;
pub use origin::{host, origin};
pub use replay::{Replayed, replay};
pub use signals::{service_flags, stop_flag};
pub use sinks::Sinks;
pub use watch::watch;
