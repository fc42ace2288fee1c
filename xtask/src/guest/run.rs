//! One scenario: klp-trace started, the steps done, klp-trace ended, everything put back.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::clean::Before;
use super::kcore::Kcore;
use super::kmsg::Kmsg;
use super::narrate::Narrator;
use super::watch::Watch;
use super::{broken, step, system, write};
use crate::scenario::exchange::{Run, RunReport, RunStep, StepReport, hex_of, title};
use crate::scenario::journal::Journal;

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
    report.left = before.restore();
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
    let mut narrator = run.narrate.map(Narrator::start).transpose()?;
    if run.watch {
        *watch = Some(Watch::start(run, folder)?);
    }
    if let Some(narrator) = &mut narrator {
        narrator.ready()?;
    }
    report.millis.0 = millis(started);
    for (number, planned) in run.steps.iter().enumerate() {
        let number = number + 1;
        if let Some(narrator) = &narrator {
            narrator.before(planned);
        }
        let done = one(planned, watch.as_mut(), before, kmsg)
            .with_context(|| format!("step {number}, {}", planned.run))?;
        match &narrator {
            Some(narrator) => narrator.after(&done),
            None => tell(number, &done),
        }
        write(&folder.join(format!("step-{number}.json")), &done)?;
    }
    narrator.map_or(Ok(()), Narrator::end)
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
    mut watch: Option<&mut Watch>,
    before: &Before,
    kmsg: &mut Kmsg,
) -> anyhow::Result<StepReport> {
    let started = Instant::now();
    let (rc, output) = step::carry_out(&planned.run, watch.as_deref_mut(), before)?;
    let ended = millis(started);
    let settled = step::settle(planned, watch.as_deref_mut())?;
    let modules = system::modules();
    let sections = modules.iter().map(|module| (module.clone(), system::sections(module)));
    let sections: BTreeMap<_, _> = sections.filter(|(_, sections)| !sections.is_empty()).collect();
    let memory = match &watch {
        Some(watch) => memory(&watch.follower.journal, &modules)?,
        None => BTreeMap::new(),
    };
    Ok(StepReport {
        run: planned.run.clone(),
        rc,
        output,
        settled,
        journal_bytes: watch.map_or(0, |watch| watch.follower.bytes),
        dmesg: kmsg.drain()?,
        modules,
        sections,
        memory,
        millis: (ended, millis(started)),
    })
}

/// What stands at every target that the journal names, of the patches that are loaded.
fn memory(journal: &Journal, modules: &[String]) -> anyhow::Result<BTreeMap<u64, String>> {
    let addresses: Vec<u64> = journal.current(modules).filter_map(|(_, said)| said.address).collect();
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
