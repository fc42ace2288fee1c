//! Putting the records of a section's walk together.

use crate::{
    journal::EntryRead,
    model::Address,
    probe::event::{Chunk, Entry, WalkBegin, WalkEnd, WalkId},
};
use std::collections::BTreeMap;

/// A section as one walk found it.
#[derive(Debug, Clone)]
pub(in crate::source) struct Walk {
    pub begin: WalkBegin,
    /// By index.
    pub entries: BTreeMap<u32, Entry>,
    /// Entries of the section.
    pub total: u32,
    /// CLOCK_MONOTONIC of its end, nanoseconds.
    pub mono_ns: u64,
    /// Something that writes relocations was under way when it began, or happened since.
    pub disturbed: bool,
}

/// The walks whose end has not been seen.
#[derive(Debug, Default)]
pub(in crate::source) struct Walks(BTreeMap<WalkId, Open>);

#[derive(Debug)]
struct Open {
    begin: WalkBegin,
    entries: BTreeMap<u32, Entry>,
    /// How often relocations had been written when it began; none: they were being written.
    quiet_since: Option<u64>,
}

impl Walks {
    /// `quiet_since`: how often relocations were written so far; none while they are being written.
    pub(in crate::source) fn begin(&mut self, begin: WalkBegin, quiet_since: Option<u64>) {
        self.0.insert(begin.walk, Open { begin, entries: BTreeMap::new(), quiet_since });
    }

    /// A chunk of a walk whose beginning was lost is dropped: the loss is counted where it happened.
    pub(in crate::source) fn chunk(&mut self, chunk: &Chunk) {
        if let Some(open) = self.0.get_mut(&chunk.walk) {
            open.entries.extend((chunk.first..).zip(chunk.entries.iter().copied()));
        }
    }

    /// `writes`: how often relocations were written so far.
    pub(in crate::source) fn end(&mut self, end: &WalkEnd, writes: u64) -> Option<Walk> {
        let open = self.0.remove(&end.walk)?;
        Some(Walk {
            begin: open.begin,
            entries: open.entries,
            total: end.total,
            mono_ns: end.stamp.mono_ns,
            disturbed: open.quiet_since != Some(writes),
        })
    }

    /// Forgets walks whose end can no longer come.
    pub(in crate::source) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Walk {
    /// Entries whose record did not arrive.
    pub(in crate::source) fn lost(&self) -> u32 {
        if self.begin.section.capped {
            // Nothing of it was read, whatever has arrived.
            return self.total;
        }
        self.total.saturating_sub(u32::try_from(self.entries.len()).unwrap_or(u32::MAX))
    }

    /// What was read of each relocation, in order.
    pub(in crate::source) fn reads(&self) -> Vec<EntryRead> {
        let base = self.begin.section.target_base;
        let read = |(&index, entry): (&u32, &Entry)| EntryRead {
            index,
            address: Address(base.wrapping_add(entry.rela.map_or(0, |rela| rela.offset))),
            bytes: entry.rela.and(entry.bytes).map(u64::to_le_bytes),
            recorded: entry.st_value.map(Address),
        };
        self.entries.iter().map(read).collect()
    }
}
