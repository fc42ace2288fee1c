//! A source whose evidence tells nothing of where KASLR has put the kernel: it is redacted first, and judged then, so that
//! no conclusion can tell what the evidence does not.

use crate::arch::Arch;
use crate::journal::redact::Redactor;
use crate::journal::{Body, Event, SessionEnd};
use crate::verify::Verifier;
use thiserror::Error;

/// Why a session cannot be redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotRedacted {
    /// How far KASLR had moved the kernel is not known.
    #[error(
        "addresses cannot be redacted: the session does not say where the kernel's _text was (session.kernel_base), so how \
         far KASLR had moved it is not known"
    )]
    NoBase,
    /// Which bytes hold addresses is known of x86-64 alone.
    #[error("addresses cannot be redacted: which relocations of {0} hold addresses is not known")]
    Architecture(&'static str),
}

/// Redacts sessions, one after the other.
#[derive(Debug)]
pub struct Redacted {
    arch: Arch,
    release: String,
    session: Session,
    verifier: Verifier,
}

/// What is to be done with the events of a session.
#[derive(Debug)]
enum Session {
    /// Nothing of it is let through.
    Refused,
    /// It is redacted already.
    AsItIs,
    Redacted(Redactor),
}

impl Redacted {
    /// Before the first session.
    pub fn new(arch: Arch, release: &str) -> Self {
        let (release, verifier) = (release.to_owned(), Verifier::new(arch).on(release));
        Self { arch, release, session: Session::Refused, verifier }
    }

    /// Takes an event as a verifier says it, evidence or conclusion, and gives what follows from the redacted evidence.
    pub fn take(&mut self, event: &Event, out: &mut dyn FnMut(&Event)) -> Result<(), NotRedacted> {
        match &event.body {
            Body::Session(session) => {
                self.session = match session.kernel_base.and_then(|base| Redactor::new(self.arch, base)) {
                    _ if session.redacted => Session::AsItIs,
                    Some(redactor) => Session::Redacted(redactor),
                    None => Session::Refused,
                };
                self.verifier = Verifier::new(self.arch).on(&self.release);
            }
            Body::RelocState(_) | Body::FindingClosed(_) => return Ok(()),
            Body::Finding(_) => {
                // What has been read is said by now.
                self.verifier.finish(&mut |event| out(&event));
                return Ok(());
            }
            Body::SessionEnd(end) if !matches!(self.session, Session::Refused) => {
                self.verifier.finish(&mut |event| out(&event));
                let derived = end.derived.clone();
                let end = SessionEnd { derived, ..self.verifier.end(end.reason) };
                let end = match &self.session {
                    Session::Redacted(redactor) => redactor.end(end),
                    _ => end,
                };
                let end = Body::SessionEnd(end);
                out(&Event { body: end, ..event.clone() });
                return Ok(());
            }
            _ => {}
        }
        let event = event.clone();
        let event = match &mut self.session {
            Session::Refused if self.arch.space().is_none() => {
                return Err(NotRedacted::Architecture(self.arch.name()));
            }
            Session::Refused => return Err(NotRedacted::NoBase),
            Session::AsItIs => event,
            Session::Redacted(redactor) => redactor.redact(event),
        };
        self.verifier.feed(event, &mut |event| out(&event));
        Ok(())
    }
}
