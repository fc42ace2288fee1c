//! Turns marked symbols of a built module into livepatch relocations, as klp-convert, kpatch-build and
//! `objtool klp` do (Documentation/livepatch/module-elf-format.rst in the kernel's source); and makes files that
//! differ from what is loaded.
#![forbid(unsafe_code)]

mod alter;
mod convert;
mod name;
#[cfg(test)]
mod tests;

pub use alter::{renamed, with_addend};
pub use convert::{SHF_RELA_LIVEPATCH, SHN_LIVEPATCH, convert};
pub use name::KlpName;

/// The rewriter's own sources: a cache of what it made is stale once they change.
pub const SOURCES: [&str; 2] = [include_str!("convert.rs"), include_str!("name.rs")];
