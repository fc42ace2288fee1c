//! Text in cells: cut, filled, wrapped by the width that a terminal gives it. What comes from a journal is made harmless.

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::borrow::Cow;

pub use crate::output::text::count;

/// A name or sentence that can do a terminal no harm.
pub fn safe(text: &str) -> Cow<'_, str> {
    crate::output::text::name(text)
}

/// Cells that a text takes.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// A text in exactly so many cells: filled with spaces, or cut, which is shown by an ellipsis.
pub fn fit(text: &str, cells: usize, ascii: bool) -> String {
    let mut fitted = cut(text, cells, ascii).into_owned();
    let used = width(&fitted);
    fitted.extend(std::iter::repeat_n(' ', cells.saturating_sub(used)));
    fitted
}

/// A text in at most so many cells.
pub fn cut(text: &str, cells: usize, ascii: bool) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let (ellipsis, room) = (if ascii { "~" } else { "…" }, cells.saturating_sub(1));
    if cells == 0 {
        return Cow::Borrowed("");
    }
    let (mut kept, mut used) = (String::new(), 0);
    for grapheme in Span::raw(text).styled_graphemes(Style::new()) {
        let wide = width(grapheme.symbol);
        if used + wide > room {
            break;
        }
        used += wide;
        kept.push_str(grapheme.symbol);
    }
    kept.push_str(ellipsis);
    Cow::Owned(kept)
}

/// A sentence in lines of at most so many cells, broken at spaces where there are any.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = width(word);
        if used > 0 && used + 1 + wide > cells {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if wide <= cells {
            line.push_str(word);
            used += wide;
            continue;
        }
        for grapheme in Span::raw(word).styled_graphemes(Style::new()) {
            let wide = width(grapheme.symbol);
            if used + wide > cells {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push_str(grapheme.symbol);
            used += wide;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Wrapped lines after a heading, each below the first one indented as far.
pub fn headed(heading: &str, style: Style, text: &str, cells: usize) -> Vec<Line<'static>> {
    let indent = width(heading);
    let lines = wrap(text, cells.saturating_sub(indent)).into_iter().enumerate();
    lines
        .map(|(at, line)| {
            let head = if at == 0 { heading.to_owned() } else { " ".repeat(indent) };
            Line::from(vec![Span::styled(head, style), Span::raw(line)])
        })
        .collect()
}

/// How long ago, in steps that a glance needs: `now`, `20 s`, `5 min`, `3 h`, `2 d`.
pub fn age(nanos: u64) -> String {
    match nanos / 1_000_000_000 {
        0..10 => "now".to_owned(),
        seconds @ 10..60 => format!("{} s", seconds / 10 * 10),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_fitted_text_takes_its_cells(text in "\\PC{0,40}", cells in 0usize..60, ascii: bool) {
            let text = safe(&text);
            let fitted = fit(&text, cells, ascii);
            prop_assert_eq!(width(&fitted), cells, "{:?}", fitted);
        }

        #[test]
        fn no_wrapped_line_is_too_wide(text in "[a-z中 ]{0,80}", cells in 2usize..30) {
            let lines = wrap(&text, cells);
            prop_assert!(lines.iter().all(|line| width(line) <= cells), "{:?}", lines);
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }

    #[test]
    fn ages_are_told_in_coarse_steps() {
        let ages = [0, 9, 10, 59, 60, 3599, 3600, 86400].map(|seconds| age(seconds * 1_000_000_000));
        assert_eq!(ages, ["now", "now", "10 s", "50 s", "1 min", "59 min", "1 h", "1 d"]);
    }
}
