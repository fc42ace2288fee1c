//! For people who watch: the commands, what klp-trace says of them as text, and what the kernel itself says.

use std::io::{BufRead as _, BufReader};
use std::process::ChildStdout;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;

use super::watch::Watch;
use crate::scenario::exchange::{Colour, RunStep, StepReport};

/// The text has come to its end when no line came for so long.
const QUIET: Duration = Duration::from_millis(400);

/// Puts klp-trace's text on the console as it comes.
pub struct Narrator {
    relay: Option<std::thread::JoinHandle<()>>,
    lines: Arc<AtomicU64>,
    colour: Colour,
}

impl Narrator {
    /// Before klp-trace is started.
    pub fn new(colour: Colour) -> anyhow::Result<Self> {
        // The kernel's messages come in their place, after klp-trace's, and not twice.
        std::fs::write("/proc/sys/kernel/printk", "1").context("cannot quieten the console")?;
        println!("$ klp-trace watch --journal klp.ndjson");
        Ok(Self { relay: None, lines: Arc::default(), colour })
    }

    /// Listens to klp-trace from here on.
    pub fn listen(&mut self, text: ChildStdout) {
        let counter = Arc::clone(&self.lines);
        self.relay = Some(std::thread::spawn(move || {
            for line in BufReader::new(text).lines().map_while(Result::ok) {
                println!("    {line}");
                counter.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }

    /// Says what comes.
    pub fn before(&self, step: &RunStep) {
        println!();
        if !step.say.is_empty() {
            println!("{}", self.bold(&format!("# {}", step.say)));
        }
        println!("{}", self.bold(&format!("$ {}", step.run)));
    }

    /// Says what came of it, after klp-trace has.
    pub fn after(&self, done: &StepReport) {
        let mut count = self.lines.load(Ordering::Relaxed);
        loop {
            std::thread::sleep(QUIET);
            let now = self.lines.load(Ordering::Relaxed);
            if now == count {
                break;
            }
            count = now;
        }
        for line in done.output.lines() {
            println!("{line}");
        }
        let kernels_own = |line: &&String| line.contains("livepatch:") || line.contains("x86/modules:");
        for line in done.dmesg.iter().filter(kernels_own) {
            println!("  kernel: {line}");
        }
        if done.rc != 0 {
            println!("  (exit code {})", done.rc);
        }
    }

    /// Ends klp-trace and shows its summary.
    pub fn end(self, watch: &mut Watch) -> anyhow::Result<()> {
        println!("\n{}", self.bold("# Ctrl-C: klp-trace sums up."));
        let code = watch.interrupt()?;
        // A broken relay has nothing more to say; the exit code has.
        let _ = self.relay.map(std::thread::JoinHandle::join);
        println!("  (klp-trace: exit code {code})");
        Ok(())
    }

    fn bold(&self, text: &str) -> String {
        match self.colour {
            Colour::Always => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Colour::Never => text.to_owned(),
        }
    }
}
