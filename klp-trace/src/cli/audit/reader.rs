//! Opens the kernel's memory for an audit: by BPF with hooks, by BPF without, or through /proc/kcore.

use std::io::Write as _;
use std::path::Path;

use super::{Args, Memory};
use crate::arch::Arch;
use crate::cli::{Exit, Failure};
use crate::journal::{self, HookInfo, Session};
use crate::kernel::btf::KernelBtf;
use crate::kernel::kallsyms;
use crate::kernel::settings::ftrace_enabled;
use crate::model::{Address, Hook};
use crate::output::escape::Escaped;
use crate::probe::{self, Probes};
use crate::source::audit::KcoreReader;
use crate::source::live::hook_info;

/// What an audit reads with.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) reader: Which,
    /// Hooks see whatever changes.
    pub(super) watched: bool,
}

pub(super) enum Which {
    Bpf(Box<Probes>),
    Kcore(Box<KcoreReader>),
}

const BPF_HINT: &str = "run it as root or with CAP_BPF and CAP_PERFMON, or use --memory kcore, which needs root and \
                        CAP_SYS_RAWIO instead (more: klp-trace doctor)";
const KCORE_HINT: &str = "run it as root with CAP_SYS_RAWIO, or use --memory bpf, which needs CAP_BPF and CAP_PERFMON \
                          instead (more: klp-trace doctor)";
const BOTH_HINT: &str = "run it as root, or with CAP_BPF and CAP_PERFMON (for --memory bpf), or as root with CAP_SYS_RAWIO \
                         (for --memory kcore); lockdown=confidentiality forbids both (more: klp-trace doctor)";

/// Opens what the arguments ask for.
pub(super) fn open(args: &Args, arch: Arch) -> Result<Opened, Failure> {
    let refused = |error: anyhow::Error, hint: &str| Failure::new(Exit::Precondition, error).hint(hint);
    match args.memory {
        Memory::Bpf => bpf(args).map_err(|error| refused(error, BPF_HINT)),
        Memory::Kcore => kcore(args, arch).map_err(|error| refused(error, KCORE_HINT)),
        Memory::Auto => bpf(args).or_else(|bpf| {
            let opened = kcore(args, arch).map_err(|kcore| {
                let both = anyhow::anyhow!(
                    "kernel memory cannot be read; by BPF: {bpf:#}; through /proc/kcore: {kcore:#}"
                );
                refused(both, BOTH_HINT)
            })?;
            let why = format!("{bpf:#}");
            let why = Escaped::new(why.as_bytes());
            if !args.look.quiet {
                let _ = writeln!(
                    std::io::stderr(),
                    "klp-trace: memory is read through /proc/kcore, since BPF is not available: {why}"
                );
            }
            Ok(opened)
        }),
    }
}

/// With the hooks that an audit needs where they can be attached; without, where they cannot.
fn bpf(args: &Args) -> anyhow::Result<Opened> {
    let options = probe::Options { ring_bytes: args.ring_size, ..probe::Options::default() };
    let probes = Probes::reading_on_demand(&options)?;
    let attached = probes.hooks().iter().all(|hook| hook.mechanism.is_some());
    let watched = attached && ftrace_enabled(Path::new("/")) == Some(true);
    let hooks = probes.hooks().iter().map(hook_info).collect();
    let session = session(args, hooks, probes.clears(), journal::Memory::Bpf);
    Ok(Opened { session, reader: Which::Bpf(Box::new(probes)), watched })
}

fn kcore(args: &Args, arch: Arch) -> anyhow::Result<Opened> {
    let types = KernelBtf::running()?;
    let reader = KcoreReader::open(arch, &types)?;
    let clears = arch.clears(types.has_function(Hook::ClearRelocateAdd.name()));
    let session = session(args, Vec::new(), clears, journal::Memory::Kcore);
    Ok(Opened { session, reader: Which::Kcore(Box::new(reader)), watched: false })
}

/// The first record of an audit.
pub(super) fn session(args: &Args, hooks: Vec<HookInfo>, clears: bool, memory: journal::Memory) -> Session {
    let ring_bytes = if hooks.is_empty() { 0 } else { args.ring_size };
    let kernel_base = kallsyms::text(Path::new(kallsyms::PATH)).map(Address);
    let command = std::env::args().collect();
    Session {
        command,
        hooks,
        clears,
        ring_bytes,
        memory,
        kernel_base,
        kernel_log: false,
        redacted: false,
        derived: None,
    }
}
