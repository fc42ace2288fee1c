//! TAP 14: a group a subtest, diagnostics as YAML blocks whose values are JSON strings.

use super::{Format, Report, Words, details};
use crate::policy::{Check, Status};
use std::fmt::Write as _;

pub(super) struct Tap;

impl Format for Tap {
    fn render(&self, report: &Report, words: Words) -> String {
        let groups = report.groups();
        let mut out = format!("TAP version 14\n1..{}\n", groups.len());
        for (number, (name, checks)) in groups.iter().enumerate() {
            let name = description(&words.of(name));
            let _ = write!(out, "# Subtest: {name}\n    1..{}\n", checks.len());
            for (number, check) in checks.iter().enumerate() {
                point(&mut out, number + 1, check, words);
            }
            let ok = if checks.iter().all(|check| check.status <= Status::Skip) { "ok" } else { "not ok" };
            let _ = writeln!(out, "{ok} {} - {name}", number + 1);
        }
        out
    }
}

fn point(out: &mut String, number: usize, check: &Check, words: Words) {
    let name = description(&words.of(&check.name));
    let (ok, directive) = match check.status {
        Status::Pass => ("ok", String::new()),
        Status::Skip => ("ok", format!(" # SKIP {}", description(&words.of(&check.what)))),
        Status::Fail | Status::Unknown => ("not ok", String::new()),
    };
    let _ = writeln!(out, "    {ok} {number} - {name}{directive}");
    if check.status <= Status::Skip && check.finding.is_none() {
        return;
    }
    let _ =
        writeln!(out, "      ---\n      status: {}\n      rule: {}", check.status.word(), check.rule.id());
    if let Some((expected, actual)) = &check.difference {
        let (expected, actual) = (words.of(expected), words.of(actual));
        let _ = writeln!(out, "      expected: {}\n      actual: {}", quoted(&expected), quoted(&actual));
    }
    let _ = writeln!(out, "      details:");
    for line in details::lines(check, words, details::ROWS) {
        let _ = writeln!(out, "        - {}", quoted(&line));
    }
    let _ = writeln!(out, "      ...");
}

/// A JSON string is a YAML string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `#` begins a directive, `\` escapes it.
fn description(text: &str) -> String {
    text.trim().replace('\\', "\\\\").replace('#', "\\#")
}
