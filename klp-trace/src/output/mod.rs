//! Where results go: the terminal, files, one file a format.
#![forbid(unsafe_code)]

pub use crate::model::escape;
pub mod audit;
pub mod check_host;
pub mod event_sink;
pub mod filter;
pub mod inspect;
pub mod journal;
pub mod journald;
pub mod late_cost;
pub mod lint;
pub mod markdown;
pub mod report;
pub mod sink;
pub mod style;
pub mod table;
pub mod text;
pub mod wrap;
