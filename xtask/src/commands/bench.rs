//! `cargo xtask bench`: what klp-trace costs, measured in a VM; what it reads from files, measured here.

mod budgets;
mod inspect;
mod journal;
mod module;

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::guest;
use crate::scenario::exchange::{Bench, Measured, Plan};
use crate::scenario::prepare::prepare;
use crate::scenario::runner;
use crate::testbed::{self, Boot, GuestFile, Series, Verdict};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// Kernel series: 6.1, 6.12 or 7
    #[arg(long, value_name = "SERIES", default_value = "6.12", global = true)]
    kernel: Series,
}

#[derive(clap::Subcommand, Clone, Copy)]
enum What {
    /// From start to probes attached: at least 4 times faster than bpftrace
    Attach,
    /// Loading a patch of 20,000 relocations: at most 1.1 times the processor time with klp-trace attached
    Apply,
    /// Auditing 20,000 relocations: the same answers as a Python script, at least 10 times faster
    Audit,
    /// Instructions of klp-trace in a VM, each command within its budget (tests/budgets.toml)
    Budgets {
        /// Replace the budgets of this kernel and this toolchain by what is counted now
        #[arg(long)]
        write: bool,
    },
    /// Reading 100,000 relocations, here: at least 10 times faster than readelf, 200 times than pyelftools
    Inspect,
    /// A journal of 1,000,000 events, here: writing at most twice unchained, verifying 6 times sha256sum, replaying a fifth of jq
    Journal,
    /// The live picture: frames, events and memory with 100,000 relocations and 1,000,000 events, here; idle, in a VM
    Tui,
}

/// Measures; fails when the promise is not kept.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match args.what {
        What::Attach => attach(args.kernel),
        What::Apply => apply(args.kernel),
        What::Audit => audit(args.kernel),
        What::Budgets { write } => budgets::run(args.kernel, write),
        What::Inspect => inspect(),
        What::Journal => journal(),
        What::Tui => tui(args.kernel),
    }
}

/// Reading a large livepatch and a module tree, on this machine.
pub fn inspect() -> anyhow::Result<()> {
    inspect::run()
}

/// Writing, verifying and replaying a large journal, on this machine.
pub fn journal() -> anyhow::Result<()> {
    journal::run()
}

/// What a frame, an event and a large host cost the live picture, on this machine; and nothing happening, in a VM.
pub fn tui(series: Series) -> anyhow::Result<()> {
    let words = ["bench", "--locked", "--package", "klp-trace", "--bench", "tui"];
    let status =
        std::process::Command::new("cargo").args(words).status().context("cannot run cargo bench")?;
    ensure!(status.success(), "a promise of the live picture was not kept");
    let (ours, theirs) = super::tui::idle(&prepare(&[series])?, series)?;
    println!("60 s without news: klp-trace tui {ours} ticks of processor time, top -b -d 1 {theirs}");
    ensure!(ours * 3 <= theirs, "klp-trace tui is to take at most a third of top's");
    Ok(())
}

/// The instructions that commands of klp-trace take, each held against its budget.
pub fn budgets(series: Series) -> anyhow::Result<()> {
    budgets::run(series, false)
}

/// How much faster klp-trace attaches than bpftrace with the same probes.
pub fn attach(series: Series) -> anyhow::Result<()> {
    let other = testbed::tool("bpftrace", "/usr/bin/bpftrace")?;
    let bench = Bench::Attach { rounds: 5, other: other.command.clone() };
    let measured = measure(series, bench, other.files, 3072, false)?;
    let (ours, theirs) = (median(&measured, "klp-trace")?, median(&measured, "bpftrace")?);
    let ratio = theirs / ours;
    println!(
        "start to attached, medians of 5: klp-trace {ours:.0} ms, bpftrace {theirs:.0} ms: {ratio:.1}x faster"
    );
    ensure!(ratio >= 4.0, "klp-trace is to be at least 4 times faster");
    Ok(())
}

