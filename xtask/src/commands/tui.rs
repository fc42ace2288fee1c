//! `cargo xtask tui`: `klp-trace tui` at a terminal of a real kernel, its screens held against what must be on them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

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

/// Processor time, in ticks, of the TUI in 60 s without news, and of `top -b -d 1` in the same.
pub fn idle(bench: &Bench, series: Series) -> anyhow::Result<(u64, u64)> {
    let top = PathBuf::from("/usr/bin/top");
    let out = guest(bench, series, "tui-idle", "tests/bench/tui-idle.sh", vec![(top.clone(), top)])?;
    let text = fs::read_to_string(out.join("idle.txt")).context("nothing was measured")?;
    let mut ticks = text.split_whitespace().map(str::parse);
    match (ticks.next(), ticks.next()) {
        (Some(Ok(ours)), Some(Ok(theirs))) => Ok((ours, theirs)),
        _ => bail!("idle.txt says {text:?}"),
    }
}

/// One boot; fails when a screen does not hold what it must.
pub fn live(bench: &Bench, series: Series) -> anyhow::Result<()> {
    let out = guest(bench, series, "tui", "tests/tui-live.sh", Vec::new())?;
    for (name, stale, clears) in SCREENS {
        let path = out.join(format!("{name}.txt"));
        let screen = fs::read_to_string(&path).with_context(|| format!("no screen {name}"))?;
        let expected = if series == Series::V6_1 { stale } else { clears };
        for text in expected {
            ensure!(
                screen.contains(text),
                "{text:?} is not on the screen {name}, {}:\n{screen}",
                path.display()
            );
        }
    }
    let judged = fs::read_to_string(out.join("judged.txt")).context("the journal was not judged")?;
    let code = if series == Series::V6_1 { "exit 1" } else { "exit 0" };
    ensure!(judged.trim_end().ends_with(code), "the journal that w wrote is judged otherwise:\n{judged}");
    println!("{series}: {} screens hold what they must; {}", SCREENS.len(), out.display());
    Ok(())
}

/// Runs a script in a guest with klp-trace and tmux; the folder of what it left in /out.
fn guest(
    bench: &Bench,
    series: Series,
    name: &str,
    script: &str,
    more: Vec<(PathBuf, PathBuf)>,
) -> anyhow::Result<PathBuf> {
    let (kernel, fixtures) = bench.kernels.get(&series).context("the kernel is missing")?;
    let tmux = testbed::tool("tmux", "/usr/bin/tmux")?;
    let work = testbed::cache_dir().join(name).join(series.to_string());
    let file =
        |guest: &str, host: &Path| GuestFile { guest: guest.into(), host: host.to_owned(), mode: 0o644 };
    let mut files = tmux.files;
    files.push(file(guest::FIXTURES, fixtures));
    files.push(file("/script.sh", &testbed::workspace().join(script)));
    // tmux starts only with a terminfo database (ncurses-base, which every Debian has), and draws in UTF-8 only where
    // there is a locale for it.
    files.push(file("/lib/terminfo", Path::new("/lib/terminfo")));
    files.push(file("/usr/lib/locale/C.utf8", Path::new("/usr/lib/locale/C.utf8")));
    let command = ["sh", "/script.sh"].map(ToOwned::to_owned).into_iter().chain(tmux.command).collect();
    let outcome = testbed::boot(&Boot {
        kernel,
        files,
        programs: runner::programs(bench).into_iter().chain(more).collect(),
        modules: Vec::new(),
        command,
        append: String::new(),
        cpu: testbed::CPU,
        smp: 1,
        icount: false,
        memory_mib: 1024,
        timeout: Duration::from_mins(20),
        work: &work,
        echo: false,
    })?;
    let log = outcome.log.display();
    ensure!(outcome.verdict == Verdict::Exited(0), "the VM ended with {:?}; see {log}", outcome.verdict);
    Ok(outcome.out)
}
