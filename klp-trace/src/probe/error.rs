//! Why the probes cannot work here.

use thiserror::Error;

use crate::journal::Unread;
use crate::kernel::btf::BtfError;

/// The probes cannot be attached: what, why, and what to do.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// No type information
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The kernel's structures are not as the programs need them
    #[error(
        "the kernel has no {structure}.{member}: it is built without CONFIG_LIVEPATCH, or is newer than this klp-trace \
         knows"
    )]
    Layout {
        /// Struct
        structure: &'static str,
        /// Member
        member: &'static str,
    },
    /// A ring buffer's size must be a power of two and at least a page
    #[error("a ring buffer of {bytes} bytes is not possible: give a power of two from {page} to 2147483648")]
    RingSize {
        /// What was asked for
        bytes: u32,
        /// The page's size
        page: usize,
    },
    /// The kernel refuses BPF to this process
    #[error(
        "the kernel does not let this process {what}: run klp-trace as root or with the capabilities CAP_BPF and \
         CAP_PERFMON, and not under lockdown=confidentiality ({reason})"
    )]
    NotPermitted {
        /// What was refused
        what: String,
        /// The kernel's words
        reason: String,
    },
    /// A kprobe is a perf event, and those are refused
    #[error(
        "the kernel does not let this process hook {hook} by kprobe ({reason}): with kernel.perf_event_paranoid above 2, \
         Debian's default, kprobes want CAP_SYS_ADMIN; use --attach fentry, or run `sysctl kernel.perf_event_paranoid=2`"
    )]
    PerfParanoid {
        /// The kernel's function
        hook: &'static str,
        /// The kernel's words
        reason: String,
    },
    /// The programs know the registers of x86 alone
    #[error(
        "klp-trace cannot hook by kprobes on {machine}: its programs look for a function's arguments in the registers of x86_64, \
         and would read rubbish; use --attach fentry (the default)"
    )]
    KprobeRegisters {
        /// As `uname -m` says
        machine: &'static str,
    },
    /// The object does not load
    #[error("the eBPF object does not load: {0}")]
    Object(String),
    /// A hook that nothing can replace is not to be had
    #[error(
        "cannot hook {hook}, without which relocations go unseen: {reason}; see `klp-trace doctor` (livepatch support, \
         kernel.ftrace_enabled, lockdown)"
    )]
    Hook {
        /// The kernel's function or tracepoint
        hook: &'static str,
        /// Why, for each way that was tried
        reason: String,
    },
}

/// What was asked for on demand cannot be had.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DemandError {
    /// Not readable: not a module, not a livepatch, gone by now, or a number out of range
    #[error("nothing to read at {address:#x}: not a loaded livepatch, or it is gone by now")]
    Unreadable {
        /// `struct module *`
        address: u64,
    },
    /// The section is not one that livepatch applies
    #[error("section {relsec} of the module at {address:#x} is not a livepatch relocation section")]
    NotLivepatch {
        /// `struct module *`
        address: u64,
        /// Section
        relsec: u32,
    },
    /// The ring buffer stays full although it is being read
    #[error("the ring buffer stays full while a section is read: use a larger one (--ring-size)")]
    RingFull,
    /// A record that was sent does not arrive: another one before it is being written and never finished
    #[error("a record that the kernel sent does not arrive")]
    Stalled,
    /// The kernel refuses to run the program
    #[error("the kernel does not run the reading program: {0}")]
    Run(String),
}

impl From<DemandError> for Unread {
    fn from(error: DemandError) -> Self {
        match error {
            DemandError::Unreadable { .. } => Self::Gone,
            DemandError::NotLivepatch { relsec, .. } => Self::NotLivepatch(relsec),
            DemandError::RingFull => Self::RingFull,
            DemandError::Stalled => Self::Stalled,
            DemandError::Run(why) => Self::Refused(why),
        }
    }
}
