//! Where events come from: the running kernel, or a recording of it.
#![forbid(unsafe_code)]

pub mod audit;
pub mod journal_files;
pub mod lines;
pub mod live;
pub mod polled;
pub mod recording;
pub mod redacted;
pub mod zstd;
