//! `cargo xtask test`: everything that must hold before a change goes in.

mod passed;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use passed::Passed;

use super::{agreement, bench, boots, inspect, kunit, selftests, tui};
use crate::scenario::again;
use crate::scenario::format::{self, Scenario};
use crate::scenario::instance::{self, Fixtures, Instance};
use crate::scenario::prepare::{cargo, cargo_beside, install, prepare};
use crate::scenario::runner::{Bench, Done};
use crate::testbed::{self, Series};

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Run the scenarios on this series only: 6.1, 6.12 or 7; may be repeated
    #[arg(long, value_name = "SERIES")]
    series: Vec<Series>,
    /// Run this scenario only, and nothing but scenarios; may be repeated
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// What the stress scenario draws its commands from, in place of the seed in its file
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How many commands the stress scenario draws, in place of the number in its file
    #[arg(long, value_name = "NUMBER")]
    cycles: Option<usize>,
    /// The checks of the code, and the core scenarios on the newest kernel
    #[arg(long)]
    quick: bool,
    /// Everything there is: benches and 20 minutes of fuzzing too
    #[arg(long, conflicts_with_all = ["quick", "scenario", "series"])]
    full: bool,
    /// With --full: leave out what has passed at this commit, in a run that was stopped or failed elsewhere
    #[arg(long, requires = "full")]
    resume: bool,
}

/// What was counted, and how long it took.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
    /// How many of those that passed did so in an earlier run.
    earlier: usize,
    stages: Vec<(String, Duration)>,
    /// What has passed at this commit; none where nobody asks.
    known: Option<Passed>,
}

impl Tally {
    /// Whether this has passed at this commit, in an earlier run: said, and counted.
    fn has_passed(&mut self, name: &str) -> bool {
        let passed = self.known.as_ref().is_some_and(|known| known.has(name));
        if passed {
            println!("passed earlier at this commit: {name}");
            self.passed += 1;
            self.earlier += 1;
        }
        passed
    }

    /// Runs a stage, unless it has passed at this commit.
    fn once(&mut self, name: &str, run: impl FnOnce() -> anyhow::Result<()>) {
        if !self.has_passed(name) {
            self.stage(name, run);
        }
    }

    /// Runs a stage that passes or fails as one.
    fn stage(&mut self, name: &str, run: impl FnOnce() -> anyhow::Result<()>) -> bool {
        println!("\n== {name}");
        let begun = Instant::now();
        let result = run();
        if let Err(error) = &result {
            println!("FAILED {name}: {error:#}");
        }
        self.count(name, begun.elapsed(), result.is_ok());
        result.is_ok()
    }

    fn count(&mut self, name: &str, took: Duration, passed: bool) {
        self.stages.push((name.to_owned(), took));
        *(if passed { &mut self.passed } else { &mut self.failed }) += 1;
        if passed {
            self.note(name);
        }
    }

    /// This has passed.
    fn note(&mut self, name: &str) {
        if let Some(Err(error)) = self.known.as_mut().map(|known| known.add(name)) {
            println!("a later run will not know that this has passed: {error:#}");
        }
    }
}

/// Runs the stages; fails when any of them did.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let all = format::load_all(&testbed::workspace().join("tests/scenarios"))?;
    for name in &args.scenario {
        let known: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
        ensure!(known.contains(&name.as_str()), "no scenario {name}; there are {}", known.join(", "));
    }
    let begun = Instant::now();
    let mut tally = Tally { known: known(args)?, ..Tally::default() };
    let set_up = tally.stage("setup", install);
    let mut bench = None;
    if set_up {
        tally.stage("kernels, fixtures and the guest's programs", || {
            bench = Some(prepare(&wanted_series(args))?);
            Ok(())
        });
    }
    // Where the VMs leave a processor idle, the checks have it.
    let left: Vec<Check> = if set_up && args.scenario.is_empty() {
        CHECKS.into_iter().filter(|(name, _)| !tally.has_passed(name)).collect()
    } else {
        Vec::new()
    };
    let checks = (!left.is_empty()).then(|| thread::spawn(|| checks(left)));
    let done = match &bench {
        Some(bench) => scenarios(args, &all, bench, &mut tally),
        None => Ok(Vec::new()),
    };
    let alone = bench.as_ref().filter(|_| args.scenario.is_empty());
    // Its VM has one processor, and what is left of the checks, and the reading of modules, the other.
    let counts = alone.is_some_and(|bench| bench.kernels.contains_key(&BENCHED))
        && !args.quick
        && !tally.has_passed(BUDGETS);
    let agreed: Vec<Series> = alone.map_or_else(Vec::new, |bench| agreed(args, bench));
    let agreed: Vec<Series> =
        agreed.into_iter().filter(|series| !tally.has_passed(&agreement_on(*series))).collect();
    let agreements = thread::scope(|scope| {
        let held = alone.map(|bench| {
            scope.spawn(move || {
                let agreed = agreements(&agreed, bench);
                // The clock of its guest counts instructions: whatever runs beside it.
                (agreed, counts.then(budgets))
            })
        });
        if let Some(checks) = checks {
            let checked = checks.join().map_err(|_| anyhow!("the thread of the checks broke down"))?;
            for (name, took, passed) in checked {
                tally.count(name, took, passed);
            }
        }
        if alone.is_some() {
            tally.once("inspect reads every module of the kernels", inspect::every_module);
            tally.once("inspect and readelf read the same in every fixture", inspect::against_readelf);
        }
        let held =
            held.map(|held| held.join().map_err(|_| anyhow!("the thread of the agreement broke down")));
        held.transpose()
    })?;
    let (agreed, budgets) = agreements.unwrap_or_default();
    for (series, took, passed) in agreed {
        tally.count(&agreement_on(series), took, passed);
    }
    if let Some((took, passed)) = budgets {
        tally.count(BUDGETS, took, passed);
    }
    if let Some(bench) = alone {
        tally.once("klp-trace tui at a terminal", || terminals(bench));
    }
    let done = done?;
    if args.full
        && let Some(bench) = &bench
    {
        for series in Series::all() {
            let name = format!("the kernel's livepatch selftests on {series}");
            tally.once(&name, || selftests::on(bench, series));
        }
        tally.once("the kernel's kunit.py reads assert's KTAP", kunit::reads_ktap);
        tally.once("100 boots in a row", || boots::in_a_row(bench, 100, 50, testbed::CPU));
        tally.once("bench attach", || bench::attach(BENCHED));
        tally.once("bench apply", || bench::apply(BENCHED));
        tally.once("bench audit", || bench::audit(BENCHED));
        tally.once("bench inspect", bench::inspect);
        tally.once("bench journal", bench::journal);
        tally.once("bench tui", || bench::tui(BENCHED));
        tally.once("fuzzing", || cargo(&["xtask", "fuzz", "--minutes", "20"]));
    }
    report(&done, &tally, begun.elapsed());
    ensure!(tally.failed == 0, "{} failed", tally.failed);
    Ok(())
}

