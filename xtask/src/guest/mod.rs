//! The agent: what `cargo xtask test` copies into a VM and runs there as `xtask guest`.
//!
//! It does the steps of the scenarios while klp-trace watches, waits until each has come to its end, and writes down
//! what it saw: exit codes, the kernel's log, memory through /proc/kcore. It judges nothing.
#![forbid(unsafe_code)]

mod agreement;
mod audit;
mod bench;
mod bench_audit;
mod bench_count;
mod churn;
mod clean;
mod kcore;
mod kmsg;
mod narrate;
mod poke;
mod run;
mod step;
mod system;
mod watch;

pub use bench_audit::{MEMORY as BENCH_MEMORY, SCRIPT as BENCH_SCRIPT};

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::scenario::exchange::{Plan, RunReport};

/// The word on the kernel's command line without which the agent does nothing.
pub const PASSWORD: &str = "klp_trace_guest=1";

/// Where the guest finds its plan.
pub const PLAN: &str = "/plan.json";

/// Where the guest finds klp-trace.
pub const TOOL: &str = "/usr/bin/klp-trace";

/// Where the guest finds this program.
pub const AGENT: &str = "/usr/bin/xtask";

/// Where the guest finds the fixture modules.
pub const FIXTURES: &str = "/fixtures";

/// Where the guest finds files that are not what was loaded, one folder for each kind.
pub const ALTERED: &str = "/altered";

/// Arguments of `xtask guest`.
#[derive(clap::Args)]
pub struct Args {
    /// The plan
    #[arg(default_value = PLAN)]
    plan: PathBuf,
}

/// Runs the plan; fails when a run could not be carried through, whatever came of the others.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let line = std::fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")?;
    ensure!(
        line.split_whitespace().any(|word| word == PASSWORD),
        "this is for the test VM alone: it loads modules and turns switches. Use `cargo xtask test`"
    );
    let text = std::fs::read_to_string(&args.plan)
        .with_context(|| format!("cannot read {}", args.plan.display()))?;
    let plan: Plan = serde_json::from_str(&text).context("the plan cannot be read")?;
    if let Some(cases) = &plan.agreement {
        let mut seen = Vec::new();
        let ended = agreement::run(cases, &mut seen);
        write(Path::new("/out/agreement.json"), &seen)?;
        return ended;
    }
    if let Some(what) = &plan.bench {
        return write(Path::new("/out/bench.json"), &bench::run(what)?);
    }
    let mut kmsg = kmsg::Kmsg::open()?;
    let total = plan.runs.len();
    for (number, run) in plan.runs.iter().enumerate() {
        if run.narrate.is_none() {
            println!("[{}/{total}] {}", number + 1, run.name);
        }
        let folder = Path::new("/out").join(&run.name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let report = run::run(run, &folder, &mut kmsg);
        if let Some(error) = &report.error {
            println!("[{}/{total}] {}: {error}", number + 1, run.name);
        }
        write(&folder.join("run.json"), &report)?;
        // What one run leaves behind would be taken for the next one's doing.
        ensure!(report.left == run.left, "{} left behind: {}", run.name, report.left.join(", "));
    }
    Ok(())
}

fn write<T: serde::Serialize>(path: &Path, value: &T) -> anyhow::Result<()> {
    let text = serde_json::to_vec(value).context("cannot write JSON")?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// The report of a run that broke off.
fn broken(report: RunReport, error: &anyhow::Error) -> RunReport {
    RunReport { error: Some(format!("{error:#}")), ..report }
}
