//! KTAP, as the kernel's Documentation/dev-tools/ktap.rst describes it: version 1, a group a nested test.
//!
//! What is unknown is `not ok`: KTAP knows no third result, and SKIP counts as success.

use super::{Format, Report, Words, details};
use crate::policy::{Check, Status};
use std::fmt::Write as _;

pub(super) struct Ktap;

impl Format for Ktap {
    fn render(&self, report: &Report, words: Words) -> String {
        let groups = report.groups();
        let mut out = format!("KTAP version 1\n1..{}\n", groups.len());
        for (number, (name, checks)) in groups.iter().enumerate() {
            let _ = write!(out, "  KTAP version 1\n  1..{}\n", checks.len());
            for (number, check) in checks.iter().enumerate() {
                if has_details(check) {
                    for line in details::lines(check, words, details::ROWS) {
                        let _ = writeln!(out, "  # {line}");
                    }
                }
                let _ = writeln!(out, "  {}", result(number + 1, check, words));
            }
            let ok = if checks.iter().all(|check| check.status <= Status::Skip) { "ok" } else { "not ok" };
            let _ = writeln!(out, "{ok} {} {}", number + 1, description(&words.of(name)));
        }
        out
    }
}

fn has_details(check: &Check) -> bool {
    check.status > Status::Skip || check.finding.is_some()
}

fn result(number: usize, check: &Check, words: Words) -> String {
    let name = description(&words.of(&check.name));
    match check.status {
        Status::Pass => format!("ok {number} {name}"),
        Status::Skip => format!("ok {number} {name} # SKIP {}", description(&words.of(&check.what))),
        Status::Fail => format!("not ok {number} {name}"),
        Status::Unknown => format!("not ok {number} {name} (unknown)"),
    }
}

/// A description holds no `#`, which begins a directive, and KTAP has no escape for one: it becomes `\x23`.
fn description(text: &str) -> String {
    text.trim().replace('#', "\\x23")
}
