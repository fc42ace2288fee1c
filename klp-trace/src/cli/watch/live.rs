//! `watch` on the running kernel.

use super::{Args, sinks};
use crate::cli::ending::{finish, judged};
use crate::cli::inputs::Inputs;
use crate::cli::{Exit, Failure};
use crate::output::sink::LineSink;
use crate::session;

/// Watches until a signal, the time asked for, or the reader of the output ends it.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let inputs = Inputs::of(args.watch.ko.iter().chain(&args.journal.sign_key));
    args.spare(inputs)?;
    let (host, arch) = session::host()?;
    let stop = session::stop_flag()?;
    let mut sinks = sinks::open(args)?;
    sinks.begin(&session::origin(&host))?;
    let mut collector = args.watch.collector_with(&host, arch, args.max_sections, args.bpf_log)?;
    collector.start(&mut |event| sinks.event(&event));
    sinks.idle();
    if let Some(file) = &args.ready_file {
        let mut ready = LineSink::create(file)?;
        ready.line(b"ready")?;
        ready.finish()?;
    }
    session::watch(&mut collector, &mut sinks, args.duration, &stop)?;
    finish(sinks, judged(&collector.live().verifier().outcome(), false, (&args.fail).into()))
}
