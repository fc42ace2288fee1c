//! Annotations of GitHub Actions: workflow commands, one a line, of what is not as it should be.

use super::details::{self, Shown};
use super::{Format, Report, Words};
use crate::policy::{Check, Status};
use std::fmt::Write as _;

pub(super) struct Github;

impl Format for Github {
    fn render(&self, report: &Report, words: Words) -> String {
        let mut out = String::new();
        let mut all: Vec<(&str, &Check)> = Vec::new();
        let sessions = report.sessions.iter().map(|session| session.groups.as_slice());
        for groups in sessions.chain([std::slice::from_ref(&report.run)]) {
            let checks = || groups.iter().flat_map(|group| &group.checks);
            let shown = Shown::of(checks(), usize::MAX);
            // A section of which a finding says everything would be a second annotation for one cause.
            let told = |check: &&Check| {
                let (rest, under) = shown.rest(check);
                check.status == Status::Fail && rest.is_empty() && !under.is_empty()
            };
            let rest = checks().filter(|check| !told(check));
            all.extend(rest.filter_map(|check| Some((command(check)?, check))));
        }
        // The gravest first: they are not among those that are left out.
        all.sort_by_key(|(_, check)| std::cmp::Reverse(check.status));
        for (command, check) in all.iter().take(ANNOTATIONS) {
            let message = message(check, words);
            let _ =
                writeln!(out, "::{command} title={}::{}", property(&words.of(&check.name)), data(&message));
        }
        let more = all.len().saturating_sub(ANNOTATIONS);
        if more > 0 {
            let _ = writeln!(out, "klp-trace: and {more} more (--format json lists all)");
        }
        let (code, meaning) = report.exit;
        // Not a command: it begins with a word of our own.
        let _ = writeln!(out, "klp-trace: exit {code}, {meaning}");
        out
    }
}

/// Annotations of one report: GitHub shows ten errors and ten warnings of a step.
const ANNOTATIONS: usize = 20;

/// What fits a box beside a line of code: what, why, what to do, the first relocation and how many more there are.
fn message(check: &Check, words: Words) -> String {
    let mut lines = details::brief(check, words);
    if let Some(first) = check.states.first() {
        lines.push(details::one(first, words));
        lines.extend(details::more(check.states.len(), 1, check));
    }
    if lines.is_empty() { words.of(&check.name) } else { lines.join("\n") }
}

fn command(check: &Check) -> Option<&'static str> {
    match check.status {
        Status::Fail => Some("error"),
        Status::Unknown => Some("warning"),
        Status::Pass if check.finding.is_some() => Some("notice"),
        Status::Pass | Status::Skip => None,
    }
}

/// The message: what would end it or begin another command is spelled as the runner reads it back
/// (actions/toolkit, `escapeData`).
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property's value, which also ends at `:` and `,`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
