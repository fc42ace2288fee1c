//! Modules come and go while `klp-trace audit` runs again and again; when each of them began and ended is written down.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::clean::Before;
use super::{audit, step, system};
use crate::scenario::exchange::{Churn, ChurnAudit, Turn};

/// Rests between two commands, in turn, in hundredths of the time that an audit takes here: most audits are to find a
/// moment between two commands, some fall into one.
const RESTS: [u64; 4] = [0, 20, 50, 130];
/// An audit that takes longer is one that would not settle.
const LONGEST: u64 = 4000;

/// `churn N`: does the commands of `cycle` N times over, and audits as fast as it goes until they are done.
pub fn churn(count: &str, cycle: &[String], before: &Before, folder: &Path) -> anyhow::Result<Churn> {
    let count: usize = count.trim().parse().context("churn wants a number")?;
    let begun = Instant::now();
    let over = AtomicBool::new(false);
    // What an audit takes, in milliseconds: the longest of late. One of no patch at all takes next to nothing.
    let pace = AtomicU64::new(LONGEST);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let turns = turns(count, cycle, before, begun, &pace);
            over.store(true, Ordering::Relaxed);
            turns
        });
        let audits = audits(folder, begun, &over, &pace);
        let Ok(turns) = worker.join() else { bail!("the thread that loads modules broke down") };
        Ok(Churn { turns: turns?, audits: audits? })
    })
}

fn turns(
    count: usize,
    cycle: &[String],
    before: &Before,
    begun: Instant,
    pace: &AtomicU64,
) -> anyhow::Result<Vec<Turn>> {
    let mut turns = Vec::new();
    for round in 0..count {
        for (place, command) in cycle.iter().enumerate() {
            let from = nanos(begun);
            let (rc, output) = step::carry_out(command, None, before)?;
            turns.push(Turn { place, rc, output, span: (from, nanos(begun)) });
            // Without a livepatch an audit has nothing to do.
            if !system::modules().iter().any(|module| module.starts_with("lp_")) {
                continue;
            }
            let rest = RESTS.get((round + place) % RESTS.len()).copied().unwrap_or(0);
            std::thread::sleep(Duration::from_millis(pace.load(Ordering::Relaxed) * rest / 100));
        }
    }
    Ok(turns)
}

fn audits(
    folder: &Path,
    begun: Instant,
    over: &AtomicBool,
    pace: &AtomicU64,
) -> anyhow::Result<Vec<ChurnAudit>> {
    let mut audits = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let journal = format!("churn-{}.ndjson", audits.len() + 1);
        let from = nanos(begun);
        let mut command = audit::command("", &folder.join(&journal));
        // Not step::finish: its file for the output is that of the commands.
        let done = command.output().context("cannot run klp-trace audit")?;
        let span = (from, nanos(begun));
        let took = ((span.1 - span.0) / 1_000_000).min(LONGEST);
        pace.store(took.max(pace.load(Ordering::Relaxed) * 3 / 4), Ordering::Relaxed);
        audits.push(ChurnAudit { rc: super::watch::code(done.status), journal, span });
    }
    Ok(audits)
}

fn nanos(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
