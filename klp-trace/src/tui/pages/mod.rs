//! Pages that cover the panes: a relocation, a finding, an event, the keys.

pub mod finding;
mod help;
mod reloc;

use super::picture::Picture;
use super::picture::tail::Entry;
use super::picture::tree::{Object, Patch, Reloc, Section};
use super::state::node::Node;
use super::state::{Focus, Page, RelocKey, State, Tab};
use super::text::{safe, wrap};
use super::view::events;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// The title of a page.
pub fn title(page: &Page) -> &'static str {
    match page {
        Page::Help => "Keys",
        Page::Reloc(_) => "Relocation",
        Page::Finding(_) => "Finding",
        Page::Event(_) => "Event",
    }
}

/// The lines of a page, in so many cells.
pub fn lines(page: &Page, state: &State, picture: &Picture, width: u16) -> Vec<Line<'static>> {
    match page {
        Page::Help => help::lines(state, width),
        Page::Reloc(key) => match find(picture, key) {
            Some((patch, _, section, reloc)) => reloc::lines(state, picture, (patch, section, reloc), width),
            None => vec![Line::raw("It is gone: its livepatch was unloaded.")],
        },
        Page::Finding(number) => match picture.findings.get(*number) {
            Some(found) => finding::lines(state, picture, found, width),
            None => vec![Line::raw("It is not in the picture.")],
        },
        Page::Event(number) => match picture.tail.get(*number) {
            Some(entry) => event(entry, state, picture, width),
            None => vec![Line::raw("It is no longer kept: the tail holds the latest events.")],
        },
    }
}

/// The relocation of that key.
pub fn find<'a>(
    picture: &'a Picture,
    key: &RelocKey,
) -> Option<(&'a Patch, &'a Object, &'a Section, &'a Reloc)> {
    let (place, patch, object, section) =
        picture.sections().find(|(place, ..)| Node::section(picture, *place).as_ref() == Some(&key.0))?;
    let _ = place;
    let at = section.relocs.binary_search_by_key(&key.1, |reloc| reloc.r.index).ok()?;
    Some((patch, object, section, section.relocs.get(at)?))
}

fn event(entry: &Entry, state: &State, picture: &Picture, width: u16) -> Vec<Line<'static>> {
    let (time, mark, style, text) = events::told(entry, state, picture);
    let mut lines = vec![Line::from(vec![Span::raw(time), Span::raw("  "), Span::styled(mark, style)])];
    lines.push(Line::raw(""));
    lines.extend(wrap(&text, usize::from(width)).into_iter().map(Line::raw));
    lines
}

/// A heading in a page.
fn heading(text: &str) -> Line<'static> {
    Line::styled(text.to_owned(), Style::new().add_modifier(Modifier::BOLD))
}

/// The selected line as text to be copied; empty when nothing is selected.
pub fn copied(state: &State, picture: &Picture) -> String {
    let reloc = |key: &RelocKey| find(picture, key).map(|(p, _, s, r)| reloc::sentence(p, s, r));
    let found = |at: usize| picture.findings.list().get(at).map(|found| finding::sentence(&found.finding));
    let told = |number: u64| {
        let entry = picture.tail.get(number)?;
        let (time, mark, _, text) = events::told(entry, state, picture);
        Some(format!("{time} {mark} {text}"))
    };
    let text = match &state.page {
        Some(Page::Help) => None,
        Some(Page::Reloc(key)) => reloc(key),
        Some(Page::Finding(number)) => {
            picture.findings.get(*number).map(|found| finding::sentence(&found.finding))
        }
        Some(Page::Event(number)) => told(*number),
        None => match (state.focus, state.tab) {
            (Focus::Tree, _) => state.rows.tree.get(state.tree.selected).map(|row| match &row.node {
                Node::Host => {
                    picture.origin.as_ref().map_or(String::new(), |origin| safe(&origin.host.name).into())
                }
                Node::Patch(_) => {
                    picture.patches.get(row.place.patch).map_or(String::new(), |p| safe(&p.r.name).into())
                }
                Node::Object(_, name) => safe(name).into(),
                Node::Section(..) => picture
                    .at(row.place)
                    .map_or(String::new(), |(_, _, section)| safe(&section.r.name).into()),
            }),
            (Focus::Relocs, _) => state.selected_reloc.as_ref().and_then(reloc),
            (Focus::Tabs, Tab::Findings) => {
                state.rows.findings.get(state.findings.selected).and_then(|at| found(*at))
            }
            (Focus::Tabs, Tab::Events) => state.rows.events.get(state.events.selected).and_then(|n| told(*n)),
            (Focus::Tabs, Tab::Hooks) => {
                picture.hooks.get(state.hooks.selected).map(|hook| hook.info.name.to_string())
            }
            (Focus::Tabs, Tab::Timeline) => {
                picture.story.lanes.get(state.lanes.selected).map(|lane| safe(&lane.name).into())
            }
        },
    };
    text.unwrap_or_default()
}

/// `target_secret,1-4`; a large addend in hex, since it is half an address.
pub fn symbol(reloc: &Reloc) -> String {
    let (symbol, addend) = (safe(&reloc.r.symbol), reloc.r.addend);
    let sympos = if reloc.r.sympos == 0 { String::new() } else { format!(",{}", reloc.r.sympos) };
    let size = addend.unsigned_abs();
    let sign = if addend < 0 { "-" } else { "+" };
    match size {
        0 => format!("{symbol}{sympos}"),
        1..0x10000 => format!("{symbol}{sympos}{sign}{size}"),
        _ => format!("{symbol}{sympos}{sign}{size:#x}"),
    }
}
