//! The file of a loaded module, found and matched by build-id.
//!
//! In order: what the user named (`--ko`; of a folder, files called like the module, then every one that holds it),
//! `/lib/modules/<release>` (by `modules.dep`, then all of it), and the folders of kpatch. A build-id alone does not prove a match; see [`crate::elf::matching`].

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::module_files::{self, Paths};
use crate::elf::matching::BuildIds;
use crate::elf::symbols::ObjectFile;
use crate::elf::{self, PatchFile, names};

/// Files that are opened for one module; more are said to be passed over.
const OPENED: usize = 32;

/// Files of a folder that the user named that are opened for one module, whatever their names.
const ANY: usize = 256;

/// Where the files of loaded modules are looked for.
#[derive(Debug, Clone)]
pub struct Finder {
    root: PathBuf,
    release: String,
    named: Vec<PathBuf>,
}

/// The files found for a module.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// Those that can be read and are of that module, the best match of build-ids first, then in the order searched.
    pub files: Vec<FoundFile<T>>,
    /// What was looked at and is not used, with the reason.
    pub rejected: Vec<Rejected>,
}

/// A file of the module.
#[derive(Debug, Clone)]
pub struct FoundFile<T> {
    /// Where it is.
    pub path: PathBuf,
    /// Its build-id and that of the loaded module.
    pub build_ids: BuildIds,
    /// Its contents.
    pub file: T,
}

/// A file or folder that is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it is.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

impl<T> Found<T> {
    /// The file that matches best. Its build-id may still differ: then it is another build (KLP011).
    pub fn best(&self) -> Option<&FoundFile<T>> {
        self.files.first()
    }
}

/// How a file is read: its contents, its module's name, its build-id.
type Read<'a, T> = dyn Fn(&Path) -> Result<(T, String, Option<Vec<u8>>), elf::Error> + 'a;

impl Finder {
    /// `root` is `/` except in tests; `release` is `uname -r`; `named` are the files and folders that the user named.
    pub fn new(root: &Path, release: &str, named: Vec<PathBuf>) -> Self {
        Self { root: root.to_owned(), release: release.to_owned(), named }
    }

    /// The running kernel's release.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// The files of a loaded livepatch. `build_id` is what [`crate::elf::notes::build_id`] reads in its
    /// `/sys/module/<module>/notes/.note.gnu.build-id`.
    pub fn patch(&self, module: &str, build_id: Option<&[u8]>) -> Found<PatchFile> {
        self.find(module, build_id, &|path| {
            let file = PatchFile::read(path)?;
            let (name, id) = (file.name.clone(), file.build_id.clone());
            Ok((file, name, id))
        })
    }

    /// The files of a module that a livepatch patches, read for the symbols named. `wanted` is looked at only when there
    /// is a file to be read.
    pub fn object(
        &self,
        module: &str,
        build_id: Option<&[u8]>,
        wanted: impl Deref<Target = BTreeSet<String>>,
    ) -> Found<ObjectFile> {
        self.find(module, build_id, &|path| {
            let file = ObjectFile::read(path, &wanted)?;
            let (name, id) = (file.name.clone(), file.build_id.clone());
            Ok((file, name, id))
        })
    }

    /// The `modules.builtin` that lists a module: it is part of the kernel's image, and there will be no file of it. Looked
    /// for in the folders that the user named and in `/lib/modules/<release>`.
    pub fn built_in(&self, module: &str) -> Option<PathBuf> {
        let named = self.named.iter().filter(|path| path.is_dir()).cloned();
        let mut lists = named.chain(self.folders("modules")).map(|folder| folder.join("modules.builtin"));
        lists.find(|list| module_files::is_listed(list, module))
    }

