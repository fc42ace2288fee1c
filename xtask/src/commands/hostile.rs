//! `cargo xtask hostile`: klp-trace, as a process, against modules, journals, policies, configurations and arguments that
//! nobody means well with. Seeded, and not the fuzz targets: what it makes knows the formats, so that it gets far.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};

use crate::testbed::{self, host, run::output};

mod draw;
mod journal;
mod module;
mod process;
mod text;

use draw::{Case, Corpus, Kind};
use process::Fault;

/// Of the runs of all kinds, so many percent must get beyond the header of their kind.
const BEYOND: u64 = 30;
/// Faults that are kept before it ends.
const MOST_FAULTS: usize = 20;

/// Arguments of `cargo xtask hostile`.
#[derive(clap::Args)]
pub struct Args {
    /// How many runs
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    runs: u64,
    /// Where the generator starts
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// This run alone, and keep what it made
    #[arg(long, value_name = "N")]
    only: Option<u64>,
    /// Runs at a time
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: u64,
}

/// Runs of each kind, and how many got beyond the header.
#[derive(Default)]
struct Counts([(AtomicU64, AtomicU64); Kind::ALL.len()]);

/// Runs them all; fails when one crashed, hung, took too much memory, wrote a control character or changed its input, and
/// when too few got far.
pub fn run(args: &Args) -> anyhow::Result<()> {
    host::ensure(host::BUILD)?;
    let program = build()?;
    let corpus = Corpus::load()?;
    let folder = testbed::cache_dir().join("hostile");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    let (counts, faults, next) = (Counts::default(), Mutex::new(Vec::new()), AtomicU64::new(0));
    let numbers = args.only.map_or(0..args.runs, |only| only..only + 1);
    let begun = std::time::Instant::now();
    let work = |job: u64| -> anyhow::Result<()> {
        let folder = folder.join(job.to_string());
        std::fs::create_dir_all(&folder)?;
        loop {
            let number = numbers.start + next.fetch_add(1, Ordering::Relaxed);
            if number >= numbers.end || lock(&faults).len() >= MOST_FAULTS {
                return Ok(());
            }
            let case = Case::draw(&corpus, args.seed, number);
            let done = process::run(&program, &folder, &case)?;
            let (all, beyond) = &counts.0[case.kind as usize];
            all.fetch_add(1, Ordering::Relaxed);
            beyond.fetch_add(u64::from(done.beyond), Ordering::Relaxed);
            if let Some(fault) = done.fault {
                keep(&folder, args.seed, number, &case, &fault)?;
                lock(&faults).push((number, fault));
            }
        }
    };
    std::thread::scope(|scope| {
        let jobs: Vec<_> = (0..args.jobs.max(1)).map(|job| scope.spawn(move || work(job))).collect();
        jobs.into_iter().try_for_each(|job| job.join().map_err(|_| anyhow::anyhow!("a job ended early"))?)
    })?;
    report(&counts, begun.elapsed());
    let faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (number, fault) in &faults {
        println!("  run {number}: {fault}; again: cargo xtask hostile --seed {} --only {number}", args.seed);
    }
    ensure!(faults.is_empty(), "{} of the runs went wrong", faults.len());
    let sum = |pick: fn(&(AtomicU64, AtomicU64)) -> &AtomicU64| -> u64 {
        counts.0.iter().map(|count| pick(count).load(Ordering::Relaxed)).sum()
    };
    let (all, beyond) = (sum(|count| &count.0), sum(|count| &count.1));
    if args.only.is_none() && beyond * 100 < all * BEYOND {
        bail!("{beyond} of {all} runs got beyond the header of their kind, {BEYOND} % are to");
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(counts: &Counts, time: std::time::Duration) {
    for (kind, (all, beyond)) in Kind::ALL.iter().zip(&counts.0) {
        let (all, beyond) = (all.load(Ordering::Relaxed), beyond.load(Ordering::Relaxed));
        let share = (beyond * 100).checked_div(all).unwrap_or(0);
        println!("  {:<14} {all:>7} runs, {share:>3} % beyond the header ({})", kind.name(), kind.header());
    }
    println!("  in {} s", time.as_secs());
}

/// Keeps what a run was made of.
fn keep(folder: &Path, seed: u64, number: u64, case: &Case, fault: &Fault) -> anyhow::Result<()> {
    let to = folder.with_file_name(format!("fault-{seed}-{number}"));
    std::fs::create_dir_all(&to)?;
    std::fs::write(to.join("input"), &case.input)?;
    std::fs::write(to.join("words"), format!("{:?}\n{fault}\n", case.words))?;
    Ok(())
}

/// The program, with the checks of a debug build.
fn build() -> anyhow::Result<PathBuf> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--package", "klp-trace"]).current_dir(testbed::workspace());
    output(&mut command, "build klp-trace")?;
    Ok(testbed::workspace().join("target/debug/klp-trace"))
}
