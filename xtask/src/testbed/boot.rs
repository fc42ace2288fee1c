//! One boot: what goes into the guest, what it runs, what became of it.

use std::fs;
use std::io::Read;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::{Kernel, Verdict, disk, host, initramfs, qemu};

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
    /// QEMU's `-cpu`: [`super::CPU`], but where another is measured.
    pub cpu: &'a str,
    /// Processors.
    pub smp: u8,
    /// The guest's clock counts its instructions: a nanosecond for each, whatever this machine does meanwhile. One processor.
    pub icount: bool,
    /// Memory in MiB.
    pub memory_mib: u32,
    /// The guest is killed after this.
    pub timeout: Duration,
    /// Holds the log, the initramfs and the disk of this boot; made if it is missing, never shared.
    pub work: &'a Path,
    /// Show the console as it comes.
    pub echo: bool,
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
    host::ensure(host::VM)?;
    fs::create_dir_all(spec.work).with_context(|| format!("cannot make {}", spec.work.display()))?;
    let work = spec.work.canonicalize().with_context(|| format!("cannot find {}", spec.work.display()))?;
    let token = token()?;
    let [initramfs, disk, log] = ["initramfs.cpio", "disk.img", "console.log"].map(|name| work.join(name));
    initramfs::write(spec, &token, &initramfs)?;
    fs::write(&log, "").with_context(|| format!("cannot write {}", log.display()))?;
    let out = disk::empty_folder(work.join("out"))?;
    let begun = Instant::now();
    disk::create(&disk)?;
    let mut run = qemu::run(spec, &token, &initramfs, &disk, &log)?;
    let seconds = begun.elapsed().as_secs_f64();
    run.exit = disk::unpack(&disk, &token, &out)?.or(run.exit);
    // What weighs, and can be made again, goes; the log and what the guest handed over stay.
    for heavy in [&initramfs, &disk] {
        let _ = fs::remove_file(heavy);
    }
    let _ = fs::remove_dir_all(work.join("modules"));
    let warnings = mem::take(&mut run.warnings);
    Ok(Outcome { verdict: Verdict::of(run), log, out, warnings, seconds })
}

/// A word that nothing else in the guest prints.
fn token() -> anyhow::Result<String> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(format!("testbed-{:016x}", u64::from_ne_bytes(bytes)))
}
