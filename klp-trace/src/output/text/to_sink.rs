//! Text on its way to standard output or a file.

use super::Text;
use crate::journal::{Event, Origin};
use crate::output::event_sink::{Ended, EventSink};
use crate::output::sink::{LineSink, SinkError};
use std::path::PathBuf;

/// Writes events as text.
#[derive(Debug)]
pub struct TextSink {
    text: Text,
    /// Lines that have not been handed on.
    lines: Vec<String>,
    path: Option<PathBuf>,
    to: Option<LineSink>,
}

impl TextSink {
    /// To the file if one is named, else to standard output.
    pub fn new(text: Text, path: Option<PathBuf>) -> Self {
        Self { text, lines: Vec::new(), path, to: None }
    }

    fn write(&mut self) -> Result<(), SinkError> {
        let Some(to) = &mut self.to else { return Ok(()) };
        self.lines.drain(..).try_for_each(|line| to.line(line.as_bytes()))
    }
}

impl EventSink for TextSink {
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        self.text.set_origin(origin);
        if self.to.is_none() {
            self.to = Some(LineSink::open(self.path.as_deref())?);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.text.event(event, &mut self.lines);
        self.write()
    }

    fn idle(&mut self) -> Result<(), SinkError> {
        self.text.flush(&mut self.lines);
        self.write()?;
        self.to.as_mut().map_or(Ok(()), LineSink::flush)
    }

    fn finish(&mut self, ended: Ended) -> Result<Vec<String>, SinkError> {
        self.text.summary(ended.code, ended.meaning, &mut self.lines);
        self.write()?;
        self.to.take().map_or(Ok(()), LineSink::finish)?;
        Ok(Vec::new())
    }
}
