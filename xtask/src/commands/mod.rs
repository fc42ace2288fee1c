//! One file a command.

pub mod ebpf;
pub mod fixtures;
pub mod vm;
