//! What the running kernel says of itself: symbols, modules, livepatches, privileges. Read-only.
#![forbid(unsafe_code)]

pub mod btf;
pub mod capabilities;
pub mod host;
pub mod kallsyms;
pub mod kcore;
pub mod kmsg;
pub mod livepatch_memory;
mod module_files;
pub mod module_symbols;
pub mod modules;
pub mod nearest;
pub mod own_process;
pub mod patch_file;
pub mod presence;
pub mod resolve;
pub mod settings;
pub mod sysfs;
pub mod tasks;
pub mod traceable;
