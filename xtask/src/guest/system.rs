//! What the guest's kernel says of modules, patches and probes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::TOOL;
use crate::scenario::journal::hex;

/// The modules that are loaded, as /proc/modules has them.
pub fn modules() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The patches that are active, or in transition.
pub fn patches() -> Vec<String> {
    names(Path::new("/sys/kernel/livepatch"))
}

/// Whether any patch is in transition.
pub fn in_transition() -> bool {
    patches().iter().any(|patch| {
        let file = format!("/sys/kernel/livepatch/{patch}/transition");
        std::fs::read_to_string(file).is_ok_and(|text| text.trim() == "1")
    })
}

/// The addresses of a livepatch's sections; none for other modules.
pub fn sections(module: &str) -> BTreeMap<String, u64> {
    let folder = Path::new("/sys/module").join(module).join("sections");
    let mut sections = BTreeMap::new();
    for name in names(&folder) {
        let text = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        if let Some(address) = hex(text.trim()) {
            sections.insert(name, address);
        }
    }
    if !sections.keys().any(|name| name.starts_with(".klp.rela.")) {
        sections.clear();
    }
    sections
}

/// Everything that stands attached to the kernel: functions with an ftrace user, kprobes, BPF programs, links and
/// maps that any process holds, and those that bpftool lists. Livepatch's own ftrace users are left out.
pub fn probes() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let enabled = std::fs::read_to_string("/sys/kernel/tracing/enabled_functions").unwrap_or_default();
    for line in enabled.lines().filter(|line| !line.contains("klp_ftrace_handler")) {
        found.insert(format!("enabled_functions: {line}"));
    }
    let kprobes = std::fs::read_to_string("/sys/kernel/debug/kprobes/list").unwrap_or_default();
    // The address differs with each boot and says nothing.
    for line in kprobes.lines() {
        let rest = line.split_once(' ').map_or(line, |(_, rest)| rest);
        found.insert(format!("kprobes/list: {}", rest.trim()));
    }
    for process in names(Path::new("/proc")).iter().filter(|name| name.bytes().all(|b| b.is_ascii_digit())) {
        let folder = Path::new("/proc").join(process).join("fdinfo");
        for fd in names(&folder) {
            let text = std::fs::read_to_string(folder.join(fd)).unwrap_or_default();
            for line in text.lines() {
                let key = line.split(':').next().unwrap_or_default();
                if matches!(key, "prog_id" | "link_id" | "map_id") {
                    found.insert(format!("bpf: {}", line.replace('\t', " ")));
                }
            }
        }
    }
    for kind in ["prog", "link"] {
        let listed = Command::new("bpftool").args([kind, "show"]).output();
        let text = listed.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())) {
            found.insert(format!("bpftool {kind}: {line}"));
        }
    }
    for pinned in names(Path::new("/sys/fs/bpf")) {
        found.insert(format!("pinned: /sys/fs/bpf/{pinned}"));
    }
    found
}

/// The capabilities that `klp-trace doctor --json` names as needed, as `cap_…`.
pub fn capabilities_named_by_doctor() -> anyhow::Result<BTreeSet<String>> {
    let doctor = Command::new(TOOL)
        .args(["doctor", "--json", "--no-attach"])
        .output()
        .context("cannot run klp-trace doctor")?;
    let report: serde_json::Value =
        serde_json::from_slice(&doctor.stdout).context("klp-trace doctor --json writes no JSON")?;
    let names = report.get("capabilities").and_then(|names| names.as_array()).into_iter().flatten();
    let named: BTreeSet<String> = names.filter_map(|name| Some(name.as_str()?.to_lowercase())).collect();
    ensure!(!named.is_empty(), "klp-trace doctor names no capability: {report}");
    Ok(named)
}

/// A command that runs `program` as nobody, with these capabilities and no way to get another.
pub fn as_nobody(capabilities: &BTreeSet<String>, program: &str) -> Command {
    let list = capabilities.iter().fold("-all".to_owned(), |list, name| {
        format!("{list},+{}", name.strip_prefix("cap_").unwrap_or(name))
    });
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    for set in ["--bounding-set", "--inh-caps", "--ambient-caps"] {
        command.arg(format!("{set}={list}"));
    }
    command.arg("--").arg(program);
    command
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned())).collect();
    names.sort();
    names
}
