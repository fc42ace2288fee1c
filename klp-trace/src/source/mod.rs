//! Where events come from: the running kernel, or a recording of it.
#![forbid(unsafe_code)]

pub mod audit;
pub mod live;
pub mod redacted;
