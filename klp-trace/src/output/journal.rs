//! Writes journals to files: one, or a rotated set with a bound on what it takes; synced, signed and compressed as asked.
//!
//! Every file is made anew, for its owner alone, and never through a symbolic link; none is ever appended to, and none that
//! holds anything is replaced unasked. So a torn last line, as a kill or a full disk leaves it, stays the last of its file.

mod compress;
mod rotated;
mod to_sink;

use super::sink::{LineSink, SinkError};
use crate::journal::chain::Hash;
use crate::journal::record::Kind;
use crate::journal::signature::Signer;
use crate::journal::{Body, Event, Journal, Origin};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rotated::Rotated;
pub use rotated::Rotation;
pub use to_sink::JournalSink;

/// How long records may wait to be synced with [`Sync::Interval`]: at most this, while anything happens or ticks.
pub const SYNC_EVERY: Duration = Duration::from_secs(1);

/// When written records are made to survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Sync {
    /// Each batch of records, before the next one is taken
    Always,
    /// Every second in which something was written
    #[default]
    Interval,
    /// When the kernel writes them back, some 30 seconds later
    Never,
}

/// How a journal is written.
#[derive(Debug, Default)]
pub struct Options {
    /// Where to; none is standard output.
    pub output: Option<PathBuf>,
    /// In several files.
    pub rotation: Option<Rotation>,
    /// When it is synced.
    pub sync: Sync,
    /// Signs each file.
    pub signer: Option<Signer>,
    /// A file that is there, and not empty, is replaced.
    pub overwrite: bool,
    /// Is told of each file that is closed.
    pub on_close: Option<Box<dyn OnClose>>,
}

/// Is told of files that are closed.
pub trait OnClose: std::fmt::Debug {
    /// Takes a closed file's path, and the last hash of each chain in it.
    fn closed(&mut self, file: &Path, heads: &[Hash]);
}

/// A journal on its way to its files.
#[derive(Debug)]
pub struct JournalWriter {
    journal: Journal,
    sink: LineSink,
    /// Path of the file that is being written; none for standard output.
    path: Option<PathBuf>,
    rotated: Option<Rotated>,
    sync: Sync,
    signer: Option<Signer>,
    on_close: Option<Box<dyn OnClose>>,
    /// The last hash of each chain in the file.
    heads: Vec<Hash>,
    written: u64,
    opened: Instant,
    synced: Instant,
    dirty: bool,
}

impl JournalWriter {
    /// Opens the first file.
    pub fn open(options: Options, origin: Origin) -> Result<Self, SinkError> {
        let Options { output, rotation, sync, signer, overwrite, on_close } = options;
        let output = output.filter(|path| path.as_os_str() != "-");
        let (sink, path, rotated) = match (output, rotation) {
            (None, _) => (LineSink::stdout(), None, None),
            (Some(path), None) => (LineSink::journal(&path, overwrite)?, Some(path), None),
            (Some(output), Some(rotation)) => {
                let mut rotated = Rotated::new(output, rotation)?;
                let path = rotated.next();
                (LineSink::create_new(&path)?, Some(path), Some(rotated))
            }
        };
        let now = Instant::now();
        let mut writer = Self {
            journal: Journal::new(origin),
            sink,
            path,
            rotated,
            sync,
            signer,
            on_close,
            heads: Vec::new(),
            written: 0,
            opened: now,
            synced: now,
            dirty: false,
        };
        writer.remember_file()?;
        Ok(writer)
    }

    /// The events from here on come from another session.
    pub fn set_origin(&mut self, origin: Origin) {
        self.journal.set_origin(origin);
    }

