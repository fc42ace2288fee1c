//! Where the files of a module may stand: named by the user, in `/lib/modules`, in kpatch's folders. Paths alone, no
//! file is opened but `modules.dep`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::elf::names;

/// Entries of folders that are looked at. A distribution kernel has about 5,000 modules in 1,500 folders.
const ENTRIES: usize = 200_000;
/// How deep folders are followed. `/lib/modules/<release>/kernel` has at most 8 levels.
const DEPTH: usize = 16;
/// Bytes of `modules.dep` that are read; about 700 KB for 5,000 modules.
const INDEX_BYTES: u64 = 32 << 20;

/// Paths that may be the module's file, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Paths {
    pub(super) files: Vec<PathBuf>,
    pub(super) failed: Vec<(PathBuf, String)>,
}

impl Paths {
    fn fail(&mut self, path: &Path, why: &dyn ToString) {
        self.failed.push((path.to_owned(), why.to_string()));
    }

    /// What the user named: a file stands for itself whatever its name, a folder is searched.
    pub(super) fn named(&mut self, path: &Path, module: &str) {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.folder(path, module),
            Ok(_) => self.files.push(path.to_owned()),
            Err(error) => self.fail(path, &error),
        }
    }

    /// The folder's files of that module, whatever their folder. Folders behind symbolic links are not entered (they
    /// are the kernel's sources, or loops); files behind symbolic links are taken. A folder that is not there has none.
    pub(super) fn folder(&mut self, folder: &Path, module: &str) {
        self.walk(folder, &|path| is_file_of(path, module));
    }

    /// Every module file of the folder, whatever its name.
    pub(super) fn every(&mut self, folder: &Path) {
        self.walk(folder, &is_module);
    }

    fn walk(&mut self, folder: &Path, is_wanted: &dyn Fn(&Path) -> bool) {
        let mut waiting = vec![(folder.to_owned(), 0)];
        let mut seen = 0;
        while let Some((folder, depth)) = waiting.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.fail(&folder, &error);
                    continue;
                }
            };
            for entry in entries {
                seen += 1;
                if seen > ENTRIES {
                    return self.fail(
                        &folder,
                        &format_args!("more than {ENTRIES} entries, the rest is not looked at"),
                    );
                }
                let kind = entry.and_then(|entry| Ok((entry.path(), entry.file_type()?)));
                match kind {
                    Ok((path, kind)) if kind.is_dir() && depth < DEPTH => waiting.push((path, depth + 1)),
                    Ok((path, kind)) if kind.is_dir() => self.fail(&path, &"too deep, not looked at"),
                    Ok((path, _)) if is_wanted(&path) && path.is_file() => self.files.push(path),
                    Ok(_) => {}
                    Err(error) => self.fail(&folder, &error),
                }
            }
        }
    }

    /// The module's files by `modules.dep`, which lists every file that depmod knew: `path: dependencies`, paths
    /// relative to its folder.
    pub(super) fn index(&mut self, modules: &Path, module: &str) {
        let path = modules.join("modules.dep");
        let mut text = Vec::new();
        match fs::File::open(&path).and_then(|file| file.take(INDEX_BYTES).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.fail(&path, &error),
        }
        let listed = text.split(|b| *b == b'\n').filter_map(|line| {
            let file = line.split(|b| *b == b':').next()?;
            Some(modules.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(file)))
        });
        self.files.extend(listed.filter(|path| is_file_of(path, module) && path.is_file()));
    }
}

/// Whether a `modules.builtin` lists a module: a line each, the path that its file would have.
pub(super) fn is_listed(list: &Path, module: &str) -> bool {
    let mut text = Vec::new();
    let read = fs::File::open(list).and_then(|file| file.take(INDEX_BYTES).read_to_end(&mut text));
    let name = names::normal(&names::bytes(module));
    read.is_ok()
        && text.split(|b| *b == b'\n').filter(|line| !line.is_empty()).any(|line| {
            let path = Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(line));
            names::module_of_file(path) == name
        })
}

/// Whether a file's name is that of the module: dashes and underscores alike, `.ko` and a compression's ending.
fn is_file_of(path: &Path, module: &str) -> bool {
    let name = path.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes).unwrap_or_default();
    is_named_as_module(name) && names::module_of_file(path) == names::normal(&names::bytes(module))
}

/// Whether a file is named as one of a module.
fn is_module(path: &Path) -> bool {
    is_named_as_module(path.file_name().map(std::os::unix::ffi::OsStrExt::as_bytes).unwrap_or_default())
}

fn is_named_as_module(name: &[u8]) -> bool {
    [&b".ko"[..], b".ko.xz", b".ko.zst", b".ko.gz"].iter().any(|end| name.ends_with(end))
}
