//! The service: sessions, one after the other, and what is told of them.

mod looks;
mod said;

use super::config::{Config, Metrics};
use super::facts::Facts;
use super::http::{Bound, Inherited, ListenError, Server};
use super::kept::Kept;
use super::shelf::Shelf;
use super::textfile::Textfile;
use super::{Source, notify};
use crate::arch::Arch;
use crate::cli::ending::finish;
use crate::cli::{Exit, Failure, doctor};
use crate::journal::{EndReason, Event};
use crate::kernel::host::Host;
use crate::kernel::modules::Modules;
use crate::kernel::settings::ftrace_enabled;
use crate::metrics::{Counts, Exposition, Kernel, Looks, Sight, Snapshot, State};
use crate::output::event_sink::EventSink as _;
use crate::session::{self, Collector, Sinks};
use looks::Watched;
pub(super) use said::Told;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often sysfs is looked at although no record has come.
const FACTS: Duration = Duration::from_secs(10);

/// Runs until SIGINT or SIGTERM.
pub(super) fn run(source: &Source, config: Config) -> Result<Exit, Failure> {
    // Before anything else opens a file.
    let inherited = Inherited::take()?;
    doctor::preflight()?;
    let (stop, reload) = session::service_flags()?;
    let (host, arch) = session::host()?;
    let mut service = Service::new(source, config, inherited, host, arch)?;
    let started = Instant::now();
    loop {
        if service.session(&stop, &reload)? == Next::End {
            break;
        }
    }
    service.ended();
    said::ended(started.elapsed(), &service.totals());
    Ok(Exit::Clean)
}

/// What comes after a session.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// The end.
    End,
    /// Another session: it is watched differently, or kept in another journal.
    Session,
}

struct Service<'a> {
    source: &'a Source,
    config: Config,
    host: Host,
    arch: Arch,
    shelf: Arc<Shelf>,
    metrics: Exposition,
    inherited: Inherited,
    server: Option<Server>,
    textfile: Option<Textfile>,
    told: Rc<Told>,
    kept: Option<Kept>,
    facts: Facts,
    counts: Counts,
    /// Of the sessions before this one.
    records: u64,
    state: Arc<State>,
    /// When the state was last taken.
    taken: Option<Instant>,
    /// Events since then.
    news: bool,
}

impl<'a> Service<'a> {
    fn new(
        source: &'a Source,
        config: Config,
        inherited: Inherited,
        host: Host,
        arch: Arch,
    ) -> Result<Self, Failure> {
        let first = Snapshot {
            kernel: Kernel { release: host.release.clone(), arch: host.arch.clone() },
            sight: Sight::Blind("the probes are being attached".to_owned()),
            counts: Counts::default(),
            looks: Looks { interval: config.look.interval.0, ..Looks::default() },
            journal: None,
        };
        let shelf = Arc::new(Shelf::new(first));
        let metrics = exposition(&shelf)?;
        let server = serve(&config.metrics, &inherited, &shelf, &metrics)?;
        said::listening(&config.metrics, &inherited);
        let told = Rc::new(Told::new(config.log.journald));
        Ok(Self {
            source,
            inherited,
            server,
            textfile: textfile(&config),
            kept: Kept::new(&config.journal, &told),
            told,
            facts: Facts::new(Path::new("/")),
            counts: Counts::default(),
            records: 0,
            state: Arc::default(),
            taken: None,
            news: false,
            config,
            host,
            arch,
            shelf,
            metrics,
        })
    }

    /// One session, from attaching to its last record.
    fn session(&mut self, stop: &AtomicBool, reload: &AtomicBool) -> Result<Next, Failure> {
        let mut sinks = Sinks::new(self.config.journal.redact_addresses);
        if let Some(kept) = &self.kept {
            sinks = sinks.and(kept.clone());
        }
        sinks.begin(&session::origin(&self.host))?;
        self.blind("the probes are being attached");
        let sections = self.config.attach.max_sections.0;
        let mut collector = self.config.attach().collector_with(&self.host, self.arch, sections, false)?;
        let mut watched = Watched::new(self.config.look.interval.0);
        watched.look(|| collector.start(&mut |event| self.take(&event, &mut sinks)));
        said::attached(collector.live().reader().hooks());
        sinks.idle();
        self.publish(&collector, &mut watched);
        notify::ready(&self.state);
        let next = loop {
            if stop.load(Ordering::Relaxed) {
                break Next::End;
            }
            if reload.swap(false, Ordering::Relaxed) {
                notify::reloading();
                let next = self.reload();
                watched.every(self.config.look.interval.0);
                notify::ready(&self.state);
                if let Some(next) = next {
                    break next;
                }
            }
            collector.wait(None, None)?;
            let ticked = collector.step(&mut |event| self.take(&event, &mut sinks));
            if watched.is_due() {
                watched.look(|| collector.read_again(&mut |event| self.take(&event, &mut sinks)));
            }
            sinks.idle();
            if ticked || self.news {
                self.publish(&collector, &mut watched);
            }
            if ticked {
                if let Some(textfile) = &mut self.textfile {
                    textfile.keep(&self.metrics);
                }
                notify::watchdog();
            }
            // What must be redacted and cannot be; a journal that cannot be written is no such end.
            if sinks.is_closed() {
                break Next::End;
            }
            if self.kept.as_ref().is_some_and(Kept::can_begin_again) {
                break Next::Session;
            }
        };
        let reason = if next == Next::End { EndReason::Signal } else { EndReason::Complete };
        collector.finish(reason, &mut |event| self.take(&event, &mut sinks));
        self.publish(&collector, &mut watched);
        self.records += collector.live().taken();
        finish(sinks, Exit::Clean)?;
        Ok(next)
    }

