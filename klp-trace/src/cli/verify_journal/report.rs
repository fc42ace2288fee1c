//! What `verify-journal` found, as people and as programs read it.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::json;
use crate::cli::exit::Exit;
use crate::elf::names;
use crate::journal::Integrity;
use crate::journal::chain::Hash;
use crate::journal::check::FileCheck;
use crate::journal::reader::About;
use crate::output::escape::Escaped;
use crate::output::text::count;

/// The files and what was found in them, and what follows from all of them.
pub(super) struct Report {
    pub paths: Vec<PathBuf>,
    pub integrity: Integrity,
    /// Of each file its signature, where a key was given.
    pub signed: Vec<Option<Signed>>,
    /// The key's fingerprint.
    pub key: Option<Hash>,
    /// The last hash that the journal must have.
    pub expected: Option<Hash>,
    /// Every damage is named.
    pub verbose: bool,
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

impl Report {
    /// Each file, then the sum of them.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (number, (path, file)) in self.paths.iter().zip(&self.integrity.files).enumerate() {
            let name = names::path(path);
            for line in self.of_file(number, file) {
                let _ = writeln!(text, "{name}: {line}");
            }
        }
        for about in &self.integrity.about {
            let _ = writeln!(text, "{}", recorded(about));
        }
        if let Some(derived) = &self.integrity.derived {
            let _ = writeln!(text, "made of a damaged journal: {derived}");
        }
        if let Some(key) = self.key {
            let _ = writeln!(text, "the public key is {key} (SHA-256 of its DER form)");
        }
        if !self.is_expected() {
            let last = self.head().map_or("none".to_owned(), |head| head.to_string());
            let _ = writeln!(
                text,
                "the last hash is {last}, not the expected one: records were added, cut off or made anew"
            );
        }
        let files = count(self.integrity.files.len() as u64, "file");
        let records = count(self.records(), "record");
        let sessions = count(self.integrity.sessions, "session");
        let _ = write!(text, "{}: {files}, {records}, {sessions}", self.verdict());
        if let (Exit::Clean, Some(head)) = (self.exit(), self.head()) {
            let _ = write!(text, "\nlast hash (kept elsewhere, it proves the journal up to here): {head}");
        }
        text
    }

    fn verdict(&self) -> &'static str {
        match self.exit() {
            Exit::Clean => "whole",
            Exit::Inconclusive if self.cut() && self.integrity.derived.is_some() => {
                "whole as far as it goes, but not to its end, and derived from a damaged journal"
            }
            Exit::Inconclusive if self.cut() => "whole as far as it goes, but not to its end",
            Exit::Inconclusive if self.integrity.derived.is_some() => "whole, derived from a damaged journal",
            Exit::Inconclusive => "whole, but not signed",
            _ => "not as it was written",
        }
    }

    fn of_file(&self, number: usize, file: &FileCheck) -> Vec<String> {
        let signed = self.signed.get(number).copied().flatten();
        let mut lines = Vec::new();
        let shown = if self.verbose { file.listed.len() } else { 1 };
        for damage in file.listed.iter().take(shown) {
            let more = match file.damages {
                0 | 1 => String::new(),
                _ if self.verbose => String::new(),
                all => format!(" (the first of {all} damages; -v names all)"),
            };
            lines.push(format!("{}{more}", Escaped::new(damage.to_string().as_bytes())));
        }
        if self.verbose && (file.listed.len() as u64) < file.damages {
            lines.push(format!("{} more", count(file.damages - file.listed.len() as u64, "damage")));
        }
        if self.is_cut(number) {
            lines.push(format!("ends after line {} without session_end", file.lines));
        }
        match signed {
            Some(Signed::Wrong) => {
                lines.push("its signature is not this key's, or of other contents".to_owned());
            }
            Some(Signed::Not) => lines.push("it has no signature (the file that ends in .sig)".to_owned()),
            _ => {}
        }
        if lines.is_empty() {
            let signed = if signed == Some(Signed::Right) { ", signed" } else { "" };
            lines.push(format!("{}, whole{signed}", count(file.records, "record")));
        }
        lines
    }

    /// Records that are as they were written.
    pub(super) fn records(&self) -> u64 {
        self.integrity.files.iter().map(|file| file.records).sum()
    }

    /// The last hash.
    pub(super) fn head(&self) -> Option<Hash> {
        self.integrity.files.last()?.heads.last().copied()
    }

    pub(super) fn is_expected(&self) -> bool {
        self.expected.is_none() || self.expected == self.head()
    }

    /// Whether a session ends with this file, and has no end.
    pub(super) fn is_cut(&self, number: usize) -> bool {
        let files = &self.integrity.files;
        let this = files.get(number).is_some_and(|file| !file.ended);
        let next = files.get(number + 1);
        this && next.is_none_or(|file| file.starts)
    }

    fn cut(&self) -> bool {
        (0..self.paths.len()).any(|number| self.is_cut(number))
    }

    /// One JSON object.
    pub(super) fn json(&self) -> String {
        crate::model::escape::json(serde_json::to_string(&json::Document::from(self)).unwrap_or_default())
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        let damaged =
            !self.integrity.is_whole() || !self.is_expected() || self.signed.contains(&Some(Signed::Wrong));
        let unsure =
            self.cut() || self.integrity.derived.is_some() || self.signed.contains(&Some(Signed::Not));
        Exit::worst([
            if damaged { Exit::Finding } else { Exit::Clean },
            if unsure { Exit::Inconclusive } else { Exit::Clean },
        ])
    }
}

/// Where and when a session was recorded, and by what.
fn recorded(about: &About) -> String {
    let shown = |text: &str| Escaped::new(text.as_bytes()).to_string();
    let kernel = &about.host.kernel;
    let time = |time: crate::journal::envelope::Time| time.0.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    format!(
        "recorded on {}, Linux {} {}, by klp-trace {}, {} to {}",
        shown(&about.host.name),
        shown(&kernel.release),
        shown(&kernel.arch),
        shown(&about.tool.version),
        time(about.first),
        time(about.last)
    )
}
