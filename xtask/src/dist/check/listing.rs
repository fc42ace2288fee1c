//! What the packages hold, held against the tree and against a list of what must be there.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::bring;
use crate::dist::contents::{self, CATALOG, CONFIG, DOC, Format, MAN, PROGRAM, SOCKET, UNIT};
use crate::dist::{Tree, pack, stage};
use crate::testbed::{self, debian};

/// Commands of which each must have its page, beside klp-trace's own.
const COMMANDS: [&str; 14] = [
    "assert",
    "audit",
    "completions",
    "config",
    "doctor",
    "explain",
    "inspect",
    "man",
    "policy",
    "schema",
    "serve",
    "status",
    "tui",
    "watch",
];

/// What cargo-deb brings itself.
const WRITTEN: [&str; 2] =
    ["usr/share/doc/klp-trace/changelog.Debian.gz", "usr/share/doc/klp-trace/copyright"];

/// Each package's list: all that must be there, nothing that was not laid.
pub fn check(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let deb = pack::deb_path(tree);
    let list = testbed::run_output(Command::new("dpkg-deb").arg("--contents").arg(&deb), "list the .deb")?;
    compare(tree, Format::Deb, &tar_list(&list)?)?;
    let control = testbed::run_output(Command::new("dpkg-deb").arg("--info").arg(&deb), "read the .deb")?;
    println!("{control}");
    for part in ["Depends: ", "libelf1 (>= ", "libc6 (>= ", "procps", "Architecture: amd64"] {
        ensure!(control.contains(part), "the .deb does not say {part:?}");
    }
    let conffiles = testbed::run_output(
        Command::new("dpkg-deb").args(["--info"]).arg(&deb).arg("conffiles"),
        "read the .deb's configuration files",
    )?;
    ensure!(conffiles.trim() == format!("/{CONFIG}"), "the .deb's configuration files are {conffiles:?}");

    let rpm = bring(&pack::rpm_path(tree), system)?;
    let query = ["rpm", "--query", "--package", "--queryformat", "[%{FILEMODES:octal} %{FILENAMES}\n]", &rpm];
    let list = testbed::run_output(&mut debian::inside(system, &query), "list the .rpm")?;
    let list = list.lines().filter_map(|line| line.split_once(" /"));
    let list: BTreeMap<String, u32> = list
        .map(|(mode, path)| Ok((path.to_owned(), u32::from_str_radix(mode, 8)? & 0o7777)))
        .collect::<anyhow::Result<_>>()?;
    compare(tree, Format::Rpm, &list)?;
    let query = ["rpm", "--query", "--package", "--requires", &rpm];
    let requires = testbed::run_output(&mut debian::inside(system, &query), "ask what the .rpm requires")?;
    println!("{requires}");
    for part in ["libelf.so.1", "libc.so.6"] {
        ensure!(requires.contains(part), "the .rpm does not require {part}");
    }
    let query = ["rpm", "--query", "--package", "--configfiles", &rpm];
    let config =
        testbed::run_output(&mut debian::inside(system, &query), "ask for the .rpm's configuration")?;
    ensure!(config.trim() == format!("/{CONFIG}"), "the .rpm's configuration files are {config:?}");

    let archive = tree.out().join(format!("klp-trace-{}-x86_64-linux-static.tar.gz", tree.version));
    let mut command = Command::new("tar");
    command.args(["--list", "--verbose", "--file"]).arg(&archive);
    let list = testbed::run_output(&mut command, "list the archive")?;
    let list = tar_list(&list)?;
    let inner = list.iter().filter_map(|(path, mode)| Some((path.split_once('/')?.1.to_owned(), *mode)));
    compare(tree, Format::Tar, &inner.collect())?;
    let linked = Command::new("ldd").arg(stage::root(tree, Format::Tar).join(PROGRAM)).output();
    let linked = linked.context("cannot run ldd")?;
    let said =
        [linked.stdout, linked.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(
        said.contains("statically linked") || said.contains("not a dynamic"),
        "the archive's program needs {said}"
    );
    Ok(())
}

/// The files in tar's long list, and the mode of each; dpkg-deb writes the same.
fn tar_list(list: &str) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut files = BTreeMap::new();
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let (kind, owner) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = line.split_whitespace().nth(5).with_context(|| format!("no path in {line:?}"))?;
        ensure!(owner == "root/root" || owner == "0/0", "{path} belongs to {owner}");
        match kind.split_at_checked(1) {
            Some(("-", bits)) => {
                let mode = bits.chars().take(9).fold(0, |mode, bit| mode << 1 | u32::from(bit != '-'));
                files.insert(path.trim_start_matches("./").to_owned(), mode);
            }
            Some(("d", _)) => {}
            _ => bail!("neither a file nor a folder: {line}"),
        }
    }
    Ok(files)
}

