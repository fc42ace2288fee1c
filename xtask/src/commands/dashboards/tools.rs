//! promtool and amtool, Debian's, on what is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, anyhow, ensure};

use crate::dashboards::queries;
use crate::testbed::{self, Extent, cache_dir, run_output, unpacked};

/// An exposition as klp-trace writes it; a test of klp-trace compares the two.
const EXPOSITION: &str = "klp-trace/src/metrics/tests/reload.prom";

/// A program of a Debian package, with the package's own C library.
fn program(package: &str, name: &str) -> anyhow::Result<Command> {
    let root = unpacked(package, Extent::WithDependencies)?;
    let library = root.join("usr/lib/x86_64-linux-gnu");
    let mut command = Command::new(library.join("ld-linux-x86-64.so.2"));
    command.arg("--library-path").arg(&library).arg(root.join("usr/bin").join(name));
    Ok(command)
}

/// Rules, their tests, the queries of the dashboards, the exposition, Alertmanager's configuration.
pub fn check(folder: &Path) -> anyhow::Result<()> {
    let promtool = || program("promtool", "promtool");
    let rules = folder.join("prometheus/rules.yml");
    let lint = ["check", "rules", "--lint=all", "--lint-fatal"];
    say(&run_output(promtool()?.args(lint).arg(&rules), "have promtool check the rules")?);
    // A file each: promtool takes one after the other.
    let tests = files(&folder.join("prometheus/tests"))?;
    let ended: Vec<anyhow::Result<String>> = thread::scope(|scope| {
        let started: Vec<_> = tests.iter().map(|file| scope.spawn(move || test(file))).collect();
        let ended = started.into_iter().map(thread::ScopedJoinHandle::join);
        ended.map(|test| test.map_err(|_| anyhow!("a test's thread broke down"))?).collect()
    });
    for output in ended {
        say(&output?);
    }
    let parsed = cache_dir().join("dashboards.yml");
    fs::create_dir_all(cache_dir()).context("cannot make the cache folder")?;
    fs::write(&parsed, queries::as_rules(folder)?).context("cannot write the dashboards' queries")?;
    say(&run_output(
        promtool()?.args(["check", "rules"]).arg(&parsed),
        "have promtool parse the dashboards' queries",
    )?);
    let exposition = fs::File::open(testbed::workspace().join(EXPOSITION))
        .with_context(|| format!("cannot read {EXPOSITION}"))?;
    run_output(
        promtool()?.args(["check", "metrics"]).stdin(exposition),
        "have promtool check an exposition",
    )?;
    println!("promtool check metrics: {EXPOSITION} is well-formed");
    let mut amtool = program("prometheus-alertmanager", "amtool")?;
    say(&run_output(
        amtool.arg("check-config").arg(folder.join("alertmanager.example.yml")),
        "have amtool check Alertmanager's configuration",
    )?);
    Ok(())
}

/// The tests of one file.
fn test(file: &Path) -> anyhow::Result<String> {
    let mut promtool = program("promtool", "promtool")?;
    run_output(promtool.args(["test", "rules"]).arg(file), "have promtool test the rules")
}

fn say(output: &str) {
    for line in output.lines().filter(|line| !line.trim().is_empty()) {
        println!("{line}");
    }
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        found.push(entry?.path());
    }
    found.sort();
    ensure!(!found.is_empty(), "there are no tests in {}", folder.display());
    Ok(found)
}
