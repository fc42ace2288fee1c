//! From the lines of a journal back to its evidence.
//!
//! Conclusions (verdicts, findings, totals) are passed over: whoever replays a journal derives them anew. Damage is
//! noted, never hidden, and what is whole is still read.

use super::Event;
use super::chain::{self, Hash};
use super::envelope::{Clock, Origin, READ, read_by_name};
use super::record::{Kind, Malformed, Record};
use crate::model::escape::escape;
use serde::Deserialize;
use std::borrow::Cow;
use thiserror::Error;

pub(super) mod integrity;
mod regroup;

pub use integrity::{Damage, Fault, Integrity};
use regroup::Regroup;

/// Bytes of the longest line that is read. The writer's longest are far shorter.
pub const MAX_LINE: usize = 8 << 20;

/// Kinds unknown to this version whose names are kept; further ones are counted under `…`.
const MAX_UNKNOWN_KINDS: usize = 16;

/// What is read is no journal, or not one that this version reads.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NotAJournal {
    /// The first line is no record.
    #[error("line {line} is not a record of a klp-trace journal: {why}")]
    NoRecord {
        /// The line, from 1.
        line: u64,
        /// Why.
        why: String,
    },
    /// There was not one record.
    #[error("there is not one record in it")]
    Empty,
    /// The journal is of another format.
    #[error(
        "line {line} has the schema {schema:?}, this klp-trace reads {}; read it with the klp-trace that wrote it",
        read_by_name()
    )]
    OtherSchema {
        /// The line, from 1.
        line: u64,
        /// Its schema.
        schema: String,
    },
}

/// Reads the lines of a journal in order. Memory does not grow with the journal.
#[derive(Debug, Default)]
pub struct Reader {
    lines: u64,
    records: u64,
    origin: Option<Origin>,
    /// The latest record's hash as it says itself, and its `seq`; none after a line that is no record.
    last: Option<(Option<Hash>, u64)>,
    started: bool,
    ended: bool,
    regroup: Regroup,
    integrity: Integrity,
}