/// The instructions of klp-trace's commands: how long it took, and whether all are within their budgets.
fn budgets() -> (Duration, bool) {
    let begun = Instant::now();
    let result = bench::budgets(BENCHED);
    if let Err(error) = &result {
        println!("FAILED instructions within their budgets: {error:#}");
    }
    (begun.elapsed(), result.is_ok())
}

/// check-host against insmod, one series after the other: how long each took, and whether they agreed.
fn agreements(series: &[Series], bench: &Bench) -> Vec<(Series, Duration, bool)> {
    let held = series.iter().map(|series| {
        let begun = Instant::now();
        let result = agreement::on(bench, *series, &[]);
        if let Err(error) = &result {
            println!("FAILED check-host and insmod agree on {series}: {error:#}");
        }
        (*series, begun.elapsed(), result.is_ok())
    });
    held.collect()
}

/// The series on which check-host is held against insmod: every one with `--full` or named, else one, and none with `--quick`.
fn agreed(args: &Args, bench: &Bench) -> Vec<Series> {
    let every = args.full || !args.series.is_empty();
    let all = bench.kernels.keys().copied();
    all.filter(|series| !args.quick && (every || *series == AGREED)).collect()
}

/// The kernel of the agreement in CI. What the others do otherwise (6.1 clears nothing, 7 writes per-CPU data) `--full` shows.
const AGREED: Series = Series::V6_12;

/// The kernel of the benches.
const BENCHED: Series = Series::V6_12;

/// What a stage is called that this series has.
fn agreement_on(series: Series) -> String {
    format!("check-host and insmod agree on {series}")
}

const BUDGETS: &str = "klp-trace's instructions are within their budgets";

