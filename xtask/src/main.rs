//! `cargo xtask`: builds, tests and demonstrates klp-trace.
#![forbid(unsafe_code)]

mod commands;
mod dashboards;
mod dist;
mod ebpf;
mod guest;
mod klp;
mod scenario;
mod testbed;

use std::process::ExitCode;

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
    /// Holds what klp-trace inspect --check-host foretells against what insmod does on real kernels
    Agreement(commands::agreement::Args),
    /// Builds the eBPF object, or checks that the committed one matches its source
    Ebpf(commands::ebpf::Args),
    /// Builds the fixture modules for a kernel series
    Fixtures(commands::fixtures::Args),
    /// Has Debian's Prometheus and Alertmanager watch many hosts, in one process on loopback
    Fleet(commands::fleet::Args),
    /// Feeds the readers with broken files, for minutes
    Fuzz(commands::fuzz::Args),
    /// Runs scenarios inside a test VM, and only there
    #[command(hide = true)]
    Guest(guest::Args),
    /// Boots test VMs many times in a row, also on a busy machine
    Boots(commands::boots::Args),
    /// Runs klp-trace on thousands of files and arguments that nobody means well with
    Hostile(commands::hostile::Args),
    /// Measures what klp-trace costs
    Bench(commands::bench::Args),
    /// Writes Prometheus' rules and Grafana's dashboards from their tables, or checks them
    Dashboards(commands::dashboards::Args),
    /// Shows klp-trace catching stale relocations on real kernels
    Demo(commands::demo::Args),
    /// Makes the packages (.deb, .rpm, a static program), and checks them
    Dist(commands::dist::Args),
    /// Has the kernel's own kunit.py read the KTAP that klp-trace assert writes
    Kunit,
    /// Writes docs/failure-matrix.md of what the last test run saw
    Matrix,
    /// Keeps the journals of the last test run as recordings for cargo test
    Recordings(commands::recordings::Args),
    /// Runs every check: of the code, and of klp-trace on real kernels
    Test(commands::test::Args),
    /// Draws the screens of README and docs from recordings of real runs
    Screens,
    /// Runs the kernel's own livepatch selftests on real kernels, with klp-trace watching
    Selftests(commands::selftests::Args),
    /// Runs klp-trace tui at a terminal of real kernels, and looks at its screens
    Tui(commands::tui::Args),
    /// Installs, downloads and builds everything that the tests need
    Setup(commands::setup::Args),
    /// Boots a real Debian kernel in QEMU and runs a command there
    Vm(commands::vm::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What failed was said where it failed; where in xtask that was helps nobody.
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Agreement(args) => commands::agreement::run(&args),
        Command::Ebpf(args) => commands::ebpf::run(&args),
        Command::Fixtures(args) => commands::fixtures::run(&args),
        Command::Fleet(args) => commands::fleet::run(&args),
        Command::Fuzz(args) => commands::fuzz::run(&args),
        Command::Guest(args) => guest::run(&args),
        Command::Boots(args) => commands::boots::run(&args),
        Command::Hostile(args) => commands::hostile::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Dashboards(args) => commands::dashboards::run(&args),
        Command::Demo(args) => commands::demo::run(&args),
        Command::Dist(args) => commands::dist::run(&args),
        Command::Kunit => commands::kunit::reads_ktap(),
        Command::Matrix => commands::matrix::run(),
        Command::Recordings(args) => commands::recordings::run(&args),
        Command::Test(args) => commands::test::run(&args),
        Command::Screens => commands::screens::run(),
        Command::Selftests(args) => commands::selftests::run(&args),
        Command::Tui(args) => commands::tui::run(&args),
        Command::Setup(args) => commands::setup::run(&args),
        Command::Vm(args) => commands::vm::run(&args),
    }
}
