//! `cargo xtask selftests`: the kernel's own livepatch selftests, with klp-trace watching: they end as they do without it, and
//! it says nothing that is not so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::scenario::journal::{Follower, Journal};
use crate::scenario::prepare::prepare;
use crate::scenario::runner::{self, Bench};
use crate::testbed::{self, Boot, Extent, GuestFile, Kernel, Series, Verdict, host};

/// Arguments of `cargo xtask selftests`.
#[derive(clap::Args)]
pub struct Args {
    /// Run on this series only: 6.1, 6.12 or 7; may be repeated
    #[arg(long, value_name = "SERIES")]
    series: Vec<Series>,
}

/// Runs them on each series.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let series = if args.series.is_empty() { Series::all().to_vec() } else { args.series.clone() };
    let bench = prepare(&series)?;
    series.into_iter().try_for_each(|series| on(&bench, series))
}

/// Where the scripts are in the kernel's source.
const SCRIPTS: &str = "tools/testing/selftests/livepatch";
/// Their modules, before 6.8 and from then on.
const MODULES: [&str; 2] = ["lib/livepatch", "tools/testing/selftests/livepatch/test_modules"];
/// The program that test-syscall.sh lets run while it patches getpid.
const GETPID: &str = "test_klp-call_getpid";
/// What the scripts run where busybox's applet of that name knows less.
const PROGRAMS: [&str; 19] = [
    "/bin/bash",
    "/usr/bin/awk",
    "/usr/bin/cat",
    "/usr/bin/comm",
    "/usr/bin/cut",
    "/usr/bin/date",
    "/usr/bin/diff",
    "/usr/bin/dmesg",
    "/usr/bin/getconf",
    "/usr/bin/grep",
    "/usr/bin/id",
    "/usr/bin/mktemp",
    "/usr/bin/sed",
    "/usr/bin/sleep",
    "/usr/bin/sort",
    "/usr/bin/stat",
    "/usr/bin/timeout",
    "/usr/bin/tr",
    "/usr/sbin/sysctl",
];

/// Runs them on one series.
pub fn on(bench: &Bench, series: Series) -> anyhow::Result<()> {
    let (kernel, _) = bench.kernels.get(&series).context("the kernel is missing")?;
    let source = source(kernel)?;
    let out = boot(bench, kernel, &source)?;
    let (alone, watched) = (ended(&out, "alone")?, ended(&out, "watched")?);
    ensure!(
        alone == watched,
        "they end otherwise with klp-trace watching: {alone:?} without, {watched:?} with"
    );
    let passed = alone.values().filter(|code| **code == 0).count();
    ensure!(passed * 2 > alone.len(), "most of them do not even pass alone: {alone:?}; {}", out.display());
    let mut follower = Follower::default();
    follower.advance(&out.join("journal.ndjson"), u64::MAX)?;
    judge(&follower.journal, series)?;
    let others: Vec<String> =
        alone.iter().filter(|(_, code)| **code != 0).map(|(test, code)| format!("{test} {code}")).collect();
    let lost = follower.journal.lost.len();
    println!(
        "{series}: {passed} of {} scripts pass, alone and watched alike{}{}; {} records, {lost} of a loss; {}",
        alone.len(),
        if others.is_empty() { "" } else { "; the others, in both: " },
        others.join(", "),
        follower.journal.lines,
        out.display()
    );
    Ok(())
}

/// No finding, and no loss but the window in which test-ftrace.sh has ftrace turned off: before 7.x that is reported.
fn judge(journal: &Journal, series: Series) -> anyhow::Result<()> {
    ensure!(journal.problems.is_empty(), "the journal is not one: {:?}", journal.problems);
    ensure!(journal.end.is_some(), "the journal has no end");
    let window = series != Series::V7;
    let blind = |text: &str| ["ftrace", "blind"].iter().any(|word| text.contains(word));
    let other = journal.findings.iter().find(|found| !(window && found.id == "KLP013" && blind(&found.text)));
    if let Some(other) = other {
        bail!("a finding that nothing calls for: {}", other.brief());
    }
    if let Some(lost) = journal.lost.iter().find(|lost| !(window && blind(lost))) {
        bail!("events were lost: {lost}");
    }
    ensure!(journal.lost.is_empty() != window, "what test-ftrace.sh's window hid was not reported");
    Ok(())
}

/// Exit codes by script.
fn ended(out: &Path, round: &str) -> anyhow::Result<BTreeMap<String, i32>> {
    let path = out.join(format!("{round}.txt"));
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let line = |line: &str| Some((line.split_once(' ')?.0.to_owned(), line.split_once(' ')?.1.parse().ok()?));
    let ended: BTreeMap<_, _> = text.lines().filter_map(line).collect();
    ensure!(!ended.is_empty(), "no script ran: {}", path.display());
    Ok(ended)
}

