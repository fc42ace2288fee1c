//! Lines broken at the width of the terminal: what hangs over stands under what it belongs to.

use std::num::NonZeroU16;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Below this many cells nothing is wrapped to fit: the terminal breaks the lines itself.
const NARROWEST: u16 = 20;

/// Widths beyond this are taken for this.
const WIDEST: u16 = 1000;

/// How far what hangs over is moved in when a line has no column to hang from.
const STEP: usize = 2;

/// The width of the terminal that standard output is; none when it is no terminal, or tells no width.
pub fn terminal_width() -> Option<NonZeroU16> {
    use std::io::IsTerminal as _;
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    bounded(rustix::termios::tcgetwinsize(&stdout).ok()?.ws_col)
}

/// A width that text can be wrapped at.
pub fn bounded(cells: u16) -> Option<NonZeroU16> {
    NonZeroU16::new(cells).filter(|cells| cells.get() >= NARROWEST).map(|cells| cells.min(LIMIT))
}

const LIMIT: NonZeroU16 = match NonZeroU16::new(WIDEST) {
    Some(limit) => limit,
    None => NonZeroU16::MIN,
};

/// The line, broken between words so that it fits; lines after the first are moved in to `hang` cells, or to a third of the
/// width where that is less. A word that is longer than a line is left whole, since it may have to be copied.
pub fn hanging(line: &str, hang: usize, width: Option<NonZeroU16>) -> String {
    let Some(width) = width.map(|width| usize::from(width.get())) else { return line.to_owned() };
    if display_width(line) <= width {
        return line.to_owned();
    }
    let indent = " ".repeat(hang.min(width / 2));
    let options = Options::new(width)
        .subsequent_indent(&indent)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false);
    textwrap::wrap(line, options).join("\n")
}

/// [`hanging`] from the line's last column: behind its last gap of two or more cells in its first half, or else two cells in
/// from where its text begins.
pub fn line(line: &str, width: Option<NonZeroU16>) -> String {
    let Some(cells) = width else { return line.to_owned() };
    hanging(line, column(line, usize::from(cells.get())), width)
}

/// [`line`] for each line of a text.
pub fn text(text: &str, width: Option<NonZeroU16>) -> String {
    if width.is_none() {
        return text.to_owned();
    }
    let mut out: String = text.lines().map(|each| line(each, width)).collect::<Vec<_>>().join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Where a line's last column begins, in cells.
fn column(line: &str, width: usize) -> usize {
    let text = line.trim_start();
    let start = line.len() - text.len();
    let mut column = start + STEP;
    let mut from = 0;
    while let Some(gap) = text.get(from..).and_then(|rest| rest.find("  ")) {
        let gap = from + gap;
        let after = text.get(gap..).map_or(0, |rest| rest.len() - rest.trim_start_matches(' ').len());
        from = gap + after;
        let cells = start + display_width(text.get(..from).unwrap_or_default());
        if cells > width / 2 {
            break;
        }
        column = cells;
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(width: u16) -> Option<NonZeroU16> {
        bounded(width)
    }

    #[test]
    fn what_hangs_over_stands_under_its_column() {
        let said = "05:43:29.214 x error     KLP001 stale-after-unload: 12 relocations still hold values";
        assert_eq!(
            line(said, at(60)),
            "05:43:29.214 x error     KLP001 stale-after-unload: 12\n\
             \x20                        relocations still hold values"
        );
        assert_eq!(
            line("    why  one two three four five", at(20)),
            "    why  one two\n         three four\n         five"
        );
        assert_eq!(line("  a text without columns", at(20)), "  a text without\n    columns");
    }

    #[test]
    fn without_a_width_and_where_it_fits_nothing_changes() {
        let long = "a ".repeat(600);
        assert_eq!(line(&long, None), long);
        assert_eq!(line("  x  y", at(20)), "  x  y");
        assert_eq!(at(0), None);
        assert_eq!(at(19), None);
        assert_eq!(at(u16::MAX), at(1000));
    }

    #[test]
    fn colours_take_no_room_and_long_words_stay_whole() {
        let painted = "\u{1b}[1;31mx error\u{1b}[0m  twelve cells more";
        assert_eq!(line(painted, at(30)), painted);
        let word = "/lib/modules/6.12.90+deb13.1-cloud-amd64/updates/lp.ko";
        assert!(line(&format!("file  {word} (build-id)"), at(20)).lines().any(|l| l.trim() == word));
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_every_line_fits_that_can(
            words in proptest::collection::vec("[a-z✓→]{1,12}", 0..40),
            gap in " {1,3}",
            width in 24_u16..200,
        ) {
            let said = words.join(&gap);
            let wrapped = line(&said, at(width));
            let again: Vec<_> = wrapped.split_whitespace().collect();
            prop_assert_eq!(again, words);
            for line in wrapped.lines() {
                prop_assert!(display_width(line) <= usize::from(width), "{}", line);
            }
        }
    }
}
