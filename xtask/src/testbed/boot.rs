//! One boot: what goes into the guest, what it runs, what became of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Kernel;

/// A file, or a folder with all it holds, put into the guest.
#[derive(Debug, Clone)]
pub struct GuestFile {
    /// Absolute path in the guest.
    pub guest: PathBuf,
    /// The file or folder on this machine.
    pub host: PathBuf,
    /// Permission bits in the guest, for example 0o755; of a folder's files, the executable ones keep their
    /// executable bits.
    pub mode: u32,
}

/// What to boot and what to run there.
#[derive(Debug)]
pub struct Boot<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Files and folders for the guest.
    pub files: Vec<GuestFile>,
    /// Programs: path in the guest, path here. Shared libraries are found with ldd and put beside them.
    pub programs: Vec<(PathBuf, PathBuf)>,
    /// Names of the kernel package's modules that the guest may modprobe; their dependencies come along.
    pub modules: Vec<String>,
    /// Run as root by the guest's init, in `/`, once proc, sys, dev, tmpfs, tracefs, debugfs, bpf and cgroup2
    /// are mounted. What it leaves in `/out` comes back. Empty: an interactive shell.
    pub command: Vec<String>,
    /// Added to the kernel's command line.
    pub append: String,
    /// Processors.
    pub smp: u8,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// The guest is killed after this.
    pub timeout: Duration,
    /// Holds the log, the initramfs and the disk of this boot; made if it is missing, never shared.
    pub work: &'a Path,
    /// Show the console as it comes.
    pub echo: bool,
}

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The command ended by itself with this exit code and the kernel had nothing to complain of.
    Exited(i32),
    /// The kernel panicked; the line that said so.
    Panic(String),
    /// The kernel oopsed or found a bug in itself, whatever the command's exit code.
    Oops(String),
    /// A processor, or a task, was stuck.
    SoftLockup(String),
    /// Neither the command nor the kernel came to an end in time.
    TimedOut,
    /// Two starts, and init's first line came in neither.
    NeverStarted,
}

/// What a boot left.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// The console's log.
    pub log: PathBuf,
    /// Holds what the guest left in `/out`.
    pub out: PathBuf,
    /// Kernel warnings ("WARNING:" lines); reported, not a failure in themselves.
    pub warnings: Vec<String>,
    /// From QEMU's start to its end, in seconds.
    pub seconds: f64,
}

/// Boots `spec` under QEMU's TCG and waits for its end.
pub fn boot(spec: &Boot) -> anyhow::Result<Outcome> {
    anyhow::bail!("cannot boot {} yet", spec.kernel.release)
}
