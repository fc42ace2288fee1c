//! klp-trace verifies, on a running kernel, that every livepatch relocation holds the value that it should.
//!
//! The layers, lowest first; each uses only those below it (ARCHITECTURE.md, `tests/layers.rs`):
//! [`model`], [`arch`], [`journal`], [`elf`], [`klog`], [`verify`], `kernel`, `probe`, [`lint`], [`late_cost`],
//! [`check_host`], [`policy`], [`source`], `output`, [`metrics`], [`session`], `tui`, `cli`.
#![deny(unsafe_code)] // allowed in `probe` alone

pub mod arch;
pub mod check_host;
pub mod cli;
pub mod elf;
pub mod journal;
pub mod kernel;
pub mod klog;
pub mod late_cost;
pub mod lint;
pub mod metrics;
pub mod model;
pub mod output;
pub mod policy;
pub mod probe;
pub mod session;
pub mod source;
pub mod tui;
pub mod verify;
