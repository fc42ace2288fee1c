//! Kernel memory through /proc/kcore: an ELF core file whose program headers say which addresses stand where in it.
//!
//! Format: fs/proc/kcore.c, 6.1 to 7.3. Opening it needs `CAP_SYS_RAWIO` and the file's owner, root; a kernel under
//! lockdown=confidentiality refuses it. What is not mapped reads as zeros in the vmalloc area, where modules are: a reader
//! has to make sure that what it looks at was there before and after.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use thiserror::Error;

/// Where the kernel shows its memory.
pub const PATH: &str = "/proc/kcore";

/// Enough for the ELF header and some 1100 program headers; a host has one for each range of its RAM.
const HEADERS: usize = 64 * 1024;

/// Why kernel memory cannot be read through the file.
#[derive(Debug, Error)]
pub enum KcoreError {
    /// The kernel refuses it.
    #[error(
        "cannot open {path}: {source}; reading kernel memory through it needs root with CAP_SYS_RAWIO, and is refused under \
         lockdown=confidentiality"
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// EPERM or EACCES.
        source: io::Error,
    },
    /// It cannot be opened or read: a kernel without CONFIG_PROC_KCORE has none.
    #[error("cannot read {path}: {source} (it needs a kernel with CONFIG_PROC_KCORE=y)")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no core file of this machine's kind.
    #[error("{path} is not an ELF core file that shows kernel memory: {why}")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// A run of kernel addresses in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    start: u64,
    length: u64,
    offset: u64,
}

/// The file, open, with its table of what stands where.
#[derive(Debug)]
pub struct Kcore {
    file: File,
    segments: Vec<Segment>,
}

impl Kcore {
    /// Opens it and reads its program headers.
    pub fn open(path: &Path) -> Result<Self, KcoreError> {
        let io = |source: io::Error| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::PermissionDenied => KcoreError::Refused { path, source },
                _ => KcoreError::Io { path, source },
            }
        };
        let file = File::open(path).map_err(io)?;
        let mut head = vec![0; HEADERS];
        let length = file.read_at(&mut head, 0).map_err(io)?;
        let segments = segments(head.get(..length).unwrap_or_default())
            .map_err(|why| KcoreError::Format { path: path.to_owned(), why })?;
        Ok(Self { file, segments })
    }

    /// Fills `bytes` from `address`; false when not all of it can be read.
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> bool {
        let (mut at, mut rest) = (address, bytes);
        while !rest.is_empty() {
            let Some((offset, room)) = self.place(at) else { return false };
            let (part, after) = rest.split_at_mut(room.min(rest.len()));
            if self.file.read_exact_at(part, offset).is_err() {
                return false;
            }
            let Some(next) = at.checked_add(part.len() as u64) else { return after.is_empty() };
            (at, rest) = (next, after);
        }
        true
    }

    /// `N` bytes from `address`.
    pub fn bytes<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes).then_some(bytes)
    }

    /// `length` bytes from `address`; `None` also when that is more than `limit`.
    pub fn many(&self, address: u64, length: u64, limit: u64) -> Option<Vec<u8>> {
        let length = usize::try_from(length).ok().filter(|_| length <= limit)?;
        let mut bytes = vec![0; length];
        self.read(address, &mut bytes).then_some(bytes)
    }

    /// A string that ends with a NUL, without it, cut at `limit` bytes. Whether it was cut comes with it.
    pub fn string(&self, address: u64, limit: usize) -> Option<(Vec<u8>, bool)> {
        let mut text = Vec::new();
        // What follows the string need not be readable.
        while text.len() < limit {
            let at = address.checked_add(text.len() as u64)?;
            let (_, room) = self.place(at)?;
            let step = (64 - at % 64).min((limit - text.len()) as u64).min(room as u64);
            let part = self.many(at, step, 64)?;
            if let Some(end) = memchr::memchr(0, &part) {
                text.extend_from_slice(part.get(..end)?);
                return Some((text, false));
            }
            text.extend_from_slice(&part);
        }
        Some((text, true))
    }

    /// Where `address` is in the file, and how many bytes of its segment follow from there on.
    fn place(&self, address: u64) -> Option<(u64, usize)> {
        self.segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.start).filter(|inside| *inside < segment.length)?;
            let room = usize::try_from(segment.length - inside).unwrap_or(usize::MAX);
            Some((segment.offset.checked_add(inside)?, room))
        })
    }
}

