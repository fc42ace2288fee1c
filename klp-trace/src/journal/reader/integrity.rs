//! Whether a journal is whole.

use crate::journal::chain::Hash;
use crate::journal::check::FileCheck;
use crate::journal::derived::Derived;
use crate::journal::envelope::{EventId, Host, Time, Tool};
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// What the chain and the records of a journal say of its wholeness.
///
/// A whole journal without a signature, and without its last hash kept elsewhere, is undamaged; whether it was forged
/// it cannot say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Integrity {
    /// The files that were read, in order.
    pub files: Vec<FileCheck>,
    /// The first damage.
    pub first: Option<Damage>,
    /// Damages in all; one line may have several.
    pub damages: u64,
    /// Lines that were read as records.
    pub records: u64,
    /// Sessions that start in it.
    pub sessions: u64,
    /// Of the first sessions: where and when they were recorded.
    pub about: Vec<About>,
    /// Whether the last session ends with its `session_end`. If not, the tool was killed, or the end was cut off.
    pub ended: bool,
    /// Sessions before the last one that end with their file, and have no end.
    pub cut: u64,
    /// Records passed over because this version does not know their kind, by kind.
    pub unknown_kinds: BTreeMap<String, u64>,
    /// The last hash that a line carried.
    pub last_hash: Option<Hash>,
    /// That it was made of a journal that is not whole.
    pub derived: Option<Derived>,
    /// Whoever asked for it asked to read no further: that its end was not read is no damage.
    pub stopped: bool,
}

/// Where and when a session was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The host.
    pub host: Arc<Host>,
    /// The tool that watched.
    pub tool: Arc<Tool>,
    /// Time of the first record that was read.
    pub first: Time,
    /// Time of the latest record.
    pub last: Time,
}

impl Integrity {
    /// Whether nothing in the journal is altered, missing or torn. See also [`Integrity::ended`].
    pub fn is_whole(&self) -> bool {
        self.damages == 0
    }

    /// Whether it is whole to its end, and made of nothing that is not: only then can a replay of it be clean.
    pub fn is_sound(&self) -> bool {
        self.is_whole() && (self.ended || self.stopped) && self.cut == 0 && self.derived.is_none()
    }

    /// The damages that are kept.
    pub fn listed(&self) -> impl Iterator<Item = &Damage> {
        self.files.iter().flat_map(|file| &file.listed)
    }
}

/// A damage and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
pub struct Damage {
    /// The line, from 1.
    pub line: u64,
    /// What it is.
    pub fault: Fault,
}

/// What can be wrong with a journal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// The line's bytes do not have the hash that it carries.
    #[error("the record was altered: its bytes do not have the hash that it carries")]
    Altered,
    /// The line carries no hash.
    #[error("the record was altered: it carries no hash")]
    Unsealed,
    /// The line before is not the one that this record followed.
    #[error("records are missing or exchanged: {}", gap(*after, *seq))]
    Gap {
        /// `seq` of the record before.
        after: u64,
        /// `seq` of this record.
        seq: u64,
    },
    /// The journal does not start with a session.
    #[error("the start is missing: the first record is number {seq}, not the session's first")]
    NoStart {
        /// `seq` of the first record.
        seq: u64,
    },
    /// A session starts where the one before it has no end.
    #[error(
        "a new session starts, and the one before has no session_end: its end was cut off, or klp-trace was killed"
    )]
    Unended,
    /// More sessions in one file than can be kept account of.
    #[error("more than {} sessions in one file", crate::journal::check::MAX_HEADS)]
    TooManyChains,
    /// The record's number is not the next one.
    #[error("the record's number (seq) is {seq}, where {due} is due")]
    Number {
        /// As due.
        due: u64,
        /// As it stands there.
        seq: u64,
    },
    /// The record's id is not of its session and number.
    #[error("the record's id (event.id) is {id}, where {due} is due")]
    Id {
        /// As it stands there.
        id: EventId,
        /// As due.
        due: EventId,
    },
    /// The wall-clock time does not follow the monotonic one.
    #[error("the record's time is {time}, where {due} is due by its mono_ns and the session's clock")]
    Time {
        /// As it stands there.
        time: Time,
        /// As due.
        due: Time,
    },
    /// Lines end with CR LF.
    #[error(
        "the line ends with CR LF: the file was converted, as mail and editors do; the record itself is whole"
    )]
    Crlf,
    /// A byte order mark.
    #[error("the file begins with a byte order mark (BOM), which an editor put there")]
    Bom,
    /// The same JSON, written in another way.
    #[error(
        "the JSON was written anew (by jq, an editor, a script), which breaks its seal; it says what was sealed"
    )]
    Reformatted,
    /// Written in another way, and perhaps altered.
    #[error(
        "the JSON was written anew (by jq, an editor, a script): whether it was altered, its seal no longer tells"
    )]
    Rewritten,
    /// The file could not be read to its end.
    #[error("cannot be read beyond here: {why}")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// Too many lines that are no records.
    #[error("no record in {} lines: nothing more of this file is read", super::MAX_JUNK)]
    Flood,
    /// A session that was there before.
    #[error("these records stand here a second time: their session was read before")]
    Repeated,
    /// The line holds nothing.
    #[error("the line is empty: no record is")]
    Blank,
    /// The line is no record.
    #[error("not a record: {why}")]
    NoRecord {
        /// Why.
        why: String,
    },
    /// The line is too long to be read.
    #[error("the line is longer than {} bytes", super::MAX_LINE)]
    TooLong,
    /// The last line has no newline.
    #[error("the last line is torn: the writer was interrupted, or the end was cut off")]
    Torn,
    /// The last line has no newline, and is whole.
    #[error("the last line has no newline: its record is whole, but the file was cut off after it")]
    NoNewline,
    /// A section_read without all of its entries.
    #[error("a section_read should have {listed} entries, {found} are there")]
    Unlisted {
        /// As the section_read says.
        listed: u32,
        /// As found.
        found: u32,
    },
    /// reloc_state records without their section_read.
    #[error("{count} reloc_state records have no section_read after them")]
    Stray {
        /// How many.
        count: u32,
    },
    /// More entries of a section_read than any section has.
    #[error("more than {} entries of one section_read", super::regroup::MAX_ENTRIES)]
    TooMany,
    /// A record of several that stands where another should.
    #[error("part {part} of {parts} of a {kind} stands where part {due} is due")]
    Part {
        /// The kind of the record.
        kind: &'static str,
        /// As it says.
        part: u32,
        /// As it says.
        parts: u32,
        /// The part that is due.
        due: u32,
    },
    /// A section_read whose last parts are missing.
    #[error("a section_read breaks off before its part {due} of {parts}: nothing of it is judged")]
    Unfinished {
        /// The part that is due.
        due: u32,
        /// How many there should be.
        parts: u32,
    },
}

/// What the numbers of two records tell that do not follow one another by their hashes.
fn gap(after: u64, seq: u64) -> String {
    let between = seq.saturating_sub(after).saturating_sub(1);
    if seq == after {
        format!("record {seq} follows itself")
    } else if seq < after {
        format!("record {seq} stands after record {after}")
    } else if between == 0 {
        format!("record {seq} follows record {after}, but not by its hash")
    } else {
        let first = after.saturating_add(1);
        let missing = if between == 1 {
            format!("record {first} is missing")
        } else {
            format!("records {first} to {} are missing", seq.saturating_sub(1))
        };
        format!("record {seq} follows record {after}: {missing}")
    }
}
