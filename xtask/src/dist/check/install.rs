//! The life of a package on a host without systemd running: installed, used, upgraded, removed, purged.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use super::{bring, unit};
use crate::dist::contents::{CONFIG, UNIT};
use crate::dist::{Tree, pack};
use crate::testbed::{self, debian};

/// What an administrator adds to the configuration.
const CHANGE: &str = "\n[metrics]\nlisten = \"127.0.0.1:11217\"\n";

/// A copy of a system in which packages come and go.
struct Host<'a> {
    root: &'a Path,
}

impl Host<'_> {
    fn run(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut command = debian::inside(self.root, words);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("MANWIDTH", "100").env("MANPAGER", "cat");
        testbed::run_output(&mut command, &format!("run {}", words.join(" ")))
    }

    /// Runs what is meant to fail, and gives what it said.
    fn fails(&self, words: &[&str]) -> anyhow::Result<String> {
        let done =
            debian::inside(self.root, words).output().with_context(|| format!("cannot run {words:?}"))?;
        ensure!(!done.status.success(), "{} was content", words.join(" "));
        Ok([done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat())
    }

    fn there(&self, path: &str) -> bool {
        self.root.join(path.trim_start_matches('/')).symlink_metadata().is_ok()
    }

    fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.root.join(path.trim_start_matches('/'));
        let folder = path.parent().context("a file has a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| path.display().to_string())
    }

    /// Everything of this name, but for logs and what was brought.
    fn left(&self) -> anyhow::Result<String> {
        let names = ["(", "-name", "*klp-trace*", "-o", "-name", "*klp_trace*", ")"];
        let mut words =
            vec!["find", "/", "-xdev", "-path", "/proc", "-prune", "-o", "-path", "/tmp", "-prune", "-o"];
        words.extend(names);
        words.push("-print");
        self.run(&words)
    }
}

/// The .deb in a copy of `system`; the unit is judged by that system's systemd.
pub fn deb(tree: &Tree, system: &Path, judge_unit: bool) -> anyhow::Result<()> {
    let copy = tree.place().join("installed");
    debian::copy(system, &copy)?;
    let host = Host { root: &copy };
    ensure!(host.left()?.is_empty(), "the system has a klp-trace before it is installed");
    let first = bring(&pack::deb_path(tree), &copy)?;
    host.run(&["dpkg", "--install", &first])?;
    works(tree, &host)?;
    let licence = host.run(&["cat", "/usr/share/doc/klp-trace/copyright"])?;
    ensure!(licence.contains("License: GPL-2.0-only"), "another copyright file: {licence}");
    ensure!(host.fails(&["systemctl", "is-enabled", "klp-trace"])?.trim() == "disabled", "enabled by itself");
    if judge_unit {
        unit::check(&copy)?;
    }

    // What the administrator did outlives an upgrade.
    let config = fs::read_to_string(copy.join(CONFIG)).context("cannot read the configuration")?;
    host.write(CONFIG, &(config.replace("[metrics]", "") + CHANGE))?;
    host.run(&["systemctl", "enable", "klp-trace"])?;
    host.write("/var/lib/private/klp-trace/klp.000001.ndjson", "{}\n")?;
    std::os::unix::fs::symlink("private/klp-trace", copy.join("var/lib/klp-trace")).context("cannot link")?;
    let next = tree.place().join("next.deb");
    pack::deb(tree, &next, 2)?;
    let second = bring(&next, &copy)?;
    host.run(&["dpkg", "--install", &second])?;
    ensure!(host.run(&["dpkg-query", "--show", "klp-trace"])?.contains("-2"), "not upgraded");
    let checked = host.run(&["klp-trace", "serve", "--check-config"])?;
    ensure!(checked.contains("127.0.0.1:11217"), "the upgrade lost the configuration: {checked}");
    ensure!(
        host.run(&["systemctl", "is-enabled", "klp-trace"])?.trim() == "enabled",
        "the upgrade disabled it"
    );

    host.run(&["dpkg", "--remove", "klp-trace"])?;
    ensure!(!host.there("usr/bin/klp-trace") && !host.there(UNIT), "files stay once it is removed");
    for kept in [CONFIG, "var/lib/klp-trace/klp.000001.ndjson"] {
        ensure!(host.there(kept), "{kept} went before it was purged");
    }
    host.run(&["dpkg", "--purge", "klp-trace"])?;
    let left = host.left()?;
    ensure!(left.is_empty(), "left once it is purged:\n{left}");
    ensure!(!host.there("etc/klp-trace"), "its configuration is left");
    println!("installed, upgraded, removed, purged: nothing is left");
    fs::remove_dir_all(&copy).context("cannot remove the copy")
}

/// The .rpm in a copy of `system`, whose packages rpm does not know.
pub fn rpm(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let copy = tree.place().join("installed");
    debian::copy(system, &copy)?;
    let host = Host { root: &copy };
    let package = bring(&pack::rpm_path(tree), &copy)?;
    host.run(&["rpm", "--initdb"])?;
    let said = host.run(&["rpm", "--checksig", "--verbose", &package])?;
    ensure!(!said.contains("BAD") && said.contains("OK"), "the .rpm's digests: {said}");
    // rpm would change the propagation of /, which is no mount point here.
    let here = ["--nodeps", "--define", "__transaction_unshare %{nil}"];
    let rpm = |what: &str, of: &str| host.run(&["rpm", what, here[0], here[1], here[2], of]);
    rpm("--install", &package)?;
    works(tree, &host)?;
    host.run(&["rpm", "--verify", "--nodeps", "klp-trace"])?;
    rpm("--erase", "klp-trace")?;
    let left = host.left()?;
    ensure!(left.is_empty(), "left once the .rpm is removed:\n{left}");
    println!("the .rpm: installed and removed, nothing is left");
    fs::remove_dir_all(&copy).context("cannot remove the copy")
}

/// What was installed runs, reads its configuration, and has its pages.
fn works(tree: &Tree, host: &Host<'_>) -> anyhow::Result<()> {
    let version = host.run(&["klp-trace", "--version"])?;
    ensure!(version.contains(&tree.commit) && version.contains(&tree.version), "--version says {version}");
    let checked = host.run(&["klp-trace", "serve", "--check-config"])?;
    ensure!(
        checked.contains(&format!("/{CONFIG}")) && checked.contains("/var/lib/klp-trace/klp.ndjson"),
        "--check-config says {checked}"
    );
    let page = host.run(&["man", "-l", "/usr/share/man/man1/klp-trace-serve.1.gz"])?;
    ensure!(page.contains("klp-trace-serve") && page.contains("EXIT STATUS"), "man shows {page}");
    host.run(&["bash", "-n", "/usr/share/bash-completion/completions/klp-trace"])?;
    host.write("tmp/wrong.toml", "[metric]\n")?;
    let said = host.fails(&["klp-trace", "serve", "--check-config", "--config", "/tmp/wrong.toml"])?;
    ensure!(said.contains("metric"), "a wrong configuration: {said}");
    Ok(())
}
