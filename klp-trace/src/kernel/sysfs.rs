//! What /sys says of livepatches and of single modules. Never reads `force`: it is there to be written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why sysfs has no answer.
#[derive(Debug, Error)]
pub enum SysfsError {
    /// A file or folder is there and cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// What was to be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that can not be a folder of sysfs.
    #[error("'{0}' is no name of a module")]
    Name(String),
}

/// /sys, or a copy of it for tests.
#[derive(Debug, Clone)]
pub struct Sysfs {
    sys: PathBuf,
}

/// An active livepatch: /sys/kernel/livepatch/PATCH. A disabled or replaced patch has no such folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The patch module's name.
    pub name: String,
    /// Whether it is enabled; false while it is being disabled.
    pub enabled: bool,
    /// Whether a transition is under way.
    pub transition: bool,
    /// Whether it replaces all others; `None` before 6.11, which do not say.
    pub replace: Option<bool>,
    /// Its place among the patches of the same function; `None` before 6.14.
    pub stack_order: Option<u64>,
    /// The objects that it lists, by name.
    pub objects: Vec<PatchObject>,
    /// Whether these are all of them. While a patch is loaded, livepatch adds the folders of its objects one by one
    /// before it is enabled (kernel/livepatch/core.c, `klp_init_patch`), and it takes them away after its last transition.
    pub whole: bool,
}

/// An object of a livepatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchObject {
    /// A module, or vmlinux.
    pub name: String,
    /// Whether it is loaded and patched; `None` before 6.1, which do not say.
    pub patched: Option<bool>,
}

impl Sysfs {
    /// The sysfs under `root`, which is `/` except in tests.
    pub fn new(root: &Path) -> Self {
        Self { sys: root.join("sys") }
    }

    /// Whether the kernel has livepatching (CONFIG_LIVEPATCH): the folder is made at boot.
    pub fn has_livepatch(&self) -> bool {
        self.livepatch().is_dir()
    }

    /// The active livepatches, by name; empty without livepatching.
    pub fn patches(&self) -> Result<Vec<Patch>, SysfsError> {
        let mut patches = Vec::new();
        for name in names(&self.livepatch(), Kind::Folder)?.unwrap_or_default() {
            patches.extend(self.patch(&name)?);
        }
        Ok(patches)
    }

    /// An active livepatch; `None` when there is none of that name, or it went while it was read.
    pub fn patch(&self, name: &str) -> Result<Option<Patch>, SysfsError> {
        let dir = checked(&self.livepatch(), name)?;
        let (Some(enabled), Some(transition), Some(objects)) =
            (flag(&dir.join("enabled"))?, flag(&dir.join("transition"))?, names(&dir, Kind::Folder)?)
        else {
            return Ok(None);
        };
        let objects = objects
            .into_iter()
            .map(|name| Ok(PatchObject { patched: flag(&dir.join(&name).join("patched"))?, name }))
            .collect::<Result<_, SysfsError>>()?;
        // Still so once the folders were read.
        let (enabled_after, transition_after) = (flag(&dir.join("enabled"))?, flag(&dir.join("transition"))?);
        let whole =
            (enabled || transition) && (enabled_after == Some(true) || transition_after == Some(true));
        Ok(Some(Patch {
            name: name.to_owned(),
            enabled,
            transition,
            whole,
            replace: flag(&dir.join("replace"))?,
            stack_order: text(&dir.join("stack_order"))?.and_then(|t| t.parse().ok()),
            objects,
        }))
    }

    /// A module's `initstate`: live, coming or going; `None` when it is not loaded (or built in).
    pub fn initstate(&self, module: &str) -> Result<Option<String>, SysfsError> {
        text(&self.module(module)?.join("initstate"))
    }

    /// The number of a module's folder: another one for each load. `None` when there is none.
    pub fn load(&self, module: &str) -> Option<u64> {
        use std::os::unix::fs::MetadataExt as _;
        std::fs::metadata(self.module(module).ok()?).ok().map(|folder| folder.ino())
    }

    /// A module's reference count.
    pub fn refcount(&self, module: &str) -> Result<Option<i64>, SysfsError> {
        Ok(text(&self.module(module)?.join("refcnt"))?.and_then(|t| t.parse().ok()))
    }

    /// A module's ELF note with its build-id, as it is in the file.
    pub fn build_id_note(&self, module: &str) -> Result<Option<Vec<u8>>, SysfsError> {
        bytes(&self.module(module)?.join("notes/.note.gnu.build-id"))
    }

    /// A module's `srcversion`; `None` where it has none, or is not loaded.
    pub fn srcversion(&self, module: &str) -> Result<Option<String>, SysfsError> {
        text(&self.module(module)?.join("srcversion"))
    }

    /// Where a module's section was loaded. 0 when addresses are hidden; readable for root alone. The entries of
    /// .init sections stay after their memory is freed.
    pub fn section(&self, module: &str, section: &str) -> Result<Option<u64>, SysfsError> {
        let path = checked(&self.module(module)?.join("sections"), section)?;
        Ok(text(&path)?.as_deref().and_then(hex))
    }

    /// Where each section of a module was loaded; empty when it is not loaded.
    pub fn sections(&self, module: &str) -> Result<BTreeMap<String, u64>, SysfsError> {
        let dir = self.module(module)?.join("sections");
        let mut found = BTreeMap::new();
        for name in names(&dir, Kind::File)?.unwrap_or_default() {
            if let Some(address) = text(&dir.join(&name))?.as_deref().and_then(hex) {
                found.insert(name, address);
            }
        }
        Ok(found)
    }

    fn livepatch(&self) -> PathBuf {
        self.sys.join("kernel/livepatch")
    }

