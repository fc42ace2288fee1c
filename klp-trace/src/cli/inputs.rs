//! The files that a command reads, so that none of them is written to: evidence is not replaced by what is made of it.

use super::exit::Exit;
use super::failure::Failure;
use crate::journal::files;
use anyhow::anyhow;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Entries of folders that are looked at.
const MOST: usize = 1 << 18;
/// Folders within folders.
const DEEPEST: usize = 64;

/// The regular files that a command reads, known by their inode: whatever name an output has, it is none of them.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    files: BTreeMap<(u64, u64), PathBuf>,
    folders: Vec<PathBuf>,
    /// Where they stand, whether they are there or not.
    named: Vec<PathBuf>,
}

/// A path by its folder's own name, so that two of what is not there yet can be held against one another.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (std::fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

impl Inputs {
    /// These files and folders; `-` is standard input.
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            inputs.add(path);
        }
        inputs
    }

    /// And the files of a journal, with their signatures.
    pub(super) fn journal(mut self, path: &Path) -> Self {
        for file in files::expand(path).unwrap_or_default() {
            self.add(&file);
            self.add(&files::signature_of(&file));
        }
        self
    }

    fn add(&mut self, path: &Path) {
        if path.as_os_str() == "-" {
            if let Ok(file) = rustix::fs::fstat(io::stdin().as_fd()) {
                self.files.entry((file.st_dev, file.st_ino)).or_insert_with(|| "standard input".into());
            }
            return;
        }
        self.named.push(place(path));
        match std::fs::metadata(path) {
            Ok(file) if file.is_dir() => self.folders.push(path.to_owned()),
            Ok(file) if file.is_file() => {
                self.files.entry(id(&file)).or_insert_with(|| path.to_owned());
            }
            _ => {}
        }
    }

    /// Refuses each output that is one of these files, or another output. None given is standard output, and so is `-`.
    pub(super) fn spare<'a>(
        &mut self,
        outputs: impl IntoIterator<Item = Option<&'a PathBuf>>,
    ) -> Result<(), Failure> {
        for output in outputs {
            self.spare_one(output.map(PathBuf::as_path).filter(|path| path.as_os_str() != "-"))?;
        }
        Ok(())
    }

    /// Refuses a rotated journal that would go on with a set of which a file is read, and delete its oldest files.
    pub(super) fn spare_set(&mut self, output: &Path) -> Result<(), Failure> {
        for (_, path) in files::set(output).unwrap_or_default() {
            let file = std::fs::metadata(&path).ok().map(|file| id(&file));
            if let Some(input) = file.and_then(|id| self.which(id)) {
                return Err(refused(&path.display().to_string(), &input));
            }
        }
        Ok(())
    }

    fn spare_one(&mut self, output: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = output else {
            let Ok(out) = rustix::fs::fstat(io::stdout().as_fd()) else { return Ok(()) };
            let regular =
                rustix::fs::FileType::from_raw_mode(out.st_mode) == rustix::fs::FileType::RegularFile;
            return match self.which((out.st_dev, out.st_ino)) {
                Some(input) if regular => Err(refused("standard output", &input)),
                _ => Ok(()),
            };
        };
        let placed = place(path);
        if self.named.contains(&placed) {
            return Err(refused(&path.display().to_string(), path));
        }
        self.named.push(placed);
        let Ok(out) = std::fs::metadata(path) else { return Ok(()) };
        if !out.is_file() {
            return Ok(());
        }
        if let Some(input) = self.which(id(&out)) {
            return Err(refused(&path.display().to_string(), &input));
        }
        self.files.insert(id(&out), path.to_owned());
        Ok(())
    }

    /// The input with this inode.
    fn which(&mut self, id: (u64, u64)) -> Option<PathBuf> {
        // Folders are looked through only where there is an output that may be in one.
        let mut left = MOST;
        for folder in std::mem::take(&mut self.folders) {
            self.look_through(&folder, DEEPEST, &mut left);
        }
        self.files.get(&id).cloned()
    }

    fn look_through(&mut self, folder: &Path, deep: usize, left: &mut usize) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if *left == 0 {
                return;
            }
            *left -= 1;
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            match std::fs::metadata(&path) {
                Ok(file) if file.is_file() => {
                    self.files.entry(id(&file)).or_insert(path);
                }
                Ok(_) if is_folder && deep > 0 => self.look_through(&path, deep - 1, left),
                _ => {}
            }
        }
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn refused(output: &str, input: &Path) -> Failure {
    let input = input.display().to_string();
    let what = if output == input {
        anyhow!("{output} is read, or written already, and would be replaced")
    } else {
        anyhow!("{output} is the same file as {input}, which is read or written already")
    };
    Failure::new(Exit::Usage, what)
        .hint("name another file for the result with --output; nothing was changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_no_input_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir(path("deep")).unwrap();
        std::fs::write(path("deep/file"), "x").unwrap();
        std::fs::write(path("other"), "x").unwrap();
        std::os::unix::fs::symlink(path("deep/file"), path("soft")).unwrap();
        std::fs::hard_link(path("deep/file"), path("hard")).unwrap();
        let spared = |input: &str, output: &str| {
            let (input, output) = (path(input), path(output));
            Inputs::of([&input]).spare([Some(&output)]).map_err(|failure| failure.exit())
        };
        for input in ["deep/file", "soft", "hard", "deep"] {
            for output in ["deep/file", "soft", "hard", "deep/../hard"] {
                assert_eq!(spared(input, output), Err(Exit::Usage), "{input} {output}");
            }
            assert_eq!(spared(input, "other"), Ok(()));
            assert_eq!(spared(input, "deep/new"), Ok(()), "what does not exist is no one's file");
        }
        let (one, two) = (path("other"), path("./other"));
        assert!(Inputs::default().spare([Some(&one), Some(&two)]).is_err(), "two outputs are two files");
        assert!(Inputs::default().spare([Some(&path("new")), Some(&path("newer"))]).is_ok());
        let (one, two) = (path("new"), path("deep/../new"));
        assert!(Inputs::default().spare([Some(&one), Some(&two)]).is_err(), "not even new ones");
    }
}
