//! An audit as comma-separated values: a line for each relocation, after a line of headings (RFC 4180).

use super::{Found, Reloc, Report};
use crate::event::SymbolSource;
use crate::model::Verdict;
use crate::output::text::layout::name;

/// The headings, in order. New columns are added at the end.
const COLUMNS: [&str; 22] = [
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
];

impl Report {
    /// The lines, headings first. A livepatch without klp relocations, or that could not be read, has a line too: its `note`
    /// says so.
    pub fn csv(&self) -> Vec<String> {
        let mut lines = vec![COLUMNS.join(",")];
        for patch in self.livepatches.values() {
            let relocs = patch.objects.values().flat_map(|sections| sections.values());
            for reloc in relocs.flat_map(|section| section.relocs.values()).filter(|reloc| reloc.shown) {
                lines.push(row(patch, reloc));
            }
            if let Some(note) = patch.note().filter(|_| patch.shown) {
                lines.push(bare(patch, note));
            }
        }
        lines
    }
}

fn row(patch: &Found, reloc: &Reloc) -> String {
    let state = &reloc.state;
    let hex = |value: Option<crate::model::Address>| value.map(|value| value.to_string()).unwrap_or_default();
    let bytes = |value: Option<crate::model::Bytes>| value.map(|value| value.to_string()).unwrap_or_default();
    let witnesses = state.witnesses;
    [
        text(&state.patch.name),
        state.patch.address.to_string(),
        patch.standing().to_owned(),
        text(&state.object.name),
        text(&state.section.name),
        state.reloc.index.to_string(),
        state.reloc.offset.to_string(),
        text(&state.reloc.rtype),
        text(&state.reloc.symbol),
        state.reloc.sympos.to_string(),
        state.reloc.addend.to_string(),
        hex(state.address),
        hex(state.recorded),
        hex(state.live),
        bytes(state.expected),
        bytes(state.actual),
        state.verdict.map_or("", Verdict::word).to_owned(),
        state.reason.map_or("", crate::model::Reason::word).to_owned(),
        witnesses.map_or("", |witnesses| witnesses.elf.word()).to_owned(),
        witnesses.and_then(|witnesses| witnesses.symbols).map_or("", SymbolSource::word).to_owned(),
        witnesses.map_or("", |witnesses| witnesses.memory.word()).to_owned(),
        String::new(),
    ]
    .join(",")
}

/// A line of a patch that has no relocations to tell of.
fn bare(patch: &Found, note: &str) -> String {
    let mut fields = vec![String::new(); COLUMNS.len()];
    let known = patch.livepatch.as_ref().map(|found| &found.patch);
    let values = [
        known.map(|patch| text(&patch.name)),
        known.map(|patch| patch.address.to_string()),
        Some(patch.standing().to_owned()),
    ];
    for (field, value) in fields.iter_mut().zip(values) {
        *field = value.unwrap_or_default();
    }
    if let Some(last) = fields.last_mut() {
        *last = text(note);
    }
    fields.join(",")
}

/// A field of text: quoted where it has to be; and since a spreadsheet takes what begins with one of `=+-@` for a
/// formula, such a name gets an apostrophe before it (OWASP, "CSV injection").
fn text(raw: &str) -> String {
    let mut shown = name(raw).into_owned();
    if shown.starts_with(['=', '+', '-', '@']) {
        shown.insert(0, '\'');
    }
    if shown.contains([',', '"', '\n', '\r']) { format!("\"{}\"", shown.replace('"', "\"\"")) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_no_harm_in_a_spreadsheet() {
        assert_eq!(text("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        for first in ["=", "+", "-", "@"] {
            assert!(text(&format!("{first}1")).starts_with('\''));
        }
        assert_eq!(text("a,b"), "\"a,b\"");
        assert_eq!(text("a\"b"), "\"a\"\"b\"");
        assert_eq!(text("a\nb"), crate::output::escape::escape(b"a\nb"));
        assert_eq!(text(".klp.rela.tmod..data"), ".klp.rela.tmod..data");
    }
}