impl Reader {
    /// A reader at the start of a journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where the session that is being read was recorded; none before the first record.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Lines read so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Takes the next line (without its newline) and gives the evidence that it completes, if any.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Event>, NotAJournal> {
        self.lines += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => Ok(self.record(record, chain::is_sealed(line))),
            Err(error) => self.no_record(line, &error).map(|()| None),
        }
    }

    /// Takes note of a line that is longer than [`MAX_LINE`], of which nothing was read.
    pub fn too_long(&mut self) -> Result<(), NotAJournal> {
        self.lines += 1;
        if self.records == 0 {
            let why = format!("it is longer than {MAX_LINE} bytes");
            return Err(NotAJournal::NoRecord { line: self.lines, why });
        }
        self.damaged(Fault::TooLong);
        Ok(())
    }

    /// Takes a last line that has no newline. If it carries its own hash it is whole, else it is torn: the writer was
    /// interrupted in the middle of it, and nothing of it is evidence.
    pub fn unfinished_line(&mut self, line: &[u8]) -> Result<Option<Event>, NotAJournal> {
        if chain::is_sealed(line) {
            return self.line(line);
        }
        self.lines += 1;
        self.ended = false;
        self.integrity.note(self.lines, Fault::Torn);
        Ok(None)
    }

    /// At the end of the journal: whether it is whole.
    pub fn finish(mut self) -> Result<Integrity, NotAJournal> {
        if self.records == 0 {
            return Err(NotAJournal::Empty);
        }
        if let Some(fault) = self.regroup.abandon() {
            self.integrity.note(self.lines, fault);
        }
        self.integrity.records = self.records;
        self.integrity.ended = self.ended;
        Ok(self.integrity)
    }

    fn record(&mut self, record: Record, sealed: bool) -> Option<Event> {
        let first = self.records == 0;
        self.records += 1;
        self.check_chain(&record, sealed);
        let kind = record.event.kind;
        if kind == Kind::Session || self.origin.is_none() {
            self.take_origin(&record);
        }
        if first && kind != Kind::Session {
            self.integrity.note(self.lines, Fault::NoStart { seq: record.seq });
        }
        self.ended = kind == Kind::SessionEnd;
        self.evidence(record).unwrap_or_else(|fault| {
            self.integrity.note(self.lines, fault);
            None
        })
    }

    fn evidence(&mut self, record: Record) -> Result<Option<Event>, Fault> {
        match record.event.kind {
            kind if kind.is_conclusion() => Ok(None),
            // It may stand anywhere: files are full when they are full.
            Kind::Continued => Ok(None),
            Kind::RelocState => match self.regroup.state(&record) {
                Some(fault) => Err(fault),
                None => Ok(None),
            },
            Kind::SectionRead => {
                let listed = record.walk.as_ref().map_or(0, |walk| walk.listed);
                let mut event = record.into_event()?;
                if let Some(fault) = self.regroup.complete(&mut event, listed) {
                    self.integrity.note(self.lines, fault);
                }
                Ok(Some(event))
            }
            _ => {
                if let Some(fault) = self.regroup.abandon() {
                    self.integrity.note(self.lines, fault);
                }
                Ok(Some(record.into_event()?))
            }
        }
    }

    fn check_chain(&mut self, record: &Record, sealed: bool) {
        if !sealed {
            let fault = if record.hash.is_some() { Fault::Altered } else { Fault::Unsealed };
            self.integrity.note(self.lines, fault);
        }
        let starts = record.event.kind == Kind::Session && record.prev == Hash::ZERO;
        if starts && self.started && !self.ended {
            self.integrity.unended += 1;
        }
        // Where a file goes on with a session, its chain starts anew and names the head of the file before.
        let follows = match record.continues {
            Some(continues) if record.event.kind == Kind::Continued && record.prev == Hash::ZERO => {
                continues.head
            }
            _ => record.prev,
        };
        match self.last {
            // A chain of its own: nothing says what should have stood before it.
            _ if starts => {}
            Some((Some(hash), seq)) if follows != hash => {
                self.integrity.note(self.lines, Fault::Gap { after: seq, seq: record.seq });
            }
            Some((None, seq)) if record.seq != seq.wrapping_add(1) => {
                self.integrity.note(self.lines, Fault::Gap { after: seq, seq: record.seq });
            }
            _ => {}
        }
        self.started = true;
        self.last = Some((record.hash, record.seq));
    }

    fn take_origin(&mut self, record: &Record) {
        self.origin = Some(Origin {
            host: record.host.clone(),
            tool: record.tool.clone(),
            clock: Clock::new(record.time.wall_ns(), record.mono_ns),
        });
    }

    /// A line that does not read as a record: of a kind that came later, or damaged.
    fn no_record(&mut self, line: &[u8], error: &serde_json::Error) -> Result<(), NotAJournal> {
        let line_number = self.lines;
        match serde_json::from_slice::<Head<'_>>(line) {
            Ok(head) if !READ.contains(&&*head.schema) => {
                let schema = shorten(&head.schema);
                return Err(NotAJournal::OtherSchema { line: line_number, schema });
            }
            Ok(head) if may_be_passed_over(&head.event.kind) => {
                self.pass_over(&head);
                if !chain::is_sealed(line) {
                    self.integrity.note(line_number, Fault::Altered);
                }
                return Ok(());
            }
            _ => {}
        }
        let why = shorten(&error.to_string());
        if self.records == 0 {
            return Err(NotAJournal::NoRecord { line: line_number, why });
        }
        self.damaged(Fault::NoRecord { why });
        Ok(())
    }

    fn damaged(&mut self, fault: Fault) {
        self.integrity.note(self.lines, fault);
        self.last = None;
        self.ended = false;
    }

    fn pass_over(&mut self, head: &Head<'_>) {
        self.last = Some((head.hash, head.seq));
        self.ended = head.event.kind == Kind::SessionEnd.name();
        if Kind::from_name(&head.event.kind).is_none() {
            let unknown = &mut self.integrity.unknown_kinds;
            let room = unknown.len() < MAX_UNKNOWN_KINDS || unknown.contains_key(&*head.event.kind);
            let name = if room { shorten(&head.event.kind) } else { "…".to_owned() };
            *unknown.entry(name).or_default() += 1;
        }
    }
}

/// What every record of every version has.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    seq: u64,
    #[serde(borrow)]
    event: HeadEvent<'a>,
    #[serde(default)]
    hash: Option<Hash>,
}

#[derive(Deserialize)]
struct HeadEvent<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
}

/// Whether a record of this kind that this version cannot read is no loss of evidence that it could judge.
fn may_be_passed_over(kind: &str) -> bool {
    Kind::from_name(kind).is_none_or(Kind::is_conclusion)
}

/// At most 200 characters of a text that has parts of the journal in it, fit to be shown.
fn shorten(text: &str) -> String {
    escape(text.as_bytes()).chars().take(200).collect()
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Self {
        Self::NoRecord { why: shorten(&malformed.to_string()) }
    }
}

#[cfg(test)]
mod tests;
