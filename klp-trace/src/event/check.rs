//! Whether the lines of a journal are those that were written, and nothing more: the chain, without the evidence.
//!
//! Cheaper than [`super::Reader`]: each line is hashed, and of its JSON only what the chain needs is read.

use super::chain::{self, Hash};
use super::envelope::{EventId, READ};
use super::reader::{Damage, Fault, NotAJournal};
use super::record::{ContinuesPart, Kind};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Sessions whose numbers are remembered, to know one that comes a second time.
const MAX_SESSIONS: usize = 1 << 16;

/// Heads of chains that are kept of one file: `watch` writes one chain a file, a replay one a session.
pub const MAX_HEADS: usize = 1 << 16;

/// What one file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileCheck {
    /// Lines.
    pub lines: u64,
    /// Whole records.
    pub records: u64,
    /// The first damage.
    pub first: Option<Damage>,
    /// Damages in all.
    pub damages: u64,
    /// The last hash of each chain in the file, in order; all of them kept elsewhere prove the file.
    pub heads: Vec<Hash>,
    /// The first record is a `session`, not one that goes on with the file before.
    pub starts: bool,
    /// The last record is a `session_end`.
    pub ended: bool,
}

/// What follows from a set of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetCheck {
    /// Whole records.
    pub records: u64,
    /// Sessions that start in the set.
    pub sessions: u64,
    /// Damages.
    pub damages: u64,
    /// Whether the last record is a `session_end`.
    pub ended: bool,
}

/// Checks the lines of a set of files in order: [`Checker::file`], then each line, then [`Checker::end_file`], for each
/// file. Memory does not grow with the files.
#[derive(Debug, Default)]
pub struct Checker {
    file: FileCheck,
    set: SetCheck,
    /// The record before, while it is known what must follow it.
    last: Option<(Hash, u64)>,
    /// The record before was whole: what follows it is checked against it.
    started: bool,
    seen: BTreeSet<u64>,
}

/// What the chain needs of a record.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    seq: u64,
    event: HeadEvent<'a>,
    #[serde(default)]
    continues: Option<ContinuesPart>,
    prev: Hash,
}

#[derive(Deserialize)]
struct HeadEvent<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    id: EventId,
}

impl Checker {
    /// A checker before the first file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another file begins. If the one before ended in the middle of a session, this one must go on with it.
    pub fn file(&mut self) {
        self.file = FileCheck::default();
    }

    /// Takes the next line of the file, without its newline.
    pub fn line(&mut self, line: &[u8]) -> Result<(), NotAJournal> {
        self.file.lines += 1;
        if let Some(hash) = chain::sealed_with(line) {
            return self.sealed(line, hash);
        }
        let fault = match line {
            [] => Fault::Blank,
            line if chain::has_seal(line) => Fault::Altered,
            _ => Fault::Unsealed,
        };
        self.broken(fault);
        Ok(())
    }

    /// Takes a last line that has no newline: torn, or whole (its hash says so) but for what stood after it.
    pub fn unfinished_line(&mut self, line: &[u8]) -> Result<(), NotAJournal> {
        if chain::is_sealed(line) {
            let taken = self.line(line);
            self.note(Fault::NoNewline);
            return taken;
        }
        self.file.lines += 1;
        self.broken(Fault::Torn);
        Ok(())
    }

    /// Takes note of a line that was too long to be kept.
    pub fn too_long(&mut self) {
        self.file.lines += 1;
        self.broken(Fault::TooLong);
    }

    /// The file ends; what it holds.
    pub fn end_file(&mut self) -> FileCheck {
        self.set.damages += self.file.damages;
        self.set.records += self.file.records;
        self.file.ended = self.set.ended;
        std::mem::take(&mut self.file)
    }

    /// The file cannot be read any further; what was read of it.
    pub fn break_file(&mut self) -> FileCheck {
        (self.last, self.started, self.set.ended) = (None, true, false);
        self.end_file()
    }

    /// The set ends.
    pub fn finish(self) -> SetCheck {
        self.set
    }

    fn sealed(&mut self, line: &[u8], hash: Hash) -> Result<(), NotAJournal> {
        let number = self.file.lines;
        let head = match serde_json::from_slice::<Head<'_>>(line) {
            Ok(head) if READ.contains(&&*head.schema) => head,
            Ok(head) => {
                let schema = head.schema.chars().take(200).collect();
                return Err(NotAJournal::OtherSchema { line: number, schema });
            }
            Err(error) => {
                self.broken(Fault::NoRecord { why: error.to_string() });
                return Ok(());
            }
        };
        if let Some(fault) = self.misplaced(&head) {
            self.note(fault);
        }
        self.file.records += 1;
        self.set.ended = head.event.kind == Kind::SessionEnd.name();
        self.last = Some((hash, head.seq));
        self.started = true;
        self.head(hash, head.prev == Hash::ZERO);
        Ok(())
    }

    /// Why the record should not stand here.
    fn misplaced(&mut self, head: &Head<'_>) -> Option<Fault> {
        let first_of_file = self.file.lines == 1;
        if head.event.kind == Kind::Session.name() && head.prev == Hash::ZERO {
            self.set.sessions += 1;
            self.file.starts |= first_of_file;
            if self.seen.len() < MAX_SESSIONS && !self.seen.insert(head.event.id.session) {
                return Some(Fault::Repeated);
            }
            // Between two files that is no damage of this one: the file before lacks its end, and is told so.
            return (self.started && !self.set.ended && !first_of_file).then_some(Fault::Unended);
        }
        let continues = head.continues.filter(|_| head.event.kind == Kind::Continued.name());
        let follows = match continues {
            Some(continues) if head.prev == Hash::ZERO => continues.head,
            _ => head.prev,
        };
        match self.last {
            Some((hash, _)) if hash == follows => None,
            Some((_, after)) => Some(Fault::Gap { after, seq: head.seq }),
            None if self.started => None,
            None => Some(Fault::NoStart { seq: head.seq }),
        }
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

    fn broken(&mut self, fault: Fault) {
        self.note(fault);
        // What stands next was written after what stood here; nothing more can be said of it.
        self.last = None;
        self.started = true;
        self.set.ended = false;
    }

    fn note(&mut self, fault: Fault) {
        self.file.damages += 1;
        let line = self.file.lines;
        self.file.first.get_or_insert(Damage { line, fault });
    }
}

#[cfg(test)]
mod tests;
