//! How a command attaches to this kernel.

use super::args;
use super::exit::Exit;
use super::failure::Failure;
use crate::arch::Arch;
use crate::kernel::host::Host;
use crate::probe::{self, MAX_SECTIONS, ProbeError};
use crate::session::{Collector, SessionError};
use std::path::PathBuf;

/// How to watch this kernel.
#[derive(Debug, Clone, clap::Args)]
pub struct AttachArgs {
    /// Look for the livepatches' files here too: a .ko (plain, .xz, .zst, .gz) or a folder; may be repeated
    ///
    /// Without it, /lib/modules/RELEASE and kpatch's folders are searched. A file is used only if it matches the
    /// loaded module.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "from")]
    pub ko: Vec<PathBuf>,

    /// How to attach: fentry, kprobe, or auto, which takes kprobe where fentry is not available
    #[arg(long, value_name = "HOW", value_enum, default_value_t, hide_possible_values = true)]
    #[arg(conflicts_with = "from")]
    pub attach: Attach,

    /// Size of the buffer between kernel and klp-trace, a power of two from 4k
    ///
    /// If it runs full, the loss is reported and what was lost is read again.
    #[arg(long, value_name = "BYTES", value_parser = args::ring_size, default_value = "4M")]
    #[arg(conflicts_with = "from")]
    pub ring_size: u32,
}

/// How the probes are attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Attach {
    /// Fentry where the kernel offers it, else kprobe
    #[default]
    Auto,
    /// Fentry and fexit: the cheapest
    Fentry,
    /// Kprobe and kretprobe: for kernels without direct ftrace calls
    Kprobe,
}

impl From<Attach> for probe::Attach {
    fn from(attach: Attach) -> Self {
        match attach {
            Attach::Auto => Self::Auto,
            Attach::Fentry => Self::Fentry,
            Attach::Kprobe => Self::Kprobe,
        }
    }
}

impl AttachArgs {
    /// Attaches the probes.
    pub(super) fn collector(&self, host: &Host, arch: Arch) -> Result<Collector, Failure> {
        self.collector_with(host, arch, MAX_SECTIONS, false)
    }

    /// The same with so many sections kept by the eBPF programs, and their own diagnostics on standard error.
    pub(super) fn collector_with(
        &self,
        host: &Host,
        arch: Arch,
        max_sections: u32,
        bpf_log: bool,
    ) -> Result<Collector, Failure> {
        // Which patch a transition is about is known from its beginning: no need to search all of kallsyms for the
        // kernel's own variables before anything is attached.
        let variables = probe::Variables::default();
        let (attach, ring_bytes) = (self.attach.into(), self.ring_size);
        let options = probe::Options { attach, ring_bytes, max_sections, bpf_log, variables };
        Collector::attach(&options, host, arch, self.ko.clone()).map_err(|error| match error {
            SessionError::Probe(error @ ProbeError::RingSize { .. }) => Failure::new(Exit::Usage, error),
            SessionError::Probe(error) => {
                Failure::new(Exit::Precondition, error).hint(super::doctor::refusal_hint())
            }
            other => other.into(),
        })
    }
}
