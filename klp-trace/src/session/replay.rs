//! A journal judged anew: one way for every command, so that all of them say the same of the same file.

use super::{SessionError, Sinks, stop_flag};
use crate::arch::Arch;
use crate::journal::files;
use crate::journal::recording::{self, Take};
use crate::journal::{Body, Derived, EndReason, Event, Integrity, Origin};
use crate::verify::{Outcome, Verifier};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

/// What became of a journal.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Of all sessions together.
    pub outcome: Outcome,
    /// What is wrong with the journal itself.
    pub integrity: Integrity,
    /// How many sessions there were.
    pub sessions: usize,
}

impl Replayed {
    /// Whether the verdicts are those of a part.
    pub fn is_partial(&self) -> bool {
        !self.integrity.is_sound()
    }

    /// What is to be said of the journal, whatever the format: the verdicts are those of what is left of it.
    pub fn warnings(&self) -> Vec<String> {
        crate::output::text::integrity(&self.integrity)
    }
}

/// Judges the sessions of a journal anew. What is read as it arrives is judged as it arrives, and SIGINT, SIGTERM and
/// SIGHUP end it with its verdict.
///
/// `derives`: a journal is made of it. If this one is not whole, that goes into the sessions: into their first records
/// where the journal can be read twice, into their last ones where it arrives.
///
/// # Errors
/// Fails where it cannot be read, is no journal, is of an architecture that is not judged, or no output can be opened. That an
/// output failed later, [`Sinks::finish`] says.
pub fn replay(journal: &Path, derives: bool, to: &mut Sinks) -> Result<Replayed, SessionError> {
    let arrives = files::arrives(journal);
    let stop = stop_flag()?;
    let twice = derives && journal.as_os_str() != "-" && !arrives;
    let derived = if twice { Derived::of(&recording::check(&[journal], Some(&stop))?) } else { None };
    let mut running =
        Running { to, derived, session: None, sessions: 0, outcome: Outcome::default(), failure: None };
    let integrity = recording::replay_until(&[journal], Some(&stop), &mut running)?;
    if let Some(failure) = running.failure {
        return Err(failure);
    }
    let stopped = integrity.stopped && stop.load(Ordering::Relaxed);
    if stopped && !arrives {
        return Err(SessionError::Interrupted(journal.to_owned()));
    }
    let late = if derives && !twice { Derived::of(&integrity) } else { None };
    running.end(if stopped { EndReason::Signal } else { EndReason::EndOfRecording }, late);
    Ok(Replayed { outcome: running.outcome, integrity, sessions: running.sessions })
}

struct Running<'a, 'b> {
    to: &'a mut Sinks<'b>,
    /// What is said at the start of each session of its source.
    derived: Option<Derived>,
    session: Option<Current>,
    sessions: usize,
    outcome: Outcome,
    failure: Option<SessionError>,
}

/// The session that has not ended.
struct Current {
    verifier: Verifier,
    /// Of its last event.
    mono_ns: u64,
    /// Nothing has come since it was said that nothing is there.
    idle: bool,
}

impl Take for Running<'_, '_> {
    fn event(&mut self, origin: &Origin, mut event: Event) -> ControlFlow<()> {
        if matches!(event.body, Body::Session(_)) || self.session.is_none() {
            self.end(EndReason::EndOfRecording, None);
            if let Err(failure) = self.begin(origin) {
                self.failure = Some(failure);
                return ControlFlow::Break(());
            }
        }
        if let (Body::Session(session), Some(derived)) = (&mut event.body, &self.derived) {
            session.derived = Some(derived.clone());
        }
        let Self { to, session: Some(session), .. } = self else { return ControlFlow::Break(()) };
        (session.mono_ns, session.idle) = (event.mono_ns, false);
        session.verifier.feed(event, &mut |event| to.event(&event));
        if to.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn idle(&mut self) {
        // What was read together has come together: what is wrong with it is said, though nothing follows it yet.
        if let Some(session) = &mut self.session
            && std::mem::replace(&mut session.idle, true)
        {
            session.verifier.finish(&mut |event| self.to.event(&event));
        }
        self.to.idle();
    }
}

impl Running<'_, '_> {
    fn begin(&mut self, origin: &Origin) -> Result<(), SessionError> {
        let kernel = &origin.host.kernel;
        let arch =
            Arch::from_uname(&kernel.arch).ok_or_else(|| SessionError::Architecture(kernel.arch.clone()))?;
        self.to.begin(origin)?;
        let verifier = Verifier::new(arch).on(&kernel.release);
        self.session = Some(Current { verifier, mono_ns: 0, idle: false });
        self.sessions += 1;
        Ok(())
    }

    fn end(&mut self, reason: EndReason, derived: Option<Derived>) {
        let Some(Current { mut verifier, mono_ns, .. }) = self.session.take() else { return };
        verifier.finish(&mut |event| self.to.event(&event));
        let mut end = verifier.end(reason);
        end.derived = derived;
        self.to.event(&Event { mono_ns, task: None, body: Body::SessionEnd(end) });
        self.outcome = self.outcome.and(&verifier.outcome());
    }
}

#[cfg(test)]
mod rejudged;
