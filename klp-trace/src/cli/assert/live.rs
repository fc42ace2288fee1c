//! `assert` on the running kernel.

use super::{Args, Ran, command, judged::Judged};
use crate::{
    cli::{Exit, Failure, attach::AttachArgs, doctor, ending},
    journal::{EndReason, Event},
    kernel::sysfs::Sysfs,
    output::journal::{JournalSink, Options},
    policy::{Check, Observed, Policy, Rule, Status},
    session::{self, Collector, Sinks},
};
use std::{
    path::Path,
    process::ExitStatus,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// How often a command is asked whether it has ended, and the kernel whether it is at rest.
const ROUND: Duration = Duration::from_millis(50);
/// So many rounds without news are rest: longer than the kernel's deferred work (klp_free_patch_work_fn) takes.
const QUIET_ROUNDS: u32 = 6;
/// How long an interrupted command may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// A session under way.
struct Watched<'a> {
    collector: Collector,
    sinks: Sinks<'a>,
    stop: Arc<AtomicBool>,
}

/// Attaches, looks, runs the command, waits for rest, looks again.
pub(super) fn run(args: &Args, policy: Policy) -> Result<Ran, Failure> {
    let mut judged = Judged::new(policy);
    let mut sinks = Sinks::new(args.redact.redact_addresses).and(&mut judged);
    if let Some(output) = args.journal.clone() {
        let overwrite = args.overwrite;
        sinks =
            sinks.and(JournalSink::new(Options { output: Some(output), overwrite, ..Options::default() }));
    }
    let mut watched = Watched::start(&args.watch, sinks)?;
    let mut checks = Vec::new();
    let mut report = None;
    if let Some(mut running) = command::start(&args.command)? {
        let status = watched.wait_for(&mut running)?;
        let (command, check) = running.report(status);
        report = Some(command);
        checks.push(check);
    }
    checks.push(watched.settle(args.timeout)?);
    watched.finish()?;
    Ok(Ran { sessions: judged.sessions(), run: checks, command: report })
}

/// What this kernel shows now.
pub(in crate::cli) fn look(args: &AttachArgs) -> Result<Observed, Failure> {
    let mut judged = Judged::new(Policy::default());
    Watched::start(args, Sinks::new(false).and(&mut judged))?;
    Ok(judged.seen())
}

impl<'a> Watched<'a> {
    fn start(args: &AttachArgs, mut sinks: Sinks<'a>) -> Result<Self, Failure> {
        doctor::preflight()?;
        let stop = session::stop_flag()?;
        let (host, arch) = session::host()?;
        sinks.begin(&session::origin(&host))?;
        let mut collector = args.collector(&host, arch)?;
        collector.start(&mut |event| sinks.event(&event));
        Ok(Self { collector, sinks, stop })
    }

    /// Takes what has arrived within a round; returns whether anything has.
    fn round(&mut self) -> Result<bool, Failure> {
        self.collector.wait(Some(Instant::now() + ROUND), None)?;
        let (sinks, mut news) = (&mut self.sinks, false);
        self.collector.step(&mut |event: Event| {
            news = true;
            sinks.event(&event);
        });
        sinks.idle();
        if news {
            // The poll returned at once: a round has its length all the same.
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(news)
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn wait_for(&mut self, running: &mut command::Running) -> Result<ExitStatus, Failure> {
        let mut deadline: Option<Instant> = None;
        loop {
            if let Some(status) = running.ended()? {
                return if self.interrupted() { Err(interruption()) } else { Ok(status) };
            }
            if self.interrupted() && deadline.is_none() {
                running.terminate();
                deadline = Some(Instant::now() + GRACE);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(interruption());
            }
            self.round()?;
        }
    }

    /// Waits until no patch is in transition, every section has been read and nothing arrives any more; then looks at
    /// everything again.
    fn settle(&mut self, timeout: Duration) -> Result<Check, Failure> {
        let deadline = Instant::now() + timeout;
        let sysfs = Sysfs::new(Path::new("/"));
        let mut quiet = 0;
        let unrest = loop {
            if self.interrupted() {
                return Err(interruption());
            }
            let news = self.round()?;
            let unrest = self.unrest(&sysfs);
            quiet = if news || unrest.is_some() { 0 } else { quiet + 1 };
            if quiet >= QUIET_ROUNDS {
                break None;
            }
            if Instant::now() >= deadline {
                break Some(unrest.unwrap_or_else(|| "records kept arriving".to_owned()));
            }
        };
        let sinks = &mut self.sinks;
        self.collector.read_again(&mut |event| sinks.event(&event));
        let check = Check::new(Rule::Settled, "livepatch came to rest", Status::Pass);
        Ok(match unrest {
            None => check,
            Some(unrest) => Check { status: Status::Unknown, ..check }
                .what(format!("not within {} ms: {unrest}", timeout.as_millis()))
                .why("what is still under way can still go wrong")
                .action("give it more time with --timeout; /proc/*/patch_state names the tasks that hold a transition up"),
        })
    }

    /// What is not at rest.
    fn unrest(&self, sysfs: &Sysfs) -> Option<String> {
        let patches = match sysfs.patches() {
            Ok(patches) => patches,
            Err(error) => return Some(error.to_string()),
        };
        if let Some(patch) = patches.iter().find(|patch| patch.transition) {
            return Some(format!("patch {} is in transition", patch.name));
        }
        let unread = self.collector.live().verifier().wants().len();
        (unread > 0).then(|| format!("sections still to be read: {unread}"))
    }

    /// A journal that could not be kept fails the run: its evidence was asked for.
    fn finish(mut self) -> Result<(), Failure> {
        let sinks = &mut self.sinks;
        self.collector.finish(EndReason::Duration, &mut |event| sinks.event(&event));
        ending::finish(self.sinks, Exit::Clean)?;
        Ok(())
    }
}

fn interruption() -> Failure {
    Failure::new(Exit::Interrupted, anyhow::anyhow!("interrupted before there was a verdict"))
}
