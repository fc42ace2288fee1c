//! klp-trace proves, on a running kernel, that every livepatch relocation is where it should be.
//!
//! The rooms, lowest first; each uses only those below it (ARCHITECTURE.md):
//! [`model`], [`arch`], [`event`], [`elf`], [`klog`], [`verify`], [`policy`], `kernel`, `probe`, [`lint`],
//! [`late_cost`], [`check_host`], [`source`], `output`, [`session`], `tui`, `cli`.
#![deny(unsafe_code)] // allowed in `probe` alone

pub mod arch;
pub mod check_host;
pub mod cli;
pub mod elf;
pub mod event;
pub mod kernel;
pub mod klog;
pub mod late_cost;
pub mod lint;
pub mod model;
pub mod output;
pub mod policy;
pub mod probe;
pub mod session;
pub mod source;
pub mod tui;
pub mod verify;
