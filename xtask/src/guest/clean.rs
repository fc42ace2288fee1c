//! Back to how it was: patches disabled, modules unloaded, switches as they stood, nothing attached.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::system;

/// Until a transition is over and a module lets itself be removed.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the guest was before a run.
#[derive(Debug)]
pub struct Before {
    modules: Vec<String>,
    probes: BTreeSet<String>,
    switches: Vec<(&'static str, String)>,
}

const SWITCHES: [&str; 3] = [
    "/proc/sys/kernel/ftrace_enabled",
    "/proc/sys/kernel/kptr_restrict",
    "/proc/sys/kernel/perf_event_paranoid",
];

impl Before {
    /// Takes note of it.
    pub fn note() -> Self {
        let read = |path: &'static str| (path, std::fs::read_to_string(path).unwrap_or_default());
        Self { modules: system::modules(), probes: system::probes(), switches: SWITCHES.map(read).to_vec() }
    }

    /// Disables and removes what was loaded since, whatever is attached.
    pub fn remove_modules(&self) -> anyhow::Result<()> {
        self.remove_modules_with(|| ())
    }

    /// The same, doing something again and again meanwhile.
    pub fn remove_modules_with(&self, meanwhile: impl Fn()) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while system::modules().iter().any(|module| !self.modules.contains(module)) {
            ensure!(Instant::now() < deadline, "modules do not let themselves be removed");
            self.once();
            meanwhile();
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Brings it back, but for what cannot be; what was not brought back.
    pub fn restore(&self, lost: &[String]) -> Vec<String> {
        for (path, value) in &self.switches {
            if std::fs::read_to_string(path).is_ok_and(|now| now != *value) {
                let _ = std::fs::write(path, value);
            }
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.once();
            let left = self.left();
            if left == lost || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn once(&self) {
        for patch in system::patches() {
            let folder = format!("/sys/kernel/livepatch/{patch}");
            if std::fs::read_to_string(format!("{folder}/enabled")).is_ok_and(|text| text.trim() == "1") {
                let _ = std::fs::write(format!("{folder}/enabled"), "0");
            }
        }
        if !system::patches().is_empty() {
            return;
        }
        for module in system::modules().iter().filter(|module| !self.modules.contains(module)) {
            // A module in use is removed in a later round.
            let _ = Command::new("rmmod").arg(module).output();
        }
    }

    fn left(&self) -> Vec<String> {
        let patches = system::patches().into_iter().map(|name| format!("patch {name}"));
        let modules = system::modules().into_iter().filter(|name| !self.modules.contains(name));
        patches.chain(modules.map(|name| format!("module {name}"))).chain(self.new_probes()).collect()
    }

    /// What is attached now and was not then.
    pub fn new_probes(&self) -> Vec<String> {
        system::probes().into_iter().filter(|probe| !self.probes.contains(probe)).collect()
    }
}
