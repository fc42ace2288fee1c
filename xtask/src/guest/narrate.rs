//! For people who watch: the commands, what klp-trace says of them as text, and what the kernel itself says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{FIXTURES, TOOL};
use crate::scenario::exchange::{Colour, RunStep, StepReport};

const READY: Duration = Duration::from_mins(4);
/// The text has come to its end when no line came for so long.
const QUIET: Duration = Duration::from_millis(400);

/// A klp-trace whose text goes to the console as it comes.
pub struct Narrator {
    child: Child,
    relay: std::thread::JoinHandle<()>,
    lines: Arc<AtomicU64>,
    colour: Colour,
}

impl Narrator {
    /// Starts klp-trace.
    pub fn start(colour: Colour) -> anyhow::Result<Self> {
        // The kernel's messages come in their place, after klp-trace's, and not twice.
        std::fs::write("/proc/sys/kernel/printk", "1").context("cannot quieten the console")?;
        println!("$ klp-trace watch");
        let when = if colour == Colour::Always { "always" } else { "never" };
        let mut child = Command::new(TOOL)
            .args(["watch", "--ko", FIXTURES, "--ready-file", "/tmp/narrator-ready", "--color", when])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start klp-trace")?;
        let stdout = child.stdout.take().context("klp-trace has no standard output")?;
        let lines = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lines);
        let relay = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                println!("    {line}");
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Ok(Self { child, relay, lines, colour })
    }

    /// Waits until its probes are attached.
    pub fn ready(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + READY;
        while !Path::new("/tmp/narrator-ready").exists() {
            if let Some(status) = self.child.try_wait().context("cannot wait for klp-trace")? {
                bail!("klp-trace ended before it was ready: {status}");
            }
            if Instant::now() > deadline {
                bail!("klp-trace was not ready after {} s", READY.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
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
    pub fn end(mut self) -> anyhow::Result<()> {
        println!("\n{}", self.bold("# Ctrl-C: klp-trace sums up."));
        Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()
            .context("cannot run kill")?;
        let status = self.child.wait().context("cannot wait for klp-trace")?;
        // A broken relay has nothing more to say; the exit code has.
        let _ = self.relay.join();
        println!("  (klp-trace: exit code {})", super::watch::code(status));
        Ok(())
    }

    fn bold(&self, text: &str) -> String {
        match self.colour {
            Colour::Always => format!("\u{1b}[1m{text}\u{1b}[0m"),
            Colour::Never => text.to_owned(),
        }
    }
}
