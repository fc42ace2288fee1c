//! Whether the lines of a journal are those that were written, and nothing more: the chain, the numbers, the times.
//!
//! [`super::Reader`] asks it of every line, so that each command says the same of the same file.

use super::chain::Hash;
use super::envelope::{Clock, EventId, Time};
use super::reader::{Damage, Fault};
use super::record::{Kind, Record};
use std::collections::BTreeSet;

/// Sessions whose numbers are remembered, to know one that comes a second time.
const MAX_SESSIONS: usize = 1 << 16;

/// Heads of chains that are kept of one file: `watch` writes one chain a file, a replay one a session.
pub const MAX_HEADS: usize = 1 << 16;

/// Damages that are kept of all files of a journal; the others are counted.
pub const MAX_LISTED: usize = 10_000;

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileCheck {
    /// Its name, for people.
    pub name: String,
    /// Lines.
    pub lines: u64,
    /// Records that are as they were written.
    pub records: u64,
    /// Lines that read as records, whole or not.
    pub read: u64,
    /// The first damage.
    pub first: Option<Damage>,
    /// The damages, in order; see [`MAX_LISTED`].
    pub listed: Vec<Damage>,
    /// Damages in all.
    pub damages: u64,
    /// The last hash of each chain in the file, in order; all of them kept elsewhere prove the file.
    pub heads: Vec<Hash>,
    /// The first record is a `session`, not one that goes on with the file before.
    pub starts: bool,
    /// The last record is a `session_end`.
    pub ended: bool,
}

/// Checks the lines of a set of files in order. Memory does not grow with the files.
#[derive(Debug, Default)]
pub(super) struct Checker {
    pub file: FileCheck,
    /// Sessions that start in the set.
    pub sessions: u64,
    /// The last record is a `session_end`.
    pub ended: bool,
    /// The last hash that a line carried.
    pub last_hash: Option<Hash>,
    /// The record before, while it is known what must follow it: its hash as it says itself, and its number.
    last: Option<(Option<Hash>, u64)>,
    /// There was a line: what follows it is checked against it.
    started: bool,
    seen: BTreeSet<u64>,
    session: Option<Told>,
    listed: usize,
}

/// What the records of a session have in common.
#[derive(Debug, Clone, Copy)]
struct Told {
    number: u64,
    clock: Clock,
}

/// What the chain needs of a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// None: of a kind that this version does not know.
    pub kind: Option<Kind>,
    pub seq: u64,
    pub id: Option<EventId>,
    /// Wall-clock and monotonic time.
    pub time: Option<(Time, u64)>,
    /// Where the file before ended, of a `continued`.
    pub continues: Option<Hash>,
    pub prev: Option<Hash>,
    /// The hash as the line says itself.
    pub hash: Option<Hash>,
}

impl Head {
    pub(super) fn of(record: &Record) -> Self {
        let kind = record.event.kind;
        Self {
            kind: Some(kind),
            seq: record.seq,
            id: Some(record.event.id),
            time: Some((record.time, record.mono_ns)),
            continues: record.continues.filter(|_| kind == Kind::Continued).map(|file| file.head),
            prev: Some(record.prev),
            hash: record.hash,
        }
    }

    fn starts(&self) -> bool {
        self.kind == Some(Kind::Session) && self.prev == Some(Hash::ZERO)
    }
}

impl Checker {
    /// Another file begins. If the one before ended in the middle of a session, this one must go on with it.
    pub fn file(&mut self, name: String) {
        self.file = FileCheck { name, ..FileCheck::default() };
    }

    /// The file ends; what it holds.
    pub fn end_file(&mut self) -> FileCheck {
        self.file.ended = self.ended;
        std::mem::take(&mut self.file)
    }

