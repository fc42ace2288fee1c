//! The report of `assert`, in the formats that people and CI systems read: one file a format, all of one trait.
//!
//! Every name and sentence is made harmless twice: by what it is (no control, format or bidi character leaves this
//! room) and by where it goes (each format's own escapes), so that a hostile name forges no line, element or annotation.

mod details;
mod github;
mod json;
mod junit;
mod ktap;
mod sarif;
mod tap;
mod text;
mod words;

use crate::policy::{Check, Group};
pub use json::schema;
pub use text::dressed;
use words::Words;

/// What became of a run of `assert`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The exit code and its meaning.
    pub exit: (u8, &'static str),
    /// The policy's file; none when there is none.
    pub policy: Option<String>,
    /// The sessions that were judged: one when live, as many as the journal has else.
    pub sessions: Vec<Session>,
    /// What is not of one session: the command, the settling, the journal.
    pub run: Group,
    /// The command that was run.
    pub command: Option<Command>,
}

/// One session that was judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The host's name.
    pub host: String,
    /// Its kernel: release and architecture.
    pub kernel: String,
    /// Version of the klp-trace that watched.
    pub tool: String,
    /// Wall-clock times of its first and last event, RFC 3339, UTC.
    pub times: Option<(String, String)>,
    /// What was demanded and what became of it.
    pub groups: Vec<Group>,
}

/// How the command that was run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// It and its arguments.
    pub line: Vec<String>,
    /// How it ended: `exited with 3`, `was killed by signal 9`.
    pub end: String,
    /// Its exit code, 128 and the signal when a signal ended it; none when it was never started or did not end.
    pub code: Option<i32>,
}

/// The formats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// For people: what failed, with expected and actual side by side
    #[default]
    Text,
    /// The kernel's Test Anything Protocol
    Ktap,
    /// Test Anything Protocol 14
    Tap,
    /// JUnit XML
    Junit,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
    /// One JSON document
    Json,
}

impl Kind {
    /// Whether its readers are elsewhere: kernel addresses, which defeat KASLR, are left out unless asked for.
    pub const fn leaves_the_host(self) -> bool {
        matches!(self, Self::Junit | Self::Github | Self::Sarif)
    }

    /// The report in this format, with a newline at its end.
    pub fn render(self, report: &Report, show_addresses: bool) -> String {
        let format: &dyn Format = match self {
            Self::Text => &text::Text,
            Self::Ktap => &ktap::Ktap,
            Self::Tap => &tap::Tap,
            Self::Junit => &junit::Junit,
            Self::Github => &github::Github,
            Self::Sarif => &sarif::Sarif,
            Self::Json => &json::Json,
        };
        let redact = self.leaves_the_host() && !show_addresses;
        let mut text = format.render(report, Words { redact });
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}

/// One way to write a report.
trait Format {
    fn render(&self, report: &Report, words: Words) -> String;
}

impl Report {
    /// Every group, named: with its session's number where there are several.
    fn groups(&self) -> Vec<(String, &[Check])> {
        let mut groups = Vec::new();
        for (number, session) in self.sessions.iter().enumerate() {
            let prefix =
                if self.sessions.len() > 1 { format!("session {} ", number + 1) } else { String::new() };
            groups.extend(
                session.groups.iter().map(|group| (format!("{prefix}{}", group.name), &*group.checks)),
            );
        }
        if !self.run.checks.is_empty() {
            groups.push((self.run.name.to_owned(), &*self.run.checks));
        }
        groups
    }

    /// Every check.
    fn checks(&self) -> impl Iterator<Item = &Check> {
        let sessions = self.sessions.iter().flat_map(|session| &session.groups);
        sessions.chain(std::iter::once(&self.run)).flat_map(|group| &group.checks)
    }
}

#[cfg(test)]
mod tests;
