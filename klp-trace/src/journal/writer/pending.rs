//! States of relocations on their way into records: those of one section that have all in common but the relocation are
//! one record, or several where they are many.

use super::ReadKey;
use crate::journal::Event;
use crate::journal::outcome::{RelocState, Witnesses};
use crate::journal::record::{EntryPart, Envelope, Kind, Record, RelocPart};
use crate::journal::refs::{ObjectRef, PatchRef, SectionRef, Task};
use crate::model::{Hook, Reason, Verdict};
use std::sync::Arc;

/// Relocations of one record, at most.
pub(in crate::journal) const MAX_RELOCATIONS: usize = 4096;

/// Bytes of what one record says of its relocations, at most; with what it says beside, a line is below 1 MiB.
const MAX_BYTES: usize = 900 << 10;

/// Bytes of an entry of a read, at most.
const ENTRY: usize = 128;

/// States that are not in a record yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    /// The read that `entries` were found by; its `SectionRead` is to come.
    of: Option<ReadKey>,
    entries: Vec<EntryPart>,
    groups: Vec<Group>,
    /// That of the latest state: most states are like the one before.
    latest: usize,
}

/// States that differ in their relocation alone.
#[derive(Debug, Clone)]
struct Group {
    common: Common,
    relocations: Vec<RelocPart>,
}

/// What the states of a record have in common.
#[derive(Debug, Clone, PartialEq)]
struct Common {
    mono_ns: u64,
    task: Option<Arc<Task>>,
    patch: PatchRef,
    object: ObjectRef,
    section: SectionRef,
    read: Option<Hook>,
    verdict: Option<Verdict>,
    reason: Option<Reason>,
    previous: Option<Verdict>,
    witnesses: Option<Witnesses>,
}

impl Common {
    fn of(event: &Event, state: &RelocState) -> Self {
        Self {
            mono_ns: event.mono_ns,
            task: event.task.clone(),
            patch: state.patch.clone(),
            object: state.object.clone(),
            section: state.section.clone(),
            read: state.read,
            verdict: state.verdict,
            reason: state.reason,
            previous: state.previous,
            witnesses: state.witnesses,
        }
    }

    /// Whether a state belongs here; what differs most often is compared first.
    fn fits(&self, event: &Event, state: &RelocState) -> bool {
        self.verdict == state.verdict
            && self.section.index == state.section.index
            && self.patch.address == state.patch.address
            && self.read == state.read
            && self.reason == state.reason
            && self.previous == state.previous
            && self.witnesses == state.witnesses
            && self.mono_ns == event.mono_ns
            && self.task == event.task
            && self.section == state.section
            && self.patch == state.patch
            && self.object == state.object
    }
}

impl Pending {
    /// Whether the `SectionRead` of what is pending has yet to come.
    pub(super) fn waits(&self) -> bool {
        self.of.is_some()
    }

    /// Whether a state can wait beside what is pending: it came of the same read, or at the same time.
    pub(super) fn goes_with(&self, event: &Event, state: &RelocState) -> bool {
        match (self.of, ReadKey::of_state(state)) {
            (Some(of), Some(key)) => of == key,
            (Some(_), None) => true,
            (None, _) => self.groups.first().is_none_or(|group| group.common.mono_ns == event.mono_ns),
        }
    }

    /// Takes a state.
    pub(super) fn state(&mut self, event: &Event, state: &RelocState) {
        if let Some(key) = ReadKey::of_state(state) {
            self.of = Some(key);
            if let Some(address) = state.address {
                let (index, bytes, recorded) = (state.reloc.index, state.actual, state.recorded);
                self.entries.push(EntryPart { index, address, bytes, recorded });
            }
        }
        let fits = |group: &Group| group.common.fits(event, state);
        if !self.groups.get(self.latest).is_some_and(fits) {
            self.latest = self.groups.iter().position(fits).unwrap_or_else(|| {
                self.groups.push(Group { common: Common::of(event, state), relocations: Vec::new() });
                self.groups.len() - 1
            });
        }
        if let Some(group) = self.groups.get_mut(self.latest) {
            group.relocations.push(relocation(state));
        }
    }

