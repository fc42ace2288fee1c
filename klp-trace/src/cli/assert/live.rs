//! `assert` on the running kernel.

use super::{Args, Ran, command, judged::Judged};
use crate::{
    cli::{
        Exit, Failure,
        args::{self, RedactArgs},
        doctor,
        watch::{Attach, live as watching},
    },
    event::{Body, EndReason, Event, Journal},
    kernel::sysfs::Sysfs,
    output::{
        report::Session,
        sink::{LineSink, SinkError},
    },
    policy::{Check, Observed, Policy, Rule, Status},
    probe::Probes,
    source::{
        live::{Live, now},
        redacted::Redacted,
    },
};
use std::{
    path::{Path, PathBuf},
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
/// How often the hooks' sight is checked.
const TICK: Duration = Duration::from_secs(1);
/// How long an interrupted command may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// How to watch this kernel.
#[derive(Debug, Clone, clap::Args)]
pub struct WatchArgs {
    /// Look for the livepatches' files here too: a .ko (plain, .xz, .zst, .gz) or a folder; may be repeated
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "from")]
    pub ko: Vec<PathBuf>,

    /// How to attach: fentry, kprobe, or auto, which takes kprobe where fentry is not available
    #[arg(long, value_name = "HOW", value_enum, default_value_t, hide_possible_values = true)]
    #[arg(conflicts_with = "from")]
    pub attach: Attach,

    /// Size of the buffer between kernel and klp-trace, a power of two from 4k
    #[arg(long, value_name = "BYTES", value_parser = args::ring_size, default_value = "4M")]
    #[arg(conflicts_with = "from")]
    pub ring_size: u32,
}

/// A session under way.
struct Watched {
    live: Live<Probes>,
    judged: Judged,
    journal: Option<Kept>,
    stop: Arc<AtomicBool>,
    next_tick: Instant,
}

/// The journal that is kept of a session.
struct Kept {
    journal: Journal,
    sink: LineSink,
    redacted: Option<Redacted>,
    broken: Option<SinkError>,
}

impl Kept {
    fn take(&mut self, event: &Event) {
        let Some(mut redacted) = self.redacted.take() else { return self.write(event) };
        // What cannot be redacted is not kept; the sessions, which are not either, say why.
        let _ = redacted.take(event, &mut |event| self.write(event));
        self.redacted = Some(redacted);
    }

    fn write(&mut self, event: &Event) {
        if self.broken.is_none()
            && let Ok(line) = self.journal.line(event)
        {
            self.broken = self.sink.line(line).err();
        }
    }

    fn finish(self) -> Result<(), Failure> {
        self.broken.map_or_else(|| self.sink.finish(), Err).map_err(Failure::from)
    }
}

/// Attaches, looks, runs the command, waits for rest, looks again.
pub(super) fn run(args: &Args, policy: Policy) -> Result<Ran, Failure> {
    let mut watched = Watched::start(
        &args.watch,
        policy,
        args.journal.as_deref().map(|path| (path, args.overwrite)),
        args.redact,
    )?;
    let mut checks = Vec::new();
    let mut report = None;
    if let Some(mut running) = command::start(&args.command)? {
        let status = watched.wait_for(&mut running)?;
        let (command, check) = running.report(status);
        report = Some(command);
        checks.push(check);
    }
    checks.push(watched.settle(args.timeout)?);
    Ok(Ran { sessions: watched.finish()?, run: checks, command: report })
}

/// What this kernel shows now.
pub(in crate::cli) fn look(args: &WatchArgs) -> Result<Observed, Failure> {
    let watched = Watched::start(args, Policy::default(), None, RedactArgs::default())?;
    Ok(watched.judged.seen())
}

impl Watched {
    fn start(
        args: &WatchArgs,
        policy: Policy,
        journal: Option<(&Path, bool)>,
        redact: RedactArgs,
    ) -> Result<Self, Failure> {
        doctor::preflight()?;
        let stop = watching::stop_flag()?;
        let (host, arch) = watching::host()?;
        let origin = watching::origin(&host);
        let mut judged = Judged::new(policy, redact);
        judged.begin(&origin);
        let mut journal = match journal {
            Some((path, overwrite)) => {
                let (journal, sink) = (Journal::new(origin), LineSink::journal(path, overwrite)?);
                Some(Kept { journal, sink, redacted: redact.redacted(arch, &host.release), broken: None })
            }
            None => None,
        };
        let probes = watching::attach(args.attach, args.ring_size, crate::probe::MAX_SECTIONS, false)?;
        let log = watching::log();
        let session = watching::session(&probes, args.ring_size, log.as_ref());
        let mut live = watching::live(probes, &host, arch, args.ko.clone()).hearing(log);
        live.start(session, &mut |event| tell(&mut judged, &mut journal, &event));
        Ok(Self { live, judged, journal, stop, next_tick: Instant::now() + TICK })
    }

    /// Takes what has arrived within a round; returns whether anything has.
    fn round(&mut self) -> Result<bool, Failure> {
        watching::wait(self.live.reader(), ROUND)?;
        let (judged, journal, mut news) = (&mut self.judged, &mut self.journal, false);
        let mut out = |event: Event| {
            news = true;
            tell(judged, journal, &event);
        };
        if Instant::now() >= self.next_tick {
            self.next_tick = Instant::now() + TICK;
            self.live.tick(&mut out);
        } else {
            self.live.step(&mut out);
        }
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
        let (judged, journal) = (&mut self.judged, &mut self.journal);
        self.live.read_again(&mut |event| tell(judged, journal, &event));
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
        let unread = self.live.verifier().wants().len();
        (unread > 0).then(|| format!("sections still to be read: {unread}"))
    }

    fn finish(mut self) -> Result<Vec<Session>, Failure> {
        let Self { live, judged, journal, .. } = &mut self;
        live.finish(&mut |event| tell(judged, journal, &event));
        if let Some(mut kept) = self.journal.take() {
            let end = self.live.verifier().end(EndReason::Duration);
            kept.take(&Event { mono_ns: now(), task: None, body: Body::SessionEnd(end) });
            kept.finish()?;
        }
        self.judged.finish()
    }
}

fn tell(judged: &mut Judged, journal: &mut Option<Kept>, event: &Event) {
    judged.take(event);
    if let Some(kept) = journal {
        kept.take(event);
    }
}

fn interruption() -> Failure {
    Failure::new(Exit::Interrupted, anyhow::anyhow!("interrupted before there was a verdict"))
}
