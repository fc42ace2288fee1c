//! The outputs of a session: any number, behind one redaction.

use super::SessionError;
use crate::arch::Arch;
use crate::journal::{Event, Origin};
use crate::output::event_sink::{Ended, EventSink};
use crate::output::sink::SinkError;
use crate::source::redacted::{NotRedacted, Redacted};

/// Gives the events of sessions, redacted if they shall be, to each output.
///
/// An output whose reader has gone gets no more, and the others go on. One that fails, such as a journal on a full disk, ends
/// the session: what was asked to be kept is not kept.
#[derive(Default)]
pub struct Sinks<'a> {
    redact: bool,
    redacted: Option<Redacted>,
    /// Why a session that should be redacted cannot be.
    refused: Option<NotRedacted>,
    outputs: Vec<Output<'a>>,
}

struct Output<'a> {
    sink: Box<dyn EventSink + 'a>,
    broken: Option<SinkError>,
}

impl Output<'_> {
    fn give(&mut self, what: impl FnOnce(&mut dyn EventSink) -> Result<(), SinkError>) {
        if self.broken.is_none() {
            self.broken = what(&mut *self.sink).err();
        }
    }
}

impl<'a> Sinks<'a> {
    /// No output yet; with `redact`, none will see an address of this boot.
    pub fn new(redact: bool) -> Self {
        Self { redact, ..Self::default() }
    }

    /// Adds an output. What is to be kept comes before what says at its end how it went.
    #[must_use]
    pub fn and(mut self, sink: impl EventSink + 'a) -> Self {
        self.outputs.push(Output { sink: Box::new(sink), broken: None });
        self
    }

    /// A session begins; the one before it has ended.
    ///
    /// # Errors
    /// Fails where an output cannot be opened.
    pub fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        let kernel = &origin.host.kernel;
        let arch = Arch::from_uname(&kernel.arch).filter(|_| self.redact);
        self.redacted = arch.map(|arch| Redacted::new(arch, &kernel.release));
        self.outputs.iter_mut().try_for_each(|output| output.sink.begin(origin))
    }

    /// Gives an event, or what is left of it without addresses, to each output.
    pub fn event(&mut self, event: &Event) {
        let Self { redacted, refused, outputs, .. } = self;
        let mut give = |event: &Event| outputs.iter_mut().for_each(|to| to.give(|sink| sink.event(event)));
        match redacted {
            None => give(event),
            Some(redacted) if refused.is_none() => *refused = redacted.take(event, &mut give).err(),
            Some(_) => {}
        }
    }

    /// Nothing more is there for now: has each output write what is pending.
    pub fn idle(&mut self) {
        self.outputs.iter_mut().for_each(|to| to.give(|sink| sink.idle()));
    }

    /// Whether the session is to end: an output has failed, or nobody reads any of them.
    pub fn is_closed(&self) -> bool {
        let mut broken = self.outputs.iter().map(|output| output.broken.as_ref());
        self.refused.is_some()
            || broken.clone().flatten().any(|error| !error.is_closed())
            || (!self.outputs.is_empty() && broken.all(|broken| broken.is_some()))
    }

    /// Ends each output; those after one that failed are told `failed`. A reader that has gone is no failure. What could not be
    /// done beside the writing comes back in words.
    ///
    /// # Errors
    /// Fails where an output could not be written, or no session could be redacted.
    pub fn finish(self, ended: Ended, failed: Ended) -> Result<Vec<String>, SessionError> {
        if let Some(error) = self.refused {
            return Err(error.into());
        }
        let mut problems = Vec::new();
        let mut failure = None;
        for Output { mut sink, broken } in self.outputs {
            let how = if failure.is_some() { failed } else { ended };
            match broken.map_or_else(|| sink.finish(how), Err) {
                Ok(more) => problems.extend(more),
                Err(error) if error.is_closed() => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(problems), |error| Err(error.into()))
    }
}

#[cfg(test)]
mod tests;
