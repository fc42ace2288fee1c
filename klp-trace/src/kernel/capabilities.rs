//! The privileges that the tool runs with, and which ones it needs.

use rustix::thread::CapabilitySet;

/// A capability that klp-trace needs, or has use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Load eBPF programs and make maps (from 5.8).
    Bpf,
    /// Trace kernel functions and read kernel memory from eBPF (from 5.8).
    Perfmon,
    /// See addresses in /proc/kallsyms.
    Syslog,
    /// Read what belongs to other users: the tasks' `patch_state` in /proc.
    DacReadSearch,
    /// See other users' tasks where /proc is mounted with hidepid; one of two for their kernel stacks.
    SysPtrace,
    /// The other for kernel stacks; and kprobes, where a distribution's kernel wants it for them.
    SysAdmin,
}

/// What klp-trace cannot do without: all of it since 5.8, and nothing older runs the programs (`bpf_loop`, 5.17).
pub const NEEDED: [Capability; 3] = [Capability::Bpf, Capability::Perfmon, Capability::Syslog];

impl Capability {
    /// The name as capabilities(7) and setcap(8) have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::Perfmon => "CAP_PERFMON",
            Self::Syslog => "CAP_SYSLOG",
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
        }
    }

    /// What it is needed for.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Bpf => "loading the eBPF programs",
            Self::Perfmon => "attaching them to kernel functions and reading kernel memory",
            Self::Syslog => "symbol addresses in /proc/kallsyms",
            Self::DacReadSearch => "the states of other users' tasks in a transition",
            Self::SysPtrace => "seeing other users' tasks, and with CAP_SYS_ADMIN their kernel stacks",
            Self::SysAdmin => "tasks' kernel stacks, with CAP_SYS_PTRACE",
        }
    }

    const fn bit(self) -> CapabilitySet {
        match self {
            Self::Bpf => CapabilitySet::BPF,
            Self::Perfmon => CapabilitySet::PERFMON,
            Self::Syslog => CapabilitySet::SYSLOG,
            Self::DacReadSearch => CapabilitySet::DAC_READ_SEARCH,
            Self::SysPtrace => CapabilitySet::SYS_PTRACE,
            Self::SysAdmin => CapabilitySet::SYS_ADMIN,
        }
    }
}

/// The effective capabilities of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    effective: CapabilitySet,
}

impl Capabilities {
    /// Asks the kernel.
    pub fn current() -> std::io::Result<Self> {
        Ok(Self { effective: rustix::thread::capabilities(None)?.effective })
    }

    /// Whether the process has it, by itself or within `CAP_SYS_ADMIN`, which still implies `CAP_BPF` and `CAP_PERFMON`
    /// (include/linux/capability.h, `bpf_capable` and `perfmon_capable`).
    pub fn has(self, capability: Capability) -> bool {
        let implied = match capability {
            Capability::Bpf | Capability::Perfmon | Capability::SysAdmin => CapabilitySet::SYS_ADMIN,
            Capability::Syslog | Capability::DacReadSearch | Capability::SysPtrace => CapabilitySet::empty(),
        };
        self.effective.intersects(capability.bit() | implied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(effective: CapabilitySet) -> Capabilities {
        Capabilities { effective }
    }

    #[test]
    fn none_has_nothing_and_each_has_itself() {
        let all = [Capability::DacReadSearch, Capability::SysPtrace, Capability::SysAdmin];
        let all = NEEDED.into_iter().chain(all);
        for wanted in all {
            assert!(!with(CapabilitySet::empty()).has(wanted));
            assert!(with(wanted.bit()).has(wanted));
        }
        assert!(!with(CapabilitySet::BPF).has(Capability::Perfmon));
    }

    #[test]
    fn sys_admin_implies_bpf_and_perfmon_but_not_syslog() {
        let admin = with(CapabilitySet::SYS_ADMIN);
        assert!(admin.has(Capability::Bpf) && admin.has(Capability::Perfmon));
        assert!(!admin.has(Capability::Syslog));
    }
}
