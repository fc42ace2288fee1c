//! From instances to results: one boot for each series and group, two VMs at a time.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Context;

use super::exchange::Plan;
use super::format::Vm;
use super::instance::Instance;
use super::{judge, replay};
use crate::testbed::{self, Boot, GuestFile, Kernel, Outcome, Series, Verdict};
use crate::{guest, klp};

/// Machines that run at the same time: the budget is for two processors.
const AT_ONCE: usize = 2;

/// What goes into every guest.
#[derive(Debug)]
pub struct Bench {
    /// The kernels and their fixtures, by series.
    pub kernels: BTreeMap<Series, (Kernel, PathBuf)>,
    /// klp-trace.
    pub tool: PathBuf,
    /// This program, built for the guest.
    pub agent: PathBuf,
}

/// What became of one instance.
#[derive(Debug)]
pub struct Done {
    /// The scenario's name with its mechanism.
    pub name: String,
    /// One sentence on what it shows.
    pub about: String,
    /// Its series.
    pub series: Series,
    /// The boot it belongs to.
    pub group: String,
    /// Whether this is the boot's machine, and no scenario.
    pub is_vm: bool,
    /// What is wrong; empty when it passed.
    pub wrong: Vec<String>,
    /// Holds the journal and the reports.
    pub folder: PathBuf,
    /// The console's log.
    pub log: PathBuf,
}

/// The instances that share a boot.
#[derive(Debug)]
struct Batch {
    series: Series,
    group: String,
    vm: Vm,
    instances: Vec<Instance>,
}

impl Batch {
    /// Roughly how many seconds it takes on two processors that emulate two machines: only the order of batches rests on
    /// it.
    fn seconds(&self) -> u64 {
        20 + 6 * self.churns() + self.instances.iter().map(Instance::seconds).sum::<u64>()
    }

    /// Minutes that it may take: more than it does on a busy machine.
    fn minutes(&self) -> u64 {
        let stressed = self.instances.iter().filter(|instance| instance.run.stops);
        let drawn: u64 = stressed.map(|instance| instance.steps.len() as u64).sum();
        3 + 4 * self.instances.len() as u64 + self.churns() / 4 + drawn / 8
    }

    /// How many cycles its scenarios go through.
    fn churns(&self) -> u64 {
        let steps = self.instances.iter().flat_map(|instance| &instance.run.steps);
        steps.filter_map(|step| step.run.strip_prefix("churn ")?.trim().parse::<u64>().ok()).sum()
    }
}

/// Runs all of them; the results in the order in which they came.
pub fn run(bench: &Bench, instances: Vec<Instance>) -> Vec<Done> {
    let mut batches = batches(instances);
    // The long ones first: the last to end decides when all is over.
    batches.sort_by_key(|batch| std::cmp::Reverse(batch.seconds()));
    let queue = Mutex::new(VecDeque::from(batches));
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(batch) = take(&queue) {
                    let done = run_batch(bench, &batch);
                    if let Ok(mut results) = results.lock() {
                        results.extend(done);
                    }
                }
            });
        }
    });
    results.into_inner().unwrap_or_default()
}

/// Runs one instance in a boot of its own whose console is shown as it comes.
pub fn run_shown(bench: &Bench, instance: Instance) -> Vec<Done> {
    let work = testbed::cache_dir().join("demo").join(instance.series.to_string());
    let batch = Batch {
        series: instance.series,
        group: instance.group.clone(),
        vm: instance.vm.clone(),
        instances: vec![instance],
    };
    let booted = boot_batch(bench, &batch, &work, true);
    finish(bench, &batch, &work, &booted)
}

fn take(queue: &Mutex<VecDeque<Batch>>) -> Option<Batch> {
    queue.lock().ok()?.pop_front()
}

