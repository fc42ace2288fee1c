//! The files of a journal, held against their hash chains.

use super::journal_files::open;
use super::lines::{Line, read_line};
use crate::event::check::{Checker, FileCheck};
use crate::event::reader::NotAJournal;
use std::io::{self, BufRead};
use std::path::Path;
use thiserror::Error;

/// Why a file cannot be held against its chain. Damage is no such reason.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The file could not be opened.
    #[error("cannot open the journal {from}: {source}")]
    Open {
        /// The file.
        from: String,
        /// Why.
        source: io::Error,
    },
    /// Reading broke off.
    #[error("cannot read the journal {from} beyond line {line}: {source}")]
    Read {
        /// The file.
        from: String,
        /// Lines read.
        line: u64,
        /// Why; `InvalidData` when a compressed file is damaged.
        source: io::Error,
    },
    /// It is no journal, or one of another version.
    #[error("{from} is not a journal that this klp-trace can verify: {source}")]
    NotAJournal {
        /// The file.
        from: String,
        /// Why.
        source: NotAJournal,
    },
}

/// Checks the next file of the set. Memory is bounded by the longest line.
pub fn check_file(checker: &mut Checker, path: &Path) -> Result<FileCheck, CheckError> {
    let from = path.display().to_string();
    match open(path) {
        Ok(mut input) => check_input(checker, &mut *input, from),
        Err(source) => Err(CheckError::Open { from, source }),
    }
}

/// [`check_file`] of anything that can be read; `from` names it in errors.
pub fn check_input(
    checker: &mut Checker,
    input: &mut dyn BufRead,
    from: String,
) -> Result<FileCheck, CheckError> {
    checker.file();
    let mut line = Vec::new();
    let mut lines = 0;
    loop {
        let taken = match read_line(input, &mut line) {
            Err(source) => return Err(CheckError::Read { from, line: lines, source }),
            Ok(Line::End) => return Ok(checker.end_file()),
            Ok(Line::Whole) => checker.line(&line),
            Ok(Line::Unfinished) => checker.unfinished_line(&line),
            Ok(Line::TooLong) => {
                checker.too_long();
                Ok(())
            }
        };
        lines += 1;
        if let Err(source) = taken {
            return Err(CheckError::NotAJournal { from, source });
        }
    }
}