fn segments(head: &[u8]) -> Result<Vec<Segment>, &'static str> {
    let header = FileHeader64::<LE>::parse(head).map_err(|_| "its ELF header is no 64-bit one")?;
    let list = header.program_headers(LE, head).map_err(|_| "its program headers cannot be read")?;
    let loaded = list.iter().filter(|entry| entry.p_type(LE) == elf::PT_LOAD).map(|entry| Segment {
        start: entry.p_vaddr(LE),
        length: entry.p_memsz(LE),
        offset: entry.p_offset(LE),
    });
    let segments: Vec<Segment> = loaded.collect();
    if segments.is_empty() { Err("it shows no memory") } else { Ok(segments) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A core file of these runs of memory, each an address and its bytes.
    pub(crate) fn core(memory: &[(u64, &[u8])]) -> Vec<u8> {
        let mut file = vec![0; 64];
        file[..20].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0");
        file[20] = 1; // e_version
        file[32] = 64; // e_phoff
        file[52] = 64; // e_ehsize
        file[54] = 56; // e_phentsize
        file[56] = u8::try_from(memory.len()).unwrap();
        let mut offset = 64 + 56 * memory.len() as u64;
        for (address, bytes) in memory {
            let length = bytes.len() as u64;
            file.extend([1_u32, 7].iter().flat_map(|word| word.to_le_bytes()));
            file.extend(
                [offset, *address, 0, length, length, 4096].iter().flat_map(|word| word.to_le_bytes()),
            );
            offset += length;
        }
        for (_, bytes) in memory {
            file.extend_from_slice(bytes);
        }
        file
    }

    fn open(file: &[u8]) -> Result<Kcore, KcoreError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kcore");
        std::fs::write(&path, file).unwrap();
        Kcore::open(&path)
    }

    #[test]
    fn memory_is_found_by_its_address() {
        let file = core(&[(0x1000, b"abcdefgh"), (0x1008, b"ijkl\0mno"), (u64::MAX - 3, b"wxyz")]);
        let kcore = open(&file).unwrap();
        assert_eq!(kcore.bytes(0x1002), Some(*b"cdef"));
        assert_eq!(kcore.bytes(0x1006), Some(*b"ghij"), "across two segments");
        assert_eq!(kcore.bytes(u64::MAX - 3), Some(*b"wxyz"), "up to the last address");
        assert_eq!(kcore.bytes::<5>(u64::MAX - 3), None);
        assert_eq!(kcore.bytes::<1>(0xfff), None);
        assert_eq!(kcore.many(0x100c, 4, 3), None, "more than the limit");
        assert_eq!(kcore.string(0x1006, 64), Some((b"ghijkl".to_vec(), false)));
        assert_eq!(kcore.string(0x100d, 64), None, "no memory before its end");
        assert_eq!(kcore.string(0x1006, 3), Some((b"ghi".to_vec(), true)));
        assert_eq!(kcore.string(0x1008, 5), Some((b"ijkl".to_vec(), false)));
    }

    #[test]
    fn a_file_that_ends_early_is_unreadable_not_zero() {
        let mut file = core(&[(0x1000, b"abcdefgh")]);
        file.truncate(file.len() - 4);
        let kcore = open(&file).unwrap();
        assert_eq!(kcore.bytes(0x1000), Some(*b"abcd"));
        assert_eq!(kcore.bytes::<5>(0x1000), None);
    }

    #[test]
    fn what_is_no_core_file_is_refused() {
        assert!(matches!(open(&[0; 64]), Err(KcoreError::Format { .. })));
        assert!(matches!(open(&core(&[])), Err(KcoreError::Format { why: "it shows no memory", .. })));
        assert!(matches!(Kcore::open(Path::new("/nonexistent/kcore")), Err(KcoreError::Io { .. })));
    }
}
