//! The tree: patch, object, section, each with its members by verdict, the worst first.

use super::{frame, load, nothing, row};
use crate::journal::Standing;
use crate::model::Verdict;
use crate::tui::panes;
use crate::tui::picture::Picture;
use crate::tui::picture::counts::Counts;
use crate::tui::state::node::Node;
use crate::tui::state::rows::TreeRow;
use crate::tui::state::{Focus, State};
use crate::tui::text::{fit, safe, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, picture: &Picture) {
    let focused = state.focus == Focus::Tree;
    frame(buffer, area, state, focused, &Line::raw(" Livepatches "));
    let inner = panes::inner(area);
    let rows = &state.rows.tree;
    for (y, at) in (inner.y..).zip(state.tree.window(rows.len(), usize::from(inner.height))) {
        let Some(of) = rows.get(at) else { break };
        let line = line(of, state, picture, usize::from(inner.width.saturating_sub(1)));
        row(buffer, inner, y, &line, state, (at == state.tree.selected).then_some(focused));
    }
    if picture.patches.is_empty() {
        let below = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        let text = if picture.begun {
            "No livepatch is loaded. One that is loaded from now on is seen."
        } else {
            "Waiting for the first look."
        };
        nothing(buffer, below, state, text);
    } else if rows.len() == 1 {
        let below = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        nothing(buffer, below, state, "Nothing matches the filter.");
    }
}

fn line(of: &TreeRow, state: &State, picture: &Picture, room: usize) -> Line<'static> {
    let theme = state.theme;
    let fold = match of.open {
        Some(true) => theme.pick("▾ ", "- "),
        Some(false) => theme.pick("▸ ", "> "),
        None => "  ",
    };
    let patch = picture.patches.get(of.place.patch);
    let object = patch.and_then(|patch| patch.objects.get(of.place.object));
    let section = object.and_then(|object| object.sections.get(of.place.section));
    let unsaid_of = |object: &crate::tui::picture::tree::Object| -> u32 {
        object.sections.iter().map(crate::tui::picture::tree::Section::unsaid).sum()
    };
    let (depth, name, note, counts, unsaid) = match &of.node {
        Node::Host => {
            let unsaid = picture.unknown() - u64::from(picture.counts.of(Verdict::Unknown));
            let all = if picture.patches.is_empty() { "this host" } else { "everything" };
            (0, all.to_owned(), None, picture.counts, u32::try_from(unsaid).unwrap_or(u32::MAX))
        }
        Node::Patch(_) => {
            let Some(patch) = patch else { return Line::default() };
            let note = standing(patch.standing.map(|(standing, _)| standing), patch.unread.is_some());
            let unsaid = patch.objects.iter().map(unsaid_of).sum();
            (0, load(&patch.r.name, Some(patch.r.load)), note, patch.counts, unsaid)
        }
        Node::Object(_, name) => {
            let Some(object) = object else { return Line::default() };
            let of = object.sections.iter().filter_map(|section| section.object.load).max();
            (1, load(name, of), None, object.counts, unsaid_of(object))
        }
        Node::Section(..) => {
            let Some(section) = section else { return Line::default() };
            (2, safe(section.short()).into_owned(), None, section.counts, section.unsaid())
        }
    };
    let indent = depth * 2;
    let mut counts = counts;
    for _ in 0..unsaid.min(1) {
        let mut more = Counts::default();
        more.add(Verdict::Unknown);
        counts.merge(&more);
    }
    let total = unsaid.saturating_sub(1).saturating_add(counts.of(Verdict::Unknown));
    let tallies =
        tallies(state, &counts, total, room.saturating_sub(indent + 2 + 1 + width(&name).clamp(6, 16)));
    let used: usize = tallies.iter().map(|span| width(&span.content)).sum();
    let left = room.saturating_sub(indent + 2 + used + usize::from(used > 0));
    let mut text = name;
    if let Some(note) = note
        && width(&text) + 1 + note.len() <= left
    {
        text = format!("{text} {note}");
    }
    let mut spans =
        vec![Span::raw(" ".repeat(indent)), Span::raw(fold), Span::raw(fit(&text, left, theme.ascii))];
    if used > 0 {
        spans.push(Span::raw(" "));
    }
    spans.extend(tallies);
    Line::from(spans)
}

/// `▲ stale 9 ✓ 3`: the worst with its word, the others with theirs while there is room, else with their symbols.
fn tallies(state: &State, counts: &Counts, unknown: u32, room: usize) -> Vec<Span<'static>> {
    let theme = state.theme;
    let number = |verdict: Verdict, count: u32| if verdict == Verdict::Unknown { unknown } else { count };
    let all: Vec<_> =
        counts.worst_first().map(|(verdict, count)| (verdict, number(verdict, count))).collect();
    let words = |from: usize| {
        all.iter().enumerate().map(move |(at, (verdict, count))| {
            let text = if at < from {
                format!("{} {count}", theme.word(*verdict))
            } else {
                format!("{} {count}", theme.symbol(*verdict))
            };
            (text, theme.verdict(*verdict))
        })
    };
    let long = |from: usize| words(from).map(|(text, _)| width(&text) + 1).sum::<usize>().saturating_sub(1);
    let worded = (1..=all.len()).rev().find(|from| long(*from) <= room).unwrap_or(1);
    let (mut spans, mut used) = (Vec::new(), 0);
    for (at, (text, style)) in words(worded).enumerate() {
        let wide = width(&text) + usize::from(at > 0);
        if at > 0 && used + wide > room {
            break;
        }
        if at > 0 {
            spans.push(Span::raw(" "));
        }
        used += wide;
        spans.push(Span::styled(text, style));
    }
    spans
}

fn standing(standing: Option<Standing>, unread: bool) -> Option<&'static str> {
    if unread {
        return Some("(not readable)");
    }
    match standing? {
        Standing::Enabled => None,
        Standing::Enabling => Some("(enabling)"),
        Standing::Disabling => Some("(disabling)"),
        Standing::Detached => Some("(detached)"),
        Standing::Loading => Some("(loading)"),
    }
}
