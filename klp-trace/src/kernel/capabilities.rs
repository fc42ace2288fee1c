//! The privileges that the tool runs with, and which ones this kernel wants of it.

use std::path::Path;

use rustix::thread::CapabilitySet;

/// A capability that klp-trace needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Capability {
    /// Load eBPF programs and make maps (from 5.8).
    Bpf,
    /// Trace kernel functions and read kernel memory from eBPF (from 5.8).
    Perfmon,
    /// See addresses in /proc/kallsyms.
    Syslog,
    /// Everything that `CAP_BPF` and `CAP_PERFMON` allow, on kernels before 5.8.
    SysAdmin,
}

impl Capability {
    /// The name as capabilities(7) and setcap(8) have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bpf => "CAP_BPF",
            Self::Perfmon => "CAP_PERFMON",
            Self::Syslog => "CAP_SYSLOG",
            Self::SysAdmin => "CAP_SYS_ADMIN",
        }
    }

    /// What it is needed for.
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Bpf => "loading the eBPF programs",
            Self::Perfmon => "attaching them to kernel functions and reading kernel memory",
            Self::Syslog => "symbol addresses in /proc/kallsyms",
            Self::SysAdmin => "loading and attaching eBPF programs (this kernel is older than CAP_BPF)",
        }
    }

    const fn bit(self) -> CapabilitySet {
        match self {
            Self::Bpf => CapabilitySet::BPF,
            Self::Perfmon => CapabilitySet::PERFMON,
            Self::Syslog => CapabilitySet::SYSLOG,
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
            Capability::Syslog => CapabilitySet::empty(),
        };
        self.effective.intersects(capability.bit() | implied)
    }
}

/// The capabilities that klp-trace needs on a kernel whose last capability has this number.
pub const fn needed(last: u32) -> &'static [Capability] {
    // CAP_BPF is 39, CAP_PERFMON 38.
    if last >= 39 {
        &[Capability::Bpf, Capability::Perfmon, Capability::Syslog]
    } else {
        &[Capability::SysAdmin, Capability::Syslog]
    }
}

/// The number of the kernel's last capability (`/proc/sys/kernel/cap_last_cap`); a current kernel's where it is not to
/// be read.
pub fn last_capability(root: &Path) -> u32 {
    std::fs::read_to_string(root.join("proc/sys/kernel/cap_last_cap"))
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(40)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(effective: CapabilitySet) -> Capabilities {
        Capabilities { effective }
    }

    #[test]
    fn none_has_nothing_and_each_has_itself() {
        let all = [Capability::Bpf, Capability::Perfmon, Capability::Syslog, Capability::SysAdmin];
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

    #[test]
    fn old_kernels_want_sys_admin() {
        assert!(needed(40).contains(&Capability::Bpf));
        assert!(needed(37).contains(&Capability::SysAdmin) && !needed(37).contains(&Capability::Bpf));
        let nowhere = tempfile::tempdir().unwrap();
        assert_eq!(last_capability(nowhere.path()), 40);
    }
}
