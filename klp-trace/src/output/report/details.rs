//! What a check has to say beside its name, in lines that every format for people shares.

use super::Words;
use crate::{
    journal::RelocState,
    output::text::{ended, layout::column_width, relocation},
    policy::{Check, Status},
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Cells before a command, by which it is known.
pub(super) const COMMAND: usize = 5;

/// Rows of a table of relocations that a person reads through.
pub(super) const ROWS: usize = 20;

/// The lines, without indentation: what, why, what to do, what the kernel's own log said of it, and at most `rows` relocations
/// with expected and actual side by side.
pub(super) fn lines(check: &Check, words: Words, rows: usize) -> Vec<String> {
    let mut lines = said(check, words);
    let states: Vec<&RelocState> = check.states.iter().collect();
    lines.extend(table(&states, check, words, rows));
    lines
}

/// What is said of a check but for its relocations.
pub(super) fn said(check: &Check, words: Words) -> Vec<String> {
    let mut lines = sentences(check, words);
    // As they are: a command that is broken into lines cannot be pasted.
    let commands = check.finding.iter().flat_map(|finding| &finding.commands);
    lines.extend(commands.map(|command| format!("{:COMMAND$}{}", "", words.of(command))));
    let said = check.finding.iter().flat_map(|finding| &finding.kernel);
    lines.extend(said.map(|said| format!("kernel  {}", words.of(said))));
    lines.extend(difference(check, words));
    lines
}

/// The same without commands and without the kernel's own words.
pub(super) fn brief(check: &Check, words: Words) -> Vec<String> {
    let mut lines = sentences(check, words);
    lines.extend(difference(check, words));
    lines
}

/// What, why and what to do.
fn sentences(check: &Check, words: Words) -> Vec<String> {
    let mut lines = Vec::new();
    if !check.what.is_empty() {
        lines.push(words.of(&check.what));
    }
    if let Some(end) = check.over {
        lines.push(format!("over by the end: {}", ended(end)));
    }
    if let Some(reason) = &check.allowed {
        lines.push(format!("allowed by the policy: {}", words.of(reason)));
    }
    for (word, text) in [("why", &check.why), ("do ", &check.action)] {
        if !text.is_empty() {
            lines.push(format!("{word}  {}", words.of(text)));
        }
    }
    lines
}

fn difference(check: &Check, words: Words) -> Vec<String> {
    let Some((expected, actual)) = &check.difference else { return Vec::new() };
    vec![format!("expected  {}", words.of(expected)), format!("actual    {}", words.of(actual))]
}

/// Relocations of a check, the longest column last: on a narrow terminal it is what goes on below. No more than `max`, and how
/// many more there are.
pub(super) fn table(states: &[&RelocState], check: &Check, words: Words, max: usize) -> Vec<String> {
    let Some(first) = states.get(..states.len().min(max)).filter(|first| !first.is_empty()) else {
        return Vec::new();
    };
    let mut rows = vec![["verdict".to_owned(), "expected".into(), "actual".into(), "relocation".into()]];
    rows.extend(first.iter().map(|state| row(state, words)));
    let width =
        |column: usize| column_width(rows.iter().filter_map(|row| row.get(column)).map(String::as_str));
    let (one, two, three) = (width(0), width(1), width(2));
    let line = |[a, b, c, d]: &[String; 4]| format!("{a:one$}  {b:two$}  {c:three$}  {d}");
    let mut lines: Vec<String> = rows.first().map(line).into_iter().collect();
    // Indexes are a section's own: where there are several, each is named.
    let several =
        first.iter().any(|state| first.first().is_some_and(|one| one.section.index != state.section.index));
    let mut before = None;
    for (state, row) in first.iter().zip(rows.iter().skip(1)) {
        if several && before != Some(state.section.index) {
            lines.push(format!("in {}:", words.of(&state.section.name)));
        }
        before = Some(state.section.index);
        lines.push(line(row));
    }
    lines.extend(more(states.len(), first.len(), check));
    lines
}

/// Verdict, expected, actual, relocation.
fn row(state: &RelocState, words: Words) -> [String; 4] {
    let (expected, actual) = words.bytes(state);
    let mut what = relocation(&state.reloc);
    if let Some(address) = words.address(state).filter(|_| !words.redact) {
        let _ = write!(what, " at {address}");
    }
    let mut verdict = state.verdict.map_or("none", crate::model::Verdict::word).to_owned();
    if let Some(reason) = state.reason {
        let _ = write!(verdict, ", {reason}");
    }
    [verdict, expected, actual, what]
}

/// `and 44 more`, and where they are listed, of `states` relocations (which may be fewer than the check has, of which others are
/// shown elsewhere) of which `shown` are shown.
pub(super) fn more(states: usize, shown: usize, check: &Check) -> Option<String> {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let kept = number(check.states.len());
    let missing = check.listed.saturating_sub(kept);
    let more = number(states.saturating_sub(shown)) + missing;
    let listed = match (states > shown, missing > 0) {
        (_, false) => " (--format json lists all)".to_owned(),
        (true, true) => format!(" (--format json lists the first {kept})"),
        (false, true) => String::new(),
    };
    (more > 0).then(|| format!("and {more} more{listed}"))
}

/// A relocation on one line: `[3] R_X86_64_32 counter: stale, expected 00000000, actual 10d049c0`.
pub(super) fn one(state: &RelocState, words: Words) -> String {
    let [verdict, expected, actual, what] = row(state, words);
    format!("{what}: {verdict}, expected {expected}, actual {actual}")
}

/// The relocations that are shown under failed findings, so that a section's own check need not show them again.
pub(super) struct Shown<'r>(BTreeMap<(u64, u32, u32), &'r Check>);

impl<'r> Shown<'r> {
    /// Those of the findings among checks, of which each shows `rows` at most.
    pub(super) fn of(checks: impl Iterator<Item = &'r Check>, rows: usize) -> Self {
        let mut shown = BTreeMap::new();
        for check in checks.filter(|check| check.finding.is_some() && check.status == Status::Fail) {
            for state in check.states.iter().take(rows) {
                shown.entry(key(state)).or_insert(check);
            }
        }
        Self(shown)
    }

    /// A check's relocations that are not shown under a finding, and those that are: how many, and under which.
    pub(super) fn rest<'c>(&self, check: &'c Check) -> (Vec<&'c RelocState>, BTreeMap<String, usize>) {
        let mut under = BTreeMap::new();
        let mut rest = Vec::new();
        for state in &check.states {
            match self.0.get(&key(state)).filter(|_| check.finding.is_none()) {
                Some(finding) => *under.entry(finding.rule.id()).or_default() += 1,
                None => rest.push(state),
            }
        }
        (rest, under)
    }
}

fn key(state: &RelocState) -> (u64, u32, u32) {
    (state.patch.address.0, state.section.index, state.reloc.index)
}
