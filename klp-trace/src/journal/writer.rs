//! From events to the lines of a journal.

use super::chain::{self, Hash};
use super::envelope::{EventId, Origin};
use super::evidence::SectionRead;
use super::outcome::RelocState;
use super::record::{ContinuesPart, Envelope, Kind, Listed, Record};
use super::{Body, Event};
use crate::model::{Address, Hook, escape};
use pending::Pending;
use std::collections::VecDeque;

mod pending;

/// Turns the events of sessions into sealed lines. Where the lines go is the caller's business: whole lines, in order,
/// all of them.
///
/// Before a `SectionRead` the caller passes the `RelocState`s that came of it, as the verifier does: an entry that is not
/// among them is as it was when last listed. They are kept until the `SectionRead` comes, and stand in its record; what was
/// concluded of them follows it.
#[derive(Debug, Clone)]
pub struct Journal {
    origin: Origin,
    session: u64,
    seq: u64,
    prev: Hash,
    line: Vec<u8>,
    /// Lines carry their hash.
    chained: bool,
    /// Number of the file in its session.
    file: u32,
    /// Of the latest event.
    mono_ns: u64,
    /// States of relocations that are not in a record yet.
    pending: Pending,
    /// Records that are not in a line yet: number and chain are theirs once they are.
    queue: VecDeque<Record>,
    /// In the form of earlier versions: the read that the latest `RelocState`s came of, and their number.
    #[cfg(test)]
    listed: Option<(ReadKey, u32)>,
}

/// Which read of a section something belongs to. Not by the load of the patch: the verifier numbers loads, sources do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadKey {
    patch: Address,
    section: u32,
    read: Hook,
}

impl ReadKey {
    pub(super) fn new(patch: Address, section: u32, read: Hook) -> Self {
        Self { patch, section, read }
    }

    /// Of a state that came of a read.
    pub(super) fn of_state(state: &RelocState) -> Option<Self> {
        Some(Self::new(state.patch.address, state.section.index, state.read?))
    }

    /// Of the read itself.
    pub(super) fn of_read(read: &SectionRead) -> Self {
        Self::new(read.patch.address, read.section.index, read.read)
    }
}

impl Journal {
    /// A journal of what happens at `origin`; its first event should be the `Session`.
    pub fn new(origin: Origin) -> Self {
        let mut journal = Self {
            origin,
            session: 0,
            seq: 0,
            prev: Hash::ZERO,
            line: Vec::new(),
            chained: true,
            file: 1,
            mono_ns: 0,
            pending: Pending::default(),
            queue: VecDeque::new(),
            #[cfg(test)]
            listed: None,
        };
        journal.start_session(0);
        journal
    }

    /// The same lines without their hashes, to measure what these cost; no journal.
    pub fn unchained(origin: Origin) -> Self {
        Self { chained: false, ..Self::new(origin) }
    }

    /// Says where the events from here on come from: a recording may hold sessions of several hosts. Call it before the
    /// session's first event.
    pub fn set_origin(&mut self, origin: Origin) {
        self.flush();
        self.origin = origin;
    }

    /// Takes an event. Its lines, if it completes any, are then given by [`Journal::next_line`].
    pub fn event(&mut self, event: &Event) {
        match &event.body {
            Body::RelocState(state) => {
                if !self.pending.goes_with(event, state) {
                    self.release();
                }
                self.pending.state(event, state);
            }
            Body::SectionRead(read) => {
                let entries = self.pending.entries_of(ReadKey::of_read(read));
                let listed = Listed(u32::try_from(entries.len()).unwrap_or(u32::MAX));
                let record = Record::from_event(event, &self.envelope(), listed);
                self.queue.extend(pending::parts_of_read(record, entries));
                self.release();
            }
            // A finding may stand between a read and what it found.
            Body::Finding(_) | Body::FindingClosed(_) if self.pending.waits() => self.queue(event),
            _ => {
                self.release();
                self.queue(event);
            }
        }
    }

