//! What a check has to say beside its name, in lines that every format for people shares.

use super::Words;
use crate::{
    output::text::{layout::column_width, relocation},
    policy::Check,
};
use std::fmt::Write as _;

/// Cells before a command, by which it is known.
pub(super) const COMMAND: usize = 5;

/// The lines, without indentation: what, why, what to do, what the kernel's own log said of it, and the relocations with expected and actual side by side.
pub(super) fn lines(check: &Check, words: Words) -> Vec<String> {
    let mut lines = Vec::new();
    if !check.what.is_empty() {
        lines.push(words.of(&check.what));
    }
    if let Some(reason) = &check.allowed {
        lines.push(format!("allowed by the policy: {}", words.of(reason)));
    }
    for (word, text) in [("why", &check.why), ("do ", &check.action)] {
        if !text.is_empty() {
            lines.push(format!("{word}  {}", words.of(text)));
        }
    }
    // As they are: a command that is broken into lines cannot be pasted.
    let commands = check.finding.iter().flat_map(|finding| &finding.commands);
    lines.extend(commands.map(|command| format!("{:COMMAND$}{}", "", words.of(command))));
    let said = check.finding.iter().flat_map(|finding| &finding.kernel);
    lines.extend(said.map(|said| format!("kernel  {}", words.of(said))));
    if let Some((expected, actual)) = &check.difference {
        lines.push(format!("expected  {}", words.of(expected)));
        lines.push(format!("actual    {}", words.of(actual)));
    }
    lines.extend(table(check, words));
    lines
}

/// The relocations, the longest column last: on a narrow terminal it is what goes on below.
fn table(check: &Check, words: Words) -> Vec<String> {
    if check.states.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["verdict".to_owned(), "expected".into(), "actual".into(), "relocation".into()]];
    for state in &check.states {
        let (expected, actual) = words.bytes(state);
        let mut what = relocation(&state.reloc);
        if let Some(address) = words.address(state).filter(|_| !words.redact) {
            let _ = write!(what, " at {address}");
        }
        let mut verdict = state.verdict.map_or("none", crate::model::Verdict::word).to_owned();
        if let Some(reason) = state.reason {
            let _ = write!(verdict, ", {reason}");
        }
        rows.push([verdict, expected, actual, what]);
    }
    let width =
        |column: usize| column_width(rows.iter().filter_map(|row| row.get(column)).map(String::as_str));
    let (first, second, third) = (width(0), width(1), width(2));
    rows.iter().map(|[a, b, c, d]| format!("{a:first$}  {b:second$}  {c:third$}  {d}")).collect()
}
