//! What was seen since the start, as a journal in a file without a name, so that `w` can give it one.

use crate::journal::{Body, EndReason, Event, Journal, Origin};
use crate::output::sink::{LineSink, SinkError};
use crate::verify::Verifier;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes kept at most.
const MOST: u64 = 1 << 30;

/// The journal so far.
pub(super) struct Spool {
    journal: Journal,
    file: Option<BufWriter<File>>,
    written: u64,
    /// Of the latest event.
    lines: Vec<u8>,
    /// Why nothing more is kept.
    broken: Option<String>,
}

impl Spool {
    /// A spool on disk, readable by nobody else and gone with the program; without one, nothing can be written later.
    pub(super) fn new(origin: Origin) -> Self {
        let made = nameless(Path::new("/var/tmp")).or_else(|_| nameless(&std::env::temp_dir()));
        let (file, broken) = match made {
            Ok(file) => (Some(BufWriter::new(file)), None),
            Err(error) => (None, Some(format!("no temporary file could be made ({error})"))),
        };
        Self { journal: Journal::new(origin), file, written: 0, lines: Vec::new(), broken }
    }

    /// Takes an event.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        self.lines.clear();
        self.journal.append(event, &mut self.lines);
        self.written += self.lines.len() as u64;
        let kept = if self.written > MOST {
            Err(io::Error::other("it would take more than 1 GiB"))
        } else {
            file.write_all(&self.lines)
        };
        if let Err(error) = kept {
            self.broken = Some(error.to_string());
            self.file = None;
        }
    }

    /// Writes all of it to a new file, with an end; gives its path.
    pub(super) fn save(&mut self, verifier: &Verifier, mono_ns: u64, name: &str) -> Result<PathBuf, String> {
        let Some(file) = &mut self.file else {
            let why = self.broken.as_deref().unwrap_or("nothing was kept");
            return Err(format!(
                "no journal can be written: {why}; klp-trace watch --journal FILE keeps one"
            ));
        };
        let path = PathBuf::from(name);
        let journal = self.journal.clone();
        let io = |error: io::Error| format!("cannot write {}: {error}", path.display());
        file.flush().map_err(io)?;
        let mut from = BufReader::new(file.get_ref().try_clone().map_err(io)?);
        from.seek(SeekFrom::Start(0)).map_err(io)?;
        let written = copy(&mut from, journal, verifier, mono_ns, &path).map_err(|error| error.to_string());
        // The two share one offset: go on where the journal ends.
        file.get_mut().seek(SeekFrom::End(0)).map_err(io)?;
        written.map(|()| path)
    }
}

fn copy(
    from: &mut BufReader<File>,
    mut journal: Journal,
    verifier: &Verifier,
    mono_ns: u64,
    path: &Path,
) -> Result<(), SinkError> {
    let mut sink = LineSink::create_new(path)?;
    let mut line = Vec::new();
    let read = |error| SinkError::Io { to: path.display().to_string(), source: error };
    while from.read_until(b'\n', &mut line).map_err(read)? > 0 {
        sink.line(line.trim_ascii_end())?;
        line.clear();
    }
    let end = Event { mono_ns, task: None, body: Body::SessionEnd(verifier.end(EndReason::Complete)) };
    journal.event(&end);
    while let Some(line) = journal.next_line() {
        sink.line(line)?;
    }
    sink.finish()
}

fn nameless(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?.into())
}