    fn take(&mut self, event: &Event, sinks: &mut Sinks) {
        self.news = true;
        // Counting does not fail.
        let _ = self.counts.event(event);
        self.told.finding(event);
        sinks.event(event);
    }

    /// Lays down what is known now.
    fn publish(&mut self, collector: &Collector, watched: &mut Watched) {
        let taken = collector.live().taken();
        watched.step(taken, collector.has_read_all());
        self.counts.records = self.records + taken;
        let sight = match watched.blind().or_else(no_hook_fires) {
            Some(why) => Sight::Blind(why),
            None => match self.look_at(collector) {
                Ok(()) => Sight::Sees(Arc::clone(&self.state)),
                Err(why) => Sight::Blind(why),
            },
        };
        self.shelf.publish(Snapshot {
            kernel: Kernel { release: self.host.release.clone(), arch: self.host.arch.clone() },
            sight,
            counts: self.counts.clone(),
            looks: watched.looks(),
            journal: self.kept.as_ref().map(Kept::told),
        });
    }

    /// Lays down what was known last without the states: they are not those of now.
    fn blind(&self, why: &str) {
        let last = (*self.shelf.latest()).clone();
        self.shelf.publish(Snapshot { sight: Sight::Blind(why.to_owned()), ..last });
    }

    /// Takes the states over, where anything can have changed.
    fn look_at(&mut self, collector: &Collector) -> Result<(), String> {
        let old = self.taken.is_none_or(|taken| taken.elapsed() >= FACTS);
        if !(self.news || old || self.facts.in_transition()) {
            return Ok(());
        }
        let modules = Modules::read(Path::new("/")).map_err(|error| error.to_string())?;
        let mut state = State::of(collector.live().verifier());
        self.facts.add(&mut state, &modules);
        (self.state, self.taken, self.news) = (Arc::new(state), Some(Instant::now()), false);
        notify::status(&self.state);
        Ok(())
    }

    /// Takes over what the configuration says now, as far as it can be used; what comes of it, if this session cannot go on.
    fn reload(&mut self) -> Option<Next> {
        let new = match self.source.read() {
            Ok(new) => new,
            Err(failure) => {
                said::kept_on(&failure);
                return None;
            }
        };
        let old = std::mem::replace(&mut self.config, new);
        if self.config.metrics != old.metrics {
            // The address may be the same one.
            self.server = None;
            match serve(&self.config.metrics, &self.inherited, &self.shelf, &self.metrics) {
                Ok(server) => {
                    self.server = server;
                    said::listening(&self.config.metrics, &self.inherited);
                }
                Err(error) => {
                    said::kept_on(&Failure::from(error));
                    self.config.metrics = old.metrics;
                    let before = serve(&self.config.metrics, &self.inherited, &self.shelf, &self.metrics);
                    self.server = before.ok().flatten();
                }
            }
        }
        if self.config.textfile != old.textfile {
            self.textfile = textfile(&self.config);
        }
        if self.config.log != old.log {
            self.told = Rc::new(Told::new(self.config.log.journald));
            if let Some(kept) = &self.kept {
                kept.tell(&self.told);
            }
        }
        if self.config.attach == old.attach && self.config.journal == old.journal {
            if let Some(kept) = &self.kept {
                kept.rotate();
            }
            return None;
        }
        match &self.kept {
            Some(kept) if self.config.journal.file.is_some() => kept.configure(&self.config.journal),
            _ => self.kept = Kept::new(&self.config.journal, &self.told),
        }
        Some(Next::Session)
    }

    fn totals(&self) -> crate::journal::Totals {
        self.state.totals.clone()
    }

    /// The last that is told: nothing of what stood until now.
    fn ended(&mut self) {
        notify::stopping();
        self.blind("klp-trace serve has ended");
        if let Some(textfile) = &mut self.textfile {
            textfile.write(&self.metrics);
        }
        self.server = None;
    }
}

fn no_hook_fires() -> Option<String> {
    let off = ftrace_enabled(Path::new("/")) == Some(false);
    off.then(|| "kernel.ftrace_enabled is 0: no hook fires; sysctl kernel.ftrace_enabled=1".to_owned())
}

fn exposition(shelf: &Arc<Shelf>) -> Result<Exposition, Failure> {
    let shelf = Arc::clone(shelf);
    Ok(Exposition::new(move || shelf.moment()).map_err(anyhow::Error::new)?)
}

fn textfile(config: &Config) -> Option<Textfile> {
    let file = config.textfile.file.as_deref()?;
    Some(Textfile::new(file, config.textfile.interval.0))
}

fn serve(
    config: &Metrics,
    inherited: &Inherited,
    shelf: &Arc<Shelf>,
    metrics: &Exposition,
) -> Result<Option<Server>, ListenError> {
    let bound = if inherited.is_nothing() {
        Bound::bind(config.listen.0, config.socket.as_deref())?
    } else {
        inherited.bound(config.listen_anywhere)?
    };
    if bound.is_nothing() {
        return Ok(None);
    }
    let started = Server::start(bound, config.hosts.clone(), Arc::clone(shelf), metrics.clone());
    started.map(Some).map_err(ListenError::Thread)
}