    /// Takes a record; `whole`: its bytes have the hash that they carry.
    pub fn record(&mut self, head: &Head, whole: bool) {
        if let Some(fault) = self.misplaced(head) {
            self.note(fault);
        }
        self.file.read += 1;
        self.file.records += u64::from(whole);
        self.ended = head.kind == Some(Kind::SessionEnd);
        self.last = Some((head.hash, head.seq));
        self.last_hash = head.hash.or(self.last_hash);
        self.started = true;
        if let Some(hash) = head.hash.filter(|_| whole) {
            self.head(hash, head.prev == Some(Hash::ZERO));
        }
    }

    /// Why the record should not stand here, or is not the one that stood here.
    fn misplaced(&mut self, head: &Head) -> Option<Fault> {
        let first_of_file = self.file.read == 0;
        let starts = head.starts();
        if starts {
            self.sessions += 1;
            self.file.starts |= first_of_file;
        }
        let told = self.session_of(head, starts);
        if starts {
            let again =
                head.id.is_some_and(|id| self.seen.len() < MAX_SESSIONS && !self.seen.insert(id.session));
            if again {
                return Some(Fault::Repeated);
            }
            // Between two files that is no damage of this one: the file before lacks its end, and is told so.
            if self.started && !self.ended && !first_of_file {
                return Some(Fault::Unended);
            }
            return told;
        }
        let follows = match head.continues {
            Some(last) if head.prev == Some(Hash::ZERO) => Some(last),
            _ => head.prev,
        };
        let gap = |after| Some(Fault::Gap { after, seq: head.seq });
        let next = |after: u64| after.wrapping_add(1) == head.seq;
        match (self.last, follows) {
            (None, _) if !self.started => Some(Fault::NoStart { seq: head.seq }),
            (Some((Some(hash), after)), Some(follows)) if hash != follows => gap(after),
            (Some((None, after)), _) | (Some((_, after)), None) if !next(after) => gap(after),
            (Some((_, after)), _) if !next(after) => {
                Some(Fault::Number { due: after.wrapping_add(1), seq: head.seq })
            }
            _ => told,
        }
    }

    /// Whether number, id and time are those of a record of its session.
    fn session_of(&mut self, head: &Head, starts: bool) -> Option<Fault> {
        if starts || self.session.is_none() {
            self.session = head.id.zip(head.time).map(|(id, (time, mono_ns))| Told {
                number: id.session,
                clock: Clock::new(time.wall_ns(), mono_ns),
            });
            if starts && head.seq != 1 {
                return Some(Fault::Number { due: 1, seq: head.seq });
            }
        }
        let Told { number, clock } = self.session?;
        if let Some(id) = head.id
            && (id.seq != head.seq || id.session != number)
        {
            return Some(Fault::Id { id, due: EventId { session: number, seq: head.seq } });
        }
        let (time, mono_ns) = head.time?;
        let due = clock.time(mono_ns);
        (due != time).then_some(Fault::Time { time, due })
    }

    fn head(&mut self, hash: Hash, starts: bool) {
        let heads = &mut self.file.heads;
        if starts && heads.len() >= MAX_HEADS {
            self.note(Fault::TooManyChains);
            return;
        }
        if !starts {
            heads.pop();
        }
        heads.push(hash);
    }

    /// Takes note of a line that is no record.
    pub fn broken(&mut self, fault: Fault) {
        self.note(fault);
        // What stands next was written after what stood here; nothing more can be said of it.
        self.last = None;
        self.started |= self.file.read > 0;
        self.ended = false;
    }

    /// The file cannot be read any further.
    pub fn unreadable(&mut self, why: String) {
        self.note(Fault::Unreadable { why });
        (self.last, self.started, self.ended) = (None, true, false);
    }

    pub fn note(&mut self, fault: Fault) {
        let damage = Damage { line: self.file.lines, fault };
        self.file.damages += 1;
        if self.file.first.is_none() {
            self.file.first = Some(damage.clone());
        }
        if self.listed < MAX_LISTED {
            self.listed += 1;
            self.file.listed.push(damage);
        }
    }
}

#[cfg(test)]
mod tests;
