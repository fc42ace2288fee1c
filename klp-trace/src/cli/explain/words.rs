//! Words out of the tables of docs/verdicts.md and docs/lint.md: each row whose first cell is a word in ticks explains it.

use std::fmt::Write as _;

const VERDICTS: &str = include_str!("../../../bundled/verdicts.md");
const LINT: &str = include_str!("../../../bundled/lint.md");

/// A word and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// It.
    pub name: &'static str,
    /// The heading that it stands under.
    pub section: &'static str,
    /// The other cells of its row, each with its column's head.
    cells: Vec<(&'static str, &'static str)>,
    /// The paragraphs under the heading, outside of tables.
    prose: &'static str,
}

impl Word {
    /// The last cell, which says most.
    pub(super) fn gist(&self) -> String {
        let long = self.cells.iter().rev().find(|(_, cell)| !cell.is_empty());
        long.map(|(_, cell)| cell.replace('`', "")).unwrap_or_default()
    }

    /// Everything.
    pub(super) fn text(&self) -> String {
        let mut text = format!("# {}  ({})\n", self.name, self.section);
        for (head, cell) in self.cells.iter().filter(|(_, cell)| !cell.is_empty()) {
            let _ = write!(text, "\n{head}:  {cell}");
        }
        if self.section.starts_with("KLP") && !self.prose.is_empty() {
            let _ = write!(text, "\n\n{}", self.prose);
        }
        text
    }
}

/// Every word, in the order of the pages.
pub(super) fn all() -> Vec<Word> {
    [VERDICTS, LINT].into_iter().flat_map(words).collect()
}

fn words(page: &'static str) -> Vec<Word> {
    let mut found = Vec::new();
    // What stands before the first heading has the page's own.
    for part in page.split("\n## ") {
        let (title, body) = part.split_once('\n').unwrap_or((part, ""));
        let section = title.trim_start_matches("# ");
        // How a verdict is decided, the page says in a table that explains no word.
        let mut heads: Vec<&'static str> = Vec::new();
        for line in body.lines() {
            if !line.starts_with('|') {
                heads.clear();
                continue;
            }
            let cells: Vec<&'static str> =
                line.trim_matches('|').split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
            if heads.is_empty() {
                heads = cells;
            } else {
                found.extend(row(section, prose(body), &heads, &cells));
            }
        }
    }
    found
}

/// The words of a row: those that its first cell consists of.
fn row(
    section: &'static str,
    prose: &'static str,
    heads: &[&'static str],
    cells: &[&'static str],
) -> Vec<Word> {
    let Some((first, rest)) = cells.split_first() else { return Vec::new() };
    let names: Vec<&'static str> =
        first.split(", ").filter_map(|name| name.strip_prefix('`')?.strip_suffix('`')).collect();
    let cells: Vec<_> = heads.iter().skip(1).copied().zip(rest.iter().copied()).collect();
    names.into_iter().map(|name| Word { name, section, cells: cells.clone(), prose }).collect()
}

/// The paragraphs after the last table.
fn prose(body: &'static str) -> &'static str {
    let last = body.rfind("\n|").and_then(|at| body.get(at + 1..)).unwrap_or(body);
    last.split_once('\n').map_or("", |(_, rest)| rest).trim()
}
