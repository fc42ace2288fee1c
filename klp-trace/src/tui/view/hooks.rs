//! The hooks: attached or not, what came of them, what they missed, what they cost.

use super::{nothing, row, time};
use crate::output::style::Tone;
use crate::tui::panes::{self, Panes};
use crate::tui::picture::Picture;
use crate::tui::picture::hooks::HookRow;
use crate::tui::state::{Focus, State};
use crate::tui::text::{cut, fit, safe};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Name, mechanism, hits, losses, run time, last seen.
const WIDTHS: [usize; 6] = [35, 10, 6, 5, 8, 8];

pub(super) fn draw(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let inner = panes::inner(panes.tabs);
    if picture.hooks.is_empty() {
        return nothing(buffer, inner, state, "This session watches no hooks: it reads what is loaded.");
    }
    let ascii = state.theme.ascii;
    let titles = ["hook", "attached", "hits", "lost", "run time", "last hit"];
    let heading: Vec<_> = titles.iter().zip(WIDTHS).map(|(text, wide)| fit(text, wide, ascii)).collect();
    let heading = heading.join(" ");
    let dim = state.theme.tone(Tone::Dim);
    row(buffer, inner, inner.y, &Line::styled(heading, dim), state, None);
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let focused = state.focus == Focus::Tabs;
    for (y, at) in (list.y..).zip(state.hooks.window(picture.hooks.len(), usize::from(list.height))) {
        let Some(hook) = picture.hooks.get(at) else { break };
        let line = line(hook, state, picture, usize::from(list.width.saturating_sub(1)));
        row(buffer, list, y, &line, state, (at == state.hooks.selected).then_some(focused));
    }
}

fn line(hook: &HookRow, state: &State, picture: &Picture, room: usize) -> Line<'static> {
    let ascii = state.theme.ascii;
    let [name, by, hits, lost, ran, last] = WIDTHS;
    let mut spans = vec![Span::raw(format!("{} ", fit(hook.info.name.name(), name, ascii)))];
    let Some(mechanism) = &hook.info.mechanism else {
        let why = hook.info.reason.as_deref().unwrap_or("no reason is known");
        let text = format!("{} {}", fit("not", by, ascii), safe(why));
        let text = cut(&text, room.saturating_sub(name + 1), ascii).into_owned();
        spans.push(Span::styled(text, state.theme.tone(Tone::Dim)));
        return Line::from(spans);
    };
    let seen = hook.ran.map_or(hook.seen, |ran| ran.hits);
    spans.push(Span::raw(format!("{} ", fit(&safe(mechanism), by, ascii))));
    spans.push(Span::raw(format!("{} ", fit(&seen.to_string(), hits, ascii))));
    let losses =
        if hook.losses > 0 && hook.lost == 0 { format!("{}x", hook.losses) } else { hook.lost.to_string() };
    let tone = if hook.losses > 0 { Tone::Unsure } else { Tone::Plain };
    spans.push(Span::styled(format!("{} ", fit(&losses, lost, ascii)), state.theme.tone(tone)));
    let nanos = hook.ran.and_then(|ran| ran.nanos);
    spans.push(Span::raw(format!("{} ", fit(&nanos.map_or("-".to_owned(), duration), ran, ascii))));
    let last_seen = hook.last_ns.map_or("-".to_owned(), |at| time(picture, at).chars().take(8).collect());
    spans.push(Span::raw(fit(&last_seen, last, ascii)));
    Line::from(spans)
}

/// `12 us`, `3 ms`, `2 s`.
fn duration(nanos: u64) -> String {
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{} us", nanos / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}
