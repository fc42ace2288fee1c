//! Settings of the kernel that decide what a tracer may see. Read, never changed.

use std::path::Path;

/// How far the kernel is locked down (security/lockdown/lockdown.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lockdown {
    /// Not at all.
    Off,
    /// No changes to the kernel: the usual state under Secure Boot. Reading its memory is allowed.
    Integrity,
    /// Nor reads of its memory, by eBPF or otherwise (`LOCKDOWN_BPF_READ_KERNEL`).
    Confidentiality,
    /// No such file: the kernel has no lockdown, or securityfs is not mounted.
    NotShown,
}

/// The settings, as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// /sys/kernel/security/lockdown.
    pub lockdown: Lockdown,
    /// kernel.kptr_restrict: 2 hides addresses from everyone, 1 from those without `CAP_SYSLOG`.
    pub kptr_restrict: Option<i64>,
    /// kernel.ftrace_enabled: at 0 no function hook fires. `None` without CONFIG_FUNCTION_TRACER.
    pub ftrace_enabled: Option<bool>,
    /// kernel.unprivileged_bpf_disabled.
    pub unprivileged_bpf_disabled: Option<i64>,
    /// kernel.perf_event_paranoid.
    pub perf_event_paranoid: Option<i64>,
    /// Whether /sys is mounted: without it nothing can be said.
    pub sys_mounted: bool,
}

impl Settings {
    /// Reads them under `root` (`/`, except in tests).
    pub fn read(root: &Path) -> Self {
        let sysctl = |name: &str| number(&root.join("proc/sys/kernel").join(name));
        Self {
            lockdown: lockdown(&root.join("sys/kernel/security/lockdown")),
            kptr_restrict: sysctl("kptr_restrict"),
            ftrace_enabled: ftrace_enabled(root),
            unprivileged_bpf_disabled: sysctl("unprivileged_bpf_disabled"),
            perf_event_paranoid: sysctl("perf_event_paranoid"),
            sys_mounted: root.join("sys/kernel").is_dir(),
        }
    }
}

/// kernel.ftrace_enabled alone, cheap enough to be read every second. `None` without CONFIG_FUNCTION_TRACER.
pub fn ftrace_enabled(root: &Path) -> Option<bool> {
    number(&root.join("proc/sys/kernel/ftrace_enabled")).map(|value| value != 0)
}

fn number(path: &Path) -> Option<i64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// `[none] integrity confidentiality`, the current one in brackets.
fn lockdown(path: &Path) -> Lockdown {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    match text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']')) {
        Some("none") => Lockdown::Off,
        Some("integrity") => Lockdown::Integrity,
        Some("confidentiality") => Lockdown::Confidentiality,
        _ => Lockdown::NotShown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Settings) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let settings = Settings::read(root.path());
        (root, settings)
    }

    #[test]
    fn a_usual_host() {
        let (_root, settings) = tree(&[
            ("sys/kernel/security/lockdown", "none [integrity] confidentiality\n"),
            ("proc/sys/kernel/kptr_restrict", "0\n"),
            ("proc/sys/kernel/ftrace_enabled", "1\n"),
            ("proc/sys/kernel/unprivileged_bpf_disabled", "2\n"),
            ("proc/sys/kernel/perf_event_paranoid", "-1\n"),
        ]);
        assert_eq!(settings.lockdown, Lockdown::Integrity);
        assert_eq!((settings.kptr_restrict, settings.ftrace_enabled), (Some(0), Some(true)));
        assert_eq!((settings.unprivileged_bpf_disabled, settings.perf_event_paranoid), (Some(2), Some(-1)));
        assert!(settings.sys_mounted);
    }

    #[test]
    fn each_lockdown() {
        for (text, expected) in [
            ("[none] integrity confidentiality\n", Lockdown::Off),
            ("none integrity [confidentiality]\n", Lockdown::Confidentiality),
            ("", Lockdown::NotShown),
        ] {
            let (_root, settings) = tree(&[("sys/kernel/security/lockdown", text)]);
            assert_eq!(settings.lockdown, expected);
        }
    }

    #[test]
    fn what_is_not_there_is_not_guessed() {
        let (_root, settings) = tree(&[]);
        assert_eq!((settings.lockdown, settings.kptr_restrict), (Lockdown::NotShown, None));
        assert!(settings.ftrace_enabled.is_none() && !settings.sys_mounted);
    }
}
