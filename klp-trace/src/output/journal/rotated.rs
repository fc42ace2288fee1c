//! The files of a rotated journal: their names, and how much they may take.

use super::compress;
use crate::journal::files::{numbered, set, signature_of};
use crate::output::sink::SinkError;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

/// When a journal goes on in another file, and what becomes of the closed ones.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    /// Once the file has as many bytes.
    pub size: Option<u64>,
    /// Once the file is as old.
    pub age: Option<Duration>,
    /// The oldest are deleted while all of them take more bytes than this.
    pub keep: Option<u64>,
    /// Closed files are compressed with zstd.
    pub compress: bool,
}

impl Rotation {
    /// Whether a file of this size and age is to be closed.
    pub fn is_due(&self, bytes: u64, age: Duration) -> bool {
        self.size.is_some_and(|size| bytes >= size) || self.age.is_some_and(|limit| age >= limit)
    }
}

/// The files so far.
#[derive(Debug)]
pub(super) struct Rotated {
    output: PathBuf,
    rotation: Rotation,
    /// Number of the file that was opened last.
    number: u32,
    /// The file that is being compressed.
    compressing: Option<JoinHandle<Result<(), String>>>,
    problems: Vec<String>,
    deleted: u64,
}

impl Rotated {
    /// Goes on with the numbers of the files that are there: those of earlier runs are kept, and count.
    pub(super) fn new(output: PathBuf, rotation: Rotation) -> Result<Self, SinkError> {
        let there = set(&output)
            .map_err(|source| SinkError::Create { to: numbered(&output, 1).display().to_string(), source })?;
        let number = there.last().map_or(0, |(number, _)| *number);
        let mut rotated =
            Self { output, rotation, number, compressing: None, problems: Vec::new(), deleted: 0 };
        rotated.make_room();
        Ok(rotated)
    }

    /// Files that were deleted because they were too old.
    pub(super) fn deleted(&self) -> u64 {
        self.deleted
    }

    pub(super) fn rotation(&self) -> &Rotation {
        &self.rotation
    }

    /// Path of the next file.
    pub(super) fn next(&mut self) -> PathBuf {
        self.number = self.number.saturating_add(1);
        numbered(&self.output, self.number)
    }

    /// A file was closed, and another follows: it is compressed beside the writing, and what is too old goes.
    pub(super) fn closed(&mut self, path: PathBuf) {
        self.wait();
        if self.rotation.compress {
            self.compressing = Some(std::thread::spawn(move || {
                compress::compress(&path).map_err(|error| {
                    format!("cannot compress {}, which stays as it is: {error}", path.display())
                })
            }));
        }
        self.make_room();
    }

    /// The journal ends; what went wrong beside the writing. The last file stays plain: it is the one that is looked at.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.wait();
        self.problems
    }

    fn wait(&mut self) {
        let Some(thread) = self.compressing.take() else { return };
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => self.problem(problem),
            Err(_) => self.problem("a file could not be compressed, and stays as it is".to_owned()),
        }
    }

    /// Deletes the oldest closed files until the others leave room for one more.
    fn make_room(&mut self) {
        let Some(keep) = self.rotation.keep else { return };
        let room = keep.saturating_sub(self.rotation.size.unwrap_or(0));
        let files = match set(&self.output) {
            Ok(files) => files,
            Err(error) => return self.problem(format!("cannot look for files that are too old: {error}")),
        };
        let size = |path: &Path| std::fs::symlink_metadata(path).map_or(0, |file| file.len());
        let mut all: u64 = files.iter().map(|(_, path)| size(path) + size(&signature_of(path))).sum();
        for (_, path) in files {
            if all <= room {
                break;
            }
            all = all.saturating_sub(size(&path) + size(&signature_of(&path)));
            match std::fs::remove_file(&path) {
                Ok(()) => self.deleted += 1,
                Err(error) => {
                    self.problem(format!("cannot delete {}, which is too old: {error}", path.display()));
                }
            }
            // It need not be there.
            let _ = std::fs::remove_file(signature_of(&path));
        }
    }

    /// Said once: a folder that refuses does so at every turn.
    fn problem(&mut self, problem: String) {
        if self.problems.len() < 8 && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}
