//! From the lines of a journal back to its evidence.
//!
//! Conclusions (verdicts, findings, totals) are passed over: whoever replays a journal derives them anew. Damage is
//! noted, never hidden, and what is whole is still read.

use super::Event;
use super::chain::{self, Hash};
use super::check::{Checker, FileCheck, Head};
use super::envelope::{Clock, Origin, READ, read_by_name};
use super::record::{Kind, Malformed, Record};
use crate::model::escape::escape;
use serde::Deserialize;
use std::borrow::Cow;
use thiserror::Error;

pub(super) mod integrity;
mod parts;
mod regroup;
mod rewritten;

pub use integrity::{About, Damage, Fault, Integrity};
use parts::Parts;
use regroup::Regroup;
use rewritten::not_sealed;

/// Bytes of the longest line that is read. The writer's longest are far shorter.
pub const MAX_LINE: usize = 8 << 20;

/// What some editors put before a text's first character.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Sessions of which is kept where and when they were recorded.
const MAX_ABOUT: usize = 64;

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
    /// One record on many lines.
    #[error(
        "line 1 is no record but the beginning of one that stands on several lines: the JSON was written anew, which breaks \
         every seal; ask for the file as klp-trace wrote it"
    )]
    Spread,
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

/// Lines one after the other that are no records before a file is given up: what is not a journal shall not be read to its
/// end, which a compressed file puts off for hours.
pub(super) const MAX_JUNK: u64 = 1 << 14;

/// Reads the lines of a journal's files in order. Memory does not grow with the journal.
#[derive(Debug, Default)]
pub struct Reader {
    chain: Checker,
    origin: Option<Origin>,
    regroup: Regroup,
    parts: Parts,
    /// An event whose line came after that of a read that has to be given first.
    held: Option<Event>,
    integrity: Integrity,
    /// Why the first line is no record.
    first_line: Option<(u64, String)>,
    /// Lines since the last record.
    junk: u64,
    open: bool,
    /// The last of `integrity.about` is the session that is being read.
    about_last: bool,
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

    /// Lines read so far of this file.
    pub fn lines(&self) -> u64 {
        self.chain.file.lines
    }

    /// Whether the file is not worth reading any further.
    pub fn is_flooded(&self) -> bool {
        self.junk >= MAX_JUNK
    }

    /// Another file of the journal begins; `name` is for people.
    pub fn file(&mut self, name: &str) {
        if self.open {
            self.end_file();
        }
        self.open = true;
        self.junk = 0;
        self.chain.file(name.to_owned());
    }

    /// The file ends.
    pub fn end_file(&mut self) {
        self.open = false;
        let file = self.chain.end_file();
        let integrity = &mut self.integrity;
        if integrity.files.last().is_some_and(|before| !before.ended) && file.starts {
            integrity.cut += 1;
        }
        integrity.damages += file.damages;
        integrity.records += file.read;
        if integrity.first.is_none() {
            integrity.first.clone_from(&file.first);
        }
        integrity.files.push(file);
    }

