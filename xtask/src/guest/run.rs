//! One scenario: klp-trace started, the steps done, klp-trace ended, everything put back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::clean::Before;
use super::kcore::Kcore;
use super::kmsg::Kmsg;
use super::narrate::Narrator;
use super::watch::Watch;
use super::{audit, broken, churn, poke, step, system, write};
use crate::scenario::exchange::{Run, RunReport, RunStep, StepReport, hex_of, title};
use crate::scenario::journal::{Follower, Journal};

/// Runs it; what could not be done is in the report.
pub fn run(run: &Run, folder: &Path, kmsg: &mut Kmsg) -> RunReport {
    let started = Instant::now();
    let before = Before::note();
    let mut report = RunReport::default();
    let mut watch = None;
    if let Err(error) = steps(run, folder, kmsg, &before, &mut watch, &mut report) {
        report = broken(report, &error);
    }
    if let Some(watch) = &mut watch {
        match watch.stop() {
            Ok(code) => report.exit = Some(code),
            Err(error) => report = broken(report, &error),
        }
    }
    drop(watch);
    if report.error.is_none()
        && let Err(error) = audits(run, folder, kmsg, &mut report)
    {
        report = broken(report, &error);
    }
    report.left = before.restore(&run.left);
    report.millis.1 = millis(started);
    report
}

fn steps(
    run: &Run,
    folder: &Path,
    kmsg: &mut Kmsg,
    before: &Before,
    watch: &mut Option<Watch>,
    report: &mut RunReport,
) -> anyhow::Result<()> {
    let started = Instant::now();
    kmsg.drain()?;
    for command in &run.before {
        let (rc, output) = step::carry_out(command, None, before)?;
        ensure!(rc == 0, "{command}: exit code {rc}: {output}");
    }
    let mut narrator = run.narrate.map(Narrator::new).transpose()?;
    if run.watch {
        let mut started = Watch::start(run, folder)?;
        if let (Some(narrator), Some(text)) = (&mut narrator, started.text()) {
            narrator.listen(text);
        }
        *watch = Some(started);
    }
    report.millis.0 = millis(started);
    for (number, planned) in run.steps.iter().enumerate() {
        let number = number + 1;
        if let Some(narrator) = &narrator {
            narrator.before(planned);
        }
        let done = one(planned, number, folder, watch.as_mut(), before, kmsg)
            .with_context(|| format!("step {number}, {}", planned.run))?;
        match &narrator {
            Some(narrator) => narrator.after(&done),
            None => tell(number, &done),
        }
        write(&folder.join(format!("step-{number}.json")), &done)?;
        if run.stops && !done.settled {
            break;
        }
    }
    match (narrator, watch) {
        (Some(narrator), Some(watch)) => narrator.end(watch),
        _ => Ok(()),
    }
}

/// What `klp-trace audit` says of what the steps left behind, once nothing of klp-trace is there any more.
fn audits(run: &Run, folder: &Path, kmsg: &mut Kmsg, report: &mut RunReport) -> anyhow::Result<()> {
    for (number, by) in run.audits.iter().enumerate() {
        let words = audit::words(*by);
        let file = format!("audit-{}.ndjson", number + 1);
        let started = Instant::now();
        let (rc, output) = audit::audit(words, &folder.join(&file))?;
        let ended = millis(started);
        let journal = read_journal(&folder.join(&file))?;
        let done = StepReport {
            run: format!("audit {words}"),
            rc,
            output,
            audit: Some(file),
            ..here(&[&journal], kmsg)?
        };
        let done = StepReport { settled: true, millis: (ended, millis(started)), ..done };
        tell(number + 1, &done);
        report.audits.push(done);
    }
    Ok(())
}

fn read_journal(path: &Path) -> anyhow::Result<Journal> {
    let mut follower = Follower::default();
    follower.advance(path, u64::MAX)?;
    Ok(follower.journal)
}

/// How the guest is now, as far as it concerns what the journals speak of.
fn here(journals: &[&Journal], kmsg: &mut Kmsg) -> anyhow::Result<StepReport> {
    let modules = system::modules();
    let sections = modules.iter().map(|module| (module.clone(), system::sections(module)));
    let sections: BTreeMap<_, _> = sections.filter(|(_, sections)| !sections.is_empty()).collect();
    let memory = memory(journals, &modules)?;
    Ok(StepReport { dmesg: kmsg.drain()?, modules, sections, memory, ..StepReport::default() })
}

fn tell(number: usize, done: &StepReport) {
    let settled = if done.settled { "" } else { " (NOT SETTLED)" };
    let (ended, rest) = (seconds(done.millis.0), seconds(done.millis.1));
    println!(
        "  {number} {} -> {} after {ended:.1} s, at rest after {rest:.1} s{settled}",
        title(&done.run),
        done.rc
    );
}

fn one(
    planned: &RunStep,
    number: usize,
    folder: &Path,
    mut watch: Option<&mut Watch>,
    before: &Before,
    kmsg: &mut Kmsg,
) -> anyhow::Result<StepReport> {
    let started = Instant::now();
    let mut done = StepReport { run: planned.run.clone(), ..StepReport::default() };
    let (word, rest) = planned.run.split_once(' ').unwrap_or((&planned.run, ""));
    match word {
        "audit" => {
            let file = format!("step-{number}-audit.ndjson");
            (done.rc, done.output) = audit::audit(rest, &folder.join(&file))?;
            done.audit = Some(file);
        }
        "poke" => (done.rc, done.output, done.poked) = poke::poke(rest)?,
        "churn" => done.churn = Some(churn::churn(rest, &planned.cycle, before, folder)?),
        _ => (done.rc, done.output) = step::carry_out(&planned.run, watch.as_deref_mut(), before)?,
    }
    let ended = millis(started);
    done.settled = step::settle(planned, watch.as_deref_mut())?;
    let audited = done.audit.as_ref().map(|file| read_journal(&folder.join(file))).transpose()?;
    let watched = watch.as_ref().map(|watch| &watch.follower.journal);
    let seen = here(&watched.into_iter().chain(&audited).collect::<Vec<_>>(), kmsg)?;
    done.journal_bytes = watch.map_or(0, |watch| watch.follower.bytes);
    done.millis = (ended, millis(started));
    Ok(StepReport {
        dmesg: seen.dmesg,
        modules: seen.modules,
        sections: seen.sections,
        memory: seen.memory,
        ..done
    })
}

/// What stands at every target that the journals name, of the patches that are loaded.
fn memory(journals: &[&Journal], modules: &[String]) -> anyhow::Result<BTreeMap<u64, String>> {
    let current = journals.iter().flat_map(|journal| journal.current(modules));
    let addresses: BTreeSet<u64> = current.filter_map(|(_, said)| said.address).collect();
    if addresses.is_empty() {
        return Ok(BTreeMap::new());
    }
    let kcore = Kcore::open()?;
    let read = |address: u64| (address, kcore.read(address).map(|bytes| hex_of(&bytes)).unwrap_or_default());
    Ok(addresses.into_iter().map(read).collect())
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of a test, for people to read")]
fn seconds(millis: u64) -> f64 {
    millis as f64 / 1000.0
}
