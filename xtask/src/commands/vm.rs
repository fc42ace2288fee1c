//! `cargo xtask vm`: a command, or a shell, on a real Debian kernel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;

use crate::testbed::{self, Boot, GuestFile, Series, Verdict};

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
    /// Put the fixture modules into /fixtures
    #[arg(long)]
    fixtures: bool,
    /// Put a file or folder of this machine into the guest
    #[arg(long, value_name = "GUEST=HOST", value_parser = pair)]
    file: Vec<(PathBuf, PathBuf)>,
    /// Put a program of this machine, and the libraries it needs, into the guest
    #[arg(long, value_name = "GUEST=HOST", value_parser = pair)]
    program: Vec<(PathBuf, PathBuf)>,
    /// Put a module of the kernel's package, and what it depends on, into the guest
    #[arg(long, value_name = "NAME")]
    module: Vec<String>,
    /// Keep what the guest leaves in /out, and the console's log, in this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
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
    let own = testbed::cache_dir().join("vm").join(format!("{}-{}", args.kernel, std::process::id()));
    let work = args.out.clone().unwrap_or_else(|| own.clone());
    let mut files: Vec<GuestFile> = args
        .file
        .iter()
        .map(|(guest, host)| GuestFile { guest: guest.clone(), host: host.clone(), mode: mode(host) })
        .collect();
    if args.fixtures {
        files.push(GuestFile { guest: "/fixtures".into(), host: testbed::fixtures(&kernel)?, mode: 0o755 });
    }
    let outcome = testbed::boot(&Boot {
        kernel: &kernel,
        files,
        programs: args.program.clone(),
        modules: args.module.clone(),
        command: args.command.clone(),
        append: args.append.clone(),
        cpu: testbed::CPU,
        smp: args.smp,
        icount: false,
        memory_mib: args.memory,
        timeout: Duration::from_secs(args.timeout),
        work: &work,
        echo: true,
    })?;
    if let Verdict::Exited(code) = outcome.verdict {
        // Nothing is left to look at once the console has been shown.
        let _ = fs::remove_dir_all(&own);
        std::process::exit(code);
    }
    bail!("{}; the console's log is {}", outcome.verdict, outcome.log.display())
}

fn pair(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (guest, host) = text.split_once('=').ok_or_else(|| format!("“{text}” is not GUEST=HOST"))?;
    if !guest.starts_with('/') {
        return Err(format!("“{guest}” is not an absolute path in the guest"));
    }
    Ok((guest.into(), host.into()))
}

fn mode(host: &Path) -> u32 {
    fs::metadata(host).map_or(0o644, |file| file.permissions().mode() & 0o777)
}
