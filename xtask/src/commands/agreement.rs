//! `cargo xtask agreement`: `klp-trace inspect --check-host` against insmod, for every livepatch among the fixtures.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::guest;
use crate::scenario::agreement::{self, Counts, Seen, Table};
use crate::scenario::exchange::Plan;
use crate::scenario::prepare::prepare;
use crate::scenario::runner::{self, Bench};
use crate::testbed::{self, Boot, Series, Verdict};

/// Arguments of `cargo xtask agreement`.
#[derive(clap::Args)]
pub struct Args {
    /// Run on this series only: 6.1, 6.12 or 7; may be repeated
    #[arg(long, value_name = "SERIES")]
    series: Vec<Series>,
    /// Ask of this livepatch only; may be repeated. What the table leaves open is not looked at then
    #[arg(long, value_name = "NAME")]
    case: Vec<String>,
    /// Write the counts into docs/inspect.md
    #[arg(long, conflicts_with_all = ["series", "case"])]
    write: bool,
}

/// Where the counts stand.
const PAGE: &str = "docs/inspect.md";
/// What the lines of counts come after.
const HEAD: &str = "| kernel | asked | yes | warning | unknown | no |\n|---|---|---|---|---|---|\n";

/// Runs it on each series.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let series = if args.series.is_empty() { Series::all().to_vec() } else { args.series.clone() };
    let bench = prepare(&series)?;
    let mut rows = String::new();
    let mut failed = Vec::new();
    for series in series {
        match on(&bench, series, &args.case) {
            Ok(counts) => rows += &row(series, &counts),
            Err(error) => failed.push(format!("{series}: {error:#}")),
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    if args.write {
        let path = testbed::workspace().join(PAGE);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let (before, rest) =
            text.split_once(HEAD).with_context(|| format!("{PAGE} has no table of counts"))?;
        let after = rest.lines().skip_while(|line| line.starts_with('|'));
        let after = after.fold(String::new(), |text, line| text + line + "\n");
        fs::write(&path, format!("{before}{HEAD}{rows}{after}"))
            .with_context(|| format!("cannot write {PAGE}"))?;
    }
    Ok(())
}

/// The line of a series in the page.
fn row(series: Series, counts: &Counts) -> String {
    let of = |answer: &str| counts.get(answer).copied().unwrap_or(0);
    let all: usize = counts.values().sum();
    let [yes, warning, unknown, no] = ["yes", "warning", "unknown", "no"].map(of);
    format!("| {series} | {all} | {yes} | {warning} | {unknown} | {no} |\n")
}

/// One boot; how often each answer was given. Fails where the tool and the kernel do not agree.
pub fn on(bench: &Bench, series: Series, only: &[String]) -> anyhow::Result<Counts> {
    let (kernel, fixtures) = bench.kernels.get(&series).context("the kernel is missing")?;
    let mut table = Table::read(&testbed::workspace().join("tests/agreement.toml"))?;
    let mut cases = agreement::cases(fixtures, guest::FIXTURES, &table)?;
    if !only.is_empty() {
        let unknown = only.iter().find(|name| !cases.iter().any(|case| case.name == **name));
        ensure!(unknown.is_none(), "no livepatch {}", unknown.map_or("", String::as_str));
        cases.retain(|case| only.contains(&case.name));
        table.unknown.retain(|row| only.contains(&row.case));
    }
    let work = testbed::cache_dir().join("agreement").join(series.to_string());
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let plan = Plan { agreement: Some(cases.clone()), ..Plan::default() };
    let outcome = testbed::boot(&Boot {
        kernel,
        files: runner::files(&plan, fixtures, &work)?,
        programs: runner::programs(bench),
        modules: Vec::new(),
        command: [guest::AGENT, "guest"].map(ToOwned::to_owned).to_vec(),
        append: guest::PASSWORD.to_owned(),
        cpu: testbed::CPU,
        smp: 1,
        icount: false,
        memory_mib: 1024,
        timeout: Duration::from_mins(40),
        work: &work,
        echo: false,
    })?;
    let log = outcome.log.display();
    ensure!(outcome.verdict == Verdict::Exited(0), "the VM ended with {:?}; see {log}", outcome.verdict);
    ensure!(outcome.warnings.is_empty(), "the kernel warned: {}; see {log}", outcome.warnings.join("; "));
    let seen: Vec<Seen> = read(&outcome.out.join("agreement.json"))?;
    let (wrong, counts) = agreement::judge(&cases, &seen, &table, &series.to_string());
    if !wrong.is_empty() {
        bail!(
            "check-host and insmod do not agree:\n  - {}\n  {}",
            wrong.join("\n  - "),
            outcome.out.display()
        );
    }
    let all: usize = counts.values().sum();
    println!(
        "{series}: {} livepatches, {all} answers, and insmod agrees: {counts:?}; {:.0} s",
        cases.len(),
        outcome.seconds
    );
    Ok(counts)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}