/// What klp-trace adds to the time in which the kernel applies 20,000 relocations.
pub fn apply(series: Series) -> anyhow::Result<()> {
    let measured = measure(series, Bench::Apply { rounds: 11 }, Vec::new(), 1536, false)?;
    let (with, without) = (median(&measured, "with")?, median(&measured, "without")?);
    let ratio = with / without;
    println!(
        "loading 20,000 relocations, medians of 11: {without:.0} ms without, {with:.0} ms with: {ratio:.3}x"
    );
    ensure!(ratio <= 1.1, "klp-trace may add at most a tenth");
    Ok(())
}

/// How much faster an audit of 20,000 relocations is than a script over /proc/kallsyms, /sys/module and /proc/kcore that
/// gives the same answers, whichever way memory is read. (drgn, python3-drgn in Debian, would be another judge; it needs
/// the kernel's debugging information, which the test bed does not have.)
pub fn audit(series: Series) -> anyhow::Result<()> {
    let (python, more) = script()?;
    let measured = measure(series, Bench::Audit { rounds: 5, python }, more, 2048, false)?;
    let theirs = median(&measured, "script")?;
    println!("auditing 20,000 relocations, medians of 5, the same answers: a Python script {theirs:.0} ms");
    for memory in guest::BENCH_MEMORY {
        let ours = median(&measured, memory)?;
        println!("  klp-trace audit --memory {memory:5}  {ours:6.0} ms: {:.1}x faster", theirs / ours);
    }
    // By BPF it is the loading of the programs that takes the time, emulated most of all; the script needs none.
    let ratio = theirs / median(&measured, "kcore")?;
    ensure!(
        ratio >= 10.0,
        "with /proc/kcore, as the script reads, klp-trace is to be at least 10 times faster"
    );
    Ok(())
}

/// How Python is started in the guest, and what it and the script need there.
fn script() -> anyhow::Result<(Vec<String>, Vec<GuestFile>)> {
    let python = testbed::tool("python3-minimal", "/usr/bin/python3.13")?;
    let mut files = python.files.clone();
    let file = |guest: &str, host: std::path::PathBuf| GuestFile { guest: guest.into(), host, mode: 0o644 };
    let library = "usr/lib/python3.13";
    files.push(file(&format!("/opt/python3-minimal/{library}"), python.root.join(library)));
    files.push(file(guest::BENCH_SCRIPT, testbed::workspace().join("tests/bench/audit.py")));
    Ok((python.command, files))
}

fn measure(
    series: Series,
    what: Bench,
    more: Vec<GuestFile>,
    memory_mib: u32,
    icount: bool,
) -> anyhow::Result<Measured> {
    let bench = prepare(&[series])?;
    let (kernel, fixtures) = bench.kernels.get(&series).context("the kernel is missing")?;
    let work = testbed::cache_dir().join("bench").join(series.to_string());
    std::fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let plan = Plan { bench: Some(what), ..Plan::default() };
    let mut files = runner::files(&plan, fixtures, &work)?;
    files.extend(more);
    let outcome = testbed::boot(&Boot {
        kernel,
        files,
        programs: runner::programs(&bench),
        modules: Vec::new(),
        command: vec![guest::AGENT.to_owned(), "guest".to_owned()],
        append: guest::PASSWORD.to_owned(),
        cpu: testbed::CPU,
        smp: 1,
        icount,
        memory_mib,
        timeout: Duration::from_mins(40),
        work: &work,
        echo: true,
    })?;
    let log = outcome.log.display();
    ensure!(outcome.verdict == Verdict::Exited(0), "the VM ended with {:?}; see {log}", outcome.verdict);
    let path = outcome.out.join("bench.json");
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} cannot be read", path.display()))
}

fn median(measured: &Measured, what: &str) -> anyhow::Result<f64> {
    let mut times = measured.get(what).cloned().unwrap_or_default();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().with_context(|| format!("nothing was measured of {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        let measured = Measured::from([("x".to_owned(), vec![9.0, 1.0, 5.0, 100.0, 2.0])]);
        assert!((median(&measured, "x").unwrap() - 5.0).abs() < f64::EPSILON);
        assert!(median(&measured, "y").is_err());
    }
}
