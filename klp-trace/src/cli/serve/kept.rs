//! The journal of a service: where it cannot be written, judging and serving go on, and that is told.

use super::config;
use super::run::Told;
use crate::cli::{Failure, keys};
use crate::journal::{Event, Origin, files};
use crate::metrics;
use crate::output::escape::Escaped;
use crate::output::event_sink::{Ended, EventSink};
use crate::output::journal::{JournalWriter, Options};
use crate::output::sink::SinkError;
use std::cell::RefCell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// How often a journal that could not be written is tried again.
const AGAIN: Duration = Duration::from_mins(1);

/// Bytes that must find room before it is.
const ROOM: usize = 64 << 10;

/// How often its files are looked at.
const LOOKED: Duration = Duration::from_secs(10);

/// A journal as one of the outputs of a session; it never fails after its first file was made.
#[derive(Clone)]
pub(super) struct Kept(Rc<RefCell<Inner>>);

struct Inner {
    config: config::Journal,
    output: PathBuf,
    /// Who is told of closed files.
    listener: Rc<Told>,
    writer: Option<JournalWriter>,
    told: metrics::Journal,
    /// What the sessions before this one wrote, and deleted.
    before: (u64, u64),
    failed: Option<Instant>,
    looked: Option<Instant>,
}

impl Kept {
    /// None where the configuration names no journal.
    pub(super) fn new(config: &config::Journal, listener: &Rc<Told>) -> Option<Self> {
        let output = config.file.clone()?;
        Some(Self(Rc::new(RefCell::new(Inner {
            config: config.clone(),
            output,
            listener: Rc::clone(listener),
            writer: None,
            told: metrics::Journal::default(),
            before: (0, 0),
            failed: None,
            looked: None,
        }))))
    }

    /// The next session is kept as this configuration says; what was counted stays.
    pub(super) fn configure(&self, config: &config::Journal) {
        let mut inner = self.0.borrow_mut();
        if let Some(output) = &config.file {
            inner.output.clone_from(output);
        }
        inner.config = config.clone();
        inner.looked = None;
    }

    /// Closed files are told to another one from the next session on.
    pub(super) fn tell(&self, listener: &Rc<Told>) {
        self.0.borrow_mut().listener = Rc::clone(listener);
    }

    /// Goes on in another file.
    pub(super) fn rotate(&self) {
        let mut inner = self.0.borrow_mut();
        let rotated = inner.writer.as_mut().map(JournalWriter::rotate_now);
        if let Some(Err(error)) = rotated {
            inner.broke(&error);
        }
    }

    /// How it stands.
    pub(super) fn told(&self) -> metrics::Journal {
        let mut inner = self.0.borrow_mut();
        inner.count();
        inner.told
    }

    /// It could not be written for a minute, and there is room again: another session can be kept, in another file. One that
    /// lacks records cannot be gone on with: they are evidence that the later ones rest on.
    pub(super) fn can_begin_again(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        let due = inner.failed.is_some_and(|failed| failed.elapsed() >= AGAIN);
        if due {
            inner.failed = Some(Instant::now());
        }
        due && has_room(&inner.output)
    }
}

impl Inner {
    fn open(&mut self, origin: &Origin) -> Result<(), Failure> {
        let signer = self.config.sign_key.as_deref().map(keys::signer).transpose()?;
        let options = Options {
            output: Some(self.output.clone()),
            rotation: Some(self.config.rotation()),
            sync: self.config.synced(),
            signer,
            overwrite: false,
            on_close: Some(Box::new(Rc::clone(&self.listener))),
        };
        self.writer = Some(JournalWriter::open(options, origin.clone())?);
        (self.told.writable, self.failed) = (true, None);
        Ok(())
    }

    fn give(&mut self, what: impl FnOnce(&mut JournalWriter) -> Result<(), SinkError>, events: u64) {
        match self.writer.as_mut().map(what) {
            None => self.told.unwritten += events,
            Some(Ok(())) => {}
            Some(Err(error)) => {
                self.told.unwritten += events;
                self.broke(&error);
            }
        }
    }

    fn broke(&mut self, error: &SinkError) {
        let error = error.to_string();
        let error = Escaped::new(error.as_bytes());
        let _ = writeln!(
            std::io::stderr(),
            "klp-trace: {error}; judging and serving go on without a journal, and it is tried again each minute"
        );
        self.count();
        self.told.errors += 1;
        self.told.writable = false;
        self.end();
        self.failed = Some(Instant::now());
    }

    /// The writer is given up: what it counted is kept.
    fn end(&mut self) -> Option<JournalWriter> {
        self.count();
        self.before = (self.told.records, self.told.deleted);
        self.writer.take()
    }

    fn count(&mut self) {
        if let Some(writer) = &self.writer {
            self.told.seq = writer.records();
            self.told.records = self.before.0 + writer.records();
            self.told.deleted = self.before.1 + writer.deleted();
        }
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOKED) {
            self.looked = Some(Instant::now());
            let files = files::set(&self.output).unwrap_or_default();
            let about = |path: &PathBuf| std::fs::symlink_metadata(path).ok();
            self.told.bytes = files.iter().filter_map(|(_, path)| about(path)).map(|file| file.len()).sum();
            let oldest = files.first().and_then(|(_, path)| about(path)?.modified().ok());
            self.told.oldest = oldest.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        }
    }
}

impl EventSink for Kept {
    /// Opens its first file, or the first of another session.
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        let mut inner = self.0.borrow_mut();
        if inner.writer.is_some() {
            return Ok(());
        }
        let opened = inner.open(origin);
        opened.map_err(|failure| {
            let to = inner.output.display().to_string();
            SinkError::Create { to, source: std::io::Error::other(failure.in_short()) }
        })
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.0.borrow_mut().give(|writer| writer.event(event), 1);
        Ok(())
    }

    fn idle(&mut self) -> Result<(), SinkError> {
        self.0.borrow_mut().give(JournalWriter::flush, 0);
        Ok(())
    }

    fn finish(&mut self, _ended: Ended) -> Result<Vec<String>, SinkError> {
        let mut inner = self.0.borrow_mut();
        match inner.end().map(JournalWriter::finish) {
            None => Ok(Vec::new()),
            Some(Ok(problems)) => Ok(problems),
            Some(Err(error)) => {
                inner.broke(&error);
                Ok(Vec::new())
            }
        }
    }
}

/// Whether so much can be written beside the journal and is there after it: space that is only promised is none.
fn has_room(output: &Path) -> bool {
    let folder = output.parent().unwrap_or(Path::new("/"));
    let tried = tempfile::NamedTempFile::new_in(folder).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.as_file().sync_all()
    });
    tried.is_ok()
}

#[cfg(test)]
mod tests;
