//! Reading livepatch modules (and the modules they patch) from files that users name: hostile until checked.
//!
//! Everything is read into memory within [`limits`], never mapped: a mapped file that is truncated meanwhile
//! would end the process with SIGBUS.
#![forbid(unsafe_code)]

pub mod buffer;
pub mod builders;
pub mod built_for;
pub mod compressed;
mod error;
pub mod ftrace_sites;
mod header;
pub mod klp;
pub mod limits;
pub mod matching;
pub mod modinfo;
pub mod module;
pub mod names;
pub mod notes;
pub mod open;
pub mod patch;
pub mod symbols;
mod symtab;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;

pub use error::{Error, Rule};
pub use patch::{KlpReloc, KlpSection, KlpSymbol, PatchFile};