fn batches(instances: Vec<Instance>) -> Vec<Batch> {
    let mut batches: BTreeMap<(Series, String), Batch> = BTreeMap::new();
    for instance in instances {
        let batch = batches.entry((instance.series, instance.group.clone())).or_insert_with(|| Batch {
            series: instance.series,
            group: instance.group.clone(),
            vm: instance.vm.clone(),
            instances: Vec::new(),
        });
        batch.instances.push(instance);
    }
    batches.into_values().collect()
}

fn run_batch(bench: &Bench, batch: &Batch) -> Vec<Done> {
    let place = format!("{}, group {}", batch.series, batch.group);
    let names: Vec<&str> = batch.instances.iter().map(|instance| instance.name.as_str()).collect();
    println!("{place}: starting {} scenarios: {}", names.len(), names.join(", "));
    let work = testbed::cache_dir().join("scenarios").join(batch.series.to_string()).join(&batch.group);
    let booted = boot_batch(bench, batch, &work, false);
    let results = finish(bench, batch, &work, &booted);
    // One call, so that two VMs' lines do not mix.
    let seconds = booted.map_or(0.0, |outcome| outcome.seconds);
    let lines = results.iter().map(|done| {
        let word = if done.wrong.is_empty() { "ok    " } else { "FAILED" };
        let first = format!("  {word} {} {}", done.series, done.name);
        let why = done.wrong.iter().map(|wrong| format!("           - {wrong}"));
        std::iter::once(first).chain(why).collect::<Vec<_>>().join("\n") + "\n"
    });
    print!("{place}: {seconds:.0} s\n{}", lines.collect::<String>());
    results
}

/// Judges what a boot left.
fn finish(bench: &Bench, batch: &Batch, work: &Path, booted: &anyhow::Result<Outcome>) -> Vec<Done> {
    let (out, log) = match booted {
        Ok(outcome) => (outcome.out.clone(), outcome.log.clone()),
        Err(_) => (work.join("out"), work.join("console.log")),
    };
    let mut results: Vec<Done> = Vec::new();
    for instance in &batch.instances {
        let folder = out.join(&instance.name);
        let wrong = match booted {
            Ok(_) => judged(bench, instance, &folder),
            Err(error) => vec![format!("{error:#}")],
        };
        results.push(Done {
            name: instance.name.clone(),
            about: instance.about.clone(),
            series: batch.series,
            group: batch.group.clone(),
            is_vm: false,
            wrong,
            folder,
            log: log.clone(),
        });
    }
    if let Ok(outcome) = booted {
        let failed = results.iter().any(|done| !done.wrong.is_empty());
        let wrong = complaints(outcome, failed);
        if !wrong.is_empty() {
            let name = format!("the VM of group {}", batch.group);
            let about = "the machine that the scenarios share".to_owned();
            let group = batch.group.clone();
            results.push(Done {
                name,
                about,
                series: batch.series,
                group,
                is_vm: true,
                wrong,
                folder: out,
                log,
            });
        }
    }
    results
}

/// Judges a run, and the replays of its journal when there is nothing else to complain of.
fn judged(bench: &Bench, instance: &Instance, folder: &Path) -> Vec<String> {
    let mut wrong = judge::judge(instance, folder);
    if wrong.is_empty() && instance.watch {
        let killed = instance.end.exit == Some(judge::KILLED);
        let check = if killed { replay::check_torn } else { replay::check };
        wrong = check(&bench.tool, folder);
    }
    wrong
}

/// What the boot itself has to answer for, apart from its scenarios.
fn complaints(outcome: &Outcome, scenario_failed: bool) -> Vec<String> {
    let mut wrong: Vec<String> =
        outcome.warnings.iter().map(|line| format!("the kernel warned: {line}")).collect();
    match &outcome.verdict {
        Verdict::Exited(0) => {}
        // The agent's own code says no more than the scenario's failure does.
        Verdict::Exited(_) if scenario_failed => {}
        other => wrong.push(format!("it ended with {other:?}")),
    }
    wrong
}

