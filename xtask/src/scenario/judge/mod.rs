//! Whether what was recorded in the guest is what the scenario says.

mod audit;
mod churn;
mod end;
mod relocs;
mod step;
mod text;

pub use end::KILLED;

use std::path::Path;

use anyhow::Context;

use super::exchange::{RunReport, StepReport, title};
use super::instance::{Counts, Instance};
use super::journal::{Follower, Journal};

/// What is wrong, each with what was expected and what was found; empty when nothing is.
pub fn judge(instance: &Instance, folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(error) = judge_run(instance, folder, &mut wrong) {
        wrong.push(format!("{error:#}"));
    }
    wrong
}

fn judge_run(instance: &Instance, folder: &Path, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let report: RunReport = read(&folder.join("run.json")).context("it was not run to its end")?;
    let journal = folder.join("journal.ndjson");
    let mut follower = Follower::default();
    let (mut findings, mut closed, mut lost) = (0, 0, 0);
    let mut failed_steps = 0;
    let mut poked = None;
    for (number, expected) in instance.steps.iter().enumerate() {
        let Ok(seen) = read::<StepReport>(&folder.join(format!("step-{}.json", number + 1))) else { break };
        follower.advance(&journal, seen.journal_bytes)?;
        let mut here = Vec::new();
        step::judge(expected, &seen, &mut here);
        if instance.watch {
            let new = follower.journal.findings.get(findings..).unwrap_or_default();
            step::findings(expected, new, &mut here);
            findings = follower.journal.findings.len();
            step::closed(expected, follower.journal.closed.get(closed..).unwrap_or_default(), &mut here);
            closed = follower.journal.closed.len();
            step::lost(expected, follower.journal.lost.get(lost..).unwrap_or_default(), &mut here);
            lost = follower.journal.lost.len();
            if !killed(instance, number) {
                relocs::judge(instance, expected, &seen, &follower.journal, &mut here);
            }
        }
        poked = seen.poked.clone().or(poked);
        let audit = audit::Audit {
            instance,
            watch: (instance.watch && !killed(instance, number)).then_some(&follower.journal),
            verdicts: &expected.verdicts,
            given: &expected.audit,
            findings: expected.audit_findings.as_ref(),
            poked: poked.as_ref(),
            by: None,
        };
        audit.judge(&seen, folder, &mut here)?;
        if let Some(seen) = &seen.churn {
            churn::judge(instance, &expected.cycle, seen, folder, &mut here)?;
        }
        if !seen.settled && here.is_empty() {
            here.push("what was awaited came too late, or not at all".to_owned());
        }
        failed_steps += usize::from(!here.is_empty());
        let place = format!("step {}, {}: ", number + 1, title(&seen.run));
        wrong.extend(here.into_iter().map(|what| place.clone() + &what));
    }
    if let Some(error) = &report.error {
        wrong.push(error.clone());
    }
    follower.advance(&journal, u64::MAX)?;
    for late in follower.journal.findings.get(findings..).unwrap_or_default() {
        wrong.push(format!("a finding after the last step: {}", late.brief()));
    }
    if failed_steps == 0 {
        audits(instance, &report, &follower.journal, folder, wrong)?;
    }
    // After a step has gone wrong the sums at the end say nothing new.
    end::judge(instance, &report, &follower.journal, failed_steps == 0, wrong);
    let kept = instance.run.text && instance.run.narrate.is_none();
    if let (true, None, Some(exit)) = (kept, &report.error, report.exit) {
        text::judge(folder, exit, &follower.journal, wrong);
    }
    Ok(())
}

/// The audits at the end, against what klp-trace watch came to last.
fn audits(
    instance: &Instance,
    report: &RunReport,
    watched: &Journal,
    folder: &Path,
    wrong: &mut Vec<String>,
) -> anyhow::Result<()> {
    let nothing = Counts::new();
    let last = instance.steps.len().saturating_sub(1);
    for (number, by) in instance.run.audits.iter().enumerate() {
        let Some(seen) = report.audits.get(number) else { break };
        let audit = audit::Audit {
            instance,
            watch: (instance.watch && !killed(instance, last)).then_some(watched),
            verdicts: instance.steps.last().map_or(&nothing, |step| &step.verdicts),
            given: &instance.end_audit,
            findings: None,
            poked: None,
            by: Some(*by),
        };
        let mut here = Vec::new();
        audit.judge(seen, folder, &mut here)?;
        wrong.extend(here.into_iter().map(|what| format!("after the end, {}: {what}", seen.run.trim())));
    }
    Ok(())
}

/// Whether klp-trace is dead by the end of this step, and its journal says no more.
fn killed(instance: &Instance, number: usize) -> bool {
    let until = instance.run.steps.iter().take(number + 1);
    until.into_iter().any(|step| step.run.starts_with("kill-during "))
}

/// One of the guest's files.
pub fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))
}
