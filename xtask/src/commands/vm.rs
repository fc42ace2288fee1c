//! `cargo xtask vm`: a command, or a shell, on a real Debian kernel.

use std::time::Duration;

use anyhow::bail;

use crate::testbed::{self, Boot, Series, Verdict};

/// Arguments of `cargo xtask vm`.
#[derive(clap::Args)]
pub struct Args {
    /// Kernel series: 6.1, 6.12 or 7
    #[arg(long, value_name = "SERIES")]
    kernel: Series,
    /// Processors
    #[arg(long, default_value_t = 1)]
    smp: u8,
    /// Memory in MiB
    #[arg(long, default_value_t = 1024)]
    memory: u32,
    /// More for the kernel's command line
    #[arg(long, default_value = "")]
    append: String,
    /// Seconds until the guest is killed
    #[arg(long, default_value_t = 600)]
    timeout: u64,
    /// Resolve the newest kernel of the series anew
    #[arg(long)]
    refresh: bool,
    /// Command for the guest, run as root; an interactive shell when none is given
    #[arg(last = true)]
    command: Vec<String>,
}

/// Boots and runs; the process ends with the guest's exit code.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let kernel = testbed::kernel(args.kernel, args.refresh)?;
    let work = testbed::cache_dir().join("vm").join(format!("{}-{}", args.kernel, std::process::id()));
    let outcome = testbed::boot(&Boot {
        kernel: &kernel,
        files: Vec::new(),
        programs: Vec::new(),
        modules: Vec::new(),
        command: args.command.clone(),
        append: args.append.clone(),
        smp: args.smp,
        memory_mib: args.memory,
        timeout: Duration::from_secs(args.timeout),
        work: &work,
        echo: true,
    })?;
    if let Verdict::Exited(code) = outcome.verdict {
        // Nothing is left to look at once the console has been shown.
        let _ = std::fs::remove_dir_all(&work);
        std::process::exit(code);
    }
    bail!("{:?}; the console's log is {}", outcome.verdict, outcome.log.display())
}