    fn find<T>(&self, module: &str, build_id: Option<&[u8]>, read: &Read<'_, T>) -> Found<T> {
        let mut search =
            Search { module, build_id, read, seen: HashSet::new(), opened: 0, found: Found::default() };
        let modules = self.folders("modules");
        let mut paths = Paths::default();
        for path in &self.named {
            paths.named(path, module);
        }
        for folder in &modules {
            paths.index(folder, module);
        }
        for folder in self.folders("kpatch") {
            paths.folder(&folder, module);
        }
        search.read_all(paths);
        // A file may be called otherwise than its module; what the user named is looked at whatever its name.
        if search.found.best().is_none_or(|file| file.build_ids != BuildIds::Equal) {
            for folder in self.named.iter().filter(|path| path.is_dir()) {
                search.read_any(folder);
            }
        }
        // modules.dep may be older than a module that was put there since.
        if search.found.best().is_none_or(|file| file.build_ids != BuildIds::Equal) {
            let mut paths = Paths::default();
            for folder in &modules {
                paths.folder(folder, module);
            }
            search.read_all(paths);
        }
        search.found
    }

    /// The folders of the running kernel; none when its release is no name of a folder.
    fn folders(&self, kind: &str) -> Vec<PathBuf> {
        if self.release.is_empty() || self.release.contains('/') || self.release.starts_with('.') {
            return Vec::new();
        }
        let bases: &[&str] = match kind {
            "modules" => &["lib/modules", "usr/lib/modules"],
            _ => &["var/lib/kpatch", "usr/lib/kpatch"],
        };
        bases.iter().map(|base| self.root.join(base).join(&self.release)).collect()
    }
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { files: Vec::new(), rejected: Vec::new() }
    }
}

struct Search<'a, T> {
    module: &'a str,
    build_id: Option<&'a [u8]>,
    read: &'a Read<'a, T>,
    /// Device and inode of files that were read: /lib may be /usr/lib.
    seen: HashSet<(u64, u64)>,
    opened: usize,
    found: Found<T>,
}

impl<T> Search<'_, T> {
    fn read_all(&mut self, paths: Paths) {
        for (path, why) in paths.failed {
            self.reject(path, why);
        }
        for path in paths.files {
            let fresh = fs::metadata(&path).map_or(true, |meta| self.seen.insert((meta.dev(), meta.ino())));
            if !fresh {
                continue;
            }
            self.opened += 1;
            if self.opened > OPENED {
                self.reject(path, format!("{OPENED} files were opened for {} already", self.module));
                continue;
            }
            match (self.read)(&path) {
                Ok((_, name, _)) if !same_module(&name, self.module) => {
                    self.reject(path, format!("it is the file of module {name}"));
                }
                Ok((file, _, id)) => {
                    let build_ids = BuildIds::compare(id.as_deref(), self.build_id);
                    self.found.files.push(FoundFile { path, build_ids, file });
                }
                Err(error) => self.reject(path, error.to_string()),
            }
        }
        self.found.files.sort_by_key(|file| file.build_ids);
    }

    /// Looks into every module file of a folder for one of this module: by its name, whatever the file's.
    fn read_any(&mut self, folder: &Path) {
        let mut opened = 0;
        let mut paths = Paths::default();
        paths.every(folder);
        for path in paths.files {
            let Ok(meta) = fs::metadata(&path) else { continue };
            if !self.seen.insert((meta.dev(), meta.ino())) {
                continue;
            }
            opened += 1;
            if opened > ANY {
                let why =
                    format!("more than {ANY} module files in it; name the file of {} itself", self.module);
                return self.reject(folder.to_owned(), why);
            }
            // What is of another module, or cannot be read, was not named for this one.
            let Ok((file, name, id)) = (self.read)(&path) else { continue };
            if same_module(&name, self.module) {
                let build_ids = BuildIds::compare(id.as_deref(), self.build_id);
                self.found.files.push(FoundFile { path, build_ids, file });
            }
        }
        self.found.files.sort_by_key(|file| file.build_ids);
    }

    fn reject(&mut self, path: PathBuf, why: String) {
        let rejected = Rejected { path, why };
        if !self.found.rejected.contains(&rejected) {
            self.found.rejected.push(rejected);
        }
    }
}

fn same_module(a: &str, b: &str) -> bool {
    names::normal(a.as_bytes()) == names::normal(b.as_bytes())
}

#[cfg(test)]
mod tests;
