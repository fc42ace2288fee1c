//! The time line of a recording: where in it the picture stands, and where there is news.

use super::moment;
use crate::output::style::Tone;
use crate::tui::picture::Picture;
use crate::tui::state::{Source, State};
use crate::tui::text::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, picture: &Picture) {
    let Source::Replay(tape) = &state.source else { return };
    if area.height == 0 {
        return;
    }
    let theme = state.theme;
    let now = format!(" {} ", moment(picture, tape.now_ns));
    let place = format!(" {}/{} ", tape.position, tape.events);
    let cells = usize::from(area.width).saturating_sub(width(&now) + width(&place) + 2).max(1);
    let last = cells - 1;
    let cell = |position: u64| {
        let at = u128::from(position.min(tape.events)) * last as u128 / u128::from(tape.events.max(1));
        usize::try_from(at).unwrap_or(last).min(last)
    };
    let here = cell(tape.position);
    let mut bar: Vec<(&'static str, Style)> = (0..cells)
        .map(|at| {
            let symbol = if at <= here { theme.pick("━", "=") } else { theme.pick("─", "-") };
            (symbol, theme.tone(Tone::Dim))
        })
        .collect();
    for (position, _, finding) in &tape.news {
        let Some(cell) = bar.get_mut(cell(*position)) else { continue };
        if *finding {
            *cell = (theme.pick("✗", "x"), theme.tone(Tone::Bad));
        } else if cell.0 != theme.pick("✗", "x") {
            *cell = (theme.pick("•", "o"), Style::new());
        }
    }
    if let Some(cell) = bar.get_mut(here) {
        cell.1 = cell.1.add_modifier(Modifier::REVERSED);
    }
    let mut spans = vec![Span::raw(now), Span::raw(theme.pick("├", "["))];
    spans.extend(bar.into_iter().map(|(symbol, style)| Span::styled(symbol, style)));
    spans.push(Span::raw(theme.pick("┤", "]")));
    spans.push(Span::raw(place));
    buffer.set_line(area.x, area.y, &Line::from(spans), area.width);
}
