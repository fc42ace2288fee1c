//! Opening a file that a user names: never blocks on a FIFO, never maps, never reads beyond the limits.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use super::buffer::Buffer;
use super::{Error, Rule, compressed, header, limits};

/// A module's bytes in memory, decompressed.
#[derive(Debug)]
pub struct Contents {
    /// The ELF file, or what stood there instead.
    pub bytes: Buffer,
    /// Whether the file was compressed: offsets in errors then count decompressed bytes.
    pub decompressed: bool,
}

/// Reads a module's file, plain or compressed.
pub fn module(path: &Path) -> Result<Contents, Error> {
    let bytes = whole(path)?;
    match compressed::Format::of(&bytes) {
        None => Ok(Contents { bytes, decompressed: false }),
        Some(format) => {
            // What cannot be a module is not unpacked: it may be of any size.
            if let Some(head) = compressed::head(format, &bytes) {
                header::possible(path, &head)?;
            }
            let bytes = compressed::decompress(format, &bytes).map_err(|rule| Error::at(path, 0, rule))?;
            Ok(Contents { bytes: bytes.into(), decompressed: true })
        }
    }
}

/// Reads a regular file of at most [`limits::FILE_BYTES`], or [`limits::COMPRESSED_BYTES`] when it is compressed.
pub fn whole(path: &Path) -> Result<Buffer, Error> {
    let fail = |offset, rule| Error::at(path, offset, rule);
    let io = |action, error: std::io::Error| fail(0, Rule::Io { action, message: error.to_string() });
    // O_NONBLOCK: a FIFO without a writer would otherwise hold us in open(). O_NOCTTY: a terminal must not become ours.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd: OwnedFd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| io("open it", e.into()))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| io("stat it", e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(fail(0, Rule::NotRegular));
    }
    // Sizes are never negative.
    read(File::from(fd), u64::try_from(stat.st_size).unwrap_or(0))
        .map_err(|(offset, rule)| fail(offset, rule))
}

/// Reads a file that says it has `expected` bytes, and not one more.
fn read(mut file: impl Read, expected: u64) -> Result<Buffer, (u64, Rule)> {
    let io = |error: std::io::Error| (0, Rule::Io { action: "read it", message: error.to_string() });
    let too_large = |limit| (limit, Rule::TooLarge { what: "the file", got: expected, limit });
    if expected > limits::FILE_BYTES {
        return Err(too_large(limits::FILE_BYTES));
    }
    let len = usize::try_from(expected).unwrap_or(usize::MAX);
    let mut bytes = Buffer::zeroed(len).map_err(io)?;
    // The magic tells which limit holds before the rest is read.
    let magic = bytes.fill(&mut file, 0, MAGIC_BYTES.min(len)).map_err(io)?;
    if expected > limits::COMPRESSED_BYTES && compressed::Format::of(&bytes).is_some() {
        return Err(too_large(limits::COMPRESSED_BYTES));
    }
    let got = if magic < MAGIC_BYTES { magic } else { bytes.fill(file, magic, len).map_err(io)? } as u64;
    if got < expected { Err((got, Rule::Shrunk { got, expected })) } else { Ok(bytes) }
}

/// Enough for every magic of [`compressed::Format`].
const MAGIC_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = dir();
        let fifo = dir.path().join("fifo.ko");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, Mode::RUSR, 0).expect("a FIFO");
        for path in [fifo.as_path(), dir.path(), Path::new("/dev/zero")] {
            assert_eq!(whole(path).unwrap_err().rule, Rule::NotRegular, "{}", path.display());
        }
        let missing = whole(&dir.path().join("missing.ko")).unwrap_err();
        assert!(matches!(missing.rule, Rule::Io { action: "open it", .. }), "{missing}");
    }

    #[test]
    fn sparse_files_are_refused_by_their_size() {
        let dir = dir();
        let path = dir.path().join("huge.ko");
        fs::File::create(&path).expect("a file").set_len(10 << 30).expect("sparse");
        let error = whole(&path).unwrap_err();
        assert_eq!(error.rule, Rule::TooLarge { what: "the file", got: 10 << 30, limit: limits::FILE_BYTES });

        let mut compressed = fs::File::create(&path).expect("a file");
        compressed.write_all(b"\xfd7zXZ\0").expect("a magic");
        compressed.set_len(limits::COMPRESSED_BYTES + 1).expect("sparse");
        let error = whole(&path).unwrap_err();
        assert!(matches!(error.rule, Rule::TooLarge { limit: limits::COMPRESSED_BYTES, .. }), "{error}");
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_told_and_one_that_grows_is_cut() {
        let bytes = [7u8; 100];
        for (there, expected) in [(0, 1), (15, 16), (16, 17), (99, 100)] {
            let rule = Rule::Shrunk { got: there, expected };
            let there = usize::try_from(there).expect("small");
            assert_eq!(read(&bytes[..there], expected).map(|_| ()), Err((there as u64, rule)));
        }
        for expected in [0u8, 1, 16, 17, 99] {
            assert_eq!(read(&bytes[..], expected.into()).unwrap().len(), usize::from(expected));
        }
        // A file of /proc is regular, and says that it has no bytes.
        assert_eq!(&*whole(Path::new("/proc/version")).unwrap(), b"");
    }

    #[test]
    fn plain_and_compressed_modules_give_the_same_bytes() {
        let dir = dir();
        let elf = crate::elf::testing::livepatch();
        let (plain, packed) = (dir.path().join("a.ko"), dir.path().join("b.ko"));
        fs::write(&plain, &elf).expect("written");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&elf).expect("memory");
        fs::write(&packed, gzip.finish().expect("memory")).expect("written");
        for (path, decompressed) in [(&plain, false), (&packed, true)] {
            let contents = module(path).unwrap();
            assert_eq!((*contents.bytes == elf, contents.decompressed), (true, decompressed));
        }
    }

    #[test]
    fn errors_in_compressed_files_say_that_offsets_count_decompressed_bytes() {
        let dir = dir();
        let path = dir.path().join("b.ko.gz");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&[0; 100]).expect("memory");
        fs::write(&path, gzip.finish().expect("memory")).expect("written");
        let error = crate::elf::PatchFile::read(&path).unwrap_err().to_string();
        assert!(error.contains("at byte 0x0 of the decompressed file: not an ELF file"), "{error}");
    }
}