    /// Takes the next line (without its newline) and gives the evidence that it completes, if any. A line may show that a read
    /// before it is not whole, and hold evidence of its own: [`Reader::more`] gives that.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<Event>, NotAJournal> {
        self.open = true;
        self.chain.file.lines += 1;
        let line = match line.strip_prefix(BOM) {
            Some(rest) if self.chain.file.lines == 1 => {
                self.chain.note(Fault::Bom);
                rest
            }
            _ => line,
        };
        let (line, seal) = match (chain::sealed_with(line), line.strip_suffix(b"\r")) {
            (None, Some(inner)) => {
                let seal = chain::sealed_with(inner);
                if seal.is_some() {
                    self.chain.note(Fault::Crlf);
                }
                (inner, seal)
            }
            (seal, _) => (line, seal),
        };
        if line.iter().all(u8::is_ascii_whitespace) {
            return self.no_line(Fault::Blank).map(|()| None);
        }
        match serde_json::from_slice::<Record>(line) {
            Ok(record) => Ok(self.record(record, seal.is_some(), line)),
            Err(error) => self.no_record(line, seal, &error).map(|()| None),
        }
    }

    /// More evidence that the latest line completes.
    pub fn more(&mut self) -> Option<Event> {
        self.held.take()
    }

    /// Takes note of a line that is longer than [`MAX_LINE`], of which nothing was read.
    pub fn too_long(&mut self) -> Result<(), NotAJournal> {
        self.open = true;
        self.chain.file.lines += 1;
        if self.read() == 0 {
            let why = format!("it is longer than {MAX_LINE} bytes");
            return Err(NotAJournal::NoRecord { line: self.lines(), why });
        }
        self.no_line(Fault::TooLong)
    }

    /// Takes a last line that has no newline. If it carries its own hash it is whole, but for what stood after it; else it
    /// is torn: the writer was interrupted in the middle of it, and nothing of it is evidence.
    pub fn unfinished_line(&mut self, line: &[u8]) -> Result<Option<Event>, NotAJournal> {
        if chain::is_sealed(line) {
            let taken = self.line(line);
            self.chain.note(Fault::NoNewline);
            return taken;
        }
        self.open = true;
        self.chain.file.lines += 1;
        if self.read() == 0 && self.first_line.is_none() {
            let why = serde_json::from_slice::<Record>(line).err();
            self.first_line = Some((1, why.map_or_else(String::new, |error| told(&error))));
        }
        self.chain.broken(Fault::Torn);
        Ok(None)
    }

    /// The file cannot be read any further, because it is damaged.
    pub fn unreadable(&mut self, why: &str) {
        self.chain.unreadable(shorten(why));
    }

    /// Whoever reads asked to read no further.
    pub fn stop(&mut self) {
        self.integrity.stopped = true;
    }

    /// At the end of the journal: whether it is whole.
    pub fn finish(mut self) -> Result<Integrity, NotAJournal> {
        // That the last section_read is missing where the end is missing is the same damage.
        if let Some(fault) = self.regroup.abandon()
            && self.chain.ended
        {
            self.chain.note(fault);
            if !self.open
                && let Some(file) = self.integrity.files.pop()
            {
                self.add_to(file);
            }
        }
        if self.open {
            self.end_file();
        }
        let mut integrity = self.integrity;
        if integrity.records == 0 && !integrity.stopped {
            return Err(self.first_line.map_or(NotAJournal::Empty, |(line, why)| {
                if why.is_empty() { NotAJournal::Empty } else { NotAJournal::NoRecord { line, why } }
            }));
        }
        integrity.sessions = self.chain.sessions;
        integrity.ended = self.chain.ended;
        integrity.last_hash = self.chain.last_hash;
        Ok(integrity)
    }

    /// A damage of the last file that showed after its end.
    fn add_to(&mut self, mut file: FileCheck) {
        let late = std::mem::take(&mut self.chain.file);
        let line = file.lines;
        let damages = late.listed.into_iter().map(|damage| Damage { line, ..damage });
        file.listed.extend(damages);
        file.damages += late.damages;
        file.first = file.first.or_else(|| file.listed.first().cloned());
        self.integrity.damages += late.damages;
        self.integrity.first = self.integrity.first.take().or_else(|| file.first.clone());
        self.integrity.files.push(file);
    }

    /// Records read in all files.
    fn read(&self) -> u64 {
        self.integrity.records + self.chain.file.read
    }

    fn record(&mut self, record: Record, sealed: bool, line: &[u8]) -> Option<Event> {
        self.junk = 0;
        let mut whole = sealed;
        if !sealed {
            let fault = not_sealed(&record, line);
            whole = fault == Fault::Reformatted;
            self.chain.note(fault);
        }
        self.chain.record(&Head::of(&record), whole);
        let kind = record.event.kind;
        if kind == Kind::Session || self.origin.is_none() {
            self.take_origin(&record);
        }
        if let Some(about) = self.integrity.about.last_mut().filter(|_| self.about_last) {
            about.last = about.last.max(record.time);
        }
        let said = record.session.as_ref().and_then(|session| session.derived.as_ref());
        let said = said.or_else(|| record.end.as_ref().and_then(|end| end.derived.as_ref()));
        if self.integrity.derived.is_none() {
            self.integrity.derived = said.cloned();
        }
        let cut = self.parts.cut_by(&record).map(|(read, fault)| {
            self.chain.note(fault);
            read
        });
        let event = self.evidence(record).unwrap_or_else(|fault| {
            self.chain.note(fault);
            None
        });
        match cut {
            // Of another session, whose start comes first.
            Some(_) if kind == Kind::Session => event,
            Some(read) => {
                self.held = event;
                Some(read)
            }
            None => event,
        }
    }

    fn evidence(&mut self, record: Record) -> Result<Option<Event>, Fault> {
        match record.event.kind {
            Kind::SectionState => match self.parts.state(&record) {
                Some(fault) => Err(fault),
                None => Ok(None),
            },
            kind if kind.is_conclusion() => Ok(None),
            // It may stand anywhere: files are full when they are full.
            Kind::Continued => Ok(None),
            Kind::RelocState => match self.regroup.state(&record) {
                Some(fault) => Err(fault),
                None => Ok(None),
            },
            Kind::SectionRead if record.entries.is_some() => {
                if let Some(fault) = self.regroup.abandon() {
                    self.chain.note(fault);
                }
                let (event, faults) = self.parts.read(record)?;
                for fault in faults {
                    self.chain.note(fault);
                }
                Ok(event)
            }
            // In the form of earlier versions.
            Kind::SectionRead => {
                let listed = record.walk.as_ref().map_or(0, |walk| walk.listed);
                let mut event = record.into_event()?;
                if let Some(fault) = self.regroup.complete(&mut event, listed) {
                    self.chain.note(fault);
                }
                Ok(Some(event))
            }
            _ => {
                if let Some(fault) = self.regroup.abandon() {
                    self.chain.note(fault);
                }
                Ok(Some(record.into_event()?))
            }
        }
    }

    fn take_origin(&mut self, record: &Record) {
        let about = &mut self.integrity.about;
        self.about_last = about.len() < MAX_ABOUT;
        if self.about_last {
            let (host, tool) = (record.host.clone(), record.tool.clone());
            about.push(About { host, tool, first: record.time, last: record.time });
        }
        self.origin = Some(Origin {
            host: record.host.clone(),
            tool: record.tool.clone(),
            clock: Clock::new(record.time.wall_ns(), record.mono_ns),
        });
    }

    /// A line that does not read as a record: of a kind that came later, or damaged.
    fn no_record(
        &mut self,
        line: &[u8],
        seal: Option<Hash>,
        error: &serde_json::Error,
    ) -> Result<(), NotAJournal> {
        let why = told(error);
        match serde_json::from_slice::<SomeHead<'_>>(line) {
            // Where that may be the damage, it is one.
            Ok(head) if !READ.contains(&&*head.schema) && (seal.is_some() || !chain::has_seal(line)) => {
                let schema = shorten(&head.schema);
                return Err(NotAJournal::OtherSchema { line: self.lines(), schema });
            }
            Ok(head) if READ.contains(&&*head.schema) && may_be_passed_over(&head.event.kind) => {
                if seal.is_none() {
                    self.chain.note(if head.hash.is_some() { Fault::Altered } else { Fault::Unsealed });
                }
                self.pass_over(&head, seal.is_some());
                return Ok(());
            }
            _ => {}
        }
        if self.lines() == 1 && self.read() == 0 && matches!(line.trim_ascii(), b"{" | b"[") {
            return Err(NotAJournal::Spread);
        }
        if self.first_line.is_none() {
            self.first_line = Some((self.lines(), why.clone()));
        }
        let altered = chain::has_seal(line) && seal.is_none();
        self.no_line(if altered { Fault::Altered } else { Fault::NoRecord { why } })
    }

    /// A line that is none of a journal's.
    fn no_line(&mut self, fault: Fault) -> Result<(), NotAJournal> {
        self.chain.broken(fault);
        self.junk += 1;
        if !self.is_flooded() {
            return Ok(());
        }
        if self.read() == 0 {
            let (line, why) = self.first_line.take().unwrap_or((1, "the line is empty".to_owned()));
            return Err(NotAJournal::NoRecord { line, why });
        }
        self.chain.note(Fault::Flood);
        Ok(())
    }

    fn pass_over(&mut self, head: &SomeHead<'_>, whole: bool) {
        self.junk = 0;
        let known = Kind::from_name(&head.event.kind);
        let id = head.event.id.as_deref().and_then(|id| serde_json::from_value(id.into()).ok());
        let head_of = Head {
            kind: known,
            seq: head.seq,
            id,
            time: None,
            continues: None,
            prev: head.prev,
            hash: head.hash,
        };
        self.chain.record(&head_of, whole);
        if known.is_none() {
            let unknown = &mut self.integrity.unknown_kinds;
            let room = unknown.len() < MAX_UNKNOWN_KINDS || unknown.contains_key(&*head.event.kind);
            let name = if room { shorten(&head.event.kind) } else { "…".to_owned() };
            *unknown.entry(name).or_default() += 1;
        }
    }
}

/// An error of the JSON reader; it counts the lines of one line, which says nothing.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    let column = error.column();
    shorten(&if column > 0 { format!("{text} (column {column})") } else { text.to_owned() })
}

/// What every record of every version has.
#[derive(Deserialize)]
struct SomeHead<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    seq: u64,
    #[serde(borrow)]
    event: HeadEvent<'a>,
    #[serde(default)]
    prev: Option<Hash>,
    #[serde(default)]
    hash: Option<Hash>,
}

#[derive(Deserialize)]
struct HeadEvent<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
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
