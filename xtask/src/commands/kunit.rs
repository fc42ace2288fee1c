//! A stage of `cargo xtask test --full`: the kernel's own reader of KTAP, on what `klp-trace assert` writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail, ensure};

use crate::scenario::prepare;
use crate::testbed::{self, Extent, host};

/// Debian's package with the kernel's source, of which one folder is wanted.
const PACKAGE: &str = "linux-source-6.12";
const FOLDER: &str = "tools/testing/kunit";

/// Every recording asserted, its KTAP read by kunit.py: the same tests, as many passed and failed, the same end.
pub fn reads_ktap() -> anyhow::Result<()> {
    let reader = reader()?;
    let klp_trace = program()?;
    let place = testbed::cache_dir().join("kunit");
    let mut sums = Counts::default();
    for recording in recordings()? {
        let mut command = Command::new(&klp_trace);
        command.args(["assert", "--format", "ktap", "--from"]).arg(&recording);
        let written = command.output().context("cannot run klp-trace")?;
        let code = written.status.code().unwrap_or(-1);
        ensure!([0, 1, 5].contains(&code), "assert --from {} ended with {code}", recording.display());
        let file = place.join("report.ktap");
        fs::write(&file, &written.stdout).with_context(|| format!("cannot write {}", file.display()))?;
        let read = read(&reader, &file)?;
        let meant = leaves(&String::from_utf8_lossy(&written.stdout));
        let understood = counted(&read).with_context(|| recording.display().to_string())?;
        ensure!(meant == understood, "{}: {meant:?} meant, {understood:?} read", recording.display());
        ensure!(
            read.status.success() == (code == 0),
            "{}: klp-trace ended with {code}, kunit.py with {}",
            recording.display(),
            read.status
        );
        sums.passed += meant.passed;
        sums.failed += meant.failed;
        sums.skipped += meant.skipped;
    }
    ensure!(sums.passed.min(sums.failed).min(sums.skipped) > 0, "{sums:?}: of each there must be some");
    println!("kunit.py reads it as meant: {sums:?}");
    Ok(())
}

/// How many tests ended how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// klp-trace as it is built for the guests.
fn program() -> anyhow::Result<PathBuf> {
    prepare::tool()?;
    Ok(testbed::cache_dir().with_file_name("vm").join("klp-trace"))
}

fn recordings() -> anyhow::Result<Vec<PathBuf>> {
    let folder = testbed::workspace().join("tests/recordings");
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    let mut found = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    found.retain(|path| path.extension().is_some_and(|extension| extension == "zst"));
    found.sort();
    Ok(found)
}

/// kunit.py of the kernel's source, unpacked when it is not there yet.
fn reader() -> anyhow::Result<PathBuf> {
    host::ensure(host::KUNIT)?;
    let place = testbed::cache_dir().join("kunit");
    let reader = place.join(PACKAGE).join(FOLDER).join("kunit.py");
    if !reader.is_file() {
        let unpacked = testbed::unpacked(PACKAGE, Extent::Alone)?;
        let source = unpacked.join(format!("usr/src/{PACKAGE}.tar.xz"));
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        let mut command = Command::new("tar");
        command.arg("-xJf").arg(&source).arg("-C").arg(&place).arg(format!("{PACKAGE}/{FOLDER}"));
        testbed::run_output(&mut command, "unpack kunit.py")?;
    }
    Ok(reader)
}

fn read(reader: &Path, file: &Path) -> anyhow::Result<Output> {
    let mut command = Command::new("python3");
    command.arg(reader).arg("parse").arg(file).output().context("cannot run python3")
}

/// The tests in the lines of KTAP: those that have no tests of their own.
fn leaves(ktap: &str) -> Counts {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut counts = Counts::default();
    let mut deepest = 0;
    for line in ktap.lines() {
        let (depth, text) = (depth(line), line.trim_start());
        let result = text.starts_with("ok ") || text.starts_with("not ok ");
        if result && depth >= deepest {
            let count = match (text.starts_with("ok "), text.contains(" # SKIP")) {
                (_, true) => &mut counts.skipped,
                (true, false) => &mut counts.passed,
                (false, false) => &mut counts.failed,
            };
            *count += 1;
        }
        if result || text.starts_with("KTAP version") {
            // A result below closes the group that a deeper plan opened.
            deepest = depth;
        }
    }
    counts
}

/// The same in the last line of kunit.py: "Testing complete. Ran 19 tests: passed: 15, failed: 4".
fn counted(read: &Output) -> anyhow::Result<Counts> {
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let Some((_, sums)) = text.rsplit_once("Testing complete.") else {
        bail!("kunit.py read no tests: {text}{}", String::from_utf8_lossy(&read.stderr));
    };
    let sum = |word: &str| {
        let digits = sums.split_once(&format!("{word}: ")).map_or("", |(_, rest)| rest);
        digits.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    };
    ensure!(sum("errors") == 0 && sum("crashed") == 0, "kunit.py complains: {text}");
    Ok(Counts { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_and_groups_are_not() {
        let ktap = "KTAP version 1\n1..2\n  KTAP version 1\n  1..2\n  # why\n  ok 1 a\n  not ok 2 b\nnot ok 1 c\n  \
                    KTAP version 1\n  1..1\n  ok 1 d # SKIP no\nok 2 e\n";
        assert_eq!(leaves(ktap), Counts { passed: 1, failed: 1, skipped: 1 });
        let alone = Counts { passed: 1, ..Counts::default() };
        assert_eq!(leaves("KTAP version 1\n1..1\nok 1 alone\n"), alone);
    }
}
