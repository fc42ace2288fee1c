//! The module files of a folder and all within it, in a fixed order, without running in circles.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::limits;

/// What a walk found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Files named as modules (`.ko`, or that with `.xz`, `.zst` or `.gz`), sorted by path.
    pub files: Vec<PathBuf>,
    /// Folders that could not be read, or were not entered, each with the reason.
    pub failed: Vec<(PathBuf, String)>,
}

/// Walks a folder. Symbolic links to folders are not followed: `/lib/modules/<release>/build` leads out of the tree, and
/// others lead back into it. Links to files are kept.
pub fn modules(root: &Path) -> Tree {
    let mut tree = Tree::default();
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                tree.failed.push((folder, format!("cannot list it: {error}")));
                continue;
            }
        };
        for entry in entries {
            let (path, kind) = match entry.and_then(|e| Ok((e.path(), e.file_type()?))) {
                Ok(found) => found,
                Err(error) => {
                    tree.failed.push((folder.clone(), format!("cannot list all of it: {error}")));
                    break;
                }
            };
            if kind.is_dir() {
                if depth < limits::TREE_DEPTH {
                    waiting.push((path, depth + 1));
                } else {
                    let why = format!("it is more than {} folders deep; name it itself", limits::TREE_DEPTH);
                    tree.failed.push((path, why));
                }
            } else if is_module(&path) && !(kind.is_symlink() && path.is_dir()) {
                if tree.files.len() >= limits::TREE_FILES {
                    let why = format!("more than {} module files; name a part of it", limits::TREE_FILES);
                    tree.failed.push((root.to_owned(), why));
                    tree.files.sort();
                    return tree;
                }
                tree.files.push(path);
            }
        }
    }
    tree.files.sort();
    tree
}

/// Whether a file is named as a module.
fn is_module(path: &Path) -> bool {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    [&b".ko"[..], b".ko.xz", b".ko.zst", b".ko.gz"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn modules_are_found_and_loops_are_not_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        fs::create_dir_all(root.join("kernel/net")).expect("folders");
        for name in
            ["b.ko", "kernel/a.ko.xz", "kernel/net/c.ko.zst", "kernel/net/d.ko.gz", "kernel/notes.txt"]
        {
            fs::write(root.join(name), b"").expect("a file");
        }
        symlink(root, root.join("kernel/build")).expect("a loop");
        symlink(root, root.join("kernel/loop.ko")).expect("a loop named as a module");
        symlink(root.join("b.ko"), root.join("kernel/link.ko")).expect("a link");
        let tree = modules(root);
        let names: Vec<_> = tree.files.iter().filter_map(|f| f.strip_prefix(root).ok()?.to_str()).collect();
        let expected =
            ["b.ko", "kernel/a.ko.xz", "kernel/link.ko", "kernel/net/c.ko.zst", "kernel/net/d.ko.gz"];
        assert_eq!(names, expected);
        assert_eq!(tree.failed, []);
    }

    #[test]
    fn what_cannot_be_walked_is_said() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut deep = dir.path().to_owned();
        (0..=limits::TREE_DEPTH).for_each(|_| deep.push("d"));
        fs::create_dir_all(&deep).expect("folders");
        fs::write(deep.join("x.ko"), b"").expect("a file");
        let tree = modules(dir.path());
        assert!(tree.files.is_empty());
        assert!(
            matches!(&tree.failed[..], [(path, why)] if *path == deep && why.contains("64 folders deep"))
        );
        assert_eq!(modules(&dir.path().join("none")).failed.len(), 1);
    }
}
