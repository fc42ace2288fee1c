//! Annotations of GitHub Actions: workflow commands, one a line, of what is not as it should be.

use super::{Format, Report, Words, details};
use crate::policy::{Check, Status};
use std::fmt::Write as _;

pub(super) struct Github;

impl Format for Github {
    fn render(&self, report: &Report, words: Words) -> String {
        let mut out = String::new();
        for check in report.checks() {
            let Some(command) = command(check) else { continue };
            let message = details::lines(check, words).join("\n");
            let message = if message.is_empty() { words.of(&check.name) } else { message };
            let _ =
                writeln!(out, "::{command} title={}::{}", property(&words.of(&check.name)), data(&message));
        }
        let (code, meaning) = report.exit;
        // Not a command: it begins with a word of our own.
        let _ = writeln!(out, "klp-trace: exit {code}, {meaning}");
        out
    }
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