    /// Nothing more comes for now: what is complete gets its lines. The states of a section whose `SectionRead` has not come
    /// are not.
    pub fn flush(&mut self) {
        if !self.pending.waits() {
            self.release();
        }
    }

    /// What kind of record the next line is of, if one is complete.
    pub fn next_kind(&self) -> Option<Kind> {
        self.queue.front().map(|record| record.event.kind)
    }

    /// The next line that is complete, sealed, without its newline. A `Session` starts the numbers and the chain anew.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        loop {
            let mut record = self.queue.pop_front()?;
            if record.event.kind == Kind::Session {
                self.start_session(record.mono_ns);
            }
            record.seq = self.seq + 1;
            record.event.id = EventId { session: self.session, seq: record.seq };
            record.prev = self.prev;
            self.mono_ns = record.mono_ns;
            // It fails only if a value has no JSON form, which none has; one that had none would be missed by its number.
            if self.write(&record).is_ok() {
                return Some(&self.line);
            }
        }
    }

    /// Appends the lines that an event completes, each with its newline.
    pub fn append(&mut self, event: &Event, lines: &mut Vec<u8>) {
        self.event(event);
        while let Some(line) = self.next_line() {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
    }

    /// The first line of another file, which goes on with this session: the chain starts anew there, and the line names
    /// the last hash of the file before. Call it between two lines, and not before the first one of a session.
    pub fn next_file(&mut self) -> Result<&[u8], serde_json::Error> {
        self.file = self.file.saturating_add(1);
        let continues = ContinuesPart { file: self.file, head: self.prev };
        let envelope =
            Envelope { origin: &self.origin, session: self.session, seq: self.seq + 1, prev: Hash::ZERO };
        let record = Record::continued(self.mono_ns, continues, &envelope);
        self.write(&record)?;
        Ok(&self.line)
    }

    fn queue(&mut self, event: &Event) {
        let record = Record::from_event(event, &self.envelope(), Listed(0));
        self.queue.push_back(record);
    }

    /// Puts all that is pending into records.
    fn release(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let envelope = self.envelope();
        let records: Vec<Record> = pending.into_records(&envelope).collect();
        self.queue.extend(records);
    }

    /// Of a record whose number and place in the chain are not known yet.
    fn envelope(&self) -> Envelope<'_> {
        Envelope { origin: &self.origin, session: self.session, seq: 0, prev: Hash::ZERO }
    }

    fn write(&mut self, record: &Record) -> Result<(), serde_json::Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        // Names of hosts and kernels come from journals that anybody may have made, as they are.
        if !self.line.is_ascii() {
            self.line = match String::from_utf8(std::mem::take(&mut self.line)) {
                Ok(text) => escape::json(text).into_bytes(),
                Err(error) => error.into_bytes(),
            };
        }
        self.seq += 1;
        if self.chained {
            self.prev = chain::seal(&mut self.line);
            #[cfg(test)]
            super::schema::tests::assert_valid(&self.line);
        }
        Ok(())
    }

    /// Records of the session so far.
    pub fn records(&self) -> u64 {
        self.seq
    }

    /// The hash of the latest line: kept elsewhere, it proves the journal up to here.
    pub fn head(&self) -> Hash {
        self.prev
    }

    fn start_session(&mut self, mono_ns: u64) {
        let host = &self.origin.host;
        let wall_ns = self.origin.clock.time(mono_ns).wall_ns();
        let seed = format!("{}\0{}\0{}\0{wall_ns}\0{mono_ns}", host.id, host.name, host.boot_id);
        self.session = Hash::of(seed.as_bytes()).0.first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        self.seq = 0;
        self.prev = Hash::ZERO;
        self.file = 1;
    }
}

/// As earlier versions wrote, which is still read.
#[cfg(test)]
mod old;

#[cfg(test)]
mod tests;
