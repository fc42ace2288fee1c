//! Whether a module is loaded, and whether it is still the same load: to be asked before and after a look at it.

use super::modules::{Module, Modules, State};
use super::sysfs::Sysfs;

/// A module at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// As /proc/modules has it; `None`: not loaded.
    pub state: Option<State>,
    /// Where its core memory begins; 0 when addresses are hidden.
    pub address: u64,
    /// The number of its folder in sysfs. A later load has another number: kernfs hands them out in a circle
    /// (fs/kernfs/dir.c, `__kernfs_new_node`: `idr_alloc_cyclic`), so a module that went and came back to the same address
    /// is told apart. `None`: it has no folder (yet).
    pub load: Option<u64>,
}

impl Presence {
    /// As the list and sysfs have it now.
    pub fn of(name: &str, modules: &Modules, sysfs: &Sysfs) -> Self {
        let module: Option<&Module> = modules.get(name);
        Self {
            state: module.map(|module| module.state),
            address: module.map_or(0, |module| module.address),
            load: module.and_then(|_| sysfs.load(name)),
        }
    }

    /// Whether it is neither being loaded nor being unloaded.
    pub fn is_steady(&self) -> bool {
        matches!(self.state, None | Some(State::Live))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn another_load_is_told_from_the_same() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("sys/module/tmod");
        fs::create_dir_all(&folder).unwrap();
        let sysfs = Sysfs::new(root.path());
        let modules = Modules::parse(b"tmod 16384 0 - Live 0xffffffffc0266000\n");
        let first = Presence::of("tmod", &modules, &sysfs);
        assert!(first.is_steady() && first.load.is_some());
        assert_eq!(first, Presence::of("tmod", &modules, &sysfs));
        // The folder that takes its place is made before it goes, so that it cannot be given the same number.
        let next = root.path().join("sys/module/next");
        fs::create_dir_all(&next).unwrap();
        fs::remove_dir(&folder).unwrap();
        fs::rename(&next, &folder).unwrap();
        assert_ne!(first, Presence::of("tmod", &modules, &sysfs));
        let gone = Presence::of("tmod", &Modules::default(), &sysfs);
        assert_eq!((gone.state, gone.load, gone.is_steady()), (None, None, true));
        let going = Modules::parse(b"tmod 16384 0 - Unloading 0xffffffffc0266000\n");
        assert!(!Presence::of("tmod", &going, &sysfs).is_steady());
    }
}
