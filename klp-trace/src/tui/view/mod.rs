//! The screen: state and picture to cells, and nothing else. Of every list, only the lines that are seen are made.

pub mod events;
mod findings;
mod hooks;
mod relocs;
mod status;
mod tape;
mod timeline;
mod tree;

use super::pages;
use super::panes::{self, LEAST, Panes};
use super::picture::Picture;
use super::state::{Focus, Page, Source, State, Tab};
use super::text::{safe, width};
use crate::output::style::Tone;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Widget as _};

/// Draws a frame.
pub fn draw(frame: &mut Frame<'_>, state: &State, picture: &Picture) {
    let area = frame.area();
    screen(frame.buffer_mut(), area, state, picture);
}

/// Fills the cells of a frame.
pub fn screen(buffer: &mut Buffer, area: Rect, state: &State, picture: &Picture) {
    let Some(panes) = state.panes() else { return too_small(buffer, area, state) };
    // A frame drawn between a change of size and the news of it.
    if area.width < state.size.width || area.height < state.size.height {
        return too_small(buffer, area, state);
    }
    status::draw(buffer, panes.status, state, picture);
    if let Some(page) = &state.page {
        self::page(buffer, &panes, state, picture, page);
    } else {
        tree::draw(buffer, panes.tree, state, picture);
        relocs::draw(buffer, &panes, state, picture);
        tabs(buffer, &panes, state, picture);
    }
    tape::draw(buffer, panes.tape, state, picture);
    status::hints(buffer, panes.hints, state);
}

fn too_small(buffer: &mut Buffer, area: Rect, state: &State) {
    let text = format!(
        "klp-trace tui needs {}x{}; this is {}x{}",
        LEAST.width, LEAST.height, area.width, area.height
    );
    let text = match &state.source {
        Source::Replay(tape) => match &tape.damage {
            Some((short, _)) => format!("{} {text}", safe(short)),
            None => text,
        },
        Source::Live => text,
    };
    let lines = super::text::wrap(&text, usize::from(area.width));
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buffer.set_stringn(area.x, y, line, usize::from(area.width), Style::new());
    }
}

fn page(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture, page: &Page) {
    let inner = panes::inner(panes.page);
    let lines = pages::lines(page, state, picture, inner.width);
    let below = lines.len().saturating_sub(state.scroll + usize::from(inner.height));
    frame(buffer, panes.page, state, true, &Line::raw(format!(" {} ", pages::title(page))));
    if below > 0 {
        let more = format!(" {} more below ", super::text::count(below as u64, "line"));
        let x = panes.page.right().saturating_sub(u16::try_from(more.len()).unwrap_or(0) + 2);
        buffer.set_string(x, panes.page.bottom() - 1, more, Style::new());
    }
    for (y, line) in (inner.y..inner.bottom()).zip(lines.iter().skip(state.scroll)) {
        buffer.set_line(inner.x, y, line, inner.width);
    }
}

fn tabs(buffer: &mut Buffer, panes: &Panes, state: &State, picture: &Picture) {
    let focused = state.focus == Focus::Tabs;
    let mut titles = vec![Span::raw(" ")];
    for (at, tab) in Tab::ALL.into_iter().enumerate() {
        let number = match (tab, picture.findings.open(), picture.findings.list().len()) {
            (Tab::Findings, open, all) if open < all => format!(" ({open} of {all})"),
            (Tab::Findings, all @ 1.., _) => format!(" ({all})"),
            _ => String::new(),
        };
        let text = format!("{} {}{number}", at + 1, tab.title());
        let text = if tab == state.tab { format!("[{text}]") } else { format!(" {text} ") };
        let style = if tab == state.tab { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        titles.push(Span::styled(text, style));
        titles.push(Span::raw(" "));
    }
    frame(buffer, panes.tabs, state, focused, &Line::from(titles));
    match state.tab {
        Tab::Findings => findings::draw(buffer, panes, state, picture),
        Tab::Events => events::draw(buffer, panes, state, picture),
        Tab::Timeline => timeline::draw(buffer, panes, state, picture),
        Tab::Hooks => hooks::draw(buffer, panes, state, picture),
    }
}

/// The frame of a pane, with its title.
fn frame(buffer: &mut Buffer, area: Rect, state: &State, focused: bool, title: &Line<'_>) {
    let theme = state.theme;
    let block = Block::bordered().border_set(theme.border()).border_style(theme.frame(focused));
    block.render(area, buffer);
    buffer.set_line(area.x + 2, area.y, title, area.width.saturating_sub(4));
}

/// A line of a list: marked when it is selected, so that it is known without colour too.
fn row(buffer: &mut Buffer, area: Rect, y: u16, line: &Line<'_>, state: &State, selected: Option<bool>) {
    let mark = if selected.is_some() { state.theme.pick("▸", ">") } else { " " };
    buffer.set_string(area.x, y, mark, Style::new());
    buffer.set_line(area.x + 1, y, line, area.width.saturating_sub(1));
    if let Some(focused) = selected {
        buffer.set_style(Rect { y, height: 1, ..area }, state.theme.selected(focused));
    }
}

/// Lines of a pane that has nothing to list.
fn nothing(buffer: &mut Buffer, area: Rect, state: &State, text: &str) {
    let dim = state.theme.tone(Tone::Dim);
    let lines = super::text::wrap(text, usize::from(area.width.saturating_sub(2)));
    for (y, line) in (area.y..area.bottom()).zip(lines) {
        buffer.set_stringn(area.x + 1, y, line, usize::from(area.width.saturating_sub(1)), dim);
    }
}

/// The wall-clock time of an event, UTC.
pub fn time(picture: &Picture, mono_ns: u64) -> String {
    match &picture.origin {
        Some(origin) => origin.clock.time(mono_ns).0.strftime("%H:%M:%S%.3f").to_string(),
        None => format!("{:>8}.{:03}", mono_ns / 1_000_000_000, mono_ns / 1_000_000 % 1000),
    }
}

/// Date and time of an event, UTC; the time since boot while it is not known where the events come from.
pub fn moment(picture: &Picture, mono_ns: u64) -> String {
    match &picture.origin {
        Some(origin) => origin.clock.time(mono_ns).0.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => time(picture, mono_ns),
    }
}

/// A name with its load, when that is not the first.
pub fn load(name: &str, load: Option<u32>) -> String {
    match load {
        Some(load) if load > 1 => format!("{}#{load}", safe(name)),
        _ => safe(name).into_owned(),
    }
}

/// Texts one after the other, as many as there is room for, the first ones first.
fn pieces(texts: Vec<Span<'static>>, gap: &'static str, room: usize) -> Line<'static> {
    let (mut spans, mut used) = (Vec::new(), 0);
    for text in texts {
        let wide = width(&text.content) + if used == 0 { 0 } else { gap.len() };
        if used + wide > room {
            continue;
        }
        if used > 0 {
            spans.push(Span::raw(gap));
        }
        used += wide;
        spans.push(text);
    }
    Line::from(spans)
}
