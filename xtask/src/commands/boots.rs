//! `cargo xtask boots`: how many boots of the scenario VMs go well in a row, none of them tried a second time.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, ensure};

use crate::scenario::format::{self, Attach, Scenario};
use crate::scenario::instance::{self, Fixtures, Instance};
use crate::scenario::prepare::prepare;
use crate::scenario::runner::{self, Bench, Done};
use crate::testbed::{self, Series};

/// What each boot plays: a load, an unload, a load, and three audits.
const SCENARIO: &str = "reload";

/// Arguments of `cargo xtask boots`.
#[derive(clap::Args)]
pub struct Args {
    /// How many boots, the series in turn
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    boots: usize,
    /// In how many of them, the last, every processor of this machine is kept busy beside
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    busy: usize,
    /// QEMU's -cpu, to compare another with the test bed's own
    #[arg(long, value_name = "MODEL", default_value = testbed::CPU)]
    cpu: String,
}

/// Boots and counts; fails when any boot did.
pub fn run(args: &Args) -> anyhow::Result<()> {
    in_a_row(&prepare(&Series::all())?, args.boots, args.busy, &args.cpu)
}

/// `boots` boots, two at a time, the last `busy` of them with a busy machine beside.
pub fn in_a_row(bench: &Bench, boots: usize, busy: usize, cpu: &str) -> anyhow::Result<()> {
    ensure!(busy <= boots, "{busy} of {boots} boots cannot be");
    let all = format::load_all(&testbed::workspace().join("tests/scenarios"))?;
    let scenario = all.iter().find(|scenario| scenario.name == SCENARIO);
    let scenario = scenario.with_context(|| format!("there is no scenario {SCENARIO}"))?;
    let mut played =
        bench.kernels.iter().map(|(series, (_, folder))| resolved(scenario, *series, folder, cpu));
    let played: Vec<Instance> = played.by_ref().collect::<anyhow::Result<_>>()?;
    let each = |number: usize| -> Option<Instance> {
        let mut instance = played.get(number % played.len())?.clone();
        instance.group = format!("boot-{number:03}");
        Some(instance)
    };
    let quiet: Vec<Done> = runner::run(bench, (0..boots - busy).filter_map(each).collect());
    let loaded = beside_busy_threads(|| runner::run(bench, (boots - busy..boots).filter_map(each).collect()));
    let [quiet_failed, loaded_failed] = [&quiet, &loaded].map(|done| failed(done));
    println!(
        "-cpu {cpu}: {} boots, {quiet_failed} failed; {busy} with every processor kept busy beside, {loaded_failed} failed",
        boots - busy
    );
    ensure!(quiet_failed + loaded_failed == 0, "{} boots of {boots} failed", quiet_failed + loaded_failed);
    Ok(())
}

fn resolved(
    scenario: &Scenario,
    series: Series,
    folder: &std::path::Path,
    cpu: &str,
) -> anyhow::Result<Instance> {
    let mut instance = instance::resolve(scenario, series, Attach::Fentry, &mut Fixtures::new(folder))?;
    cpu.clone_into(&mut instance.vm.cpu);
    Ok(instance)
}

/// Boots in which anything went wrong, the machine's own complaints included.
fn failed(done: &[Done]) -> usize {
    let mut groups: Vec<&str> =
        done.iter().filter(|done| !done.wrong.is_empty()).map(|done| done.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    groups.len()
}

/// Runs `work` while one thread a processor does nothing but spin.
fn beside_busy_threads<T>(work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let processors = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        let result = work();
        over.store(true, Ordering::Relaxed);
        result
    })
}
