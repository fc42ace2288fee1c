//! ELF notes: the build-id that both a module's file and `/sys/module/<m>/notes/` carry.

use object::{Endian as _, Endianness, elf};

use super::header::Elf;
use super::{Error, Rule, limits};

/// `NT_GNU_BUILD_ID`, of owner `GNU`.
const NT_GNU_BUILD_ID: u32 = 3;

/// A note that does not fit in its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a note does not fit: header or contents reach beyond byte {0:#x}")]
pub struct Damaged(pub u64);

/// The build-id in the bytes of a note section (a file's `.note.gnu.build-id`, or
/// `/sys/module/<module>/notes/.note.gnu.build-id`); `None` when it has none. Offsets are bytes into `notes`.
pub fn build_id(notes: &[u8]) -> Result<Option<Vec<u8>>, Damaged> {
    Ok(find(notes, Endianness::Little)?.map(<[u8]>::to_vec))
}

/// The build-id in the bytes of a note section of this byte order.
fn find(notes: &[u8], order: Endianness) -> Result<Option<&[u8]>, Damaged> {
    let mut rest = notes;
    while !rest.is_empty() {
        let damaged = || Damaged((notes.len() - rest.len()) as u64);
        let word = |at: usize| -> Option<u32> {
            Some(order.read_u32(rest.get(at..at.checked_add(4)?)?.try_into().ok()?))
        };
        let header = || Some((word(0)?, word(4)?, word(8)?));
        let (namesz, descsz, kind) = header().ok_or_else(damaged)?;
        let part = |from: usize, size: u32| {
            let end = from.checked_add(usize::try_from(size).ok()?)?;
            Some((rest.get(from..end)?, end.next_multiple_of(4)))
        };
        let (name, after_name) = part(12, namesz).ok_or_else(damaged)?;
        let (desc, end) = part(after_name, descsz).ok_or_else(damaged)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" {
            let id = (1..=limits::BUILD_ID_BYTES).contains(&desc.len());
            return if id { Ok(Some(desc)) } else { Err(damaged()) };
        }
        // The last note's padding may be cut off.
        rest = rest.get(end..).unwrap_or_default();
    }
    Ok(None)
}

/// The build-id of a module's file.
pub(crate) fn of_elf<'a>(elf: &Elf<'a>) -> Result<Option<&'a [u8]>, Error> {
    let Some(section) = elf.find(b".note.gnu.build-id")?.filter(|s| s.is(elf::SHT_NOTE)) else {
        return Ok(None);
    };
    find(elf.bytes(section)?, elf.order).map_err(|Damaged(at)| {
        elf.source.error(section.offset.saturating_add(at), Rule::Note { section: section.index })
    })
}

/// A build-id as tools print it: lower-case hexadecimal.
pub fn hex(build_id: &[u8]) -> String {
    use std::fmt::Write as _;
    build_id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, desc: &[u8]) -> Vec<u8> {
        let size = |b: &[u8]| u32::try_from(b.len()).expect("small").to_le_bytes();
        let mut out = [size(name), size(desc), kind.to_le_bytes()].concat();
        for part in [name, desc] {
            out.extend(part);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let notes = [note(b"Linux\0", 0x100, &[1; 5]), note(b"GNU\0", 3, &[0xab; 20])].concat();
        assert_eq!(build_id(&notes), Ok(Some(vec![0xab; 20])));
        assert_eq!(build_id(&note(b"Xen\0", 3, &[1; 20])), Ok(None));
        assert_eq!(build_id(&[]), Ok(None));
        assert_eq!(hex(&[0x0a, 0xff]), "0aff");
    }

    #[test]
    fn damaged_notes_are_told() {
        let good = note(b"GNU\0", 3, &[7; 20]);
        for len in 1..good.len() {
            assert!(build_id(&good[..len]).is_err(), "cut to {len}");
        }
        let mut huge = good.clone();
        huge[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(build_id(&huge), Err(Damaged(0)));
        assert!(build_id(&note(b"GNU\0", 3, &[])).is_err());
        assert!(build_id(&note(b"GNU\0", 3, &[1; 65])).is_err());
    }
}
