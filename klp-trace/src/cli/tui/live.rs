//! The picture of the running kernel.

use super::run::{Command, Loop, Shared, Wake, listen};
use super::spool::Spool;
use super::{Args, state};
use crate::cli::watch::live::{attach, host, live, log, origin, session};
use crate::cli::watch::show::judged;
use crate::cli::{Exit, Failure};
use crate::event::Event;
use crate::model::Hook;
use crate::probe::{MAX_SECTIONS, Probes};
use crate::source::live::{Live, now};
use crate::tui::config::Config;
use crate::tui::picture::Picture;
use crate::tui::picture::hooks::Ran;
use crate::tui::state::Source;
use crate::verify::Outcome;
use anyhow::Context as _;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How often the hooks' sight and losses are looked at when nothing arrives.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Args, config: Config) -> Result<Exit, Failure> {
    let (host, arch) = host()?;
    let origin = origin(&host);
    let shared = Shared::new(Picture::new(origin.clone()));
    let state = state(args, config, Source::Live, &shared.lock())?;
    let bell =
        Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).context("eventfd failed")?);
    let (wake, woken) = channel();
    let (commands, commanded) = channel();
    let (ready, attached) = channel();
    let collector = {
        let (shared, args, wake, bell) = (Arc::clone(&shared), args.clone(), wake.clone(), Arc::clone(&bell));
        std::thread::spawn(move || {
            let probes = match attach(args.attach, args.ring_size, MAX_SECTIONS, false) {
                Ok(probes) => probes,
                Err(failure) => {
                    let _ = ready.send(Err(failure));
                    return Ok(Outcome::default());
                }
            };
            let _ = ready.send(Ok(()));
            let log = log();
            let session = session(&probes, args.ring_size, log.as_ref());
            let live = self::live(probes, &host, arch, args.ko.clone()).hearing(log);
            let mut collector = Collector { live, spool: Spool::new(origin), shared, wake, bell };
            collector.start(session);
            let ended = collector.collect(&commanded);
            let _ = collector.wake.send(Wake::Ended);
            ended
        })
    };
    // What the kernel refuses is said on the terminal as it was.
    match attached.recv() {
        Ok(attached) => attached?,
        Err(_) => return Err(anyhow::anyhow!("the collecting thread ended before it began").into()),
    }
    listen(&wake)?;
    let command = |command| {
        if commands.send(command).is_ok() {
            let _ = rustix::io::write(&*bell, &1u64.to_ne_bytes());
        }
    };
    let ended = Loop { state, shared: &shared, wake: &woken, command: &command }.run();
    command(Command::Stop);
    let outcome = collector.join().map_err(|_| anyhow::anyhow!("the collecting thread failed"))??;
    ended?;
    Ok(judged(&outcome, false, args.fail_on.into()))
}

/// The collecting thread's own.
struct Collector {
    live: Live<Probes>,
    spool: Spool,
    shared: Arc<Shared>,
    wake: Sender<Wake>,
    bell: Arc<OwnedFd>,
}

impl Collector {
    fn start(&mut self, session: crate::event::Session) {
        self.with(|live, out| live.start(session, out));
        self.count();
        let _ = self.wake.send(Wake::Audited(now()));
    }

    /// Has the source move on; what it says goes into the spool and, under one lock, into the picture.
    fn with(&mut self, step: impl FnOnce(&mut Live<Probes>, crate::source::live::Out<'_>)) {
        let mut batch: Vec<Event> = Vec::new();
        let before = self.shared.lock().events;
        let spool = &mut self.spool;
        let shared = &self.shared;
        step(&mut self.live, &mut |event| {
            spool.event(&event);
            batch.push(event);
            // A first look at many sections is shown as it goes.
            if batch.len() >= 4096 {
                let mut picture = shared.lock();
                for event in batch.drain(..) {
                    picture.apply(event);
                }
            }
        });
        let mut picture = shared.lock();
        for event in batch {
            picture.apply(event);
        }
        let said = picture.events != before;
        drop(picture);
        if said {
            self.shared.changed(&self.wake);
        }
    }

    /// Collects until it is told to stop.
    fn collect(&mut self, commanded: &Receiver<Command>) -> Result<Outcome, Failure> {
        let mut next_tick = Instant::now() + TICK;
        loop {
            self.wait(next_tick.saturating_duration_since(Instant::now()))?;
            for command in commanded.try_iter() {
                match command {
                    Command::Stop => {
                        self.with(|live, out| live.finish(out));
                        return Ok(self.live.verifier().outcome());
                    }
                    Command::Audit => {
                        self.with(|live, out| live.read_again(out));
                        let _ = self.wake.send(Wake::Audited(now()));
                        let _ = self.wake.send(Wake::Notice("every relocation was read again".to_owned()));
                    }
                    Command::Journal => self.save(),
                    Command::Seek(_) => {}
                }
            }
            if Instant::now() >= next_tick {
                next_tick = Instant::now() + TICK;
                self.with(|live, out| live.tick(out));
                self.count();
            } else {
                self.with(|live, out| live.step(out));
            }
        }
    }

    /// Takes over what the kernel counted of each hook.
    fn count(&mut self) {
        let probes = self.live.reader();
        let counted: Vec<(Hook, Ran)> = probes
            .hooks()
            .iter()
            .map(|status| {
                let (enter, _) = probes.counters(status.hook);
                let nanos = probes
                    .run_time(status.hook)
                    .map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
                (crate::source::live::hook_info(status).name, Ran { hits: enter.hits, nanos })
            })
            .collect();
        self.shared.lock().count(&counted);
    }

    fn save(&mut self) {
        let at = now();
        let name = jiff::Timestamp::now().strftime("klp-trace-%Y%m%dT%H%M%SZ.ndjson").to_string();
        let told = match self.spool.save(self.live.verifier(), at, &name) {
            Ok(path) => format!("wrote {}", crate::elf::names::path(&path)),
            Err(why) => why,
        };
        let _ = self.wake.send(Wake::Notice(told));
    }

    /// Waits until records have arrived or a command has, at most so long.
    fn wait(&mut self, timeout: Duration) -> Result<(), Failure> {
        let fd = self.live.reader().fd();
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut fds = [PollFd::new(&fd, PollFlags::IN), PollFd::new(&*self.bell, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {
                let _ = rustix::io::read(&*self.bell, &mut [0u8; 8]);
                Ok(())
            }
            Err(error) => Err(anyhow::Error::new(error).context("cannot wait for the probes").into()),
        }
    }
}
