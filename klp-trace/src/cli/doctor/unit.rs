//! Settings of a systemd unit (systemd.exec(5)) that take away what klp-trace needs. Each was tried on its own.

use super::report::{Check, Status};
use std::path::Path;

/// A check, and what makes it fail in a unit.
const BLINDING: [(&str, &str); 9] = [
    ("cap-bpf", "PrivateUsers=yes, or CapabilityBoundingSet= or AmbientCapabilities= without CAP_BPF"),
    (
        "cap-perfmon",
        "PrivateUsers=yes, or CapabilityBoundingSet= or AmbientCapabilities= without CAP_PERFMON",
    ),
    (
        "cap-syslog",
        "ProtectKernelLogs=yes, PrivateUsers=yes, or CapabilityBoundingSet= or AmbientCapabilities= without CAP_SYSLOG",
    ),
    ("kptr-restrict", "ProcSubset=pid"),
    ("kallsyms", "ProtectKernelTunables=yes, ProtectKernelLogs=yes or ProcSubset=pid"),
    (
        "kernel-log",
        "ProtectKernelLogs=yes, PrivateDevices=yes, or DevicePolicy=closed without DeviceAllow=/dev/kmsg r",
    ),
    ("tasks", "ProtectProc=invisible, or CapabilityBoundingSet= without CAP_DAC_READ_SEARCH"),
    ("module-files", "ProtectKernelModules=yes"),
    (
        "attach",
        "SystemCallFilter= in which bpf and perf_event_open do not come after ~@privileged, or LimitMEMLOCK=",
    ),
];

/// Where a process belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// To a service of systemd's, whose unit restricts it.
    Service,
    /// To a login, a container, or where nothing tells.
    Elsewhere,
}

/// Where this process belongs, by the last part of its cgroup.
pub(super) fn place(root: &Path) -> Place {
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let service = groups.lines().any(|line| line.ends_with(".service") && line.contains("/system.slice/"));
    if service { Place::Service } else { Place::Elsewhere }
}

/// Names, in a service, the settings of its unit that can be the cause.
pub(super) fn name_settings(check: &mut Check) {
    let Some((_, settings)) = BLINDING.iter().find(|(id, _)| *id == check.id) else { return };
    if check.status == Status::Ok {
        return;
    }
    let cause = format!("in this unit it can be {settings}: systemctl show, docs/serve.md");
    check.remedy = Some(match check.remedy.take() {
        Some(remedy) => format!("{remedy}; {cause}"),
        None => cause,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_from_a_login_by_its_cgroup() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(place(root), Place::Elsewhere, "nothing can be told");
        std::fs::create_dir_all(root.join("proc/self")).unwrap();
        for (groups, service) in [
            ("0::/system.slice/klp-trace.service\n", true),
            ("12:pids:/system.slice/klp-trace.service\n0::/\n", true),
            ("0::/user.slice/user-0.slice/session-3.scope\n", false),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.service\n", false),
            ("0::/\n", false),
        ] {
            std::fs::write(root.join("proc/self/cgroup"), groups).unwrap();
            assert_eq!(place(root) == Place::Service, service, "{groups}");
        }
    }

    #[test]
    fn docs_name_each_setting() {
        let page = include_str!("../../../../docs/serve.md");
        let settings = BLINDING.iter().flat_map(|(_, settings)| settings.split([' ', ',']));
        for setting in settings.filter(|word| word.contains('=')) {
            let name = setting.split('=').next().unwrap_or_default();
            assert!(page.contains(name), "docs/serve.md lacks {name}");
        }
    }
}
