//! A recorded journal as a source of events: the evidence of its sessions, in order.

use crate::event::reader::{MAX_LINE, NotAJournal, Reader};
use crate::event::{Event, Integrity, Origin};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
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
/// journal or `take` ends it. Memory is bounded by the longest line and the largest section, whatever the file holds.
///
/// What comes back says whether the journal is whole. If it is not, the verdicts are those of what is left of it: warn,
/// and call the result inconclusive.
pub fn replay(
    path: &Path,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    if path.as_os_str() == "-" {
        return replay_from(&mut io::stdin().lock(), "(standard input)", take);
    }
    let from = path.display().to_string();
    match File::open(path) {
        Ok(file) => replay_from(&mut BufReader::with_capacity(1 << 17, file), &from, take),
        Err(source) => Err(RecordingError::Open { from, source }),
    }
}

/// [`replay`] of anything that can be read; `from` names it in errors.
pub fn replay_from(
    input: &mut dyn BufRead,
    from: &str,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    let mut reader = Reader::new();
    let mut line = Vec::new();
    let refused = |source| RecordingError::NotAJournal { from: from.to_owned(), source };
    loop {
        let length = read_line(input, &mut line);
        let event = match length {
            Err(source) => {
                return Err(RecordingError::Read { from: from.to_owned(), line: reader.lines(), source });
            }
            Ok(Line::End) => break,
            Ok(Line::Whole) => reader.line(&line),
            Ok(Line::Unfinished) => reader.unfinished_line(&line),
            Ok(Line::TooLong) => reader.too_long().map(|()| None),
        };
        if let (Some(event), Some(origin)) = (event.map_err(refused)?, reader.origin())
            && take(origin, event).is_break()
        {
            break;
        }
    }
    reader.finish().map_err(refused)
}

/// What [`read_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Whole,
    /// Without a newline, at the end.
    Unfinished,
    /// Longer than [`MAX_LINE`]; skipped.
    TooLong,
    End,
}

/// Reads the next line into `line`, without its newline, keeping at most [`MAX_LINE`] bytes.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(match (too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Unfinished,
            });
        }
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
        too_long |= line.len().saturating_add(part.len()) > MAX_LINE;
        if !too_long {
            line.extend_from_slice(part);
        }
        let consumed = part.len() + usize::from(newline.is_some());
        input.consume(consumed);
        if newline.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

#[cfg(test)]
mod tests;
