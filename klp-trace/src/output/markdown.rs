//! Pages written for the web, on a terminal: paragraphs as wide as it is, and code as it stands.

use std::num::NonZeroU16;

use super::style::{self, Style};
use super::wrap;
use crate::model::Verdict;

/// The page in the terminal's alphabet and at its width.
pub fn text(page: &str, style: Style) -> String {
    let text = flowing(page, style.width);
    if style.ascii { ascii(&text) } else { text }
}

/// The page's symbols as [`style::mark`] and [`style::severity_mark`] have them for terminals without Unicode.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '→' => out.push_str("->"),
            '…' => out.push_str("..."),
            '·' => out.push('-'),
            c if c.is_ascii() => out.push(c),
            c => out.push(symbol(c).unwrap_or('?')),
        }
    }
    out
}

/// What stands for a verdict's symbol.
fn symbol(unicode: char) -> Option<char> {
    let marks = Verdict::ALL.iter().map(|verdict| style::mark(*verdict));
    let (_, ascii, _) = marks.into_iter().find(|(mark, ..)| mark.starts_with(unicode))?;
    ascii.chars().next()
}

/// The page, its paragraphs and points broken anew at the width, and what klp-trace is shown to print as it would print it
/// there; headings, tables and commands keep their lines. Unchanged where there is no width.
fn flowing(page: &str, width: Option<NonZeroU16>) -> String {
    if width.is_none() {
        return page.to_owned();
    }
    let mut out = String::new();
    let mut paragraph = String::new();
    let mut code: Option<&str> = None;
    for line in page.lines() {
        let fence = line.starts_with("```");
        if code.is_some() || !is_prose(line) {
            flush(&mut out, &mut paragraph, width);
            let is_command = code.is_some_and(|language| !language.is_empty());
            let kept = is_command || fence || line.starts_with('|');
            out.push_str(&if kept { line.to_owned() } else { wrap::line(line, width) });
            out.push('\n');
            if fence {
                code = if code.is_some() { None } else { line.get("```".len()..) };
            }
            continue;
        }
        if begins_point(line) {
            flush(&mut out, &mut paragraph, width);
        }
        if !paragraph.is_empty() {
            paragraph.push(' ');
        }
        paragraph.push_str(if paragraph.is_empty() { line } else { line.trim_start() });
    }
    flush(&mut out, &mut paragraph, width);
    if !page.ends_with('\n') {
        out.pop();
    }
    out
}

/// Prints the paragraph that has come together.
fn flush(out: &mut String, paragraph: &mut String, width: Option<NonZeroU16>) {
    if paragraph.is_empty() {
        return;
    }
    let hang = if begins_point(paragraph) { paragraph.find(' ').map_or(0, |at| at + 1) } else { 0 };
    out.push_str(&wrap::hanging(paragraph, hang, width));
    out.push('\n');
    paragraph.clear();
}

/// A line that goes on where the one before it ended: no heading, row of a table, fence, line of columns, and not empty.
fn is_prose(line: &str) -> bool {
    let has_columns = line.contains(":  ");
    !line.is_empty() && !has_columns && !line.starts_with(['#', '|']) && !line.starts_with("```")
}

/// The first line of a point in a list.
fn begins_point(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("- ")
        || line.starts_with("* ")
        || (number.len() < line.len() && number.starts_with(". "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# KLP001 a-name

One sentence that is
broken by hand. `code`
starts no line.

- a point that is
  longer than a line
- another

```sh
a command that is much longer than thirty columns; it stays
```
```
00:00 x error  what it prints, at the width
```
| a | table |
means:  what a row of a table says of a word
";

    #[test]
    fn paragraphs_flow_and_code_stays() {
        let width = wrap::bounded(30);
        assert_eq!(
            flowing(PAGE, width),
            "\
# KLP001 a-name

One sentence that is broken by
hand. `code` starts no line.

- a point that is longer than
  a line
- another

```sh
a command that is much longer than thirty columns; it stays
```
```
00:00 x error  what it prints,
               at the width
```
| a | table |
means:  what a row of a table
        says of a word
"
        );
        assert_eq!(flowing(PAGE, None), PAGE);
        assert_eq!(flowing("a\nb", width), "a b");
        assert_eq!(ascii("✗ ▲ ✓ a → b…"), "x ! + a -> b...");
    }

    #[test]
    fn no_word_of_a_page_is_lost() {
        for id in crate::model::FindingId::ALL {
            let page = crate::model::page(*id);
            for width in [20, 60, 200] {
                let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                assert_eq!(words(&flowing(page, wrap::bounded(width))), words(page));
            }
        }
    }
}
