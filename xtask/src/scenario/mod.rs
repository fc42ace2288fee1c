//! Scenarios: what is done on a real kernel while klp-trace watches, and what must come of it.
//!
//! `tests/scenarios/*.toml` says both. The runner boots one VM for each series and group, the agent
//! ([`crate::guest`]) does the steps there and records what it saw, and the judge compares: the journal with the
//! scenario, and the journal with what the guest's own log and memory say.
#![forbid(unsafe_code)]

pub mod again;
pub mod agreement;
pub mod exchange;
pub mod format;
pub mod instance;
pub mod journal;
pub mod judge;
pub mod ko;
pub mod prepare;
pub mod replay;
pub mod runner;
pub mod stress;
