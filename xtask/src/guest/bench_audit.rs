//! `klp-trace audit` against a Python script that finds the same out: the same answers, and the time of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail, ensure};

use super::{FIXTURES, TOOL, step};
use crate::scenario::exchange::Measured;

/// The script in the guest.
pub const SCRIPT: &str = "/audit.py";

const LINES: &str = "/tmp/audit.lines";

/// What either of them says: by patch, section and index, the verdict.
type Answers = BTreeMap<(String, String, u32), String>;

/// All audit lp_many while its target is there, and once it has gone. Only the first state is timed.
pub fn run(rounds: usize, python: &[String]) -> anyhow::Result<Measured> {
    for module in ["klp_many", "lp_many"] {
        step::carry_out_well(&format!("insmod {module}"))?;
    }
    let mut measured = Measured::new();
    let mut one = |round: usize, timed: bool| -> anyhow::Result<()> {
        let (theirs, script) = by_script(python)?;
        let mut times = vec![("script", script)];
        for memory in MEMORY {
            let (ours, took) = klp_trace(memory)?;
            ensure!(
                !ours.is_empty() && ours == theirs,
                "--memory {memory}: not the same answers: {}",
                difference(&ours, &theirs)
            );
            times.push((memory, took));
        }
        let each: Vec<String> = times.iter().map(|(what, took)| format!("{what} {took:.0} ms")).collect();
        println!("  {round} {}, {}", each.join(", "), counts(&theirs));
        if timed {
            for (what, took) in times {
                measured.entry(what.to_owned()).or_default().push(took);
            }
        }
        Ok(())
    };
    // The first round pays for cold caches.
    for round in 0..=rounds {
        one(round, round > 0)?;
    }
    step::carry_out_well("rmmod klp_many")?;
    one(rounds + 1, false)?;
    Ok(measured)
}

/// How klp-trace reads memory: as the script does, and by BPF.
pub const MEMORY: [&str; 2] = ["kcore", "bpf"];

/// Its answers as a line for each relocation, as the script gives them: that is the form to measure.
fn klp_trace(memory: &str) -> anyhow::Result<(Answers, f64)> {
    let _ = std::fs::remove_file(LINES);
    let mut command = Command::new(TOOL);
    command.args(["audit", "--memory", memory, "--format", "csv", "--ko", FIXTURES, "--output", LINES]);
    command.stdin(Stdio::null());
    let (said, took) = timed(&mut command, &[0, 1])?;
    let text = std::fs::read_to_string(LINES).context("cannot read klp-trace's answers")?;
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let headings = lines.next().with_context(|| format!("klp-trace said nothing: {said}"))?;
    let column = |name: &str| headings.iter().position(|heading| *heading == name);
    let columns = ["patch", "section", "index", "verdict"].map(column);
    let mut answers = Answers::new();
    for line in lines {
        ensure!(line.len() == headings.len(), "a line with a comma in a field: {line:?}");
        let [patch, section, index, verdict] = columns.map(|at| line.get(at?).copied());
        let (Some(patch), Some(section), Some(index), Some(verdict)) = (patch, section, index, verdict)
        else {
            bail!("klp-trace said {line:?}");
        };
        answers.insert((patch.to_owned(), section.to_owned(), index.parse()?), verdict.to_owned());
    }
    Ok((answers, took))
}

fn by_script(python: &[String]) -> anyhow::Result<(Answers, f64)> {
    let [program, args @ ..] = python else { bail!("no Python") };
    let mut command = Command::new(program);
    // Without the site module: it starts faster, and the script needs nothing of it.
    command.args(args).args(["-S", SCRIPT, FIXTURES]).env("PYTHONHOME", "/opt/python3-minimal/usr");
    let lines = File::create(LINES).context("cannot make a file for the script's answers")?;
    command.stdin(Stdio::null()).stdout(lines);
    let (_, took) = timed(&mut command, &[0])?;
    let text = std::fs::read_to_string(LINES).context("cannot read the script's answers")?;
    let mut answers = Answers::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [patch, section, index, verdict] = words[..] else { bail!("the script said {line:?}") };
        answers.insert((patch.to_owned(), section.to_owned(), index.parse()?), verdict.to_owned());
    }
    Ok((answers, took))
}

/// Runs it; what it said on standard error, and milliseconds from its start to its end.
fn timed(command: &mut Command, codes: &[i32]) -> anyhow::Result<(String, f64)> {
    command.stderr(Stdio::piped());
    let begun = Instant::now();
    let done = command.spawn().and_then(std::process::Child::wait_with_output);
    let done = done.with_context(|| format!("cannot run {command:?}"))?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(codes.contains(&super::watch::code(done.status)), "{command:?}: {}: {said}", done.status);
    Ok((said, took))
}

fn difference(ours: &Answers, theirs: &Answers) -> String {
    let keys = ours.keys().chain(theirs.keys());
    let other = keys.into_iter().find(|key| ours.get(*key) != theirs.get(*key));
    let shown = other.map(|key| format!("{key:?}: {:?} and {:?}", ours.get(key), theirs.get(key)));
    format!("{} and {} relocations; {}", ours.len(), theirs.len(), shown.unwrap_or_default())
}

fn counts(answers: &Answers) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for verdict in answers.values() {
        *counts.entry(verdict).or_default() += 1;
    }
    let each: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
    each.join(", ")
}