    fn module(&self, name: &str) -> Result<PathBuf, SysfsError> {
        checked(&self.sys.join("module"), name)
    }
}

/// Joins a name from outside, which must stay below `dir`.
fn checked(dir: &Path, name: &str) -> Result<PathBuf, SysfsError> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(SysfsError::Name(name.to_owned()));
    }
    Ok(dir.join(name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
}

/// The names in a folder, sorted; `None` when the folder is not there.
fn names(dir: &Path, kind: Kind) -> Result<Option<Vec<String>>, SysfsError> {
    let failed = |source| SysfsError::Io { path: dir.to_owned(), source };
    let Some(entries) = there(std::fs::read_dir(dir), dir)? else { return Ok(None) };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if is_folder == (kind == Kind::Folder) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(Some(names))
}

fn bytes(path: &Path) -> Result<Option<Vec<u8>>, SysfsError> {
    there(std::fs::read(path), path)
}

fn text(path: &Path) -> Result<Option<String>, SysfsError> {
    Ok(bytes(path)?.map(|b| String::from_utf8_lossy(&b).trim().to_owned()))
}

fn flag(path: &Path) -> Result<Option<bool>, SysfsError> {
    Ok(text(path)?.map(|t| t == "1"))
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// What has gone is not an error: sysfs folders go with their module, also between listing and reading (ENODEV).
fn there<T>(result: io::Result<T>, path: &Path) -> Result<Option<T>, SysfsError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
        Err(source) => Err(SysfsError::Io { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Sysfs) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join("sys").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let sysfs = Sysfs::new(root.path());
        (root, sysfs)
    }

    #[test]
    fn a_patch_of_a_new_kernel() {
        let (_root, sysfs) = tree(&[
            ("kernel/livepatch/lp/enabled", "1\n"),
            ("kernel/livepatch/lp/transition", "0\n"),
            ("kernel/livepatch/lp/replace", "1\n"),
            ("kernel/livepatch/lp/stack_order", "2\n"),
            ("kernel/livepatch/lp/vmlinux/patched", "1\n"),
            ("kernel/livepatch/lp/tmod/patched", "0\n"),
            ("kernel/livepatch/lp/tmod/f,1/x", ""),
        ]);
        let patch = sysfs.patch("lp").unwrap().unwrap();
        assert_eq!((patch.enabled, patch.transition), (true, false));
        assert_eq!((patch.replace, patch.stack_order), (Some(true), Some(2)));
        let objects: Vec<_> = patch.objects.iter().map(|o| (o.name.as_str(), o.patched)).collect();
        assert_eq!(objects, [("tmod", Some(false)), ("vmlinux", Some(true))]);
        assert!(patch.whole);
        assert_eq!(sysfs.patches().unwrap(), [patch]);
        assert!(sysfs.has_livepatch());
    }

    #[test]
    fn a_patch_of_an_old_kernel_leaves_open_what_it_does_not_say() {
        let (_root, sysfs) = tree(&[
            ("kernel/livepatch/lp/enabled", "1\n"),
            ("kernel/livepatch/lp/transition", "1\n"),
            ("kernel/livepatch/lp/tmod/f,1/x", ""),
        ]);
        let patch = sysfs.patch("lp").unwrap().unwrap();
        assert_eq!((patch.replace, patch.stack_order, patch.objects[0].patched), (None, None, None));
        assert!(patch.transition);
    }

    #[test]
    fn the_objects_of_a_patch_on_its_way_in_or_out_are_not_all() {
        for (enabled, transition, whole) in [("0", "0", false), ("0", "1", true), ("1", "1", true)] {
            let (_root, sysfs) = tree(&[
                ("kernel/livepatch/lp/enabled", enabled),
                ("kernel/livepatch/lp/transition", transition),
                ("kernel/livepatch/lp/tmod/patched", "0\n"),
            ]);
            assert_eq!(sysfs.patch("lp").unwrap().unwrap().whole, whole, "{enabled} {transition}");
        }
    }

    #[test]
    fn what_is_not_there_is_none_and_no_error() {
        let (_root, sysfs) = tree(&[]);
        assert!(!sysfs.has_livepatch());
        assert!(sysfs.patches().unwrap().is_empty());
        assert!(sysfs.patch("lp").unwrap().is_none());
        assert!(sysfs.initstate("lp").unwrap().is_none());
        assert!(sysfs.build_id_note("lp").unwrap().is_none());
        assert!(sysfs.sections("lp").unwrap().is_empty());
    }

    #[test]
    fn what_modules_show() {
        let (_root, sysfs) = tree(&[
            ("module/lp/initstate", "live\n"),
            ("module/lp/refcnt", "1\n"),
            ("module/lp/sections/.klp.rela.tmod..text", "0xffffffffc0802000\n"),
            ("module/lp/sections/.text", "0xffffffffc0800000\n"),
            ("module/lp/notes/.note.gnu.build-id", "note"),
        ]);
        assert_eq!(sysfs.initstate("lp").unwrap().as_deref(), Some("live"));
        assert_eq!(sysfs.refcount("lp").unwrap(), Some(1));
        assert_eq!(sysfs.section("lp", ".text").unwrap(), Some(0xffff_ffff_c080_0000));
        assert_eq!(sysfs.sections("lp").unwrap().len(), 2);
        assert_eq!(sysfs.build_id_note("lp").unwrap().as_deref(), Some(&b"note"[..]));
    }

    #[test]
    fn names_do_not_lead_out_of_sysfs() {
        let (_root, sysfs) = tree(&[("module/lp/initstate", "live\n")]);
        for name in ["", ".", "..", "../kernel", "a/b"] {
            assert!(matches!(sysfs.initstate(name), Err(SysfsError::Name(_))), "{name}");
        }
    }
}
