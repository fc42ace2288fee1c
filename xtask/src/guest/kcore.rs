//! Kernel memory through /proc/kcore: a witness that shares nothing with klp-trace.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use anyhow::{Context, ensure};
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use object::{LittleEndian, elf};

/// A run of kernel addresses in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Segment {
    start: u64,
    length: u64,
    offset: u64,
}

/// /proc/kcore, open, with its table of what stands where.
#[derive(Debug)]
pub struct Kcore {
    file: File,
    segments: Vec<Segment>,
}

/// Enough for the ELF header and some 1100 program headers; a guest has about a dozen.
const HEADERS: usize = 64 * 1024;

impl Kcore {
    /// Opens it and reads its program headers.
    pub fn open() -> anyhow::Result<Self> {
        let file = File::open("/proc/kcore").context("cannot open /proc/kcore")?;
        let mut head = vec![0; HEADERS];
        let length = file.read_at(&mut head, 0).context("cannot read /proc/kcore")?;
        let segments = segments(head.get(..length).unwrap_or_default())?;
        Ok(Self { file, segments })
    }

    /// Up to eight bytes at `address`; none where kcore shows nothing.
    pub fn read(&self, address: u64) -> Option<Vec<u8>> {
        let (offset, room) = place(&self.segments, address)?;
        let mut bytes = vec![0; room.min(8)];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }
}

fn segments(head: &[u8]) -> anyhow::Result<Vec<Segment>> {
    let header = FileHeader64::<LittleEndian>::parse(head).context("/proc/kcore is not an ELF file")?;
    let endian = LittleEndian;
    let list = header.program_headers(endian, head).context("/proc/kcore's program headers")?;
    let loaded = list.iter().filter(|entry| entry.p_type(endian) == elf::PT_LOAD).map(|entry| Segment {
        start: entry.p_vaddr(endian),
        length: entry.p_memsz(endian),
        offset: entry.p_offset(endian),
    });
    let segments: Vec<Segment> = loaded.collect();
    ensure!(!segments.is_empty(), "/proc/kcore shows no memory");
    Ok(segments)
}

/// Where `address` is in the file, and how many bytes of its segment follow from there on.
fn place(segments: &[Segment], address: u64) -> Option<(u64, usize)> {
    segments.iter().find_map(|segment| {
        let inside = address.checked_sub(segment.start).filter(|inside| *inside < segment.length)?;
        Some((segment.offset.checked_add(inside)?, usize::try_from(segment.length - inside).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_its_segment() {
        let segments = [
            Segment { start: 0x1000, length: 0x100, offset: 0x40 },
            Segment { start: u64::MAX - 0xff, length: 0x100, offset: 0x1040 },
        ];
        assert_eq!(place(&segments, 0x10ff), Some((0x13f, 1)));
        assert_eq!(place(&segments, 0x1100), None);
        assert_eq!(place(&segments, u64::MAX), Some((0x113f, 1)));
    }

    #[test]
    fn what_is_not_elf_is_refused() {
        assert!(segments(&[0; 64]).is_err());
    }
}
