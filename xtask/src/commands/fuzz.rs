//! `cargo xtask fuzz`: the readers against files that no linker makes, on the stable toolchain.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::testbed::{self, host, run};

mod seeds;

/// Pinned: the report is read from its output.
const CARGO_FUZZ: &str = "0.13.2";
/// What is fuzzed: `fuzz/fuzz_targets/*.rs`, each with its dictionary and the length of its longest inputs.
const TARGETS: [Target; 2] = [
    Target { name: "patch_file", dictionary: "livepatch.dict", max_len: 65536 },
    Target { name: "journal", dictionary: "journal.dict", max_len: 65536 },
];

/// A fuzz target.
#[derive(Debug, Clone, Copy)]
struct Target {
    name: &'static str,
    dictionary: &'static str,
    max_len: u32,
}

/// Arguments of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub struct Args {
    /// How long to run, all targets together
    #[arg(long, value_name = "N", default_value_t = 20)]
    minutes: u64,
    /// This target alone
    #[arg(long, value_name = "NAME", value_parser = target)]
    target: Option<Target>,
    /// Run this input once instead, such as one that crashed; --target says by what
    #[arg(long, value_name = "FILE", conflicts_with = "minutes", requires = "target")]
    input: Option<PathBuf>,
}

/// What libFuzzer said of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    executions: Option<u64>,
    /// Edges of the program's control flow that were reached.
    edges: Option<u64>,
}

/// Fuzzes; fails when an input crashed, hung or took too much memory, and when nothing was executed.
pub fn run(args: &Args) -> anyhow::Result<()> {
    host::ensure(host::BUILD)?;
    host::ensure(host::FUZZ)?;
    let tool = cargo_fuzz()?;
    pin()?;
    if let (Some(input), Some(target)) = (&args.input, args.target) {
        let input = fs::canonicalize(input).with_context(|| format!("{}", input.display()))?;
        let status = command(&tool).arg("run").args(options()).arg(target.name).arg(input).status();
        ensure!(status.context("cannot run cargo-fuzz")?.success(), "the input still crashes");
        return Ok(());
    }
    let targets: Vec<Target> = args.target.map_or_else(|| TARGETS.to_vec(), |target| vec![target]);
    let seconds = args.minutes.saturating_mul(60) / targets.len() as u64;
    targets.into_iter().try_for_each(|target| one(&tool, target, seconds))
}

/// The target of that name.
fn target(name: &str) -> Result<Target, String> {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    let found = TARGETS.into_iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("there are {}", names.join(" and ")))
}

/// Fuzzes one target.
fn one(tool: &Path, target: Target, seconds: u64) -> anyhow::Result<()> {
    let Target { name, dictionary, max_len } = target;
    let corpus = fuzz_dir().join("corpus").join(name);
    let count = seeds::fill(name, &corpus)?;
    eprintln!("fuzz: {count} seeds in {}; building {name} (a few minutes, the first time)", corpus.display());
    run::output(command(tool).arg("build").args(options()).arg(name), "build the fuzz target")?;
    eprintln!("fuzz: running {name} for {seconds} s");
    let artifacts = testbed::workspace().join("fuzz/artifacts").join(name);
    let before = crashes(&artifacts);
    let (report, ended_well) = fuzz(command(tool).arg("run").args(options()).arg(name).arg(&corpus).args([
        "--".to_owned(),
        format!("-max_total_time={seconds}"),
        format!("-dict={}", testbed::workspace().join("fuzz").join(dictionary).display()),
        format!("-max_len={max_len}"),
        // Small inputs: a second is a hang, a gigabyte is a bomb (AddressSanitizer takes about half of it itself).
        "-timeout=10".to_owned(),
        "-rss_limit_mb=1024".to_owned(),
        "-print_final_stats=1".to_owned(),
        // Naming each new function takes a look at the debugging information.
        "-print_funcs=0".to_owned(),
    ]))?;
    let new: Vec<_> = crashes(&artifacts).into_iter().filter(|file| !before.contains(file)).collect();
    let executions = report.executions.unwrap_or(0);
    if !ended_well || !new.is_empty() {
        bail!(
            "fuzz {name}: FAILED after {executions} executions; inputs: {new:?}\nOnce more: cargo xtask fuzz --target {name} --input FILE"
        );
    }
    ensure!(executions > 0, "libFuzzer did not say that it executed anything");
    let edges = report.edges.map_or_else(|| "an unknown number of".to_owned(), |edges| edges.to_string());
    println!("fuzz {name}: {executions} executions in {seconds} s, {edges} edges reached, no crash");
    Ok(())
}

