//! The loop of a session that only watches.

use super::{Collector, SessionError, Sinks};
use crate::journal::EndReason;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Watches until a signal, the time asked for, or the outputs end it; the session's end is the last event.
///
/// # Errors
/// Fails when poll(2) does. That an output failed, [`Sinks::finish`] says.
pub fn watch(
    collector: &mut Collector,
    sinks: &mut Sinks,
    duration: Option<Duration>,
    stop: &AtomicBool,
) -> Result<(), SessionError> {
    let end = duration.map(|duration| Instant::now() + duration);
    loop {
        let stopped = stop.load(Ordering::Relaxed);
        if stopped || end.is_some_and(|end| Instant::now() >= end) {
            let reason = if stopped { EndReason::Signal } else { EndReason::Duration };
            collector.finish(reason, &mut |event| sinks.event(&event));
            return Ok(());
        }
        collector.wait(end, None)?;
        collector.step(&mut |event| sinks.event(&event));
        sinks.idle();
        if sinks.is_closed() {
            collector.end(EndReason::OutputClosed, &mut |event| sinks.event(&event));
            return Ok(());
        }
    }
}
