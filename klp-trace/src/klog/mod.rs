//! What the kernel's own log says of livepatch and of relocations: its lines taken apart, without I/O.
//!
//! The log corroborates: it is read beside the hooks, shown under findings, and nothing is ever concluded from it.
#![forbid(unsafe_code)]

mod forms;
mod line;

pub use forms::message;
pub use line::Line;