/// Runs libFuzzer, shows what it says, and reads the report in it. The second: whether it ended well.
fn fuzz(command: &mut Command) -> anyhow::Result<(Report, bool)> {
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot run cargo-fuzz")?;
    let mut report = Report::default();
    let said = BufReader::new(child.stderr.take().context("no output to read")?);
    for line in said.split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("cannot read what libFuzzer says")?).into_owned();
        // A line for each new input is too many to watch; those for each power of two say how far it is.
        let is_new = ["\tNEW ", "\tREDUCE ", "\tRELOAD "].iter().any(|word| line.contains(word));
        if !is_new {
            eprintln!("{line}");
        }
        report.read(&line);
    }
    Ok((report, child.wait().context("cannot wait for cargo-fuzz")?.success()))
}

impl Report {
    fn read(&mut self, line: &str) {
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = count.trim().parse().ok();
        }
        if let Some((_, rest)) = line.split_once(" cov: ") {
            self.edges = rest.split(' ').next().and_then(|edges| edges.parse().ok()).or(self.edges);
        }
    }
}

/// Inputs that libFuzzer kept because they failed.
fn crashes(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
}

/// Gives the fuzz crate the workspace's versions: what is fuzzed is what ships. cargo adds what it has beyond them.
fn pin() -> anyhow::Result<()> {
    let workspace = testbed::workspace();
    let (ours, its) = (workspace.join("Cargo.lock"), workspace.join("fuzz/Cargo.lock"));
    fs::copy(&ours, &its).with_context(|| format!("copy {} to {}", ours.display(), its.display()))?;
    Ok(())
}

/// cargo-fuzz, in the checkout. `RUSTC_BOOTSTRAP`: the sanitizer's flag is unstable, a nightly is not needed for it.
fn command(tool: &Path) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(testbed::workspace()).env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTFLAGS");
    command
}

fn options() -> [OsString; 4] {
    let fuzz = testbed::workspace().join("fuzz");
    ["--fuzz-dir".into(), fuzz.into(), "--target-dir".into(), fuzz_dir().join("build").into()]
}

/// Builds cargo-fuzz once (about two minutes; needs crates.io).
fn cargo_fuzz() -> anyhow::Result<PathBuf> {
    let home = fuzz_dir().join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let tool = home.join("bin/cargo-fuzz");
    if tool.exists() {
        return Ok(tool);
    }
    eprintln!("fuzz: building cargo-fuzz {CARGO_FUZZ} (about two minutes, once)");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut install = Command::new(cargo);
    install
        .args(["install", "--quiet", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ, "--root"])
        .arg(&home)
        .env("CARGO_TARGET_DIR", fuzz_dir().join("cargo-fuzz-build"));
    run::output(&mut install, "build cargo-fuzz (it needs crates.io, or a filled cargo cache)")?;
    Ok(tool)
}

/// Everything that fuzzing makes but the inputs that failed: `<target>/fuzz`.
fn fuzz_dir() -> PathBuf {
    let target = testbed::cache_dir().with_file_name("fuzz");
    // cargo-fuzz runs in another folder: a relative path would mean another place there.
    std::path::absolute(&target).unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_read_from_libfuzzers_lines() {
        let mut report = Report::default();
        for line in [
            "#2\tINITED cov: 12 ft: 12 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#1048576\tpulse  cov: 1234 ft: 5678 corp: 321/9Kb lim: 4096 exec/s: 34952 rss: 99Mb",
            "stat::number_of_executed_units: 2000000",
            "stat::average_exec_per_sec:     1000",
        ] {
            report.read(line);
        }
        assert_eq!(report, Report { executions: Some(2_000_000), edges: Some(1234) });
    }
}
