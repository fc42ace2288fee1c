//! A journal as one of the outputs of a session.

use super::{JournalWriter, Options};
use crate::journal::{Event, Origin};
use crate::output::event_sink::{Ended, EventSink};
use crate::output::sink::SinkError;

/// Keeps a journal; its files are opened with the first session.
#[derive(Debug)]
pub struct JournalSink {
    options: Option<Options>,
    writer: Option<JournalWriter>,
}

impl JournalSink {
    /// A journal as the options say.
    pub fn new(options: Options) -> Self {
        Self { options: Some(options), writer: None }
    }
}

impl EventSink for JournalSink {
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        if let Some(writer) = &mut self.writer {
            writer.set_origin(origin.clone());
        } else if let Some(options) = self.options.take() {
            self.writer = Some(JournalWriter::open(options, origin.clone())?);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.event(event))
    }

    fn idle(&mut self) -> Result<(), SinkError> {
        self.writer.as_mut().map_or(Ok(()), JournalWriter::flush)
    }

    fn finish(&mut self, _ended: Ended) -> Result<Vec<String>, SinkError> {
        self.writer.take().map_or(Ok(Vec::new()), JournalWriter::finish)
    }
}
