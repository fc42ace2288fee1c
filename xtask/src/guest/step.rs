//! One step: carried out, and waited for.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::clean::Before;
use super::watch::{Watch, code};
use super::{FIXTURES, system};
use crate::scenario::exchange::RunStep;

/// Until a command is over.
const COMMAND: Duration = Duration::from_mins(5);
/// The journal has come to rest when it has not grown for so long after all that is awaited came.
const QUIET: Duration = Duration::from_millis(250);
/// The same where it is not known what is awaited: a loss may be noticed by klp-trace's look once a second.
const QUIET_AFTER_LOSS: Duration = Duration::from_millis(1200);
/// What has not come when the journal has not grown for so long does not come.
const HOPE: Duration = Duration::from_secs(25);
/// Until a step has settled, whatever goes on.
const SETTLED: Duration = Duration::from_mins(6);

/// Does what `run` says; exit code and output.
///
/// `insmod M [ARGS]` takes the fixture M; `disable P` disables a patch and waits until it has left; `kill-during CMD`
/// kills klp-trace with SIGKILL while CMD runs, as soon as the journal grows; `nothing-attached` fails with a list
/// when probes are attached that were not before the run; `as-nobody [-CAP… +CAP…] CMD` runs CMD as nobody with the
/// capabilities that `klp-trace doctor` names, less or more those given; `paste ID` gives the commands of the last finding
/// of that id to a shell, as somebody would who reads it. Anything else is a shell command.
pub fn carry_out(run: &str, watch: Option<&mut Watch>, before: &Before) -> anyhow::Result<(i32, String)> {
    let (word, rest) = run.split_once(' ').unwrap_or((run, ""));
    match word {
        "disable" => Ok(disable(rest.trim())),
        "kill-during" => kill_during(rest, watch.context("kill-during: klp-trace does not run")?),
        "nothing-attached" => nothing_attached(before),
        "paste" => paste(rest.trim(), watch.context("paste: klp-trace does not run")?),
        _ => finish(&mut command(run)?),
    }
}

/// The same where it has to succeed.
pub fn carry_out_well(run: &str) -> anyhow::Result<()> {
    let (rc, output) = finish(&mut command(run)?)?;
    ensure!(rc == 0, "{run}: exit code {rc}: {output}");
    Ok(())
}

fn command(run: &str) -> anyhow::Result<Command> {
    let words: Vec<&str> = run.split_whitespace().collect();
    Ok(match words.as_slice() {
        ["insmod", module, args @ ..] => {
            let mut command = Command::new("insmod");
            command.arg(Path::new(FIXTURES).join(format!("{module}.ko"))).args(args);
            command
        }
        ["as-nobody", words @ ..] => {
            let changes = words.iter().take_while(|word| word.starts_with(['-', '+'])).count();
            let (changes, words) = words.split_at(changes);
            let mut capabilities = system::capabilities_named_by_doctor()?;
            for change in changes {
                match change.strip_prefix('+') {
                    Some(more) => capabilities.insert(more.to_owned()),
                    None => capabilities.remove(change.trim_start_matches('-')),
                };
            }
            let mut command = system::as_nobody(&capabilities, "sh");
            command.args(["-c", &words.join(" ")]);
            command
        }
        _ => {
            let mut command = Command::new("sh");
            command.args(["-c", run]);
            command
        }
    })
}

