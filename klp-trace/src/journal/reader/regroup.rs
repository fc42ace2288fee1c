//! Brings a `section_read` of earlier versions and the `reloc_state` records before it back together.

use super::Fault;
use crate::journal::record::{Kind, Malformed, Record};
use crate::journal::writer::ReadKey;
use crate::journal::{Body, EntryRead, Event};
use crate::model::{Address, Bytes};

/// Entries that one section_read may have: bounds the memory that a hostile journal can take (100 MiB).
pub(super) const MAX_ENTRIES: usize = 1 << 21;

/// The entries read since the last `section_read`.
#[derive(Debug, Default)]
pub(super) struct Regroup {
    of: Option<ReadKey>,
    entries: Vec<EntryRead>,
}

impl Regroup {
    /// Takes a `reloc_state`; without `read` it is a mere conclusion.
    pub(super) fn state(&mut self, record: &Record) -> Option<Fault> {
        record.read?;
        let (key, entry) = match entry_of(record) {
            Ok(found) => found,
            Err(malformed) => return Some(malformed.into()),
        };
        let fault = if self.of == Some(key) { None } else { self.abandon() };
        self.of = Some(key);
        if self.entries.len() >= MAX_ENTRIES {
            return Some(Fault::TooMany);
        }
        self.entries.push(entry);
        fault
    }

    /// Gives its entries to the event of a `section_read`. Entries that should be there and are not count as lost: they
    /// must not pass for unchanged; an entry beyond the section's last is none.
    pub(super) fn complete(&mut self, event: &mut Event, listed: u32) -> Option<Fault> {
        let Body::SectionRead(read) = &mut event.body else { return None };
        let stray = if self.of == Some(ReadKey::of_read(read)) { None } else { self.abandon() };
        self.of = None;
        read.entries = std::mem::take(&mut self.entries);
        read.entries.retain(|entry| entry.index < read.total);
        let found = u32::try_from(read.entries.len()).unwrap_or(u32::MAX);
        if found == listed {
            return stray;
        }
        read.lost = read.lost.saturating_add(listed.saturating_sub(found)).min(read.total);
        Some(Fault::Unlisted { listed, found })
    }

    /// Drops entries whose `section_read` never came.
    pub(super) fn abandon(&mut self) -> Option<Fault> {
        self.of = None;
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.clear();
        (count > 0).then_some(Fault::Stray { count })
    }
}

fn entry_of(record: &Record) -> Result<(ReadKey, EntryRead), Malformed> {
    let lacks = |part| Malformed { kind: Kind::RelocState, part };
    let patch = record.patch.as_ref().ok_or(lacks("patch"))?;
    let section = record.section.as_ref().ok_or(lacks("section"))?;
    let index = record.reloc.as_ref().ok_or(lacks("reloc"))?.index;
    let read = record.read.ok_or(lacks("read"))?;
    let target = record.target.ok_or(lacks("target"))?;
    let address = target.address.ok_or(lacks("target.address"))?;
    let recorded: Option<Address> = record.recorded;
    let bytes = target.actual.map(padded);
    let key = ReadKey::new(patch.address, section.index, read);
    Ok((key, EntryRead { index, address, bytes, recorded }))
}

/// The bytes, with zeros for those that the journal does not keep: no verdict looks at them.
pub(super) fn padded(bytes: Bytes) -> [u8; 8] {
    let mut all = [0; 8];
    for (to, from) in all.iter_mut().zip(bytes.as_slice()) {
        *to = *from;
    }
    all
}
