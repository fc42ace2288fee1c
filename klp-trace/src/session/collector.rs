//! The running kernel, watched: attach, look, wait, take what arrived.

use super::SessionError;
use crate::arch::Arch;
use crate::journal::{EndReason, Event, Memory, Session};
use crate::kernel::{host::Host, kallsyms, kmsg, kmsg::Kmsg, patch_file::Finder};
use crate::model::Address;
use crate::probe::{Options, Probes};
use crate::source::live::{Live, Out, Parts, hook_info, now};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd as _, BorrowedFd};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often the hooks' sight and losses are looked at when nothing arrives.
const TICK: Duration = Duration::from_secs(1);

/// Collects the events of this kernel.
pub struct Collector {
    live: Live<Probes>,
    session: Session,
    next_tick: Instant,
}

impl Collector {
    /// Attaches the probes to this kernel. The livepatches' files are looked for in `ko` too.
    ///
    /// # Errors
    /// Fails where the kernel has no such hooks, or refuses them.
    pub fn attach(
        options: &Options,
        host: &Host,
        arch: Arch,
        ko: Vec<PathBuf>,
    ) -> Result<Self, SessionError> {
        let root = Path::new("/");
        let probes = Probes::attach(options)?;
        // None where it cannot be read, which `klp-trace doctor` tells.
        let log = Kmsg::open(Path::new(kmsg::PATH)).ok();
        let session = session(&probes, options.ring_bytes, log.is_some());
        let finder = Finder::new(root, &host.release, ko);
        let live = Live::new(Parts { reader: probes, arch, root: root.to_owned(), finder }).hearing(log);
        Ok(Self { live, session, next_tick: Instant::now() + TICK })
    }

    /// Begins the session, and takes a first look at what is loaded. Says whether the list of modules could be read.
    pub fn start(&mut self, out: Out) -> bool {
        self.live.start(self.session.clone(), out)
    }

    /// Waits until records have arrived or `wake` can be read, at most until then or the next tick.
    ///
    /// # Errors
    /// Fails when poll(2) does.
    pub fn wait(&self, until: Option<Instant>, wake: Option<BorrowedFd<'_>>) -> Result<(), SessionError> {
        let until = until.map_or(self.next_tick, |until| until.min(self.next_tick));
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let records = self.live.reader().fd();
        let mut fds = vec![PollFd::from_borrowed_fd(records.as_fd(), PollFlags::IN)];
        fds.extend(wake.map(|wake| PollFd::from_borrowed_fd(wake, PollFlags::IN)));
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(SessionError::Wait(error.into())),
        }
    }

    /// Takes what has arrived; about once a second it looks whether the hooks still see. Returns whether it did that.
    pub fn step(&mut self, out: Out) -> bool {
        let ticks = Instant::now() >= self.next_tick;
        if ticks {
            self.next_tick = Instant::now() + TICK;
            self.live.tick(out);
        } else {
            self.live.step(out);
        }
        self.live.reader_mut().flush_log();
        ticks
    }

    /// Reads everything again that can have changed. Says whether the list of modules could be read. What is being written
    /// meanwhile is read with a later step: [`Collector::has_read_all`] tells.
    pub fn read_again(&mut self, out: Out) -> bool {
        self.live.read_again(out)
    }

    /// Whether nothing is waiting to be read (again).
    pub fn has_read_all(&self) -> bool {
        self.live.verifier().wants().is_empty()
    }

    /// Takes what has arrived, for the last time, and ends the session.
    pub fn finish(&mut self, reason: EndReason, out: Out) {
        self.live.finish(out);
        self.end(reason, out);
    }

    /// Ends the session with what is known.
    pub fn end(&mut self, reason: EndReason, out: Out) {
        out(Event {
            mono_ns: now(),
            task: None,
            body: crate::journal::Body::SessionEnd(self.live.verifier().end(reason)),
        });
    }

    /// The source, for its totals and its probes.
    pub fn live(&self) -> &Live<Probes> {
        &self.live
    }
}

/// The first record of a session.
fn session(probes: &Probes, ring_bytes: u32, kernel_log: bool) -> Session {
    Session {
        command: std::env::args().collect(),
        clears: probes.clears(),
        hooks: probes.hooks().iter().map(hook_info).collect(),
        ring_bytes,
        memory: Memory::Bpf,
        kernel_base: kallsyms::text(Path::new(kallsyms::PATH)).map(Address),
        kernel_log,
        redacted: false,
        derived: None,
    }
}
