//! `cargo xtask bench journal`: writing, verifying and replaying 1,000,000 events, against the same without a chain,
//! sha256sum and jq.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use sha2::{Digest as _, Sha256};

use crate::scenario::prepare::cargo;
use crate::testbed;

const EVENTS: usize = 1_000_000;
const ROUNDS: usize = 3;
/// Of each program: address space, which holds more than what is resident.
const MEMORY_KIB: &str = "65536";

/// Measures; fails when a promise is not kept.
pub(super) fn run() -> anyhow::Result<()> {
    cargo(&[
        "build",
        "--quiet",
        "--release",
        "--package",
        "klp-trace",
        "--bins",
        "--example",
        "journal_writing",
    ])?;
    let built = testbed::cache_dir().with_file_name("release");
    let (klp_trace, writing) = (built.join("klp-trace"), built.join("examples/journal_writing"));
    let work = testbed::cache_dir().with_file_name("bench");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let recorded = testbed::workspace().join("tests/journals/event-1.ndjson");
    let (journal, written) = (work.join("journal.ndjson"), work.join("written.ndjson"));
    multiply(&recorded, &journal)?;
    let bytes = fs::metadata(&journal).context("the journal is missing")?.len();
    println!("a journal of {EVENTS} events, {} MiB; the best of {ROUNDS}, in {MEMORY_KIB} KiB", bytes >> 20);

    let write = |how: &str| best(|| written_in(&writing, how, &recorded, &written));
    let (unchained, chained) = (write("unchained")?, write("chained")?);
    let words =
        |list: &[&str]| -> Vec<PathBuf> { list.iter().map(PathBuf::from).chain([journal.clone()]).collect() };
    let sha256sum = best(|| run_for(Path::new("sha256sum"), &words(&[]), 0))?;
    let verify = best(|| run_for(&klp_trace, &words(&["verify-journal"]), 0))?;
    // It was recorded on a kernel that does not clear: there are findings, and code 1 says so.
    let replay = best(|| run_for(&klp_trace, &words(&["watch", "--from"]), 1))?;
    let jq = best(|| run_for(Path::new("jq"), &words(&["-c", "."]), 0))?;
    for file in [&journal, &written] {
        fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    println!("  writing unchained   {unchained:8.0} ms");
    println!("  writing chained     {chained:8.0} ms: {:.2}x unchained", chained / unchained);
    println!("  sha256sum           {sha256sum:8.0} ms");
    println!("  verify-journal      {verify:8.0} ms: {:.2}x sha256sum", verify / sha256sum);
    println!("  jq -c .             {jq:8.0} ms");
    println!("  watch --from        {replay:8.0} ms: {:.1}x faster than jq", jq / replay);
    ensure!(
        chained / unchained <= 2.0 && verify / sha256sum <= 6.0 && jq / replay >= 5.0,
        "chained writing is to take at most twice the time of unchained, verify-journal 6 times that of sha256sum, \
         watch --from a fifth of jq's"
    );
    Ok(())
}

/// A journal of one session with [`EVENTS`] records: what is between the first and the last record of a real one, over
/// and over, with numbers and hashes anew; each time the patch's module is freed at the end.
fn multiply(recorded: &Path, journal: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(recorded).with_context(|| format!("cannot read {}", recorded.display()))?;
    let lines: Vec<&str> = text.lines().collect();
    let [first, between @ .., last] = &lines[..] else { anyhow::bail!("the recording is too short") };
    let loaded = between.iter().find(|line| line.contains(r#""action":"loaded","name":"lp_one""#));
    let freed =
        loaded.context("no load of the patch")?.replace(r#""action":"loaded""#, r#""action":"freed""#);
    let file = fs::File::create(journal).with_context(|| format!("cannot make {}", journal.display()))?;
    let mut out = Chain { out: BufWriter::with_capacity(1 << 20, file), seq: 0, prev: "0".repeat(64) };
    out.line(first)?;
    let round: Vec<Parts> =
        between.iter().copied().chain([&*freed]).map(Parts::of).collect::<Option<_>>().context("odd")?;
    for parts in round.iter().cycle().take(EVENTS - 2) {
        out.parts(parts)?;
    }
    out.line(last)?;
    out.out.flush().with_context(|| format!("cannot write {}", journal.display()))
}

/// A record around its number, its id's number, and its hashes.
struct Parts<'a> {
    head: &'a str,
    middle: &'a str,
    tail: &'a str,
}

impl<'a> Parts<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let at = line.find("\"seq\":")? + 6;
        let (head, rest) = line.split_at(at);
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let at = rest.find("\"id\":\"")? + 6 + 17;
        let (middle, rest) = rest.split_at(at);
        let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let tail = rest.get(..rest.rfind("\"prev\":\"")? + 8)?;
        Some(Self { head, middle, tail })
    }
}

/// Lines on their way to a journal.
struct Chain<W> {
    out: W,
    seq: usize,
    prev: String,
}

impl<W: std::io::Write> Chain<W> {
    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        self.parts(&Parts::of(line).context("a line that is no record")?)
    }

    fn parts(&mut self, parts: &Parts<'_>) -> anyhow::Result<()> {
        self.seq += 1;
        let (seq, prev) = (self.seq, &self.prev);
        let line = format!("{}{seq}{}{seq}{}{prev}\"", parts.head, parts.middle, parts.tail);
        let hash = Sha256::digest(&line);
        let mut hex = String::with_capacity(64);
        for byte in hash {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        writeln!(self.out, "{line},\"hash\":\"{hex}\"}}").context("cannot write the journal")?;
        self.prev = hex;
        Ok(())
    }
}

fn best(mut measure: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        best = best.min(measure()?);
    }
    Ok(best)
}

/// A program with at most [`MEMORY_KIB`] of address space.
fn bounded(program: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY_KIB]).arg(program);
    command
}

/// Milliseconds from start to end, its output thrown away.
fn run_for(program: &Path, words: &[PathBuf], code: i32) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let status = bounded(program).args(words).stdout(Stdio::null()).status().context("cannot run sh")?;
    ensure!(status.code() == Some(code), "{} ended with {status}", program.display());
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}

/// What the writing program says that it took, its start left out.
fn written_in(program: &Path, how: &str, recorded: &Path, written: &Path) -> anyhow::Result<f64> {
    let mut command = bounded(program);
    command.args([how, &EVENTS.to_string()]).args([recorded, written]);
    let said = testbed::run_output(&mut command, "write a journal")?;
    said.trim().parse().with_context(|| format!("{said:?} is no time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_chained_anew() {
        let line = r#"{"schema":"s","seq":12,"event":{"kind":"hook","id":"0123456789abcdef-12"},"x":1,"prev":"ab","hash":"cd"}"#;
        let mut chain = Chain { out: Vec::new(), seq: 6, prev: "0".repeat(64) };
        chain.line(line).unwrap();
        chain.line(line).unwrap();
        let text = String::from_utf8(chain.out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let zeros = "0".repeat(64);
        let start = format!(
            r#"{{"schema":"s","seq":7,"event":{{"kind":"hook","id":"0123456789abcdef-7"}},"x":1,"prev":"{zeros}","hash":""#
        );
        assert!(lines[0].starts_with(&start), "{text}");
        let hash = &lines[0][start.len()..start.len() + 64];
        assert!(lines[1].contains(r#""seq":8,"#) && lines[1].contains(&format!(r#""prev":"{hash}""#)));
    }
}
