//! What is wrong: a list, and below it what the selected one means and what to do.

use super::{nothing, row, time};
use crate::model::Verdict;
use crate::output::style::Tone;
use crate::tui::pages::finding;
use crate::tui::panes::{self, Panes};
use crate::tui::picture::Picture;
use crate::tui::picture::findings::Found;
use crate::tui::state::{Focus, State};
use crate::tui::text::{count, cut, safe, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub(super) fn draw(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let inner = panes::inner(panes.tabs);
    let rows = &state.rows.findings;
    if rows.is_empty() {
        return nothing(buffer, inner, state, &none(picture));
    }
    let height = panes::findings_height(panes, rows.len());
    let focused = state.focus == Focus::Tabs;
    let list = picture.findings.list();
    for (y, at) in (inner.y..).zip(state.findings.window(rows.len(), height)) {
        let Some(found) = rows.get(at).and_then(|at| list.get(*at)) else { break };
        let line = line(found, state, picture, usize::from(inner.width.saturating_sub(1)));
        row(buffer, inner, y, &line, state, (at == state.findings.selected).then_some(focused));
    }
    let Some(found) = rows.get(state.findings.selected).and_then(|at| list.get(*at)) else { return };
    let below = u16::try_from(height).unwrap_or(inner.height);
    let rest = Rect { y: inner.y + below, height: inner.height.saturating_sub(below), ..inner };
    let body = finding::body(picture, found, usize::from(rest.width.saturating_sub(2)));
    let cut_off = body.len().saturating_sub(usize::from(rest.height));
    for (y, line) in (rest.y..rest.bottom()).zip(&body) {
        buffer.set_line(rest.x + 1, y, line, rest.width.saturating_sub(1));
    }
    if cut_off > 0 {
        let more = format!(" {} more: enter ", count(cut_off as u64, "line"));
        let x = panes.tabs.right().saturating_sub(u16::try_from(more.len()).unwrap_or(0) + 2);
        buffer.set_string(x, panes.tabs.bottom() - 1, more, state.theme.tone(Tone::Dim));
    }
}

fn line(found: &Found, state: &State, picture: &Picture, room: usize) -> Line<'static> {
    let finding = &found.finding;
    let (severity, style) = state.theme.severity(finding.severity);
    let past = match found.closed {
        _ if picture.is_past(finding) => "(patch unloaded) ",
        Some(_) => "(over) ",
        None => "",
    };
    let times = if found.times > 1 { format!("{}x ", found.times) } else { String::new() };
    let head = format!(" {} {}  {times}{past}", finding.id, finding.id.name());
    let at = time(picture, found.last_ns);
    let used = width(&severity) + width(&head) + width(&at) + 1;
    let message = safe(&finding.message);
    let message = cut(&message, room.saturating_sub(used), state.theme.ascii).into_owned();
    Line::from(vec![
        Span::raw(format!("{at} ")),
        Span::styled(severity, style),
        Span::raw(head),
        Span::raw(message),
    ])
}

/// Why the list is empty: never "fine" because nothing was seen.
fn none(picture: &Picture) -> String {
    if !picture.findings.list().is_empty() {
        let hidden = count(picture.findings.list().len() as u64, "finding");
        return format!("No finding matches the filter, which hides {hidden}.");
    }
    if !picture.begun {
        return "Nothing has been seen yet.".to_owned();
    }
    let relocations =
        picture.counts.total() + picture.unknown() - u64::from(picture.counts.of(Verdict::Unknown));
    if picture.losses > 0 {
        return "No finding; but records were lost: see the events.".to_owned();
    }
    match (relocations, picture.unknown(), picture.counts.worst()) {
        (0, ..) => "No finding, and no livepatch relocation to look at.".to_owned(),
        (all, 0, Some(worst)) if !worst.is_bad() => {
            format!("No finding: {}, each where it should be.", count(all, "relocation"))
        }
        (_, unknown, _) if unknown > 0 => {
            format!(
                "No finding; but of {} it cannot be told whether it is where it should be.",
                count(unknown, "relocation")
            )
        }
        _ => "No finding.".to_owned(),
    }
}