    /// What was found by a read; nothing waits for a `SectionRead` any more.
    pub(super) fn entries_of(&mut self, read: ReadKey) -> Vec<EntryPart> {
        let entries = std::mem::take(&mut self.entries);
        if self.of.take() == Some(read) { entries } else { Vec::new() }
    }

    /// The records of all states.
    pub(super) fn into_records(self, envelope: &Envelope<'_>) -> impl Iterator<Item = Record> {
        self.groups.into_iter().flat_map(|group| group.into_records(envelope))
    }
}

impl Group {
    fn into_records(self, envelope: &Envelope<'_>) -> impl Iterator<Item = Record> + use<> {
        let Self { common, relocations } = self;
        let mut record = Record::empty(Kind::SectionState, common.mono_ns, envelope);
        record.task = common.task;
        record.patch = Some(common.patch);
        record.object = Some(common.object);
        record.section = Some(common.section);
        record.read = common.read;
        record.verdict = common.verdict;
        record.reason = common.reason;
        record.previous = common.previous;
        record.witnesses = common.witnesses;
        in_parts(record, chunks(relocations, size_of), |record, part| record.relocations = Some(part))
    }
}

/// What a record says of the relocation of a state.
fn relocation(state: &RelocState) -> RelocPart {
    let as_it_should_be =
        state.verdict == Some(Verdict::Applied) && state.expected.is_some() && state.expected == state.actual;
    RelocPart {
        index: state.reloc.index,
        file_index: state.reloc.file_index,
        rtype: Arc::clone(&state.reloc.rtype),
        symbol: Arc::clone(&state.reloc.symbol),
        sympos: state.reloc.sympos,
        expected: state.expected.filter(|_| !as_it_should_be),
        actual: state.actual.filter(|_| !as_it_should_be),
        live: state.live.filter(|live| state.recorded != Some(*live)),
    }
}

/// Bytes that a relocation takes in its record, at most.
fn size_of(part: &RelocPart) -> usize {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"_.".contains(&c);
    let name = |text: &str| if text.bytes().all(plain) { text.len() } else { 6 * text.len() };
    let given = [
        part.file_index.is_some(),
        part.sympos != 0,
        part.expected.is_some(),
        part.actual.is_some(),
        part.live.is_some(),
    ];
    let given = given.into_iter().filter(|given| *given).count();
    64 + name(&part.symbol) + name(&part.rtype) + 32 * given
}

/// The records of a `SectionRead`, whose own record is `record`.
pub(super) fn parts_of_read(record: Record, entries: Vec<EntryPart>) -> impl Iterator<Item = Record> {
    let mut rewrites = record.walk.as_ref().and_then(|walk| walk.rewrites.clone());
    let mut record = record;
    if let Some(walk) = &mut record.walk {
        walk.rewrites = None;
    }
    in_parts(record, chunks(entries, |_| ENTRY), move |record, part| {
        record.entries = Some(part);
        // Once is enough.
        if let Some(walk) = &mut record.walk {
            walk.rewrites = rewrites.take();
        }
    })
}

/// Copies of a record, each with a part of what it is about.
fn in_parts<T>(
    record: Record,
    chunks: Vec<Vec<T>>,
    mut fill: impl FnMut(&mut Record, Vec<T>),
) -> impl Iterator<Item = Record> {
    let parts = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    (1..).zip(chunks).map(move |(part, chunk)| {
        let mut record = record.clone();
        if parts > 1 {
            (record.part, record.parts) = (Some(part), Some(parts));
        }
        fill(&mut record, chunk);
        record
    })
}

/// Cuts what is too much for a record; into one part at least.
fn chunks<T>(items: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut chunks, mut chunk, mut bytes) = (Vec::new(), Vec::new(), 0);
    for item in items {
        let more = size(&item);
        if chunk.len() >= MAX_RELOCATIONS || (bytes + more > MAX_BYTES && !chunk.is_empty()) {
            chunks.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
        bytes += more;
        chunk.push(item);
    }
    chunks.push(chunk);
    chunks
}
