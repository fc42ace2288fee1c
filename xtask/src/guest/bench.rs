//! Measurements: klp-trace is timed from outside, by its start and its effect on others.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::clean::Before;
use super::{FIXTURES, TOOL};
use crate::scenario::exchange::{Bench, Measured};

/// Until probes are attached.
const PATIENCE: Duration = Duration::from_mins(4);
/// What bpftrace writes once its probes are attached, when this is in its environment.
const ATTACHED: &str = "__BPFTRACE_NOTIFY_PROBES_ATTACHED";

/// The same places as klp-trace's, the same looks at their arguments, without the walk through relocations.
const SCRIPT: &str = r#"fentry:klp_module_coming { printf("coming %s\n", args.mod->name); }
fexit:klp_module_coming { printf("coming %d\n", retval); }
fentry:klp_module_going { printf("going %s\n", args.mod->name); }
fexit:klp_module_going { printf("gone\n"); }
fentry:apply_relocate_add { printf("apply %s %d\n", args.me->name, args.relsec); }
fexit:apply_relocate_add { printf("applied %d\n", retval); }
fexit:klp_cleanup_module_patches_limited { printf("cleaned %s\n", args.mod->name); }
tracepoint:module:module_load { printf("load %s\n", str(args.name)); }
tracepoint:module:module_free { printf("free %s\n", str(args.name)); }
"#;
/// Where the kernel has it.
const CLEAR: &str = r#"fentry:clear_relocate_add { printf("clear %s %d\n", args.me->name, args.relsec); }
fexit:clear_relocate_add { printf("cleared\n"); }
"#;

/// Measures it.
pub fn run(bench: &Bench) -> anyhow::Result<Measured> {
    match bench {
        Bench::Attach { rounds, other } => attach(*rounds, other),
        Bench::Apply { rounds } => apply(*rounds),
        Bench::Count { python } => super::bench_count::run(python),
        Bench::Audit { rounds, python } => super::bench_audit::run(*rounds, python),
    }
}

fn attach(rounds: usize, other: &[String]) -> anyhow::Result<Measured> {
    let kallsyms = std::fs::read_to_string("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
    let clear = if kallsyms.contains(" clear_relocate_add\n") { CLEAR } else { "" };
    std::fs::write("/tmp/script.bt", format!("{SCRIPT}{clear}")).context("cannot write the script")?;
    let [program, args @ ..] = other else { bail!("no other tracer") };
    let mut measured = Measured::new();
    for round in 1..=rounds {
        let (tool, took) = watch()?;
        stop(tool)?;
        println!("  {round} klp-trace {took:.0} ms");
        measured.entry("klp-trace".to_owned()).or_default().push(took);
        let mut command = Command::new(program);
        command.args(args).arg("/tmp/script.bt").env(ATTACHED, "1");
        let (tool, took) = start(&mut command, || {
            std::fs::read_to_string("/tmp/output").is_ok_and(|text| text.contains(ATTACHED))
        })?;
        stop(tool)?;
        println!("  {round} bpftrace {took:.0} ms");
        measured.entry("bpftrace".to_owned()).or_default().push(took);
    }
    Ok(measured)
}

fn apply(rounds: usize) -> anyhow::Result<Measured> {
    let mut measured = Measured::new();
    // The first load pays for cold caches.
    load()?;
    for round in 1..=rounds {
        let took = load()?;
        measured.entry("without".to_owned()).or_default().push(took);
        let (tool, _) = watch()?;
        let with = load()?;
        stop(tool)?;
        measured.entry("with".to_owned()).or_default().push(with);
        println!("  {round} without {took:.0} ms, with {with:.0} ms");
    }
    Ok(measured)
}

/// Loads target and patch, and removes both; milliseconds of processor time that loading the patch took.
fn load() -> anyhow::Result<f64> {
    let before = Before::note();
    insmod("klp_many")?;
    let took = insmod("lp_many")?;
    before.remove_modules()?;
    Ok(took)
}

/// Loads a fixture; milliseconds of processor time.
fn insmod(module: &str) -> anyhow::Result<f64> {
    let path = Path::new(FIXTURES).join(format!("{module}.ko"));
    let (nanos, status) = spent(Command::new("insmod").arg(path))?;
    ensure!(status.success(), "insmod {module} failed: {status}");
    Ok(nanos / 1e6)
}

/// Runs a program of one thread to its end: nanoseconds that the scheduler counted for it (se.sum_exec_runtime), in which
/// waiting for a processor is not, and how it ended.
pub fn spent(command: &mut Command) -> anyhow::Result<(f64, ExitStatus)> {
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let folder = Path::new("/proc").join(child.id().to_string());
    let dead = |stat: &str| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
    while !std::fs::read_to_string(folder.join("stat")).is_ok_and(|stat| dead(&stat)) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let spent = std::fs::read_to_string(folder.join("schedstat")).context("no schedstat")?;
    let status = child.wait().with_context(|| format!("cannot wait for {command:?}"))?;
    let nanos: f64 = spent.split_whitespace().next().unwrap_or_default().parse().context("odd schedstat")?;
    Ok((nanos, status))
}

fn watch() -> anyhow::Result<(Child, f64)> {
    let _ = std::fs::remove_file("/tmp/ready");
    let mut command = Command::new(TOOL);
    command.args(["watch", "--format", "ndjson", "--ko", FIXTURES]);
    command.args(["--output", "/tmp/journal", "--overwrite", "--ready-file", "/tmp/ready"]);
    start(&mut command, || Path::new("/tmp/ready").exists())
}

/// Starts a tracer; milliseconds until `attached`.
fn start(command: &mut Command, attached: impl Fn() -> bool) -> anyhow::Result<(Child, f64)> {
    let output = File::create("/tmp/output").context("cannot make /tmp/output")?;
    command.stdin(Stdio::null()).stdout(output.try_clone().context("cannot share a file")?).stderr(output);
    let begun = Instant::now();
    let mut child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    while !attached() {
        if let Some(status) = child.try_wait().context("cannot wait for a tracer")? {
            let said = std::fs::read_to_string("/tmp/output").unwrap_or_default();
            bail!("{command:?} ended before it was attached: {status}: {said}");
        }
        if begun.elapsed() > PATIENCE {
            let _ = child.kill();
            let said = std::fs::read_to_string("/tmp/output").unwrap_or_default();
            bail!("{command:?} was not attached after {} s: {said}", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((child, begun.elapsed().as_secs_f64() * 1000.0))
}

fn stop(mut child: Child) -> anyhow::Result<()> {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().context("cannot run kill")?;
    child.wait().map(drop).context("cannot wait for a tracer")
}
