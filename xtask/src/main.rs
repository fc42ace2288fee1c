//! `cargo xtask`: builds, tests and demonstrates klp-trace.
#![forbid(unsafe_code)]

mod commands;

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
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Ebpf(args) => commands::ebpf::run(&args),
    }
}
