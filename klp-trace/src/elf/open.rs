//! Opening a file that a user names: never blocks on a FIFO, never maps, never reads beyond the limits.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::{Error, Rule, compressed, limits};

/// A module's bytes in memory, decompressed.
#[derive(Clone, Debug)]
pub struct Contents {
    /// The ELF file, or what stood there instead.
    pub bytes: Vec<u8>,
    /// Whether the file was compressed: offsets in errors then count decompressed bytes.
    pub decompressed: bool,
}

/// Reads a module's file, plain or compressed.
pub fn module(path: &Path) -> Result<Contents, Error> {
    let bytes = whole(path)?;
    match compressed::Format::of(&bytes) {
        None => Ok(Contents { bytes, decompressed: false }),
        Some(format) => {
            let bytes = compressed::decompress(format, &bytes).map_err(|rule| Error::at(path, 0, rule))?;
            Ok(Contents { bytes, decompressed: true })
        }
    }
}

/// Reads a regular file of at most [`limits::FILE_BYTES`], or [`limits::COMPRESSED_BYTES`] when it is compressed.
pub fn whole(path: &Path) -> Result<Vec<u8>, Error> {
    let fail = |offset, rule| Error::at(path, offset, rule);
    let io = |action, error: std::io::Error| fail(0, Rule::Io { action, message: error.to_string() });
    // O_NONBLOCK: a FIFO without a writer would otherwise hold us in open(). O_NOCTTY: a terminal must not become ours.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd: OwnedFd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| io("open it", e.into()))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| io("stat it", e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fail(0, Rule::NotRegular));
    }
    let expected = u64::try_from(stat.st_size).unwrap_or(0);
    let too_large = |limit| fail(limit, Rule::TooLarge { what: "the file", got: expected, limit });
    if expected > limits::FILE_BYTES {
        return Err(too_large(limits::FILE_BYTES));
    }
    let mut file = File::from(fd);
    let mut bytes = Vec::new();
    // The magic tells which limit holds before the rest is read.
    file.by_ref().take(MAGIC_BYTES.min(expected)).read_to_end(&mut bytes).map_err(|e| io("read it", e))?;
    if expected > limits::COMPRESSED_BYTES && compressed::Format::of(&bytes).is_some() {
        return Err(too_large(limits::COMPRESSED_BYTES));
    }
    let rest = expected.saturating_sub(bytes.len() as u64);
    bytes.reserve_exact(usize::try_from(rest).unwrap_or(0));
    file.by_ref().take(rest).read_to_end(&mut bytes).map_err(|e| io("read it", e))?;
    let got = bytes.len() as u64;
    if got < expected {
        return Err(fail(got, Rule::Shrunk { got, expected }));
    }
    Ok(bytes)
}

/// Enough for every magic of [`compressed::Format`].
const MAGIC_BYTES: u64 = 16;
