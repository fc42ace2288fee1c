//! A recorded journal as a source of events: the evidence of its sessions, in order.

use super::files::{self, open};
use super::lines::{Line, Lines};
use crate::journal::reader::{NotAJournal, Reader};
use crate::journal::{Event, Integrity, Origin};
use std::io::{self, BufRead};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// What takes the evidence of a journal.
pub trait Take {
    /// Takes an event, with where it was recorded, and says whether to go on.
    fn event(&mut self, origin: &Origin, event: Event) -> ControlFlow<()>;

    /// Nothing more is there for now: more may come.
    fn idle(&mut self) {}
}

/// Takes by a closure.
struct By<F>(F);

impl<F: FnMut(&Origin, Event) -> ControlFlow<()>> Take for By<F> {
    fn event(&mut self, origin: &Origin, event: Event) -> ControlFlow<()> {
        self.0(origin, event)
    }
}

/// Reads a journal (`-` is standard input) and gives its evidence to `take` until the journal or `take` ends it. A rotated
/// journal is read file by file: see [`files::expand`]. Memory is bounded by the longest line and the largest
/// section, whatever the files hold.
///
/// What comes back says whether the journal is whole. If it is not, the verdicts are those of what is left of it: warn,
/// and call the result inconclusive.
pub fn replay(
    path: &Path,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    replay_until(&[path], None, &mut By(take))
}

/// [`replay`] of several journals, one after the other, as one; until `stop` is set, too.
pub fn replay_until(
    paths: &[&Path],
    stop: Option<&Arc<AtomicBool>>,
    take: &mut dyn Take,
) -> Result<Integrity, RecordingError> {
    let mut recording =
        Recording::new(paths.first().map_or_else(String::new, |path| path.display().to_string()));
    let open_error = |from: &Path, source| RecordingError::Open { from: from.display().to_string(), source };
    let mut files = Vec::new();
    for path in paths {
        files.extend(files::expand(path).map_err(|source| open_error(path, source))?);
    }
    for file in files {
        let mut input = open(&file, stop.cloned()).map_err(|source| open_error(&file, source))?;
        recording.from = file.display().to_string();
        let stopped = || stop.is_some_and(|stop| stop.load(Ordering::Relaxed));
        if recording.read(&mut *input, &stopped, take)?.is_break() {
            recording.reader.stop();
            break;
        }
    }
    recording.finish()
}

/// Checks journals, and takes nothing of what they say.
pub fn check(paths: &[&Path], stop: Option<&Arc<AtomicBool>>) -> Result<Integrity, RecordingError> {
    replay_until(paths, stop, &mut By(|_: &Origin, _: Event| ControlFlow::Continue(())))
}

/// [`replay`] of anything that can be read; `from` names it in errors.
pub fn replay_from(
    input: &mut dyn BufRead,
    from: &str,
    take: &mut dyn FnMut(&Origin, Event) -> ControlFlow<()>,
) -> Result<Integrity, RecordingError> {
    let mut recording = Recording::new(from.to_owned());
    if recording.read(input, &|| false, &mut By(take))?.is_break() {
        recording.reader.stop();
    }
    recording.finish()
}

/// One file after the other, as one journal.
struct Recording {
    from: String,
    reader: Reader,
    lines: Lines,
}

impl Recording {
    fn new(from: String) -> Self {
        Self { from, reader: Reader::new(), lines: Lines::default() }
    }

    fn refused(&self, source: NotAJournal) -> RecordingError {
        RecordingError::NotAJournal { from: self.from.clone(), source }
    }

    fn read(
        &mut self,
        input: &mut dyn BufRead,
        stopped: &dyn Fn() -> bool,
        take: &mut dyn Take,
    ) -> Result<ControlFlow<()>, RecordingError> {
        self.reader.file(&self.from);
        self.lines = Lines::default();
        loop {
            let found = self.lines.next(input);
            if stopped() {
                return Ok(ControlFlow::Break(()));
            }
            let event = match found {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    take.idle();
                    continue;
                }
                // A compressed file that is damaged is a damaged journal; what follows it is still evidence.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    self.reader.unreadable(&error.to_string());
                    return Ok(ControlFlow::Continue(()));
                }
                Err(source) => {
                    let (from, line) = (self.from.clone(), self.reader.lines());
                    return Err(RecordingError::Read { from, line, source });
                }
                Ok(Line::End) => return Ok(ControlFlow::Continue(())),
                Ok(Line::Whole) => self.reader.line(self.lines.line()),
                Ok(Line::Unfinished) => self.reader.unfinished_line(self.lines.line()),
                Ok(Line::TooLong) => self.reader.too_long().map(|()| None),
            };
            let event = event.map_err(|source| self.refused(source))?;
            let more = self.reader.more();
            for event in [event, more].into_iter().flatten() {
                if let Some(origin) = self.reader.origin()
                    && take.event(origin, event).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if self.reader.is_flooded() {
                return Ok(ControlFlow::Continue(()));
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
