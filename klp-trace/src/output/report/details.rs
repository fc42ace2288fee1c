//! What a check has to say beside its name, in lines that every format for people shares.

use super::Words;
use crate::{
    output::text::{layout::column_width, relocation},
    policy::Check,
};
use std::fmt::Write as _;

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
    let said = check.finding.iter().flat_map(|finding| &finding.kernel);
    lines.extend(said.map(|said| format!("kernel  {}", words.of(said))));
    if let Some((expected, actual)) = &check.difference {
        lines.push(format!("expected  {}", words.of(expected)));
        lines.push(format!("actual    {}", words.of(actual)));
    }
    lines.extend(table(check, words));
    lines
}

fn table(check: &Check, words: Words) -> Vec<String> {
    if check.states.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![["relocation".to_owned(), "expected".into(), "actual".into(), "verdict".into()]];
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
        rows.push([what, expected, actual, verdict]);
    }
    let width =
        |column: usize| column_width(rows.iter().filter_map(|row| row.get(column)).map(String::as_str));
    let (first, second, third) = (width(0), width(1), width(2));
    rows.iter().map(|[a, b, c, d]| format!("{a:first$}  {b:second$}  {c:third$}  {d}")).collect()
}