fn compare(tree: &Tree, format: Format, there: &BTreeMap<String, u32>) -> anyhow::Result<()> {
    let root = stage::root(tree, format);
    let mut wrong = Vec::new();
    for path in must(&tree.root, format)? {
        if !there.contains_key(&path) {
            wrong.push(format!("{path} is missing"));
        }
    }
    for (path, mode) in there {
        let meant = if path == PROGRAM { 0o755 } else { 0o644 };
        if *mode != meant {
            wrong.push(format!("{path} has mode {mode:o}, not {meant:o}"));
        }
        let own = format == Format::Deb && WRITTEN.contains(&path.as_str());
        if !own && !root.join(path).is_file() {
            wrong.push(format!("{path} was not laid"));
        }
    }
    let laid = contents::files(&root)?.len() + if format == Format::Deb { WRITTEN.len() } else { 0 };
    ensure!(wrong.is_empty(), "the {} package: {}", format.name(), wrong.join("\n  "));
    ensure!(laid == there.len(), "the {} package has {} files, laid were {laid}", format.name(), there.len());
    println!("{}: {} files", format.name(), there.len());
    Ok(())
}

/// What must be there, whatever the table of contents says: from the tree, and by name.
pub fn must(root: &Path, format: Format) -> anyhow::Result<Vec<String>> {
    let mut all: Vec<String> = [
        PROGRAM,
        UNIT,
        SOCKET,
        CATALOG,
        CONFIG,
        "usr/share/man/man1/klp-trace.1.gz",
        "usr/share/man/man1/klp-trace-verify-journal.1.gz",
        "usr/share/bash-completion/completions/klp-trace",
        "usr/share/fish/vendor_completions.d/klp-trace.fish",
        "usr/share/doc/klp-trace/README.md",
        "usr/share/doc/klp-trace/dashboards/METRICS.md",
        "usr/share/klp-trace/grafana/host.json",
        "usr/share/klp-trace/grafana/fleet.json",
        "usr/share/klp-trace/prometheus/rules.yml",
        "usr/share/doc/klp-trace/examples/systemd/stall-tasks.conf",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(COMMANDS.map(|command| format!("{MAN}/klp-trace-{command}.1.gz")));
    let own: &[&str] = match format {
        Format::Deb => {
            &["usr/share/doc/klp-trace/changelog.gz", "usr/share/zsh/vendor-completions/_klp-trace"]
        }
        Format::Rpm | Format::Tar => &[
            "usr/share/licenses/klp-trace/LICENSE-MIT",
            "usr/share/licenses/klp-trace/LICENSE-APACHE",
            "usr/share/doc/klp-trace/CHANGELOG.md",
            "usr/share/zsh/site-functions/_klp-trace",
        ],
    };
    all.extend(own.iter().map(|path| (*path).to_owned()));
    for (folder, ends, to) in [
        ("docs", ".md", "usr/share/doc/klp-trace/docs"),
        ("docs/findings", ".md", "usr/share/doc/klp-trace/docs/findings"),
        ("docs/schema", ".json", "usr/share/doc/klp-trace/docs/schema"),
        ("examples", "", "usr/share/doc/klp-trace/examples"),
        ("dashboards/grafana", ".json", "usr/share/klp-trace/grafana"),
    ] {
        let folder = root.join(folder);
        for file in contents::files(&folder)? {
            let below = file.strip_prefix(&folder)?.display().to_string();
            if below.ends_with(ends) {
                all.push(format!("{to}/{below}"));
            }
        }
    }
    ensure!(
        all.iter().any(|path| path.starts_with(DOC) && path.ends_with("KLP016.md")),
        "docs/findings lacks pages"
    );
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_with_modes_and_owners() {
        let list = "drwxr-xr-x root/root         0 2026-11-29 10:59 ./usr/\n\
                    -rwxr-xr-x root/root      1234 2026-11-29 10:59 ./usr/bin/klp-trace\n\
                    -rw-r--r-- 0/0               7 2026-11-29 10:59 usr/share/x\n";
        let files = tar_list(list).unwrap();
        assert_eq!(files.get("usr/bin/klp-trace"), Some(&0o755));
        assert_eq!(files.get("usr/share/x"), Some(&0o644));
        assert_eq!(files.len(), 2);
        assert!(tar_list("-rw-r--r-- me/me 7 2026-11-29 10:59 x").is_err());
        assert!(tar_list("lrwxrwxrwx root/root 0 2026-11-29 10:59 x -> y").is_err());
    }
}
