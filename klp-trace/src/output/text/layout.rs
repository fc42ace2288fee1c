//! What all lines have in common: the time, the mark, columns that line up, names made harmless.

use crate::journal::{Clock, ObjectRef, PatchRef, RelocRef};
use crate::model::Verdict;
use crate::output::escape::escape;
use crate::output::style::{Style, Tone};
use crate::output::wrap;
use jiff::civil::Date;
use std::borrow::Cow;
use std::cell::Cell;

/// Width of the column of marks: the longest verdict with its symbol.
const MARK: usize = 10;
/// Columns grow to this width and no further, or one long name would push everything off the screen.
const WIDEST: usize = 48;

/// A symbol and a word in the column of marks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub tone: Tone,
    pub unicode: &'static str,
    pub ascii: &'static str,
    pub word: &'static str,
}

impl Mark {
    pub(super) const fn notice(word: &'static str) -> Self {
        Self { tone: Tone::Notice, unicode: "·", ascii: "-", word }
    }

    pub(super) const fn unsure(word: &'static str) -> Self {
        Self { tone: Tone::Unsure, unicode: "?", ascii: "?", word }
    }

    pub(super) const fn bad(word: &'static str) -> Self {
        Self { tone: Tone::Bad, unicode: "✗", ascii: "x", word }
    }
}

/// How wide a column of a table is: as wide as its widest cell, within what a screen can show. A name may be of any length.
pub(crate) fn column_width<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    const WIDEST_OF_TABLE: usize = 120;
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(WIDEST_OF_TABLE)
}

/// Cells of a time of day.
const TIME: usize = 12;
/// Where the text of a line begins, and what belongs to it.
const TEXT: usize = TIME + 1 + MARK + 2;
/// Where it begins in a terminal that is too narrow for that.
const TEXT_NARROW: usize = 4;
/// Terminals below this are.
const NARROW: u16 = 72;

/// Why a time is before one above it: a file is found, and a read is judged, after more has happened.
const LATE: &str = "(lines are in the order in which this was known: times may go back)";

/// How lines are laid out.
#[derive(Debug)]
pub(crate) struct Layout {
    pub style: Style,
    pub clock: Option<Clock>,
    /// The day of the last line.
    day: Cell<Option<Date>>,
    /// CLOCK_MONOTONIC of the latest line of the session, nanoseconds.
    latest: Cell<u64>,
    /// That times go back has been explained in this session.
    explained: Cell<bool>,
    who: usize,
    section: usize,
}

