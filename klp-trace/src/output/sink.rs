//! Writes lines to standard output or a file: whole lines, flushed by the batch, and honest about failure.
//!
//! A record that was promised and not written would be silence where there should be evidence. So every write is
//! checked, a file whose disk fills up is cut back to its last whole line, and only a closed pipe ends quietly:
//! there the reader has said that it has enough.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;

/// The mode of what may hold kernel addresses: for its owner alone.
const PRIVATE: u32 = 0o600;

/// Lines kept back before they are written unasked: bounds memory between flushes.
const BATCH: usize = 256 * 1024;

/// Why lines could not be written.
#[derive(Debug, Error)]
pub enum SinkError {
    /// The reader of the pipe has gone; end quietly, it is no failure.
    #[error("{to}: the reader closed the pipe")]
    Closed {
        /// Where the lines were going.
        to: String,
    },
    /// The device, the quota or the file size limit is exhausted.
    #[error("cannot write {to}: {source}")]
    Full {
        /// Where the lines were going.
        to: String,
        /// ENOSPC, EDQUOT or EFBIG.
        source: io::Error,
    },
    /// The file could not be opened for writing.
    #[error("cannot create {to}: {source}")]
    Create {
        /// The file.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// A journal that is not empty would be replaced.
    #[error("{to} is not empty, and a journal replaces nothing")]
    Taken {
        /// The file.
        to: String,
    },
    /// Any other failed write.
    #[error("cannot write {to}: {source}")]
    Io {
        /// Where the lines were going.
        to: String,
        /// Why.
        source: io::Error,
    },
}

impl SinkError {
    /// Whether the reader just went away, which ends a command quietly.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

/// A writer of whole lines. After an error every further write is refused: what follows a gap is worth nothing.
#[derive(Debug)]
pub struct LineSink {
    to: Target,
    pending: Vec<u8>,
    /// Bytes of the last line that are out already without its end.
    open: u64,
    failed: Option<Errno>,
    /// Something was written, if nothing more than an attempt.
    begun: bool,
}

#[derive(Debug)]
enum Target {
    Stdout(io::Stdout),
    /// A file that was there, or that is written for good from its first byte.
    File(File, PathBuf),
    /// A file made by this sink, which goes again if nothing is written to it.
    Made(File, PathBuf),
    /// A file beside the one that it is to become; gone if it does not become it.
    Beside {
        file: File,
        part: TempPath,
        to: PathBuf,
        /// Once the first lines are written, not once all are.
        early: bool,
    },
}

impl LineSink {
    /// Lines to standard output.
    pub fn stdout() -> Self {
        Self::new(Target::Stdout(io::stdout()))
    }

    /// Lines to a file that takes its name only when all is written ([`LineSink::finish`]): until then, and if it comes to
    /// nothing, what had that name is as it was. A new file is for its owner alone (0600), since it may hold kernel addresses;
    /// one that replaces another has that one's permissions. A symbolic link stays, and what it leads to is replaced. What is
    /// no regular file is written to. `-` is standard output.
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        Self::replace(path, PRIVATE)
    }

    /// The same for what can hold no address of this boot: a new file is as the umask has it (0666 without its bits), so that
    /// others, such as a collector of artifacts, can read it.
    pub fn create_public(path: &Path) -> Result<Self, SinkError> {
        Self::replace(path, 0o666)
    }

    /// To the file if one is named, else to standard output, of what can hold no address of this boot.
    pub fn open_public(path: Option<&Path>) -> Result<Self, SinkError> {
        path.map_or_else(|| Ok(Self::stdout()), Self::create_public)
    }

    fn replace(path: &Path, mode: u32) -> Result<Self, SinkError> {
        if path.as_os_str() == "-" {
            return Ok(Self::stdout());
        }
        let create = |source| SinkError::Create { to: path.display().to_string(), source };
        // A descriptor's name: it has no folder in which another file could take its place.
        let special = ["/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/proc"];
        let special = special.iter().any(|folder| path.starts_with(folder));
        let there = match std::fs::metadata(path) {
            Ok(there) if there.is_file() && !special => Some(there),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !special => None,
            _ => {
                let file = OpenOptions::new().write(true).open(path).map_err(create)?;
                return Ok(Self::new(Target::File(file, path.to_owned())));
            }
        };
        let to = match &there {
            Some(_) => std::fs::canonicalize(path).map_err(create)?,
            None => path.to_owned(),
        };
        let made = beside(&to, mode).map_err(create)?;
        if let Some(there) = there {
            made.as_file().set_permissions(there.permissions()).map_err(create)?;
        }
        Ok(Self::beside(made, to, false))
    }

