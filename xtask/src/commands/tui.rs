//! `cargo xtask tui`: `klp-trace tui` at a terminal of a real kernel, its screens held against what must be on them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::guest;
use crate::scenario::prepare::prepare;
use crate::scenario::runner::{self, Bench};
use crate::testbed::{self, Boot, GuestFile, Series, Verdict};

/// Arguments of `cargo xtask tui`.
#[derive(clap::Args)]
pub struct Args {
    /// Run on this series only: 6.1, 6.12 or 7; may be repeated
    #[arg(long, value_name = "SERIES")]
    series: Vec<Series>,
}

/// Runs on each series.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let series = if args.series.is_empty() { vec![Series::V6_1, Series::V6_12] } else { args.series.clone() };
    let bench = prepare(&series)?;
    series.into_iter().try_for_each(|series| live(&bench, series))
}

/// A screen: its name, what must be on it before 6.3, and from then on.
type Expected = (&'static str, &'static [&'static str], &'static [&'static str]);

const SCREENS: [Expected; 7] = [
    ("start", &["LIVE", "No livepatch is loaded"], &["LIVE", "No livepatch is loaded"]),
    ("load", &["✓ applied 16", "lp_one", "No finding"], &["✓ applied 16", "lp_one", "No finding"]),
    ("unload", &["▲ stale 16", "KLP001", "do    before klp_target is"], &["○ cleared 16", "No finding"]),
    ("reload", &["▲ stale 16", "KLP009", "do    disable patch lp_one"], &["✓ applied 16", "klp_target#2"]),
    ("journal", &["wrote klp-trace-"], &["wrote klp-trace-"]),
    ("paused", &["PAUSED"], &["PAUSED"]),
    ("quit", &["code=1"], &["code=0"]),
];

/// One boot; fails when a screen does not hold what it must.
pub fn live(bench: &Bench, series: Series) -> anyhow::Result<()> {
    let (kernel, fixtures) = bench.kernels.get(&series).context("the kernel is missing")?;
    let tmux = testbed::tool("tmux", "/usr/bin/tmux")?;
    let work = testbed::cache_dir().join("tui").join(series.to_string());
    let file =
        |guest: &str, host: &Path| GuestFile { guest: guest.into(), host: host.to_owned(), mode: 0o644 };
    let mut files = tmux.files;
    files.push(file(guest::FIXTURES, fixtures));
    files.push(file("/tui-live.sh", &testbed::workspace().join("tests/tui-live.sh")));
    // tmux draws in UTF-8 only where there is a locale for it.
    files.push(file("/usr/lib/locale/C.utf8", Path::new("/usr/lib/locale/C.utf8")));
    let command = ["sh", "/tui-live.sh"].map(ToOwned::to_owned).into_iter().chain(tmux.command).collect();
    let outcome = testbed::boot(&Boot {
        kernel,
        files,
        programs: runner::programs(bench),
        modules: Vec::new(),
        command,
        append: String::new(),
        smp: 1,
        memory_mib: 1024,
        timeout: Duration::from_mins(20),
        work: &work,
        echo: false,
    })?;
    let log = outcome.log.display();
    ensure!(outcome.verdict == Verdict::Exited(0), "the VM ended with {:?}; see {log}", outcome.verdict);
    for (name, stale, clears) in SCREENS {
        let path = outcome.out.join(format!("{name}.txt"));
        let screen = fs::read_to_string(&path).with_context(|| format!("no screen {name}; see {log}"))?;
        let expected = if series == Series::V6_1 { stale } else { clears };
        for text in expected {
            ensure!(
                screen.contains(text),
                "{text:?} is not on the screen {name}, {}:\n{screen}",
                path.display()
            );
        }
    }
    let judged = fs::read_to_string(outcome.out.join("judged.txt")).context("the journal was not judged")?;
    let code = if series == Series::V6_1 { "exit 1" } else { "exit 0" };
    ensure!(judged.trim_end().ends_with(code), "the journal that w wrote is judged otherwise:\n{judged}");
    println!("{series}: {} screens hold what they must; {}", SCREENS.len(), outcome.out.display());
    Ok(())
}
