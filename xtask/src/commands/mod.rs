//! One file a command.

pub mod agreement;
pub mod bench;
pub mod boots;
pub mod dashboards;
pub mod demo;
pub mod dist;
pub mod ebpf;
pub mod fixtures;
pub mod fleet;
pub mod fuzz;
pub mod hostile;
pub mod inspect;
pub mod kunit;
pub mod matrix;
pub mod recordings;
pub mod screens;
pub mod selftests;
pub mod setup;
pub mod test;
pub mod tui;
pub mod vm;
