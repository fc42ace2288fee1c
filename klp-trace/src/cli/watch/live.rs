//! `watch` on the running kernel.

use super::{Args, Attach, show::Show};
use crate::{
    arch::Arch,
    cli::{Exit, Failure, doctor, inputs::Inputs},
    event::{Body, Clock, EndReason, Event, Host, Kernel, Memory, Origin, Session, Tool},
    kernel::{host, kallsyms, kmsg, kmsg::Kmsg, patch_file::Finder},
    model::Address,
    output::sink::LineSink,
    probe::{self, ProbeError, Probes},
    source::live::{Live, Parts, hook_info},
};
use anyhow::Context as _;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How often the hooks' sight and losses are looked at when nothing arrives.
const TICK: Duration = Duration::from_secs(1);

/// Watches until a signal, the time asked for, or the reader of the output ends it.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let inputs = Inputs::of(args.ko.iter().chain(&args.journal.sign_key));
    args.journal.spare(inputs, args.output.output.as_ref(), args.ready_file.as_ref())?;
    let (host, arch) = host()?;
    let stop = stop_flag()?;
    let mut show = Show::open(args, origin(&host))?;
    let probes = attach(args.attach, args.ring_size, args.max_sections, args.bpf_log)?;
    let log = log();
    let session = session(&probes, args.ring_size, log.as_ref());
    let mut live = live(probes, &host, arch, args.ko.clone()).hearing(log);
    live.start(session, &mut |event| show.event(&event));
    show.flush();
    if let Some(file) = &args.ready_file {
        let mut ready = LineSink::create(file)?;
        ready.line(b"ready")?;
        ready.finish()?;
    }
    let reason = watch(&mut live, &mut show, args.duration, &stop)?;
    let end = Event { mono_ns: monotonic(), task: None, body: Body::SessionEnd(live.verifier().end(reason)) };
    show.event(&end);
    show.finish(&live.verifier().outcome(), false, args.fail_on.into())
}

/// This host, and the architecture whose formulas apply.
pub(in crate::cli) fn host() -> Result<(host::Host, Arch), Failure> {
    let host = host::Host::read(Path::new("/"));
    let Some(arch) = Arch::from_uname(&host.arch).filter(|arch| arch.is_live()) else {
        let what = anyhow::anyhow!("the livepatches of a running {} kernel cannot be judged", host.arch);
        let hint = "run it on x86_64; what can be done elsewhere: klp-trace inspect FILE, klp-trace watch --from JOURNAL";
        return Err(Failure::new(Exit::Precondition, what).hint(hint));
    };
    Ok((host, arch))
}

/// The first event of a session.
pub(in crate::cli) fn session(probes: &Probes, ring_bytes: u32, log: Option<&Kmsg>) -> Session {
    Session {
        command: std::env::args().collect(),
        clears: probes.clears(),
        hooks: probes.hooks().iter().map(hook_info).collect(),
        ring_bytes,
        memory: Memory::Bpf,
        kernel_base: kallsyms::text(Path::new(kallsyms::PATH)).map(Address),
        kernel_log: log.is_some(),
        redacted: false,
        derived: None,
    }
}

/// The kernel's own log from here on; none where it cannot be read, which `klp-trace doctor` tells.
pub(in crate::cli) fn log() -> Option<Kmsg> {
    Kmsg::open(Path::new(kmsg::PATH)).ok()
}

/// The running kernel as a source, watched through `probes`.
pub(in crate::cli) fn live(probes: Probes, host: &host::Host, arch: Arch, ko: Vec<PathBuf>) -> Live<Probes> {
    let root = Path::new("/");
    let finder = Finder::new(root, &host.release, ko);
    Live::new(Parts { reader: probes, arch, root: root.to_owned(), finder })
}

/// The loop: waits for records, a signal or the next tick.
fn watch(
    live: &mut Live<Probes>,
    show: &mut Show,
    duration: Option<Duration>,
    stop: &AtomicBool,
) -> Result<EndReason, Failure> {
    let end = duration.map(|duration| Instant::now() + duration);
    let mut next_tick = Instant::now() + TICK;
    loop {
        let now = Instant::now();
        let stopped = stop.load(Ordering::Relaxed);
        if stopped || end.is_some_and(|end| now >= end) {
            live.finish(&mut |event| show.event(&event));
            return Ok(if stopped { EndReason::Signal } else { EndReason::Duration });
        }
        let until = end.map_or(next_tick, |end| end.min(next_tick));
        wait(live.reader(), until.saturating_duration_since(now))?;
        if Instant::now() >= next_tick {
            next_tick = Instant::now() + TICK;
            live.tick(&mut |event| show.event(&event));
        } else {
            live.step(&mut |event| show.event(&event));
        }
        live.reader_mut().flush_log();
        show.flush();
        if show.is_closed() {
            return Ok(EndReason::OutputClosed);
        }
    }
}

/// Waits until records have arrived, at most so long.
pub(in crate::cli) fn wait(probes: &Probes, timeout: Duration) -> Result<(), Failure> {
    let fd = probes.fd();
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(anyhow::Error::new(error).context("cannot wait for the probes").into()),
    }
}

/// Set by SIGINT, SIGTERM and SIGHUP from here on.
pub(in crate::cli) fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for signals")?;
    }
    Ok(stop)
}

/// Attaches the probes.
pub(in crate::cli) fn attach(
    attach: Attach,
    ring_bytes: u32,
    max_sections: u32,
    bpf_log: bool,
) -> Result<Probes, Failure> {
    // Which patch a transition is about is known from its beginning: no need to search all of kallsyms for the
    // kernel's own variables before anything is attached.
    let variables = probe::Variables::default();
    let options = probe::Options { attach: attach.into(), ring_bytes, max_sections, bpf_log, variables };
    Probes::attach(&options).map_err(|error| {
        if matches!(error, ProbeError::RingSize { .. }) {
            return Failure::new(Exit::Usage, error);
        }
        Failure::new(Exit::Precondition, error).hint(doctor::refusal_hint())
    })
}

/// Where the session's records come from.
pub(in crate::cli) fn origin(host: &host::Host) -> Origin {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let wall = i128::try_from(wall).unwrap_or(0);
    Origin {
        host: Arc::new(Host {
            id: host.id.clone().unwrap_or_default(),
            name: host.name.clone(),
            boot_id: host.boot_id.clone(),
            kernel: Kernel { release: host.release.clone(), arch: host.arch.clone() },
        }),
        tool: Arc::new(Tool { version: env!("CARGO_PKG_VERSION").to_owned() }),
        clock: Clock::new(wall, monotonic()),
    }
}

fn monotonic() -> u64 {
    crate::source::live::now()
}
