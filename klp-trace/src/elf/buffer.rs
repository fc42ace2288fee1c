//! Memory for a file's bytes.

use std::io::{self, Read};
use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};

/// From here on a large page saves hundreds of page faults, which cost as much as reading the file.
/// The size of one of x86_64's: other architectures take what is theirs of it.
const LARGE: usize = 2 << 20;

/// The bytes of a file, read into memory: no file is mapped, so that nobody changes or cuts what was checked.
#[derive(Debug)]
pub struct Buffer(Memory);

#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    /// Anonymous memory in whole large pages, where the kernel has them to give, and how much of it is meant.
    Pages(MmapMut, usize),
}

impl Buffer {
    /// Memory for so many bytes, none of them read yet.
    ///
    /// # Errors
    /// There is not so much memory.
    pub(super) fn zeroed(len: usize) -> io::Result<Self> {
        if len < LARGE {
            let mut bytes = Vec::new();
            bytes.try_reserve_exact(len)?;
            bytes.resize(len, 0);
            return Ok(Self(Memory::Heap(bytes)));
        }
        let map = MmapMut::map_anon(len.checked_next_multiple_of(LARGE).unwrap_or(len))?;
        // A kernel without large pages refuses: the same, but slower.
        let _ = map.advise(Advice::HugePage);
        Ok(Self(Memory::Pages(map, len)))
    }

    /// Reads on behind `from` until `upto` or the end of the file; how many bytes there are then.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn fill(&mut self, mut file: impl Read, from: usize, upto: usize) -> io::Result<usize> {
        let mut got = from;
        while let Some(rest) = self.get_mut(got..upto).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Memory::Heap(bytes))
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(map, len) => map.get(..*len).unwrap_or_default(),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Heap(bytes) => bytes,
            Memory::Pages(map, len) => map.get_mut(..*len).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_size_it_holds_what_was_read_and_zeros_behind() {
        for len in [0, 1, LARGE - 1, LARGE, LARGE + 1, 2 * LARGE + 5] {
            let file: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let mut buffer = Buffer::zeroed(len).unwrap();
            assert_eq!(buffer.len(), len);
            let half = buffer.fill(&file[..], 0, len / 2).unwrap();
            assert_eq!(half, len / 2);
            assert_eq!(buffer.fill(&file[half..], half, len).unwrap(), len);
            assert!(*buffer == file[..], "{len}");
            let mut cut = Buffer::zeroed(len).unwrap();
            assert_eq!(cut.fill(&file[..len / 3], 0, len).unwrap(), len / 3, "the file ends before");
            assert!(cut[len / 3..].iter().all(|b| *b == 0) && cut[..len / 3] == file[..len / 3]);
        }
    }
}