    /// Lines to a journal's file: made anew, 0600, and never through a symbolic link. A file that is not empty is left as it
    /// is, unless it may be replaced: then it is once the first lines are written, and whoever has it open keeps the old one.
    /// A device or FIFO is written to.
    pub fn journal(path: &Path, replace: bool) -> Result<Self, SinkError> {
        let create = |source| SinkError::Create { to: path.display().to_string(), source };
        let there = match std::fs::symlink_metadata(path) {
            Ok(there) => there,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::create_new(path),
            Err(error) => return Err(create(error)),
        };
        if there.is_symlink() {
            let why = "it is a symbolic link, and a journal is not written through one; name the file itself";
            return Err(create(io::Error::other(why)));
        }
        if there.is_file() {
            if there.len() > 0 && !replace {
                return Err(SinkError::Taken { to: path.display().to_string() });
            }
            return Ok(Self::beside(beside(path, PRIVATE).map_err(create)?, path.to_owned(), true));
        }
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new().write(true).custom_flags(flags).open(path).map_err(create)?;
        Ok(Self::new(Target::File(file, path.to_owned())))
    }

    /// Lines to a file that must not be there yet, 0600.
    pub fn create_new(path: &Path) -> Result<Self, SinkError> {
        // O_EXCL does not follow a symbolic link either, not even one that leads nowhere.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(PRIVATE)
            .open(path)
            .map_err(|source| SinkError::Create { to: path.display().to_string(), source })?;
        Ok(Self::new(Target::Made(file, path.to_owned())))
    }

    /// To the file if one is named, else to standard output.
    pub fn open(path: Option<&Path>) -> Result<Self, SinkError> {
        path.map_or_else(|| Ok(Self::stdout()), Self::create)
    }

    /// Away from where bytes are added, which stays small enough to be compiled into its callers.
    #[cold]
    #[inline(never)]
    fn full(&mut self) -> io::Result<()> {
        LineSink::flush(self).map_err(io::Error::other)
    }

    fn new(to: Target) -> Self {
        Self { to, pending: Vec::new(), open: 0, failed: None, begun: false }
    }

    fn beside(made: NamedTempFile, to: PathBuf, early: bool) -> Self {
        let (file, part) = made.into_parts();
        Self::new(Target::Beside { file, part, to, early })
    }

    /// Gives a file that was written beside another the other's name.
    fn take_name(&mut self) -> Result<(), SinkError> {
        let stdout = Target::Stdout(io::stdout());
        match std::mem::replace(&mut self.to, stdout) {
            Target::Beside { file, part, to, .. } => {
                let renamed = part.persist(&to);
                self.to = Target::File(file, to);
                renamed.map_err(|error| self.fail(errno(&error.error), 0))
            }
            other => {
                self.to = other;
                Ok(())
            }
        }
    }

    /// Adds a line (its newline is added here). It reaches the file at the next [`LineSink::flush`], or when much
    /// is pending.
    pub fn line(&mut self, line: &[u8]) -> Result<(), SinkError> {
        self.pending.extend_from_slice(line);
        self.pending.push(b'\n');
        if self.pending.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    /// Adds bytes that are no line.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), SinkError> {
        self.pending.extend_from_slice(bytes);
        self.flush()
    }

