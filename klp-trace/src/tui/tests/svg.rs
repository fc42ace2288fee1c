//! The screens of README and docs, drawn from real recordings: docs/screens/*.svg are what the TUI draws now.
//! `cargo xtask screens` draws them anew.

use super::{Person, SIZES, recorded};
use crate::tui::replay::Recorded;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::path::Path;

/// Pixels of a cell.
const CELL: (u32, u32) = (8, 17);
const FOREGROUND: &str = "#d8dee9";
const BACKGROUND: &str = "#1c2128";

fn color(color: Color) -> &'static str {
    match color {
        Color::Green => "#7ec77b",
        Color::Red => "#ff7a70",
        Color::Yellow => "#e8c268",
        Color::Cyan => "#6cc5d9",
        _ => FOREGROUND,
    }
}

/// Foreground, background, bold, dim.
fn look(cell: &Cell) -> (&'static str, &'static str, bool, bool) {
    let (front, back) = (color(cell.fg), BACKGROUND);
    let reversed = cell.modifier.contains(Modifier::REVERSED);
    let (front, back) = if reversed { (back, front) } else { (front, back) };
    (front, back, cell.modifier.contains(Modifier::BOLD), cell.modifier.contains(Modifier::DIM))
}

fn svg(buffer: &Buffer, title: &str) -> String {
    let (width, height) = (u32::from(buffer.area.width) * CELL.0, u32::from(buffer.area.height) * CELL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\" xml:space=\"preserve\" style=\"white-space:pre\">\n",
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let style = look(&buffer[(x, y)]);
            let mut end = x;
            let mut text = String::new();
            while end < buffer.area.width && look(&buffer[(end, y)]) == style {
                text.push_str(buffer[(end, y)].symbol());
                end += 1;
            }
            run(&mut svg, (x, y), end - x, &text, style);
            x = end;
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn run(
    svg: &mut String,
    (x, y): (u16, u16),
    cells: u16,
    text: &str,
    (front, back, bold, dim): (&str, &str, bool, bool),
) {
    let (left, top) = (u32::from(x) * CELL.0, u32::from(y) * CELL.1);
    let wide = u32::from(cells) * CELL.0;
    if back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{wide}\" height=\"{}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    // Spaces at the ends are where renderers disagree.
    let before = u32::try_from(text.len() - text.trim_start().len()).unwrap();
    let after = u32::try_from(text.len() - text.trim_end().len()).unwrap();
    let (left, wide) = (left + before * CELL.0, wide - (before + after) * CELL.0);
    let text = text.trim().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let bold = if bold { " font-weight=\"bold\"" } else { "" };
    let dim = if dim { " opacity=\".6\"" } else { "" };
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\" fill=\"{front}\" textLength=\"{wide}\" lengthAdjust=\"spacingAndGlyphs\"{bold}{dim}>{text}</text>",
        top + 13
    );
}

#[test]
fn the_screens_of_the_readme_are_what_is_drawn() {
    let screens: [(&str, &str, Recorded, &str); 3] = [
        ("stale", "A stale livepatch on Linux 6.1: what is wrong, and what to do", Recorded::Demo, ""),
        (
            "relocation",
            "A stale relocation: three witnesses, its bytes, its history",
            Recorded::Demo,
            "tab enter",
        ),
        ("timeline", "Modules and relocations over time", recorded("6.1-r1-callback"), "3"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/screens");
    for (name, title, recorded, keys) in screens {
        let mut person = Person::replay(recorded, SIZES[0]);
        person.press(keys);
        let drawn = svg(&person.screen(), title);
        let path = folder.join(format!("{name}.svg"));
        if std::env::var_os("KLP_TRACE_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &drawn).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == drawn, "{} is not what is drawn: run cargo xtask screens", path.display());
    }
}
