//! The relocations of the selected branch: as many columns as there is room for.

use super::{frame, nothing, row};
use crate::output::style::Tone;
use crate::tui::pages;
use crate::tui::panes::{self, Panes};
use crate::tui::picture::Picture;
use crate::tui::picture::tree::Reloc;
use crate::tui::state::{Focus, Sort, State};
use crate::tui::text::{fit, safe};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Widths of the columns in a pane of some width; 0: no room for it.
#[derive(Debug, Clone, Copy)]
struct Columns {
    verdict: usize,
    offset: usize,
    rtype: usize,
    symbol: usize,
    bytes: usize,
    address: usize,
}

/// The longest verdict with its symbol.
const VERDICT: usize = 10;

impl Columns {
    fn of(room: usize) -> Self {
        let (offset, rtype) = if room >= 100 { (8, 15) } else { (6, 6) };
        // Eight bytes in hex, twice.
        let bytes = if room >= 74 { 16 } else { 0 };
        let address = if room >= 120 { 18 } else { 0 };
        let gaps = 3 + if bytes > 0 { 2 } else { 0 } + usize::from(address > 0);
        let symbol = room.saturating_sub(VERDICT + offset + rtype + 2 * bytes + address + gaps).min(56);
        Self { verdict: VERDICT, offset, rtype, symbol, bytes, address }
    }

    fn line(self, cells: [&str; 7], ascii: bool) -> [String; 7] {
        let [verdict, offset, rtype, symbol, expected, actual, address] = cells;
        [
            fit(verdict, self.verdict, ascii),
            fit(offset, self.offset, ascii),
            fit(rtype, self.rtype, ascii),
            fit(symbol, self.symbol, ascii),
            fit(expected, self.bytes, ascii),
            fit(actual, self.bytes, ascii),
            fit(address, self.address, ascii),
        ]
    }
}

pub(super) fn draw(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let focused = state.focus == Focus::Relocs;
    let rows = &state.rows;
    let (shown, all) = (rows.relocs.len(), rows.all);
    let number = if shown == all { format!("{all}") } else { format!("{shown} of {all}") };
    let sort = if state.sort == Sort::Place { String::new() } else { format!(", by {}", state.sort.word()) };
    frame(buffer, panes.relocs, state, focused, &Line::raw(format!(" Relocations ({number}{sort}) ")));
    let inner = panes::inner(panes.relocs);
    let ascii = state.theme.ascii;
    let columns = Columns::of(usize::from(inner.width.saturating_sub(1)));
    let heading = columns.line(["verdict", "offset", "type", "symbol", "expected", "holds", "at"], ascii);
    let heading = Line::styled(heading.join(" "), state.theme.tone(Tone::Dim));
    row(buffer, inner, inner.y, &heading, state, None);
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    for (y, at) in (list.y..).zip(state.relocs.window(shown, panes::relocs_height(panes))) {
        let Some((.., reloc)) = rows.reloc(picture, at) else { break };
        let line = line(columns, reloc, state);
        row(buffer, list, y, &line, state, (at == state.relocs.selected).then_some(focused));
    }
    if shown == 0 {
        let text = match (all, picture.patches.is_empty()) {
            (0, true) => "",
            (0, false) => "No livepatch relocation has been read here.",
            _ => "Nothing matches the filter.",
        };
        nothing(buffer, Rect { y: list.y + 1, height: list.height.saturating_sub(1), ..list }, state, text);
    }
}

fn line(columns: Columns, reloc: &Reloc, state: &State) -> Line<'static> {
    let theme = state.theme;
    let verdict =
        reloc.verdict.map_or_else(|| theme.pick("· listed", "- listed").to_owned(), |v| theme.word(v));
    let style = reloc.verdict.map_or_else(|| theme.tone(Tone::Dim), |verdict| theme.verdict(verdict));
    let rtype = safe(&reloc.r.rtype);
    // What all types of an architecture begin with says nothing in a narrow column.
    let short = if columns.rtype < 15 { crate::arch::short_type_name(&rtype) } else { &rtype };
    let bytes = |bytes: Option<crate::model::Bytes>| bytes.map(|bytes| bytes.to_string()).unwrap_or_default();
    let (expected, actual) = (bytes(reloc.expected), bytes(reloc.actual));
    let differs = reloc.expected.is_some() && reloc.actual.is_some() && expected != actual;
    let symbol = pages::symbol(reloc);
    let offset = reloc.r.offset.to_string();
    let address = reloc.address.map(|address| address.to_string()).unwrap_or_default();
    let [verdict, offset, rtype, symbol, expected, actual, address] =
        columns.line([&verdict, &offset, short, &symbol, &expected, &actual, &address], theme.ascii);
    let mut spans = vec![Span::styled(verdict, style), Span::raw(format!(" {offset} {rtype} {symbol}"))];
    if columns.bytes > 0 {
        spans.push(Span::raw(format!(" {expected} ")));
        spans.push(if differs { Span::styled(actual, style) } else { Span::raw(actual) });
    }
    if columns.address > 0 {
        spans.push(Span::raw(format!(" {address}")));
    }
    Line::from(spans)
}
