//! Opens the kernel's memory for an audit: by BPF with hooks, by BPF without, or through /proc/kcore.

use std::io::Write as _;
use std::path::Path;

use super::{Args, Memory};
use crate::arch::Arch;
use crate::cli::{Exit, Failure};
use crate::event::{self, HookInfo, Session};
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
            let _ = writeln!(
                std::io::stderr(),
                "klp-trace: memory is read through /proc/kcore, since BPF is not to be had: {why}"
            );
            Ok(opened)
        }),
    }
}

/// With hooks where they can be attached, so that a change during the audit is seen; without, where they cannot.
fn bpf(args: &Args) -> anyhow::Result<Opened> {
    let options = probe::Options {
        attach: probe::Attach::Auto,
        ring_bytes: args.ring_size,
        bpf_log: false,
        variables: probe::Variables::default(),
    };
    let (probes, watched) = match Probes::attach(&options) {
        Ok(probes) => (probes, ftrace_enabled(Path::new("/")) == Some(true)),
        Err(error) => match Probes::load(&options, &error.to_string()) {
            Ok(probes) => (probes, false),
            // The first refusal says more: it names the capability.
            Err(_) => return Err(error.into()),
        },
    };
    let clears = clears()?;
    let hooks = probes.hooks().iter().map(hook_info).collect();
    let session = session(args, hooks, clears, event::Memory::Bpf);
    Ok(Opened { session, reader: Which::Bpf(Box::new(probes)), watched })
}

fn kcore(args: &Args, arch: Arch) -> anyhow::Result<Opened> {
    let reader = KcoreReader::open(arch)?;
    let session = session(args, Vec::new(), clears()?, event::Memory::Kcore);
    Ok(Opened { session, reader: Which::Kcore(Box::new(reader)), watched: false })
}

/// Whether this kernel clears relocations when their object goes.
fn clears() -> anyhow::Result<bool> {
    Ok(KernelBtf::running()?.has_function(Hook::ClearRelocateAdd.name()))
}

/// The first record of an audit.
pub(super) fn session(args: &Args, hooks: Vec<HookInfo>, clears: bool, memory: event::Memory) -> Session {
    let ring_bytes = if hooks.is_empty() { 0 } else { args.ring_size };
    let kernel_base = kallsyms::text(Path::new(kallsyms::PATH)).map(Address);
    let command = std::env::args().collect();
    Session { command, hooks, clears, ring_bytes, memory, kernel_base, redacted: false }
}