    /// Writes what is pending. Call it after each batch of events.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        if let Some(errno) = self.failed {
            return Err(self.error(errno));
        }
        let mut written = 0;
        self.begun |= !self.pending.is_empty();
        while let Some(rest) = self.pending.get(written..).filter(|rest| !rest.is_empty()) {
            match rustix::io::write(self.fd(), rest) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                // Standard output may be a terminal or pipe that someone made non-blocking.
                Err(Errno::AGAIN) => self.wait_writable(),
                Err(errno) => return Err(self.fail(errno, written)),
            }
        }
        self.open = self.torn(self.pending.len());
        self.pending.clear();
        if self.begun && matches!(self.to, Target::Beside { early: true, .. }) {
            return self.take_name();
        }
        Ok(())
    }

    /// Bytes after the last newline, once the first `written` pending ones are out.
    fn torn(&self, written: usize) -> u64 {
        let out = self.pending.get(..written).unwrap_or_default();
        match memchr::memrchr(b'\n', out) {
            Some(at) => (out.len() - at - 1) as u64,
            None => self.open + out.len() as u64,
        }
    }

    /// Writes what is pending and, for a file, has the disk confirm it: some file systems report a full disk only then.
    pub fn finish(mut self) -> Result<(), SinkError> {
        self.flush()?;
        self.sync()?;
        // Nothing was there to be said: nothing is replaced by it, and no empty file stays.
        if self.begun { self.take_name() } else { Ok(()) }
    }

    /// Has the disk confirm what was written to a file, so that a power cut does not lose it.
    pub fn sync(&mut self) -> Result<(), SinkError> {
        if let Target::File(file, _) | Target::Made(file, _) | Target::Beside { file, .. } = &self.to {
            match rustix::fs::fdatasync(file) {
                // Not a file that can be synced: a pipe or a device.
                Ok(()) | Err(Errno::INVAL | Errno::ROFS | Errno::NOTSUP) => {}
                Err(errno) => {
                    self.failed = Some(errno);
                    return Err(self.error(errno));
                }
            }
        }
        Ok(())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match &self.to {
            Target::Stdout(stdout) => stdout.as_fd(),
            Target::File(file, _) | Target::Made(file, _) | Target::Beside { file, .. } => file.as_fd(),
        }
    }

    fn wait_writable(&self) {
        let fd = self.fd();
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::OUT)];
        // Whatever poll says, the next write says it better.
        let _ = rustix::event::poll(&mut fds, None);
    }

    /// Remembers the failure and takes the torn line back, of which `written` bytes of this batch are out.
    fn fail(&mut self, errno: Errno, written: usize) -> SinkError {
        self.failed = Some(errno);
        let torn = self.torn(written);
        self.pending = Vec::new();
        self.cut_back(torn);
        self.error(errno)
    }

    /// Cuts `torn` bytes off a regular file, if they are still its last: a file shared with another writer
    /// (`>> log`) is left alone.
    fn cut_back(&self, torn: u64) {
        let fd = self.fd();
        let Ok(stat) = rustix::fs::fstat(fd) else { return };
        let regular = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile;
        let Ok(at) = rustix::fs::tell(fd) else { return };
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if torn == 0 || !regular || at != size || torn > size {
            return;
        }
        // Shrinking needs no space. Should it fail all the same, the reader finds a torn last line and says so.
        if rustix::fs::ftruncate(fd, size - torn).is_ok() {
            let _ = rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(size - torn));
        }
    }

    fn error(&self, errno: Errno) -> SinkError {
        let to = match &self.to {
            Target::Stdout(_) => "standard output".to_owned(),
            Target::File(_, path) | Target::Made(_, path) | Target::Beside { to: path, .. } => {
                path.display().to_string()
            }
        };
        let source = io::Error::from(errno);
        match errno {
            Errno::PIPE => SinkError::Closed { to },
            Errno::NOSPC | Errno::DQUOT | Errno::FBIG => SinkError::Full { to, source },
            _ => SinkError::Io { to, source },
        }
    }
}

impl Drop for LineSink {
    fn drop(&mut self) {
        if let Target::Made(file, path) = &self.to
            && !self.begun
        {
            let ours = rustix::fs::fstat(file).map(|file| (file.st_dev, file.st_ino));
            let there = rustix::fs::lstat(&**path).map(|file| (file.st_dev, file.st_ino));
            if ours.is_ok() && ours == there {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// A file without a name of its own in the folder of `to`, with a mode from which the umask takes.
fn beside(to: &Path, mode: u32) -> io::Result<NamedTempFile> {
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new()
        .prefix(".klp-trace-")
        .suffix(".part")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

/// For a line too long to be made in memory first. After an error, [`LineSink::flush`] says again what it was.
impl io::Write for LineSink {
    #[inline]
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.write_all(part).map(|()| part.len())
    }

    // Called for each comma of a line: the usual way through `write`, a loop, costs more than the rest.
    #[inline]
    fn write_all(&mut self, part: &[u8]) -> io::Result<()> {
        self.pending.extend_from_slice(part);
        if self.pending.len() >= BATCH { self.full() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        LineSink::flush(self).map_err(io::Error::other)
    }
}

/// Has the disk confirm that a new file is in its folder.
pub fn sync_folder(file: &Path) -> Result<(), SinkError> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // A file system whose folders cannot be synced, or a folder that cannot be read.
        Err(error)
            if !matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::PermissionDenied) =>
        {
            Err(SinkError::Io { to: folder.display().to_string(), source: error })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