/// The scripts and the sources of their modules, unpacked of Debian's package with the source of this kernel's series.
fn source(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    host::ensure(host::SELFTESTS)?;
    let package = format!("linux-source-{}", kernel.release.split('.').take(2).collect::<Vec<_>>().join("."));
    let place = testbed::cache_dir().join("selftests");
    let source = place.join(&package);
    if !source.join("complete").is_file() {
        let unpacked = testbed::unpacked(&package, Extent::Alone)?;
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        let mut command = Command::new("tar");
        command.arg("-xJf").arg(unpacked.join(format!("usr/src/{package}.tar.xz"))).arg("-C").arg(&place);
        command.arg(format!("{package}/{SCRIPTS}"));
        if kernel.series == Series::V6_1 {
            command.arg(format!("{package}/{}", MODULES[0]));
        }
        testbed::run_output(&mut command, "unpack the kernel's selftests")?;
        fs::write(source.join("complete"), "").context("cannot write a stamp")?;
    }
    Ok(source)
}

/// Runs both rounds in a guest; the folder of what they left in /out.
fn boot(bench: &Bench, kernel: &Kernel, source: &Path) -> anyhow::Result<PathBuf> {
    let series = kernel.series;
    let work = testbed::cache_dir().join("selftests").join(series.to_string());
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let sources = source.join(MODULES[usize::from(series != Series::V6_1)]);
    let modules = testbed::modules_of(kernel, &sources, "selftests")?;
    let scripts = source.join(SCRIPTS);
    let file = |guest: PathBuf, host: &Path, mode| GuestFile { guest, host: host.to_owned(), mode };
    let mut files = vec![
        file("/script.sh".into(), &testbed::workspace().join("tests/selftests.sh"), 0o755),
        // The scripts of 6.1 ask modprobe for them, later ones take them from beside the scripts.
        file(Path::new("/lib/modules").join(&kernel.release).join("kernel/lib/livepatch"), &modules, 0o644),
        file("/selftests/test_modules".into(), &modules, 0o644),
    ];
    for entry in fs::read_dir(&scripts).with_context(|| format!("cannot list {}", scripts.display()))? {
        let path = entry?.path();
        if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|end| end == "sh")) {
            files.push(file(Path::new("/selftests").join(name), &path, 0o755));
        }
    }
    let mut programs = runner::programs(bench);
    programs.extend(PROGRAMS.iter().map(|path| {
        let name = Path::new(path).file_name().unwrap_or_default();
        (Path::new("/bin").join(name), PathBuf::from(path))
    }));
    if let Some(program) = getpid(&scripts, &work)? {
        programs.push((Path::new("/selftests").join(GETPID), program));
    }
    let outcome = testbed::boot(&Boot {
        kernel,
        files,
        programs,
        modules: Vec::new(),
        command: ["bash", "/script.sh"].map(ToOwned::to_owned).to_vec(),
        append: String::new(),
        cpu: testbed::CPU,
        smp: 1,
        icount: false,
        memory_mib: 1024,
        timeout: Duration::from_hours(1),
        work: &work,
        echo: false,
    })?;
    let log = outcome.log.display();
    ensure!(outcome.verdict == Verdict::Exited(0), "the VM ended with {:?}; see {log}", outcome.verdict);
    Ok(outcome.out)
}

/// The program that test-syscall.sh needs, where there is that script.
fn getpid(scripts: &Path, work: &Path) -> anyhow::Result<Option<PathBuf>> {
    let source = scripts.join(format!("{GETPID}.c"));
    if !source.is_file() {
        return Ok(None);
    }
    let program = work.join(GETPID);
    let mut command = Command::new("cc");
    command.args(["-O2", "-o"]).arg(&program).arg(&source);
    testbed::run_output(&mut command, "build the selftests' program")?;
    Ok(Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::journal::Finding;

    fn journal(findings: &[(&str, &str)], lost: &[&str]) -> Journal {
        let finding = |(id, text): &(&str, &str)| Finding { id: (*id).to_owned(), text: (*text).to_owned() };
        Journal {
            findings: findings.iter().map(finding).collect(),
            lost: lost.iter().map(|text| (*text).to_owned()).collect(),
            end: Some(serde_json::Value::Null),
            ..Journal::default()
        }
    }

    #[test]
    fn the_window_of_test_ftrace_is_to_be_reported_where_it_opens_and_nothing_else() {
        let blind = r#"{"cause":"ftrace-disabled"}"#;
        let window = journal(&[("KLP013", blind)], &[blind]);
        assert!(judge(&window, Series::V6_1).is_ok() && judge(&window, Series::V6_12).is_ok());
        assert!(judge(&window, Series::V7).is_err(), "it refuses to turn ftrace off");
        let nothing = journal(&[], &[]);
        assert!(judge(&nothing, Series::V7).is_ok());
        assert!(judge(&nothing, Series::V6_12).is_err(), "the window was not seen");
        for wrong in [
            journal(&[("KLP013", blind), ("KLP001", "")], &[blind]),
            journal(&[("KLP013", r#"{"why":"the ring was full"}"#)], &[blind]),
            journal(&[], &[blind, r#"{"cause":"ring-full"}"#]),
            Journal { end: None, ..journal(&[], &[blind]) },
        ] {
            assert!(judge(&wrong, Series::V6_1).is_err(), "{wrong:?}");
        }
    }
}
