//! Compresses a closed file, and deletes it only once its compressed copy has been read back.

use crate::journal::files::COMPRESSED;
use crate::journal::zstd::Frames;
use ruzstd::encoding::{CompressionLevel, FrameCompressor};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Added to the name while the copy is not whole.
const PART: &str = ".part";

/// Makes `path.zst` of `path`, and deletes `path`. If anything fails, `path` stays as it is.
pub(super) fn compress(path: &Path) -> io::Result<()> {
    let with = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let (whole, part) = (with(COMPRESSED), with(&format!("{COMPRESSED}{PART}")));
    let made = make(path, &part);
    if made.is_err() {
        // The next try makes it anew.
        let _ = std::fs::remove_file(&part);
    }
    made?;
    std::fs::rename(&part, &whole)?;
    std::fs::remove_file(path)
}

fn make(path: &Path, part: &Path) -> io::Result<()> {
    match std::fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let copy = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(part)?;
    let source = Source {
        from: BufReader::with_capacity(1 << 17, File::open(path)?),
        seen: Sha256::new(),
        error: None,
    };
    let drain = Drain { to: BufWriter::with_capacity(1 << 17, copy), error: None };
    let mut encoder = FrameCompressor::new(CompressionLevel::Fastest);
    encoder.set_source(source);
    encoder.set_drain(drain);
    encoder.compress();
    let (Some(source), Some(mut drain)) = (encoder.take_source(), encoder.take_drain()) else {
        return Err(io::Error::other("the compressor lost its files"));
    };
    if let Some(error) = source.error.or(drain.error.take()) {
        return Err(error);
    }
    drain.to.flush()?;
    let copy = drain.to.into_inner().map_err(io::IntoInnerError::into_error)?;
    copy.sync_data()?;
    // An encoder's mistake would be found only when the journal is needed.
    let mut unpacked = Frames::new(BufReader::with_capacity(1 << 17, File::open(part)?));
    let mut seen = Source { from: &mut unpacked, seen: Sha256::new(), error: None };
    io::copy(&mut seen, &mut io::sink())?;
    if let Some(error) = seen.error {
        return Err(error);
    }
    if seen.seen.finalize() == source.seen.finalize() {
        Ok(())
    } else {
        Err(io::Error::other("the compressed copy does not give the file back"))
    }
}

/// Hashes what is read. The encoder takes no error: it is kept, and the stream ends.
struct Source<R> {
    from: R,
    seen: Sha256,
    error: Option<io::Error>,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.from.read(to) {
                Ok(count) => {
                    self.seen.update(to.get(..count).unwrap_or_default());
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.error = Some(error);
                    return Ok(0);
                }
            }
        }
    }
}

/// The same for what it writes: after an error the rest goes nowhere.
struct Drain<W> {
    to: W,
    error: Option<io::Error>,
}

impl<W: Write> Write for Drain<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.error.is_none() {
            self.error = self.to.write_all(bytes).err();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
