//! Settings of the kernel that decide what a tracer may see. Read, never changed.

use std::{io::ErrorKind, path::Path};

/// How far the kernel is locked down (security/lockdown/lockdown.c).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lockdown {
    /// Not at all.
    Off,
    /// No changes to the kernel: the usual state under Secure Boot. Reading its memory is allowed.
    Integrity,
    /// Nor reads of its memory, by eBPF or otherwise (`LOCKDOWN_BPF_READ_KERNEL`).
    Confidentiality,
    /// The kernel has no lockdown: securityfs is mounted and has no such file.
    Unknown,
    /// Cannot be seen, and why: securityfs is not mounted, or the file cannot be read.
    NotShown(String),
}

/// A number under /proc/sys; `None`: the kernel has no such setting. Errors: the file is there and cannot be read, or /proc
/// is not mounted.
pub type Sysctl = Result<Option<i64>, String>;

/// The settings, as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// /sys/kernel/security/lockdown.
    pub lockdown: Lockdown,
    /// kernel.kptr_restrict: 2 hides addresses from everyone, 1 from those without `CAP_SYSLOG`.
    pub kptr_restrict: Sysctl,
    /// kernel.ftrace_enabled: at 0 no function hook fires. Not there without CONFIG_FUNCTION_TRACER.
    pub ftrace_enabled: Sysctl,
    /// kernel.perf_event_paranoid.
    pub perf_event_paranoid: Sysctl,
    /// Whether /sys is mounted: without it nothing can be said.
    pub sys_mounted: bool,
}

impl Settings {
    /// Reads them under `root` (`/`, except in tests).
    pub fn read(root: &Path) -> Self {
        Self {
            lockdown: lockdown(root),
            kptr_restrict: sysctl(root, "kptr_restrict"),
            ftrace_enabled: sysctl(root, "ftrace_enabled"),
            perf_event_paranoid: sysctl(root, "perf_event_paranoid"),
            sys_mounted: root.join("sys/kernel").is_dir(),
        }
    }
}

/// kernel.ftrace_enabled alone, cheap enough to be read every second. `None` without CONFIG_FUNCTION_TRACER, or where it
/// cannot be read.
pub fn ftrace_enabled(root: &Path) -> Option<bool> {
    sysctl(root, "ftrace_enabled").ok().flatten().map(|value| value != 0)
}

fn sysctl(root: &Path, name: &str) -> Sysctl {
    let folder = root.join("proc/sys/kernel");
    let path = folder.join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let number = text.trim().parse().map(Some);
            number.map_err(|_| format!("{} holds no number: {:?}", path.display(), text.trim()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_dir() => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// `[none] integrity confidentiality`, the current one in brackets.
fn lockdown(root: &Path) -> Lockdown {
    let folder = root.join("sys/kernel/security");
    let path = folder.join("lockdown");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        // Mounted, it has at least the list of the security modules.
        Err(error) if error.kind() == ErrorKind::NotFound && folder.join("lsm").exists() => {
            return Lockdown::Unknown;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Lockdown::NotShown("securityfs is not mounted on /sys/kernel/security".to_owned());
        }
        Err(error) => return Lockdown::NotShown(format!("cannot read {}: {error}", path.display())),
    };
    match text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']')) {
        Some("none") => Lockdown::Off,
        Some("integrity") => Lockdown::Integrity,
        Some("confidentiality") => Lockdown::Confidentiality,
        _ => Lockdown::NotShown(format!("{} says {:?}", path.display(), text.trim())),
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
            ("proc/sys/kernel/perf_event_paranoid", "-1\n"),
        ]);
        assert_eq!(settings.lockdown, Lockdown::Integrity);
        assert_eq!((settings.kptr_restrict, settings.ftrace_enabled), (Ok(Some(0)), Ok(Some(1))));
        assert_eq!(settings.perf_event_paranoid, Ok(Some(-1)));
        assert!(settings.sys_mounted);
    }

    #[test]
    fn each_lockdown() {
        for (text, expected) in [
            ("[none] integrity confidentiality\n", Lockdown::Off),
            ("none integrity [confidentiality]\n", Lockdown::Confidentiality),
        ] {
            let (_root, settings) = tree(&[("sys/kernel/security/lockdown", text)]);
            assert_eq!(settings.lockdown, expected);
        }
    }

    #[test]
    fn a_lockdown_that_cannot_be_seen_is_not_none() {
        for text in ["", "none integrity\n", "[new] none\n"] {
            let (_root, settings) = tree(&[("sys/kernel/security/lockdown", text)]);
            assert!(matches!(settings.lockdown, Lockdown::NotShown(_)), "{text:?}");
        }
        // Not mounted: an empty folder.
        let (root, _) = tree(&[("sys/kernel/security/lsm", "capability\n")]);
        assert_eq!(
            Settings::read(root.path()).lockdown,
            Lockdown::Unknown,
            "without CONFIG_SECURITY_LOCKDOWN_LSM"
        );
        std::fs::remove_file(root.path().join("sys/kernel/security/lsm")).unwrap();
        let Lockdown::NotShown(why) = Settings::read(root.path()).lockdown else { panic!("taken for seen") };
        assert!(why.contains("securityfs is not mounted"), "{why}");
        // There, and not to be read.
        std::fs::create_dir(root.path().join("sys/kernel/security/lockdown")).unwrap();
        let Lockdown::NotShown(why) = Settings::read(root.path()).lockdown else { panic!("taken for seen") };
        assert!(why.contains("cannot read"), "{why}");
    }

    #[test]
    fn what_is_not_there_is_told_from_what_cannot_be_read() {
        let (_root, settings) = tree(&[("proc/sys/kernel/kptr_restrict", "high\n")]);
        assert!(settings.kptr_restrict.unwrap_err().contains("holds no number"));
        assert_eq!(settings.ftrace_enabled, Ok(None));
        let (root, settings) = tree(&[]);
        assert!(settings.kptr_restrict.unwrap_err().contains("cannot read"), "/proc is not mounted");
        assert!(ftrace_enabled(root.path()).is_none() && !settings.sys_mounted);
    }
}
