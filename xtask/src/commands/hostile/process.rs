//! One run of klp-trace, and what is wrong with it.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::draw::{Case, Kind};

/// A run that takes longer hangs.
const HANG: Duration = Duration::from_secs(10);
/// KiB of address space that a run may take (docs/journal.md, docs/inspect.md: 1 GiB for the largest file and what it
/// becomes; the rest is the program, its stacks and what the allocator keeps).
const MEMORY_KIB: u64 = 2 << 20;
/// A journal in which nothing is wrong, for what is held against one.
const GOOD: &str = "tests/journals/event-1.ndjson";

/// What a run came to.
pub struct Done {
    pub beyond: bool,
    pub fault: Option<Fault>,
}

/// What must not be.
#[derive(Debug)]
pub enum Fault {
    /// It panicked, or a signal ended it.
    Crash(String),
    /// It did not end.
    Hang,
    /// What it read is not as it was.
    Changed,
    /// It wrote what acts on a terminal, or what is not UTF-8.
    Control(&'static str, String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(how) => write!(f, "it crashed: {how}"),
            Self::Hang => write!(f, "it had not ended after {} s", HANG.as_secs()),
            Self::Changed => f.write_str("the file that it read is not as it was"),
            Self::Control(stream, what) => write!(f, "{stream} has {what}"),
        }
    }
}

/// Runs it.
pub fn run(program: &Path, folder: &Path, case: &Case) -> anyhow::Result<Done> {
    let [input, out, err] = ["in", "out", "err"].map(|name| folder.join(name));
    fs::write(&input, &case.input).with_context(|| format!("write {}", input.display()))?;
    let good = crate::testbed::workspace().join(GOOD);
    let words = case.words.iter().map(|word| match word.as_str() {
        "IN" => input.clone().into_os_string(),
        "GOOD" => good.clone().into_os_string(),
        // No argument can hold a zero.
        word => word.replace('\0', "").into(),
    });
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"")).arg(program).args(words);
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?);
    command.current_dir(folder).env("RUST_BACKTRACE", "0");
    let status = wait(command)?;
    let (said, told) = (fs::read(&out)?, fs::read(&err)?);
    let beyond = beyond(case, status, &told);
    let fault = match status {
        None => Some(Fault::Hang),
        Some(status) if status.code().is_none_or(|code| !matches!(code, 0..=6 | 130)) => {
            let why = String::from_utf8_lossy(&told);
            Some(Fault::Crash(format!("{status}: {}", why.lines().next().unwrap_or_default().escape_debug())))
        }
        Some(_) if fs::read(&input)? != case.input => Some(Fault::Changed),
        Some(_) => control("standard output", &said).or_else(|| control("standard error", &told)),
    };
    Ok(Done { beyond, fault })
}

fn wait(mut command: Command) -> anyhow::Result<Option<ExitStatus>> {
    let mut child = command.spawn().context("run sh")?;
    let (begun, mut pause) = (Instant::now(), Duration::from_micros(300));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > HANG {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}

fn control(stream: &'static str, bytes: &[u8]) -> Option<Fault> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            return Some(Fault::Control(stream, format!("no UTF-8 at byte {}", error.valid_up_to())));
        }
    };
    let bad = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
    };
    text.chars().find(bad).map(|c| Fault::Control(stream, format!("the character {c:?}")))
}

/// Whether it got beyond the header of its kind, by what the run says itself.
fn beyond(case: &Case, status: Option<ExitStatus>, told: &[u8]) -> bool {
    let told = String::from_utf8_lossy(told);
    let code = status.and_then(|status| status.code());
    match case.kind {
        Kind::Module => {
            let at = told.split("at byte 0x").nth(1);
            let at = at.and_then(|at| at.split(|c: char| !c.is_ascii_hexdigit()).next());
            let at = at.and_then(|at| u64::from_str_radix(at, 16).ok());
            code != Some(3) || at.is_some_and(|at| at >= 64)
        }
        Kind::Journal => code != Some(2),
        Kind::Policy | Kind::Configuration => {
            std::str::from_utf8(&case.input).is_ok_and(|text| toml::from_str::<toml::Table>(text).is_ok())
        }
        Kind::Arguments => code != Some(2) || told.starts_with("klp-trace: "),
    }
}
