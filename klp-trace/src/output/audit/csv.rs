//! An audit as comma-separated values: a line for each relocation, after a line of headings (RFC 4180).

use super::{Found, Reloc, Report};
use crate::journal::SymbolSource;
use crate::model::{Reason, Verdict};
use crate::output::{table::cell, text::layout::name};
use csv::Writer;
use std::fmt::{Display, Write as _};
use std::io::Write;

/// The headings, in order. New columns are added at the end.
const COLUMNS: [&str; 23] = [
    "patch",
    "patch_address",
    "standing",
    "object",
    "section",
    "index",
    "offset",
    "type",
    "symbol",
    "sympos",
    "addend",
    "address",
    "recorded",
    "live",
    "expected",
    "actual",
    "verdict",
    "reason",
    "witness_elf",
    "witness_symbols",
    "witness_memory",
    "note",
    "file_index",
];

impl Report {
    /// The lines, headings first. A livepatch without klp relocations, or that could not be read, has a line too: its `note`
    /// says so.
    ///
    /// # Errors
    /// What is under `out` cannot be written to.
    pub fn csv<W: Write>(&self, out: &mut Writer<W>) -> Result<(), csv::Error> {
        out.write_record(COLUMNS)?;
        let mut row = Row { out, shown: String::new() };
        for patch in self.livepatches.values() {
            let relocs = patch.objects.values().flat_map(|sections| sections.values());
            for reloc in relocs.flat_map(|section| section.relocs.values()).filter(|reloc| reloc.shown) {
                row.relocation(patch, reloc)?;
            }
            if let Some(note) = patch.note().filter(|_| patch.shown) {
                row.bare(patch, &note)?;
            }
        }
        Ok(())
    }
}

/// The fields of a line, one after the other.
struct Row<'w, W: Write> {
    out: &'w mut Writer<W>,
    /// The number that is being written.
    shown: String,
}

impl<W: Write> Row<'_, W> {
    fn relocation(&mut self, patch: &Found, reloc: &Reloc) -> Result<(), csv::Error> {
        let state = &reloc.state;
        self.text(&state.patch.name)?;
        self.number(Some(state.patch.address))?;
        self.word(patch.standing())?;
        self.text(&state.object.name)?;
        self.text(&state.section.name)?;
        self.number(Some(state.reloc.index))?;
        self.number(Some(state.reloc.offset))?;
        self.text(&state.reloc.rtype)?;
        self.text(&state.reloc.symbol)?;
        self.number(Some(state.reloc.sympos))?;
        self.number(Some(state.reloc.addend))?;
        self.number(state.address)?;
        self.number(state.recorded)?;
        self.number(state.live)?;
        self.number(state.expected)?;
        self.number(state.actual)?;
        self.word(state.verdict.map_or("", Verdict::word))?;
        self.word(state.reason.map_or("", Reason::word))?;
        let witnesses = state.witnesses;
        self.word(witnesses.map_or("", |witnesses| witnesses.elf.word()))?;
        self.word(witnesses.and_then(|witnesses| witnesses.symbols).map_or("", SymbolSource::word))?;
        self.word(witnesses.map_or("", |witnesses| witnesses.memory.word()))?;
        self.word("")?;
        self.number(state.reloc.file_index)?;
        self.end()
    }

    /// A line of a patch that has no relocations to tell of.
    fn bare(&mut self, patch: &Found, note: &str) -> Result<(), csv::Error> {
        let known = patch.livepatch.as_ref().map(|found| &found.patch);
        self.text(known.map_or("", |patch| &patch.name))?;
        self.number(known.map(|patch| patch.address))?;
        self.word(patch.standing())?;
        // Up to the last two.
        for _ in 5..COLUMNS.len() {
            self.word("")?;
        }
        self.text(note)?;
        self.word("")?;
        self.end()
    }

    /// A word of klp-trace's own.
    fn word(&mut self, word: &str) -> Result<(), csv::Error> {
        self.out.write_field(word)
    }

    /// A name or a sentence.
    fn text(&mut self, raw: &str) -> Result<(), csv::Error> {
        self.out.write_field(&*cell(name(raw)))
    }

    /// A number or bytes; nothing for none.
    fn number(&mut self, value: Option<impl Display>) -> Result<(), csv::Error> {
        self.shown.clear();
        if let Some(value) = value {
            // A String takes whatever is written.
            let _ = write!(self.shown, "{value}");
        }
        self.out.write_field(&self.shown)
    }

    fn end(&mut self) -> Result<(), csv::Error> {
        self.out.write_record(None::<&[u8]>)
    }
}
