//! The latest events, as `watch` tells them.

use super::{load, nothing, row, time};
use crate::journal::{Body, RelocState};
use crate::output::style::Style as TextStyle;
use crate::output::style::Tone;
use crate::output::text::layout::Layout;
use crate::tui::panes::{self, Panes};
use crate::tui::picture::Picture;
use crate::tui::picture::tail::{Entry, States};
use crate::tui::state::{Focus, State};
use crate::tui::text::{count, cut, fit, safe};
use ratatui::buffer::Buffer;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::fmt::Write as _;

/// The longest mark.
const MARK: usize = 10;

pub(super) fn draw(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let inner = panes::inner(panes.tabs);
    let rows = &state.rows.events;
    if rows.is_empty() {
        let text = if state.filter.is_empty() {
            "Nothing has happened yet."
        } else {
            "No event matches the filter."
        };
        return nothing(buffer, inner, state, text);
    }
    let focused = state.focus == Focus::Tabs;
    let room = usize::from(inner.width.saturating_sub(1));
    for (y, at) in (inner.y..).zip(state.events.window(rows.len(), usize::from(inner.height))) {
        let Some(entry) = rows.get(at).and_then(|number| picture.tail.get(*number)) else { break };
        let (time, mark, style, text) = told(entry, state, picture);
        let used = time.len() + MARK + 3;
        let text = cut(&text, room.saturating_sub(used), state.theme.ascii).into_owned();
        let line = Line::from(vec![
            Span::styled(time, state.theme.tone(Tone::Dim)),
            Span::raw(" "),
            Span::styled(fit(&mark, MARK, state.theme.ascii), style),
            Span::raw("  "),
            Span::raw(text),
        ]);
        row(buffer, inner, y, &line, state, (at == state.events.selected).then_some(focused));
    }
    let follows = if state.follow { " following " } else { " held " };
    let x = panes.tabs.right().saturating_sub(u16::try_from(follows.len()).unwrap_or(0) + 2);
    buffer.set_string(x, panes.tabs.bottom() - 1, follows, state.theme.tone(Tone::Dim));
}

/// Time, mark, the mark's style, and text of an entry.
pub fn told(entry: &Entry, state: &State, picture: &Picture) -> (String, String, Style, String) {
    let theme = state.theme;
    let at = time(picture, entry.mono_ns());
    let event = match entry {
        Entry::States(states) => {
            let verdict = states.first.verdict;
            let mark =
                verdict.map_or_else(|| theme.pick("· listed", "- listed").to_owned(), |v| theme.word(v));
            let style = verdict.map_or_else(|| theme.tone(Tone::Dim), |verdict| theme.verdict(verdict));
            return (at, mark, style, alike(states, state));
        }
        Entry::Event(event) => event,
    };
    if let Body::Finding(finding) = &event.body {
        let (mark, style) = theme.severity(finding.severity);
        return (
            at,
            mark,
            style,
            format!("{} {}: {}", finding.id, finding.id.name(), safe(&finding.message)),
        );
    }
    if let Body::SessionEnd(_) = &event.body {
        return (at, theme.pick("· end", "- end").to_owned(), Style::new(), "the session ended".to_owned());
    }
    let mut layout = Layout::new(TextStyle { ascii: theme.ascii, ..TextStyle::PLAIN });
    match layout.told(event, state.verbose) {
        Some((mark, text)) => {
            let word = format!("{} {}", theme.pick(mark.unicode, mark.ascii), mark.word);
            (at, word, theme.tone(mark.tone), text)
        }
        None => (at, event.body.kind().to_owned(), Style::new(), String::new()),
    }
}

/// `lp_one → klp_target .text  9 relocations, were applied`.
fn alike(states: &States, state: &State) -> String {
    let RelocState { patch, object, section, previous, reason, verdict, reloc, .. } = &states.first;
    let arrow = state.theme.pick("→", "->");
    let number = match states.count {
        1 => crate::output::text::relocation(reloc),
        more => count(u64::from(more), "relocation"),
    };
    let (of, in_object) = (load(&patch.name, Some(patch.load)), load(&object.name, object.load));
    // Which section, without what its name repeats.
    let whole = safe(&section.name);
    let gate = format!(".klp.rela.{}.", safe(&object.name));
    let short = whole.strip_prefix(&*gate).unwrap_or(&whole);
    let mut text = format!("{of} {arrow} {in_object}  {short}  {number}");
    if let Some(previous) = previous.filter(|previous| Some(*previous) != *verdict) {
        let was = if states.count == 1 { "was" } else { "were" };
        let _ = write!(text, ", {was} {previous}");
    }
    if let Some(reason) = reason {
        let _ = write!(text, ", {reason}");
    }
    text
}
