//! The files of a journal: one, or a set that `watch --rotate-…` wrote, plain or compressed.

use super::polled::Polled;
use super::zstd::{Frames, MAGIC};
use rustix::fs::FileType;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What the name of a journal ends with, and that of a compressed one.
pub const EXTENSION: &str = ".ndjson";
/// Added to it when a file is compressed.
pub const COMPRESSED: &str = ".zst";
/// Added to the plain file's name for its signature.
pub const SIGNATURE: &str = ".sig";
/// Digits of a file's number, so that the order of names is the order of files.
const DIGITS: usize = 6;

/// Name of a file of a rotated journal: `--output klp.ndjson` gives `klp.000001.ndjson`, `klp.000002.ndjson`, ….
pub fn numbered(output: &Path, number: u32) -> PathBuf {
    let mut name = stem(output);
    name.push(format!(".{number:0DIGITS$}{EXTENSION}"));
    output.with_file_name(name)
}

/// The numbers of the files of a rotated journal that are there, in order, each with its path. Of a file that is there
/// both plain and compressed (the compressing was interrupted) the plain one counts.
pub fn set(output: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let folder = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut prefix = stem(output);
    prefix.push(".");
    let number = |name: &OsStr| {
        let rest = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes())?;
        let rest = std::str::from_utf8(rest).ok()?;
        let digits = rest.strip_suffix(COMPRESSED).unwrap_or(rest).strip_suffix(EXTENSION)?;
        let numeric = digits.len() >= DIGITS && digits.bytes().all(|digit| digit.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|_| numeric)
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if let Some(number) = number(&name) {
            found.push((number, output.with_file_name(name)));
        }
    }
    // The plain name is the shorter one, and comes first.
    found.sort();
    found.dedup_by_key(|(number, _)| *number);
    Ok(found)
}

/// The files that `path` names, in the order in which they were written: the journals of a folder; a file; or, where
/// there is no file of that name, the rotated files of `--output path`. `-` is standard input.
pub fn expand(path: &Path) -> io::Result<Vec<PathBuf>> {
    if path.as_os_str() == "-" {
        return Ok(vec![path.to_owned()]);
    }
    if path.is_dir() {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            files.push(entry?.path());
        }
        files.retain(|file| is_journal(file));
        files.sort();
        let plain = files.clone();
        files.retain(|file| plain_of(file).is_none_or(|name| plain.binary_search(&name).is_err()));
        return if files.is_empty() {
            Err(io::Error::other("no journal (*.ndjson) is in this folder"))
        } else {
            Ok(files)
        };
    }
    if path.symlink_metadata().is_err() {
        let set = set(path).unwrap_or_default();
        if !set.is_empty() {
            return Ok(set.into_iter().map(|(_, file)| file).collect());
        }
    }
    Ok(vec![path.to_owned()])
}

/// Opens a journal to be read, decompressed if it is compressed (told by its first bytes, not by its name); it ends when
/// `stop` is set. A pipe, or whatever else is no regular file, says with an error of kind `WouldBlock` that nothing more is
/// there yet.
pub fn open(path: &Path, stop: Option<Arc<AtomicBool>>) -> io::Result<Box<dyn BufRead>> {
    let from: OwnedFd = if path.as_os_str() == "-" {
        io::stdin().as_fd().try_clone_to_owned()?
    } else {
        File::open(path)?.into()
    };
    let live = is_live(&from);
    let mut input = BufReader::with_capacity(1 << 17, Polled::new(from, stop));
    // A folder says only now that it is none to be read; a short read at the start takes a file for a plain one, which
    // no file system does.
    let compressed = input.fill_buf().is_ok_and(|bytes| bytes.starts_with(&MAGIC));
    if compressed {
        return Ok(Box::new(BufReader::with_capacity(1 << 17, Frames::new(input))));
    }
    input.get_mut().tells = live;
    Ok(Box::new(input))
}

/// Whether a journal is read as it arrives: from a pipe, a terminal, a socket.
pub fn arrives(path: &Path) -> bool {
    let regular = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
    if path.as_os_str() == "-" {
        return is_live(io::stdin().as_fd());
    }
    rustix::fs::stat(path).is_ok_and(|file| {
        !regular(file.st_mode) && FileType::from_raw_mode(file.st_mode) != FileType::Directory
    })
}

fn is_live(file: impl AsFd) -> bool {
    rustix::fs::fstat(file).is_ok_and(|file| FileType::from_raw_mode(file.st_mode) != FileType::RegularFile)
}

/// The path without `.zst`, if it has it.
pub fn plain_of(path: &Path) -> Option<PathBuf> {
    let name = path.to_str()?;
    name.strip_suffix(COMPRESSED).map(PathBuf::from)
}

/// Path of a journal's signature: beside it, named after the plain file.
pub fn signature_of(path: &Path) -> PathBuf {
    let mut name = plain_of(path).unwrap_or_else(|| path.to_owned()).into_os_string();
    name.push(SIGNATURE);
    PathBuf::from(name)
}

fn is_journal(path: &Path) -> bool {
    let plain = plain_of(path);
    let name = plain.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes();
    name.ends_with(EXTENSION.as_bytes())
}

/// The name that the numbers of a rotated journal's files are added to.
fn stem(output: &Path) -> std::ffi::OsString {
    let name = output.file_name().unwrap_or_default();
    match output.extension() {
        Some(extension) if extension == "ndjson" => output.file_stem().unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_set_is_found_by_its_output_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("klp.ndjson");
        for name in [
            "klp.000010.ndjson",
            "klp.000002.ndjson.zst",
            "klp.000002.ndjson",
            "klp.000003.ndjson.zst",
            "klp.1000000.ndjson",
            "klp.000004.ndjson.sig",
            "klp.old.ndjson",
            "other.000001.ndjson",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        let expected =
            ["klp.000002.ndjson", "klp.000003.ndjson.zst", "klp.000010.ndjson", "klp.1000000.ndjson"];
        assert_eq!(names(expand(&output).unwrap()), expected);
        assert_eq!(set(&output).unwrap().last().unwrap().0, 1_000_000);
        let all = names(expand(folder.path()).unwrap());
        assert_eq!(all.len(), 6, "each journal of the folder once: {all:?}");
        assert_eq!(numbered(&output, 7), folder.path().join("klp.000007.ndjson"));
        assert_eq!(numbered(Path::new("j"), 7), Path::new("j.000007.ndjson"));
        std::fs::write(&output, "").unwrap();
        assert_eq!(expand(&output).unwrap(), [output]);
        let empty = tempfile::tempdir().unwrap();
        assert!(expand(empty.path()).unwrap_err().to_string().contains("no journal"));
    }
}
