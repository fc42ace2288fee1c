//! The time line: when modules were loaded, and what became of the patches' relocations.

use super::{moment, nothing, row, time};
use crate::output::style::Tone;
use crate::tui::panes::{self, LANE_NAME, Panes};
use crate::tui::picture::Picture;
use crate::tui::picture::story::What;
use crate::tui::state::{Focus, Source, State};
use crate::tui::text::{fit, safe, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

pub(super) fn draw(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let inner = panes::inner(panes.tabs);
    let lanes = &picture.story.lanes;
    let Some((first, last)) = span(state, picture).filter(|_| !lanes.is_empty()) else {
        return nothing(buffer, inner, state, "No livepatch and no module that one waits for has been seen.");
    };
    let focused = state.focus == Focus::Tabs;
    let room = usize::from(inner.width.saturating_sub(LANE_NAME + 2));
    let scale = Scale { first, last, cells: room.max(1) };
    for (y, at) in (inner.y..).zip(state.lanes.window(lanes.len(), panes::lanes_height(panes))) {
        let Some(lane) = lanes.get(at) else { break };
        let what = if lane.livepatch { "patch " } else { "module " };
        let name = fit(&format!("{what}{}", safe(&lane.name)), usize::from(LANE_NAME), state.theme.ascii);
        let mut spans = vec![Span::raw(name), Span::raw(" ")];
        let cells = cells(at, lane.livepatch, scale, state, picture);
        spans.extend(cells.into_iter().map(|(symbol, style)| Span::styled(symbol, style)));
        row(buffer, inner, y, &Line::from(spans), state, (at == state.lanes.selected).then_some(focused));
    }
    axis(buffer, inner, scale, state, picture);
}

/// From when to when: all of a recording, so that moving in it does not move the axis.
fn span(state: &State, picture: &Picture) -> Option<(u64, u64)> {
    match &state.source {
        Source::Replay(tape) if tape.events > 0 => Some(tape.span),
        Source::Live => picture.story.span.map(|(first, last)| (first, last.max(state.now_ns))),
        Source::Replay(_) => picture.story.span,
    }
}

#[derive(Debug, Clone, Copy)]
struct Scale {
    first: u64,
    last: u64,
    cells: usize,
}

impl Scale {
    fn cell(self, at: u64) -> usize {
        let span = u128::from(self.last.saturating_sub(self.first).max(1));
        let at = u128::from(at.clamp(self.first, self.last.max(self.first)) - self.first);
        let last = self.cells.saturating_sub(1);
        usize::try_from(at * last as u128 / span).unwrap_or(last).min(last)
    }
}

fn cells(
    lane: usize,
    livepatch: bool,
    scale: Scale,
    state: &State,
    picture: &Picture,
) -> Vec<(&'static str, Style)> {
    let theme = state.theme;
    let (there, moving) =
        (if livepatch { theme.pick("─", "-") } else { theme.pick("━", "=") }, theme.pick("╌", "~"));
    let mut cells = vec![(" ", Style::new()); scale.cells];
    let mut drawn = 0;
    let mut fill = "";
    let mut fill_to = |cells: &mut Vec<(&'static str, Style)>, fill: &'static str, to: usize| {
        if !fill.is_empty() {
            for cell in cells.iter_mut().take(to).skip(drawn).filter(|cell| cell.0 == " ") {
                *cell = (fill, theme.tone(Tone::Dim));
            }
        }
        drawn = to;
    };
    let marks = picture.story.marks.iter().filter(|mark| usize::from(mark.lane) == lane);
    for mark in marks {
        let at = scale.cell(mark.mono_ns);
        fill_to(&mut cells, fill, at);
        let symbol = match mark.what {
            What::Loaded => Some((theme.pick("├", "["), Style::new())),
            What::Gone => Some((theme.pick("┤", "]"), Style::new())),
            What::Refused => Some((theme.pick("✗", "x"), theme.tone(Tone::Bad))),
            What::Verdict(verdict) => Some((theme.symbol(verdict), theme.verdict(verdict))),
            What::TransitionBegan | What::TransitionEnded => None,
        };
        fill = match mark.what {
            What::Gone | What::Refused => "",
            What::TransitionBegan => moving,
            _ => there,
        };
        // What is bad is not hidden by what happened beside it.
        if let (Some(symbol), Some(cell)) = (symbol, cells.get_mut(at))
            && !matches!(cell.0, "✗" | "▲" | "x" | "!")
        {
            *cell = symbol;
        }
    }
    let now = match &state.source {
        Source::Live => scale.last,
        Source::Replay(tape) => tape.now_ns,
    };
    fill_to(&mut cells, fill, scale.cell(now) + 1);
    cells
}

fn axis(buffer: &mut Buffer, inner: Rect, scale: Scale, state: &State, picture: &Picture) {
    let (first, last) = (moment(picture, scale.first), time(picture, scale.last));
    let dim = state.theme.tone(Tone::Dim);
    let y = inner.bottom().saturating_sub(1);
    let x = inner.x + LANE_NAME + 2;
    buffer.set_string(x, y, &first, dim);
    let end = inner.right().saturating_sub(u16::try_from(width(&last)).unwrap_or(0));
    buffer.set_string(end, y, &last, dim);
    let legend = state.theme.pick("├ loaded ┤ gone", "[ loaded ] gone");
    buffer.set_stringn(inner.x + 1, y, legend, usize::from(LANE_NAME), dim);
}