    /// Writes the records that an event completes, each in another file if this one is full or old enough.
    pub fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        // What is left of a session stands in its own file.
        if matches!(event.body, Body::Session(_)) {
            self.journal.flush();
            self.lines()?;
        }
        self.journal.event(event);
        self.lines()
    }

    /// Writes the lines that are complete.
    fn lines(&mut self) -> Result<(), SinkError> {
        while let Some(next) = self.journal.next_kind() {
            let starts = next == Kind::Session;
            // A file for the end alone helps nobody.
            if self.is_due() && next != Kind::SessionEnd {
                self.rotate(starts)?;
            }
            let Some(line) = self.journal.next_line() else { continue };
            self.sink.line(line)?;
            self.written += line.len() as u64 + 1;
            self.took(starts);
        }
        Ok(())
    }

    /// Writes out what is pending, and syncs it if it is time to.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.journal.flush();
        self.lines()?;
        self.sink.flush()?;
        let due = match self.sync {
            Sync::Always => true,
            Sync::Interval => self.synced.elapsed() >= SYNC_EVERY,
            Sync::Never => false,
        };
        if due && self.dirty {
            self.sink.sync()?;
            (self.synced, self.dirty) = (Instant::now(), false);
        }
        Ok(())
    }

    /// Ends the journal: the file is closed, signed and, where asked for, compressed. What could not be done beside the
    /// writing is said in words.
    pub fn finish(mut self) -> Result<Vec<String>, SinkError> {
        self.journal.flush();
        self.lines()?;
        self.close()?;
        Ok(self.rotated.map(Rotated::finish).unwrap_or_default())
    }

    /// Goes on in another file, if the journal is rotated and this one holds anything.
    ///
    /// # Errors
    /// Fails where the file cannot be closed, or the next one cannot be made.
    pub fn rotate_now(&mut self) -> Result<(), SinkError> {
        self.flush()?;
        // What is pending starts the next file, or goes on in it.
        let starts = self.journal.next_kind() == Some(Kind::Session);
        if self.rotated.is_some() && self.written > 0 { self.rotate(starts) } else { Ok(()) }
    }

    /// Records of the session so far.
    pub fn records(&self) -> u64 {
        self.journal.records()
    }

    /// Files that were deleted to keep the journal's size.
    pub fn deleted(&self) -> u64 {
        self.rotated.as_ref().map_or(0, Rotated::deleted)
    }

    fn is_due(&self) -> bool {
        self.rotated.as_ref().is_some_and(|rotated| {
            self.written > 0 && rotated.rotation().is_due(self.written, self.opened.elapsed())
        })
    }

    fn rotate(&mut self, starts: bool) -> Result<(), SinkError> {
        self.close()?;
        let Some(rotated) = &mut self.rotated else { return Ok(()) };
        if let Some(closed) = self.path.take() {
            rotated.closed(closed);
        }
        let path = rotated.next();
        self.sink = LineSink::create_new(&path)?;
        self.path = Some(path);
        (self.written, self.opened) = (0, Instant::now());
        self.heads.clear();
        self.remember_file()?;
        if !starts && let Ok(line) = self.journal.next_file() {
            self.sink.line(line)?;
            self.written = line.len() as u64 + 1;
            self.took(true);
        }
        Ok(())
    }

    fn took(&mut self, starts: bool) {
        if !starts {
            self.heads.pop();
        }
        self.heads.push(self.journal.head());
        self.dirty = true;
    }

    fn close(&mut self) -> Result<(), SinkError> {
        self.sink.flush()?;
        if self.sync != Sync::Never {
            self.sink.sync()?;
        }
        if let (Some(signer), Some(path)) = (&self.signer, &self.path)
            && !self.heads.is_empty()
        {
            write_signature(signer, &self.heads, path, self.sync)?;
        }
        if let (Some(listener), Some(path)) = (&mut self.on_close, &self.path)
            && !self.heads.is_empty()
        {
            listener.closed(path, &self.heads);
        }
        Ok(())
    }

    /// A file's name is lost with a power cut until its folder is synced.
    fn remember_file(&mut self) -> Result<(), SinkError> {
        match &self.path {
            Some(path) if self.sync != Sync::Never => super::sink::sync_folder(path),
            _ => Ok(()),
        }
    }
}

fn write_signature(signer: &Signer, heads: &[Hash], journal: &Path, sync: Sync) -> Result<(), SinkError> {
    let path = crate::journal::files::signature_of(journal);
    let mut sink = LineSink::journal(&path, true)?;
    sink.bytes(&signer.sign(heads))?;
    if sync == Sync::Never { sink.flush() } else { sink.finish() }
}

#[cfg(test)]
mod tests;
