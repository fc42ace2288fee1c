//! One file a command.

pub mod ebpf;
