//! Buffers as text that a person can review.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The cells of each line, without what follows the last one that is not blank.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(ratatui::text::Span::raw(symbol).width().max(1)).unwrap();
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The runs of cells that are styled, line by line: `3: 2-11 red bold`.
pub(super) fn styles(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..buffer.area.width {
            let style = name(buffer[(x, y)].style());
            match runs.last_mut() {
                Some((_, end, known)) if *known == style && *end + 1 == x => *end = x,
                _ => runs.push((x, x, style)),
            }
        }
        let runs = runs.into_iter().filter(|(.., style)| !style.is_empty());
        let runs: Vec<_> = runs.map(|(from, to, style)| format!("{from}-{to} {style}")).collect();
        if !runs.is_empty() {
            let _ = writeln!(text, "{y}: {}", runs.join(", "));
        }
    }
    text
}

/// How the styles of one palette become those of another; panics if one style would become two.
pub(super) fn mapping(from: &Buffer, to: &Buffer) -> BTreeMap<String, String> {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (cell, other) in from.content.iter().zip(&to.content) {
        assert_eq!(cell.symbol(), other.symbol(), "a palette changes no text");
        let (style, other) = (name(cell.style()), name(other.style()));
        let mapped = known.entry(style.clone()).or_insert_with(|| other.clone());
        assert_eq!(*mapped, other, "{style:?} becomes two styles");
    }
    known
}

fn name(style: Style) -> String {
    let color = style.fg.filter(|color| *color != Color::Reset).map(|color| color.to_string().to_lowercase());
    let modifiers = [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ];
    let modifiers = modifiers.into_iter().filter(|(modifier, _)| style.add_modifier.contains(*modifier));
    color.into_iter().chain(modifiers.map(|(_, name)| name.to_owned())).collect::<Vec<_>>().join(" ")
}
