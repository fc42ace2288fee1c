//! `cargo xtask`: builds, tests and demonstrates klp-trace.
#![forbid(unsafe_code)]

mod commands;
mod ebpf;
mod testbed;

use clap::{Parser, Subcommand};

/// Builds, tests and demonstrates klp-trace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds the eBPF object, or checks that the committed one matches its source
    Ebpf(commands::ebpf::Args),
    /// Builds the fixture modules for a kernel series
    Fixtures(commands::fixtures::Args),
    /// Boots a real Debian kernel in QEMU and runs a command there
    Vm(commands::vm::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Ebpf(args) => commands::ebpf::run(&args),
        Command::Fixtures(args) => commands::fixtures::run(&args),
        Command::Vm(args) => commands::vm::run(&args),
    }
}
