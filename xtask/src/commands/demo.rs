//! `cargo xtask demo`: klp-trace catching stale relocations, live.

use std::io::IsTerminal as _;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::scenario::exchange::Colour;
use crate::scenario::format::{self, Attach};
use crate::scenario::instance::{self, Fixtures};
use crate::scenario::prepare::prepare;
use crate::scenario::runner::{self, Done};
use crate::testbed::{self, Series};

/// Arguments of `cargo xtask demo`.
#[derive(clap::Args)]
pub struct Args {
    /// Kernel series: 6.1, 6.12 or 7; may be repeated. Without it, 6.1 and then the newest 7.x
    #[arg(long, value_name = "SERIES")]
    kernel: Vec<Series>,
}

/// The scenario that is shown.
const STORY: &str = "reload";

/// Shows it on each kernel; fails when what was shown is not what should have happened.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let series = if args.kernel.is_empty() { vec![Series::V6_1, Series::V7] } else { args.kernel.clone() };
    let names: Vec<String> = series.iter().map(|series| format!("{series}.x")).collect();
    println!(
        "klp-trace watches livepatch relocations on real Debian kernels ({}), in QEMU. Nothing is loaded or attached \
         on this machine.\n\
         1. install what is missing here, download kernels and headers (about 200 MB), build klp-trace and the test \
         modules: 10 to 15 minutes the first time\n\
         2. boot each kernel and show the story: a livepatch is applied, its target is unloaded and loaded again",
        names.join(", ")
    );
    println!("\nPreparing");
    let bench = prepare(&series)?;
    let colour = if std::io::stdout().is_terminal() { Colour::Always } else { Colour::Never };
    let scenarios = format::load_all(&testbed::workspace().join("tests/scenarios"))?;
    let story = scenarios.iter().find(|scenario| scenario.name == STORY).context("the story is missing")?;
    for (number, series) in series.iter().enumerate() {
        let (kernel, fixtures) = bench.kernels.get(series).context("a kernel is missing")?;
        println!(
            "\nKernel {} of {}: {} ({:.0} s so far); attaching takes some seconds under emulation\n",
            number + 1,
            bench.kernels.len(),
            kernel.release,
            begun.elapsed().as_secs_f64()
        );
        let mut instance = instance::resolve(story, *series, Attach::Fentry, &mut Fixtures::new(fixtures))?;
        instance.run.narrate = Some(colour);
        let count: usize = instance.relocs.values().map(Vec::len).sum();
        report(&runner::run_shown(&bench, instance), &kernel.release, count)?;
    }
    println!("\nThe demo took {:.0} s.", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Says that it happened, or what did not.
fn report(done: &[Done], release: &str, count: usize) -> anyhow::Result<()> {
    let wrong: Vec<&String> = done.iter().flat_map(|done| &done.wrong).collect();
    if let Some(first) = done.iter().find(|done| !done.wrong.is_empty()) {
        for what in wrong {
            println!("  - {what}");
        }
        bail!(
            "on {release} the story went otherwise; the console's log is {}, the journal is in {}",
            first.log.display(),
            first.folder.display()
        );
    }
    println!(
        "\nChecked on {release}: each verdict of the {count} relocations, the findings, the kernel's own log, and the \
         bytes in /proc/kcore."
    );
    Ok(())
}