fn boot_batch(bench: &Bench, batch: &Batch, work: &Path, echo: bool) -> anyhow::Result<Outcome> {
    let (kernel, fixtures) =
        bench.kernels.get(&batch.series).with_context(|| format!("no kernel {}", batch.series))?;
    std::fs::create_dir_all(work).with_context(|| format!("cannot make {}", work.display()))?;
    let runs = batch.instances.iter().map(|instance| instance.run.clone()).collect();
    let mut files = files(&Plan { runs, ..Plan::default() }, fixtures, work)?;
    let bpftool = ("bpftool".to_owned(), "/usr/sbin/bpftool".to_owned());
    for (package, program) in batch.vm.tools.iter().chain([&bpftool]) {
        files.extend(tool(package, program, work)?);
    }
    testbed::boot(&Boot {
        kernel,
        files,
        programs: programs(bench),
        modules: Vec::new(),
        command: vec![guest::AGENT.to_owned(), "guest".to_owned()],
        append: format!("{} {}", guest::PASSWORD, batch.vm.append),
        cpu: &batch.vm.cpu,
        smp: batch.vm.smp,
        icount: false,
        memory_mib: batch.vm.memory,
        timeout: Duration::from_mins(batch.minutes()),
        work,
        echo,
    })
}

/// The files of every guest: the plan, written in `work`, and the fixture modules.
pub fn files(plan: &Plan, fixtures: &Path, work: &Path) -> anyhow::Result<Vec<GuestFile>> {
    let path = work.join("plan.json");
    let text = serde_json::to_vec_pretty(plan).context("cannot write the plan")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let file =
        |guest: &str, host: &Path| GuestFile { guest: guest.into(), host: host.to_owned(), mode: 0o644 };
    let altered = altered(fixtures, work)?;
    Ok(vec![file(guest::PLAN, &path), file(guest::FIXTURES, fixtures), file(guest::ALTERED, &altered)])
}

/// Files that klp-trace must not take for `lp_one`'s, in the folder that is returned: `source/lp_one.ko` is built from
/// other source, `addend/lp_one.ko` is `lp_one.ko` with 8 added to one addend, its build-id as it was.
fn altered(fixtures: &Path, work: &Path) -> anyhow::Result<PathBuf> {
    let read = |name: &str| {
        let path = fixtures.join(name);
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    let folder = work.join("altered");
    let files = [
        ("source", klp::renamed(&read("lp_alt.ko")?, "lp_alt", "lp_one")?),
        ("addend", klp::with_addend(&read("lp_one.ko")?, 8)?),
    ];
    for (kind, bytes) in files {
        let folder = folder.join(kind);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("lp_one.ko");
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(folder)
}

/// A program of a Debian package, with a script in the guest's PATH that starts it.
fn tool(package: &str, program: &str, work: &Path) -> anyhow::Result<Vec<GuestFile>> {
    let tool = testbed::tool(package, program)?;
    let start = work.join(package);
    let script = format!("#!/bin/sh\nexec {} \"$@\"\n", tool.command.join(" "));
    std::fs::write(&start, script).with_context(|| format!("cannot write {}", start.display()))?;
    let name = Path::new(program).file_name().unwrap_or_default();
    let guest = Path::new("/usr/local/bin").join(name);
    let mut files = tool.files;
    files.push(GuestFile { guest, host: start, mode: 0o755 });
    Ok(files)
}

/// The programs of every guest.
pub fn programs(bench: &Bench) -> Vec<(PathBuf, PathBuf)> {
    // util-linux's, which every Debian has; busybox's applets know fewer options.
    let own = ["/usr/bin/setpriv", "/usr/bin/setarch"].map(PathBuf::from);
    let mut programs =
        vec![(guest::TOOL.into(), bench.tool.clone()), (guest::AGENT.into(), bench.agent.clone())];
    programs.extend(own.map(|path| (path.clone(), path)));
    programs
}
