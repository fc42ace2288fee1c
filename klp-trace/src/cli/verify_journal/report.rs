//! What `verify-journal` found, as people and as programs read it.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::json;
use crate::cli::exit::Exit;
use crate::elf::names;
use crate::event::check::{FileCheck, SetCheck};
use crate::output::escape::Escaped;
use crate::output::text::count;

/// The files and what was found in them, and what follows from all of them.
pub(super) struct Report {
    pub files: Vec<Verified>,
    pub set: SetCheck,
}

/// One file.
pub(super) struct Verified {
    pub path: PathBuf,
    pub said: Said,
    /// Of its signature, where a key was given.
    pub signed: Option<Signed>,
}

/// What a file's signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// There is none.
    Not,
    /// Made with the key, for what the file holds.
    Right,
    /// Of another key, or of something else.
    Wrong,
}

/// What was found in one file.
pub(super) enum Said {
    /// Read to its end.
    Checked(FileCheck),
    /// A compressed file that is damaged.
    Unreadable { check: FileCheck, line: u64, why: String },
}

impl Report {
    /// Each file, then the sum of them.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (number, file) in self.files.iter().enumerate() {
            let name = names::path(&file.path);
            for line in self.of_file(number, file) {
                let _ = writeln!(text, "{name}: {line}");
            }
        }
        let (files, records) = (count(self.files.len() as u64, "file"), count(self.set.records, "record"));
        let verdict = match self.exit() {
            Exit::Clean => "whole",
            Exit::Inconclusive if (0..self.files.len()).any(|number| self.is_cut(number)) => {
                "whole as far as it goes, but not to its end"
            }
            Exit::Inconclusive => "whole, but not signed",
            _ => "not as it was written",
        };
        let _ = write!(text, "{verdict}: {files}, {records}, {}", count(self.set.sessions, "session"));
        if let (Exit::Clean, Some(last)) = (self.exit(), self.files.last())
            && let Some(head) = last.said.check().heads.last()
        {
            let _ = write!(text, "\nlast hash (kept elsewhere, it proves the journal up to here): {head}");
        }
        text
    }

    fn of_file(&self, number: usize, file: &Verified) -> Vec<String> {
        let Verified { said, signed, .. } = file;
        let check = said.check();
        let mut lines = Vec::new();
        if let Some(damage) = &check.first {
            let more = match check.damages {
                0 | 1 => String::new(),
                all => format!(" (the first of {all} damages)"),
            };
            lines.push(format!("{}{more}", Escaped::new(damage.to_string().as_bytes())));
        }
        if let Said::Unreadable { line, why, .. } = said {
            lines.push(format!("cannot be read beyond line {line}: {}", Escaped::new(why.as_bytes())));
        } else if self.is_cut(number) {
            lines.push(format!("ends after line {} without session_end", check.lines));
        }
        match signed {
            Some(Signed::Wrong) => {
                lines.push("its signature is not this key's, or of other contents".to_owned());
            }
            Some(Signed::Not) => lines.push("it has no signature (the file that ends in .sig)".to_owned()),
            _ => {}
        }
        if lines.is_empty() {
            let signed = if *signed == Some(Signed::Right) { ", signed" } else { "" };
            lines.push(format!("{}, whole{signed}", count(check.records, "record")));
        }
        lines
    }

    /// Whether a session ends with this file, and has no end.
    fn is_cut(&self, number: usize) -> bool {
        let this = self.files.get(number).is_some_and(|file| !file.said.check().ended);
        let next = self.files.get(number + 1);
        this && next.is_none_or(|file| file.said.check().starts)
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        let files = self.files.iter().enumerate();
        let document = json::Document {
            schema: json::SCHEMA,
            result: match self.exit() {
                Exit::Clean => "whole",
                Exit::Inconclusive => "inconclusive",
                _ => "damaged",
            },
            records: self.set.records,
            sessions: self.set.sessions,
            files: files.map(|(number, file)| json::file(file, self.is_cut(number))).collect(),
        };
        serde_json::to_string(&document).unwrap_or_default()
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        let damaged = self.files.iter().any(|Verified { said, signed, .. }| {
            matches!(said, Said::Unreadable { .. })
                || said.check().first.is_some()
                || *signed == Some(Signed::Wrong)
        });
        let cut = (0..self.files.len()).any(|number| self.is_cut(number))
            || self.files.iter().any(|file| file.signed == Some(Signed::Not));
        Exit::worst([
            if damaged { Exit::Finding } else { Exit::Clean },
            if cut { Exit::Inconclusive } else { Exit::Clean },
        ])
    }
}