impl Layout {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            clock: None,
            day: Cell::new(None),
            latest: Cell::new(0),
            explained: Cell::new(false),
            who: 0,
            section: 0,
        }
    }

    /// The wall-clock time of an event; seconds since boot while it is not known where the events come from.
    pub(crate) fn time(&self, mono_ns: u64) -> String {
        match self.clock {
            Some(clock) => clock.time(mono_ns).0.strftime("%H:%M:%S%.3f").to_string(),
            None => format!("{:>8}.{:03}", mono_ns / 1_000_000_000, mono_ns / 1_000_000 % 1000),
        }
    }

    /// The day of an event, in UTC; none while it is not known where the events come from.
    pub(crate) fn date(&self, mono_ns: u64) -> Option<Date> {
        self.clock.map(|clock| jiff::tz::Offset::UTC.to_datetime(clock.time(mono_ns).0).date())
    }

    /// The line that says which day it is, where that is not the day of the line before.
    fn new_day(&self, mono_ns: u64) -> String {
        match self.date(mono_ns) {
            Some(day) if self.day.replace(Some(day)) != Some(day) => {
                format!("{}\n", self.style.paint(Tone::Dim, &format!("{day} UTC")))
            }
            _ => String::new(),
        }
    }

    /// The days are said anew, and the time may be any: another session begins.
    pub(super) fn begin_anew(&self) {
        self.day.set(None);
        self.latest.set(0);
        self.explained.set(false);
    }

    /// Once a session, under the first line whose time is before that of a line above it: why that is so.
    fn gone_back(&self, mono_ns: u64) -> String {
        let latest = self.latest.get().max(mono_ns);
        self.latest.set(latest);
        // What is shown to the millisecond goes back only where that is seen.
        if mono_ns / 1_000_000 >= latest / 1_000_000 || self.explained.replace(true) {
            return String::new();
        }
        format!("\n{}", self.style.paint(Tone::Dim, &self.under(LATE)))
    }

    /// Where the text of a line begins, in cells.
    fn text_column(&self) -> usize {
        if self.style.width.is_some_and(|width| width.get() < NARROW) { TEXT_NARROW } else { TEXT }
    }

    /// A line with a mark.
    pub(super) fn line(&self, mono_ns: u64, mark: Mark, text: &str) -> String {
        let symbol = self.style.symbol(mark.unicode, mark.ascii);
        let painted = self.style.paint(mark.tone, &format!("{symbol} {}", mark.word));
        self.marked(mono_ns, &painted, mark.word, text)
    }

    /// A line with a verdict as its mark.
    pub(super) fn verdict_line(&self, mono_ns: u64, verdict: Verdict, text: &str) -> String {
        self.marked(mono_ns, &self.style.verdict(verdict), verdict.word(), text)
    }

    /// `painted` is a symbol, a space and `word`, perhaps in colour.
    pub(super) fn marked(&self, mono_ns: u64, painted: &str, word: &str, text: &str) -> String {
        let time = self.style.paint(Tone::Dim, &self.time(mono_ns));
        let gap = MARK.saturating_sub(word.chars().count() + 2);
        let line = format!("{time} {painted}{:gap$}  {text}", "");
        self.new_day(mono_ns)
            + &wrap::hanging(&line, self.text_column(), self.style.width)
            + &self.gone_back(mono_ns)
    }

    /// A line that belongs to the one above it.
    pub(super) fn under(&self, text: &str) -> String {
        self.style.wrap(&format!("{:1$}{text}", "", self.text_column()))
    }

    /// A command to be pasted: never broken.
    pub(super) fn command(&self, command: &str) -> String {
        format!("{:1$}{2}", "", self.text_column() + 5, name(command))
    }

    /// `patch → object`.
    pub(crate) fn who(&self, patch: Option<&PatchRef>, object: Option<&ObjectRef>) -> String {
        let arrow = self.style.symbol("→", "->");
        let patch = patch.map(|patch| load(&patch.name, Some(patch.load)));
        let object = object.map(|object| load(&object.name, object.load));
        match (patch, object) {
            (Some(patch), Some(object)) => format!("{patch} {arrow} {object}"),
            (patch, object) => patch.or(object).unwrap_or_default(),
        }
    }

    /// `patch → object  section`, in columns.
    pub(super) fn columns(&mut self, patch: &PatchRef, object: &ObjectRef, section: &str) -> String {
        let who = self.who(Some(patch), Some(object));
        let section = if section.is_empty() { "(no name yet)".into() } else { name(section) };
        self.who = self.who.max(who.chars().count().min(WIDEST));
        self.section = self.section.max(section.chars().count().min(WIDEST));
        format!("{who:0$}  {section:1$}", self.who, self.section)
    }
}

/// A name with its load, when that is not the first.
fn load(text: &str, load: Option<u32>) -> String {
    match load {
        Some(load) if load > 1 => format!("{}#{load}", name(text)),
        _ => name(text).into_owned(),
    }
}

/// A name or sentence that can do a terminal no harm. Names in events are escaped already where they come from the
/// kernel or a file, so a backslash is left alone; a journal may hold anything, so the rest is not trusted.
pub(crate) fn name(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return escape(text.as_bytes());
    }
    let parts: Vec<_> = text.split('\\').map(|part| escape(part.as_bytes())).collect();
    Cow::Owned(parts.join("\\"))
}

/// `[3] R_X86_64_PC32 target_secret-0x4`; `[3, in the file 1] …` where the kernel has sorted the entries.
pub(crate) fn relocation(reloc: &RelocRef) -> String {
    let symbol = name(&reloc.symbol);
    let sympos = if reloc.sympos == 0 { String::new() } else { format!(",{}", reloc.sympos) };
    let addend = addend(reloc.addend);
    let file = reloc.file_index.map(|file| format!(", in the file {file}")).unwrap_or_default();
    format!("[{}{file}] {} {symbol}{sympos}{addend}", reloc.index, name(&reloc.rtype))
}

/// `+0x10`, `-0x4`, as readelf has it; nothing for 0.
pub(crate) fn addend(addend: i64) -> String {
    match addend {
        0 => String::new(),
        below if below < 0 => format!("-{:#x}", below.unsigned_abs()),
        above => format!("+{above:#x}"),
    }
}

/// `1 relocation`, `2 relocations`.
pub fn count(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}
