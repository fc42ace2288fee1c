//! The picture of the running kernel.

use super::run::{Command, Loop, Shared, Wake, listen};
use super::spool::Spool;
use super::{Args, state};
use crate::cli::ending::judged;
use crate::cli::{Exit, Failure};
use crate::journal::{EndReason, Event};
use crate::model::Hook;
use crate::session;
use crate::source::live::now;
use crate::tui::config::Config;
use crate::tui::picture::Picture;
use crate::tui::picture::hooks::Ran;
use crate::tui::state::Source;
use crate::verify::Outcome;
use anyhow::Context as _;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

pub(super) fn run(args: &Args, config: Config) -> Result<Exit, Failure> {
    let (host, arch) = session::host()?;
    let origin = session::origin(&host);
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
            let kernel = match args.watch.collector(&host, arch) {
                Ok(kernel) => kernel,
                Err(failure) => {
                    let _ = ready.send(Err(failure));
                    return Ok(Outcome::default());
                }
            };
            let _ = ready.send(Ok(()));
            let mut collector = Collector { kernel, spool: Spool::new(origin), shared, wake, bell };
            collector.start();
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
    Ok(judged(&outcome, false, (&args.fail).into()))
}

/// The collecting thread's own.
struct Collector {
    kernel: session::Collector,
    spool: Spool,
    shared: Arc<Shared>,
    wake: Sender<Wake>,
    bell: Arc<OwnedFd>,
}

impl Collector {
    fn start(&mut self) {
        self.with(session::Collector::start);
        self.count();
        let _ = self.wake.send(Wake::Audited(now()));
    }

    /// Has the source move on; what it says goes into the spool and, under one lock, into the picture.
    fn with<R>(
        &mut self,
        step: impl FnOnce(&mut session::Collector, crate::source::live::Out<'_>) -> R,
    ) -> R {
        let mut batch: Vec<Event> = Vec::new();
        let before = self.shared.lock().events;
        let spool = &mut self.spool;
        let shared = &self.shared;
        let done = step(&mut self.kernel, &mut |event| {
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
        done
    }

    /// Collects until it is told to stop.
    fn collect(&mut self, commanded: &Receiver<Command>) -> Result<Outcome, Failure> {
        loop {
            self.kernel.wait(None, Some(self.bell.as_fd()))?;
            let _ = rustix::io::read(&*self.bell, &mut [0u8; 8]);
            for command in commanded.try_iter() {
                match command {
                    Command::Stop => {
                        self.with(|kernel, out| kernel.finish(EndReason::Signal, out));
                        return Ok(self.kernel.live().verifier().outcome());
                    }
                    Command::Audit => {
                        self.with(session::Collector::read_again);
                        let _ = self.wake.send(Wake::Audited(now()));
                        let _ = self.wake.send(Wake::Notice("every relocation was read again".to_owned()));
                    }
                    Command::Journal => self.save(),
                    Command::Seek(_) => {}
                }
            }
            if self.with(session::Collector::step) {
                self.count();
            }
        }
    }

    /// Takes over what the kernel counted of each hook.
    fn count(&mut self) {
        let probes = self.kernel.live().reader();
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
        let told = match self.spool.save(self.kernel.live().verifier(), at, &name) {
            Ok(path) => format!("wrote {}", crate::elf::names::path(&path)),
            Err(why) => why,
        };
        let _ = self.wake.send(Wake::Notice(told));
    }
}