/// A check's name, and what cargo is given.
type Check = (&'static str, &'static [&'static str]);

const CHECKS: [Check; 7] = [
    ("formatting", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--quiet"]),
    ("unit tests", &["test", "--workspace", "--quiet"]),
    ("hostile input, 2,000 runs", &["xtask", "hostile", "--runs", "2000", "--jobs", "1"]),
    ("the eBPF object is what its source says", &["xtask", "ebpf", "check"]),
    ("dashboards, rules and alerts", &["xtask", "dashboards", "--check"]),
    ("a fleet of 50 hosts", &["xtask", "fleet", "--hosts", "50"]),
];

/// The checks of the code, one after the other: each one's name, how long it took, and whether it passed.
fn checks(left: Vec<Check>) -> Vec<(&'static str, Duration, bool)> {
    let check = |(name, words): Check| {
        let begun = Instant::now();
        let (output, result) = cargo_beside(words);
        let end =
            result.as_ref().map_or_else(|error| format!("FAILED {name}: {error:#}\n"), |()| String::new());
        // One call, so that the VMs' lines do not come between.
        print!("\n== {name}\n{output}{end}\n");
        (name, begun.elapsed(), result.is_ok())
    };
    left.into_iter().map(check).collect()
}

/// The TUI on two series, each in a VM, at the same time.
fn terminals(bench: &Bench) -> anyhow::Result<()> {
    let series =
        [Series::V6_1, Series::V6_12].into_iter().filter(|series| bench.kernels.contains_key(series));
    thread::scope(|scope| {
        let started: Vec<_> = series.map(|series| scope.spawn(move || tui::live(bench, series))).collect();
        let ended =
            started.into_iter().map(|one| one.join().map_err(|_| anyhow!("a VM's thread broke down"))?);
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

fn wanted_series(args: &Args) -> Vec<Series> {
    if !args.series.is_empty() {
        args.series.clone()
    } else if args.quick {
        vec![Series::V7]
    } else {
        Series::all().to_vec()
    }
}

fn scenarios(args: &Args, all: &[Scenario], bench: &Bench, tally: &mut Tally) -> anyhow::Result<Vec<Done>> {
    let chosen: Vec<Instance> = choose(args, bench, all)?;
    let possible: usize = all.iter().map(|scenario| scenario.series.len() * scenario.attach.len()).sum();
    tally.skipped += possible - chosen.len();
    println!("\n== {} scenarios in VMs", chosen.len());
    if args.scenario.is_empty() && !args.full && !args.quick {
        println!(
            "On older kernels only those with `kprobe_everywhere` run by kprobe too, and those with `ci_series` once; with \
             --full all do."
        );
    }
    let begun = Instant::now();
    let mut left: Vec<Instance> =
        chosen.into_iter().filter(|one| !tally.has_passed(&scenario_on(&one.name, one.series))).collect();
    let mut all = Vec::new();
    // What is to be known of a run that is stopped is known after each of these.
    let parts: Vec<Series> = if args.full { bench.kernels.keys().copied().collect() } else { Vec::new() };
    let mut parts: Vec<Vec<Instance>> =
        parts.into_iter().map(|series| left.extract_if(.., |one| one.series == series).collect()).collect();
    parts.push(left);
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        let done = again::run(bench, part);
        for passed in done.iter().filter(|done| done.wrong.is_empty()) {
            tally.note(&scenario_on(&passed.name, passed.series));
        }
        let failed = done.iter().filter(|done| !done.wrong.is_empty()).count();
        tally.failed += failed;
        tally.passed += done.len() - failed;
        all.extend(done);
    }
    tally.stages.push(("scenarios in VMs".to_owned(), begun.elapsed()));
    Ok(all)
}

/// What a scenario is called on this series, with its mechanism.
fn scenario_on(name: &str, series: Series) -> String {
    format!("scenario {name} on {series}")
}

/// What has passed at this commit, where a complete run asks or tells.
fn known(args: &Args) -> anyhow::Result<Option<Passed>> {
    if args.resume {
        return Passed::at_this_commit().map(Some);
    }
    // A working tree with changes is tested as it is; nothing can be resumed then.
    let clean = if args.full { Passed::at_this_commit().ok() } else { None };
    clean.map(Passed::forget).transpose()
}

fn choose(args: &Args, bench: &Bench, all: &[Scenario]) -> anyhow::Result<Vec<Instance>> {
    let mut chosen = Vec::new();
    for (series, (_, folder)) in &bench.kernels {
        let mut fixtures = Fixtures::new(folder);
        for scenario in all {
            let mut scenario = scenario.clone();
            if args.full {
                scenario.at_length();
            }
            if !args.scenario.is_empty() {
                scenario.everywhere();
            }
            if let Some(stress) = &mut scenario.stress {
                stress.seed = args.seed.unwrap_or(stress.seed);
                stress.cycles = args.cycles.unwrap_or(stress.cycles);
            }
            let named = args.scenario.is_empty() || args.scenario.contains(&scenario.name);
            let quick = !args.quick || scenario.group == "core";
            if !named || !quick || !scenario.series.contains(series) {
                continue;
            }
            let runs = scenario.attach.iter().filter(|attach| scenario.runs(**attach, *series));
            for attach in runs.take(if args.quick { 1 } else { usize::MAX }) {
                let instance = instance::resolve(&scenario, *series, *attach, &mut fixtures);
                chosen.push(instance.with_context(|| format!("scenario {} on {series}", scenario.name))?);
            }
        }
    }
    if chosen.is_empty() {
        bail!("no scenario is left to run");
    }
    Ok(chosen)
}

fn report(done: &[Done], tally: &Tally, all: Duration) {
    for done in done.iter().filter(|done| !done.wrong.is_empty()) {
        println!("\nFAILED {} on {}: {}", done.name, done.series, done.about);
        for wrong in &done.wrong {
            println!("  - {wrong}");
        }
        println!("  journal: {}", done.folder.join("journal.ndjson").display());
        println!("  console: {}", done.log.display());
    }
    println!("\nminutes");
    for (name, took) in &tally.stages {
        println!("{:7.1}  {name}", took.as_secs_f64() / 60.0);
    }
    println!("{:7.1}  in all, the checks of the code beside the VMs", all.as_secs_f64() / 60.0);
    if tally.earlier > 0 {
        println!("{} of those that passed did so in an earlier run at this commit", tally.earlier);
    }
    println!("{} passed, {} failed, {} skipped", tally.passed, tally.failed, tally.skipped);
}