/// Runs a command to its end, within its time; exit code, and both streams.
pub fn finish(command: &mut Command) -> anyhow::Result<(i32, String)> {
    let path = Path::new("/tmp/step-output");
    let file = File::create(path).context("cannot make a file for the command's output")?;
    command.stdin(Stdio::null()).stdout(file.try_clone().context("cannot share a file")?).stderr(file);
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let deadline = Instant::now() + COMMAND;
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for the command")? {
            break status;
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            bail!("the command had not ended after {} s", COMMAND.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let output = std::fs::read(path).context("cannot read the command's output")?;
    Ok((code(status), String::from_utf8_lossy(&output).into_owned()))
}

fn disable(patch: &str) -> (i32, String) {
    let folder = Path::new("/sys/kernel/livepatch").join(patch);
    if let Err(error) = std::fs::write(folder.join("enabled"), "0") {
        return (1, error.to_string());
    }
    let deadline = Instant::now() + COMMAND;
    while folder.exists() {
        if Instant::now() > deadline {
            return (1, format!("{} is still there", folder.display()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    (0, String::new())
}

fn kill_during(rest: &str, watch: &mut Watch) -> anyhow::Result<(i32, String)> {
    while watch.advance()? {}
    let length = || std::fs::metadata(&watch.journal).map_or(0, |data| data.len());
    let at_rest = length();
    let mut command = command(rest)?;
    let worker = std::thread::spawn(move || finish(&mut command));
    while length() == at_rest && !worker.is_finished() {
        std::thread::yield_now();
    }
    let running = !worker.is_finished();
    watch.kill()?;
    let Ok(finished) = worker.join() else { bail!("the thread that ran {rest} broke down") };
    let (rc, mut output) = finished?;
    output.push_str(if running { "\nkilled while it ran\n" } else { "\nkilled when it had ended\n" });
    Ok((rc, output))
}

/// Where modprobe looks: the fixtures are installed there, as modules are on a host.
const INSTALL: &str = "set -e; folder=/lib/modules/$(uname -r); mkdir -p \"$folder\"; [ -e \"$folder/fixtures\" ] || \
                       { ln -s /fixtures \"$folder/fixtures\"; depmod -a; }";
const UNINSTALL: &str = "set -e; rm \"/lib/modules/$(uname -r)/fixtures\"; depmod -a";

fn paste(id: &str, watch: &mut Watch) -> anyhow::Result<(i32, String)> {
    while watch.advance()? {}
    let journal = std::fs::read_to_string(&watch.journal).context("cannot read the journal")?;
    let records =
        journal.lines().rev().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut findings =
        records.filter(|record| record.pointer("/finding/id").is_some_and(|found| found == id));
    let finding = findings.next().with_context(|| format!("paste: no finding {id} was made"))?;
    let commands = finding.pointer("/finding/commands").and_then(|commands| commands.as_array());
    let commands: Vec<&str> = commands.into_iter().flatten().filter_map(|command| command.as_str()).collect();
    ensure!(!commands.is_empty(), "paste: finding {id} has no commands");
    // One failed command is a failed remedy.
    let script = commands.join("\n");
    carry_out_well(INSTALL)?;
    let done = finish(Command::new("sh").args(["-e", "-c", &script]));
    // Others of this boot find their files where they say.
    carry_out_well(UNINSTALL)?;
    let (rc, output) = done?;
    Ok((rc, format!("{script}\n{output}")))
}

fn nothing_attached(before: &Before) -> anyhow::Result<(i32, String)> {
    // The kernel frees links and programs a moment after their last user has gone.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let new = before.new_probes();
        if new.is_empty() {
            return Ok((0, String::new()));
        }
        if Instant::now() > deadline {
            return Ok((1, new.join("\n")));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the signs of the step's end have come and the journal is at rest; whether that came to pass.
pub fn settle(planned: &RunStep, watch: Option<&mut Watch>) -> anyhow::Result<bool> {
    let deadline = Instant::now() + SETTLED;
    let moving = || !planned.stalled && system::in_transition();
    let Some(watch) = watch else {
        while moving() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
        return Ok(!moving());
    };
    let quiet = if planned.lossy { QUIET_AFTER_LOSS } else { QUIET };
    let mut grown = Instant::now();
    loop {
        if watch.advance()? || moving() {
            grown = Instant::now();
        }
        if watch.ended()?.is_some() {
            return Ok(true);
        }
        if grown.elapsed() >= quiet && signs(planned, watch) {
            return Ok(true);
        }
        if grown.elapsed() > HOPE || Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn signs(planned: &RunStep, watch: &Watch) -> bool {
    let journal = &watch.follower.journal;
    planned.has_findings(&journal.found()) && journal.counts(&system::modules()) == planned.verdicts
}
