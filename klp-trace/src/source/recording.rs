//! A recorded journal as a source of events: the evidence of its sessions, in order.

use super::journal_files::{self, open};
use super::lines::{Line, read_line};
use crate::event::reader::{NotAJournal, Reader};
use crate::event::{Event, Integrity, Origin};
use std::io::{self, BufRead};
use std::ops::ControlFlow;
use std::path::Path;
use thiserror::Error;

/// Why a journal cannot be replayed. Damage is no such reason: see [`Integrity`].
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file could not be opened.
    #[error("cannot open the journal {from}: {source}")]
    Open {
        /// The file.
        from: String,
        /// Why.
        source: io::Error,
    },
    /// Reading broke off.
    #[error("cannot read the journal {from} beyond line {line}: {source}")]
    Read {
        /// The file.
        from: String,
        /// Lines read.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// It is no journal.
    #[error("{from} is not a journal that this klp-trace can judge: {source}")]
    NotAJournal {
        /// The file.
        from: String,
        /// Why.
        source: NotAJournal,
    },
}

/// Reads a journal (`-` is standard input) and gives its evidence to `take`, with where it was recorded, until the
/// journal or `take` ends it. A rotated journal is read file by file: see [`journal_files::expand`]. Memory is bounded by
/// the longest line and the largest section, whatever the files hold.
///
/// What comes back says whether the journal is whole. If it is not, the verdicts are those of what is left of it: warn,
/// and call the result inconclusive.
pub fn replay(
    path: &Path,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    let mut recording = Recording::new(path.display().to_string());
    let open_error = |from: &Path, source| RecordingError::Open { from: from.display().to_string(), source };
    for file in journal_files::expand(path).map_err(|source| open_error(path, source))? {
        let mut input = open(&file).map_err(|source| open_error(&file, source))?;
        if recording.read(&mut *input, take)?.is_break() {
            break;
        }
    }
    recording.finish()
}

/// [`replay`] of anything that can be read; `from` names it in errors.
pub fn replay_from(
    input: &mut dyn BufRead,
    from: &str,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    let mut recording = Recording::new(from.to_owned());
    let _ = recording.read(input, take)?;
    recording.finish()
}

/// One file after the other, as one journal.
struct Recording {
    from: String,
    reader: Reader,
    line: Vec<u8>,
}

impl Recording {
    fn new(from: String) -> Self {
        Self { from, reader: Reader::new(), line: Vec::new() }
    }

    fn refused(&self, source: NotAJournal) -> RecordingError {
        RecordingError::NotAJournal { from: self.from.clone(), source }
    }

    fn read(
        &mut self,
        input: &mut dyn BufRead,
        take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RecordingError> {
        loop {
            let length = read_line(input, &mut self.line);
            let event = match length {
                Err(source) => {
                    let (from, line) = (self.from.clone(), self.reader.lines());
                    return Err(RecordingError::Read { from, line, source });
                }
                Ok(Line::End) => return Ok(ControlFlow::Continue(())),
                Ok(Line::Whole) => self.reader.line(&self.line),
                Ok(Line::Unfinished) => self.reader.unfinished_line(&self.line),
                Ok(Line::TooLong) => self.reader.too_long().map(|()| None),
            };
            let event = event.map_err(|source| self.refused(source))?;
            if let (Some(event), Some(origin)) = (event, self.reader.origin())
                && take(origin, event).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
    }

    fn finish(self) -> Result<Integrity, RecordingError> {
        let from = self.from;
        self.reader.finish().map_err(|source| RecordingError::NotAJournal { from, source })
    }
}

#[cfg(test)]
mod tests;
