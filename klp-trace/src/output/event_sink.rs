//! What takes the events of sessions: text, a journal, a report, a policy's observations. One session has any number of them.

use super::sink::SinkError;
use crate::journal::{Event, Origin};

/// Takes the events of one session after the other.
///
/// After an error no more is given to it.
pub trait EventSink {
    /// A session begins; the one before it has ended. What is written to is opened with the first one.
    ///
    /// # Errors
    /// Fails where it cannot be opened, or would replace what must not be replaced.
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError>;

    /// Takes an event of the session: evidence, or what the verifier concluded from it.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    fn event(&mut self, event: &Event) -> Result<(), SinkError>;

    /// Nothing more is there for now: what is pending is to be written.
    ///
    /// # Errors
    /// Fails where it cannot be written.
    fn idle(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Ends the output. What could not be done beside the writing, such as compressing a closed file, comes back in words.
    ///
    /// # Errors
    /// Fails where not all could be written.
    fn finish(&mut self, ended: Ended) -> Result<Vec<String>, SinkError>;
}

/// How the command that ran the sessions ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The exit code.
    pub code: u8,
    /// What it means, in one line.
    pub meaning: &'static str,
}

impl<S: EventSink + ?Sized> EventSink for &mut S {
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        (**self).begin(origin)
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        (**self).event(event)
    }

    fn idle(&mut self) -> Result<(), SinkError> {
        (**self).idle()
    }

    fn finish(&mut self, ended: Ended) -> Result<Vec<String>, SinkError> {
        (**self).finish(ended)
    }
}
