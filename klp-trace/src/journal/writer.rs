//! From events to the lines of a journal.

use super::chain::{self, Hash};
use super::envelope::Origin;
use super::evidence::SectionRead;
use super::outcome::RelocState;
use super::record::{ContinuesPart, Envelope, Listed, Record};
use super::{Body, Event};
use crate::model::{Address, Hook, escape};

/// Turns the events of sessions into sealed lines. Where the lines go is the caller's business: whole lines, in order,
/// all of them.
///
/// Before a `SectionRead` the caller passes the `RelocState`s that came of it, as the verifier does: an entry that is not
/// among them is as it was when last listed.
#[derive(Debug, Clone)]
pub struct Journal {
    origin: Origin,
    session: u64,
    seq: u64,
    prev: Hash,
    line: Vec<u8>,
    /// Number of the file in its session.
    file: u32,
    /// Of the latest event.
    mono_ns: u64,
    /// The read that the latest `RelocState`s came of, and their number.
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
            file: 1,
            mono_ns: 0,
            listed: None,
        };
        journal.start_session(0);
        journal
    }

    /// Says where the events from here on come from: a recording may hold sessions of several hosts. Call it before the
    /// session's first event.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The line of an event, sealed, without its newline; valid until the next call. A `Session` starts the numbers and
    /// the chain anew. It fails only if a value has no JSON form, which no event has.
    pub fn line(&mut self, event: &Event) -> Result<&[u8], serde_json::Error> {
        if matches!(event.body, Body::Session(_)) {
            self.start_session(event.mono_ns);
        }
        let listed = self.count_listed(&event.body);
        let envelope =
            Envelope { origin: &self.origin, session: self.session, seq: self.seq + 1, prev: self.prev };
        let record = Record::from_event(event, &envelope, listed);
        self.mono_ns = event.mono_ns;
        self.write(&record)
    }

    /// The first line of another file, which goes on with this session: the chain starts anew there, and the line names
    /// the last hash of the file before. Call it between two events, and not before the first one of a session.
    pub fn next_file(&mut self) -> Result<&[u8], serde_json::Error> {
        self.file = self.file.saturating_add(1);
        let continues = ContinuesPart { file: self.file, head: self.prev };
        let envelope =
            Envelope { origin: &self.origin, session: self.session, seq: self.seq + 1, prev: Hash::ZERO };
        let record = Record::continued(self.mono_ns, continues, &envelope);
        self.write(&record)
    }

    fn write(&mut self, record: &Record) -> Result<&[u8], serde_json::Error> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, record)?;
        // Names of hosts and kernels come from journals that anybody may have made, as they are.
        if !self.line.is_ascii() {
            self.line = match String::from_utf8(std::mem::take(&mut self.line)) {
                Ok(text) => escape::json(text).into_bytes(),
                Err(error) => error.into_bytes(),
            };
        }
        self.prev = chain::seal(&mut self.line);
        #[cfg(test)]
        super::schema::tests::assert_valid(&self.line);
        self.seq += 1;
        Ok(&self.line)
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
        self.listed = None;
    }

    fn count_listed(&mut self, body: &Body) -> Listed {
        match body {
            Body::RelocState(state) => {
                if let Some(key) = ReadKey::of_state(state) {
                    let before = self.listed.filter(|(of, _)| *of == key).map_or(0, |(_, count)| count);
                    self.listed = Some((key, before.saturating_add(1)));
                }
                Listed(0)
            }
            Body::SectionRead(read) => {
                let key = ReadKey::of_read(read);
                Listed(self.listed.take().filter(|(of, _)| *of == key).map_or(0, |(_, count)| count))
            }
            _ => Listed(0),
        }
    }
}

#[cfg(test)]
mod tests;
