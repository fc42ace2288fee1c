//! A journal judged anew: one way for every command, so that all of them say the same of the same file.

use super::exit::Exit;
use super::failure::Failure;
use super::watch::live::stop_flag;
use crate::arch::Arch;
use crate::event::{Body, Derived, EndReason, Event, Integrity, Origin};
use crate::source::journal_files;
use crate::source::recording::{self, RecordingError, Take};
use crate::verify::{Outcome, Verifier};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

/// What takes the sessions of a journal, one after the other.
pub(super) trait Sessions {
    /// A session begins; the one before it has ended.
    fn begin(&mut self, origin: &Origin) -> Result<(), Failure>;

    /// An event of the session, as the verifier says it.
    fn event(&mut self, event: &Event);

    /// Nothing more is there for now: what is known is to be shown.
    fn idle(&mut self) {}

    /// Nothing more is wanted.
    fn is_closed(&self) -> bool {
        false
    }
}

/// What became of a journal.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// Of all sessions together.
    pub outcome: Outcome,
    pub integrity: Integrity,
}

impl Replayed {
    /// Whether the verdicts are those of a part.
    pub(super) fn is_partial(&self) -> bool {
        !self.integrity.is_sound()
    }

    /// What is to be said of the journal, whatever the format: the verdicts are those of what is left of it.
    pub(super) fn warnings(&self) -> Vec<String> {
        crate::output::text::integrity(&self.integrity)
    }

    /// Says so on standard error.
    pub(super) fn warn(&self, journal: &Path) {
        let name = crate::elf::names::path(journal);
        for line in self.warnings() {
            let _ = writeln!(std::io::stderr(), "klp-trace: {name}: {line}");
        }
    }
}

/// Judges the sessions of a journal anew. What is read as it arrives is judged as it arrives, and SIGINT, SIGTERM and
/// SIGHUP end it with its verdict.
///
/// `derives`: a journal is made of it. If this one is not whole, that goes into the sessions: into their first records
/// where the journal can be read twice, into their last ones where it arrives.
pub(super) fn replay(journal: &Path, derives: bool, to: &mut dyn Sessions) -> Result<Replayed, Failure> {
    let arrives = journal_files::arrives(journal);
    let stop = stop_flag()?;
    let twice = derives && journal.as_os_str() != "-" && !arrives;
    let derived =
        if twice { Derived::of(&recording::check(&[journal], Some(&stop)).map_err(refused)?) } else { None };
    let mut replay = Running {
        to,
        derived,
        verifier: None,
        mono_ns: 0,
        idle: false,
        outcome: Outcome::default(),
        failure: None,
    };
    let integrity = recording::replay_until(&[journal], Some(&stop), &mut replay).map_err(refused)?;
    if let Some(failure) = replay.failure {
        return Err(failure);
    }
    let stopped = integrity.stopped && stop.load(std::sync::atomic::Ordering::Relaxed);
    if stopped && !arrives {
        let what = anyhow::anyhow!("interrupted before all of {} was read", journal.display());
        return Err(Failure::new(Exit::Interrupted, what));
    }
    let late = if derives && !twice { Derived::of(&integrity) } else { None };
    replay.end(if stopped { EndReason::Signal } else { EndReason::EndOfRecording }, late);
    Ok(Replayed { outcome: replay.outcome, integrity })
}

struct Running<'a> {
    to: &'a mut dyn Sessions,
    /// What is said at the start of each session of its source.
    derived: Option<Derived>,
    verifier: Option<Verifier>,
    mono_ns: u64,
    /// Nothing has come since it was said that nothing is there.
    idle: bool,
    outcome: Outcome,
    failure: Option<Failure>,
}

impl Take for Running<'_> {
    fn event(&mut self, origin: &Origin, mut event: Event) -> ControlFlow<()> {
        if matches!(event.body, Body::Session(_)) || self.verifier.is_none() {
            self.end(EndReason::EndOfRecording, None);
            let begun = match Arch::from_uname(&origin.host.kernel.arch) {
                Some(arch) => {
                    self.verifier = Some(Verifier::new(arch).on(&origin.host.kernel.release));
                    self.to.begin(origin)
                }
                None => Err(not_judged(&origin.host.kernel.arch)),
            };
            if let Err(failure) = begun {
                self.failure = Some(failure);
                return ControlFlow::Break(());
            }
        }
        if let (Body::Session(session), Some(derived)) = (&mut event.body, &self.derived) {
            session.derived = Some(derived.clone());
        }
        (self.mono_ns, self.idle) = (event.mono_ns, false);
        if let Some(verifier) = &mut self.verifier {
            let to = &mut *self.to;
            verifier.feed(event, &mut |event| to.event(&event));
        }
        if self.to.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn idle(&mut self) {
        // What was read together has come together: what is wrong with it is said, though nothing follows it yet.
        if std::mem::replace(&mut self.idle, true)
            && let Some(verifier) = &mut self.verifier
        {
            let to = &mut *self.to;
            verifier.finish(&mut |event| to.event(&event));
        }
        self.to.idle();
    }
}

impl Running<'_> {
    fn end(&mut self, reason: EndReason, derived: Option<Derived>) {
        let Some(mut verifier) = self.verifier.take() else { return };
        verifier.finish(&mut |event| self.to.event(&event));
        let mut end = verifier.end(reason);
        end.derived = derived;
        let body = Body::SessionEnd(end);
        self.to.event(&Event { mono_ns: self.mono_ns, task: None, body });
        self.outcome = self.outcome.and(&verifier.outcome());
    }
}

/// That a journal's machine has no formulas here.
pub(super) fn not_judged(arch: &str) -> Failure {
    Failure::new(Exit::Precondition, anyhow::anyhow!("relocations of {arch} cannot be judged"))
}

/// That a journal cannot be read.
pub(super) fn refused(error: RecordingError) -> Failure {
    let exit = match error {
        RecordingError::Open { .. } | RecordingError::NotAJournal { .. } => Exit::Usage,
        RecordingError::Read { .. } => Exit::Runtime,
    };
    Failure::new(exit, error).hint("name a file that `klp-trace watch --format ndjson` wrote")
}
