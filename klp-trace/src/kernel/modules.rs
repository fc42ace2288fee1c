//! The loaded modules, from one read of /proc/modules.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why the modules are not known.
#[derive(Debug, Error)]
#[error("cannot read {path}: {source}")]
pub struct ModulesError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// A module as /proc/modules lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name; bytes that are not UTF-8 are replaced.
    pub name: String,
    /// Bytes of memory it takes.
    pub size: u64,
    /// References to it; an active livepatch holds one of itself. `None` on a kernel that cannot unload.
    pub refcount: Option<i64>,
    /// The modules that use what it exports.
    pub users: Vec<String>,
    /// Whether it can never be unloaded: it has an init and no exit function.
    pub permanent: bool,
    /// How far it is.
    pub state: State,
    /// Where its core memory begins; 0 when addresses are hidden.
    pub address: u64,
    /// Its taint letters, such as "OEK"; K is a livepatch.
    pub taints: String,
}

/// Stands among the users of a module that has no exit function.
const PERMANENT: &str = "[permanent]";

/// A module's state, in /proc/modules' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `MODULE_STATE_LIVE`.
    Live,
    /// `MODULE_STATE_COMING`: its init has not returned.
    Loading,
    /// `MODULE_STATE_GOING`.
    Unloading,
}

impl Module {
    /// Whether it is a livepatch (`TAINT_LIVEPATCH`).
    pub fn is_livepatch(&self) -> bool {
        self.taints.contains('K')
    }
}

/// The modules that are loaded now. UNFORMED ones are not listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Modules(Vec<Module>);

impl Modules {
    /// Reads `<root>/proc/modules`. A kernel without CONFIG_MODULES has none, and so no livepatch.
    pub fn read(root: &Path) -> Result<Self, ModulesError> {
        let path = root.join("proc/modules");
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Self::parse(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ModulesError { path, source }),
        }
    }

    /// Parses the file; a line that is none is passed over.
    pub fn parse(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).lines().filter_map(parse_line).collect())
    }

    /// Every module, newest first, as the kernel lists them.
    pub fn iter(&self) -> impl Iterator<Item = &Module> {
        self.0.iter()
    }

    /// The modules that use what one exports, and those that use these in turn: it cannot go before them.
    pub fn holders(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![name];
        while let Some(module) = open.pop().and_then(|name| self.get(name)) {
            for user in &module.users {
                if found.insert(user.as_str()) {
                    open.push(user);
                }
            }
        }
        found
    }

    /// The livepatches, newest first.
    pub fn livepatches(&self) -> impl Iterator<Item = &Module> {
        self.0.iter().filter(|m| m.is_livepatch())
    }

    /// The module of that name.
    pub fn get(&self, name: &str) -> Option<&Module> {
        self.0.iter().find(|m| m.name == name)
    }
}

/// `<name> <size> <refcount> <users> <state> <address> [(<taints>)]` (kernel/module/procfs.c, `m_show`), from the
/// right, so that a space in a name does no harm.
fn parse_line(line: &str) -> Option<Module> {
    let line = line.trim_end();
    let (rest, taints) = match line.rsplit_once(" (") {
        // A + or - after the letters says loading or unloading, as the state does.
        Some((rest, taints)) => (rest, taints.strip_suffix(')')?.trim_end_matches(['+', '-'])),
        None => (line, ""),
    };
    let mut fields = rest.trim_end().rsplitn(6, ' ');
    let address = fields.next()?.strip_prefix("0x")?;
    let state = match fields.next()? {
        "Live" => State::Live,
        "Loading" => State::Loading,
        "Unloading" => State::Unloading,
        _ => return None,
    };
    // `a,b,`; `-` for none; `[permanent],` among them (kernel/module/procfs.c, `print_unload_info`).
    let users: Vec<&str> = fields.next()?.split(',').filter(|user| !matches!(*user, "" | "-")).collect();
    let refcount = fields.next()?.parse().ok();
    let size = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    Some(Module {
        name: name.to_owned(),
        size,
        permanent: users.contains(&PERMANENT),
        users: users.into_iter().filter(|user| *user != PERMANENT).map(str::to_owned).collect(),
        refcount,
        state,
        address: u64::from_str_radix(address, 16).ok()?,
        taints: taints.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"\
klp_patch 16384 1 - Live 0xffffffffc0802000 (OEK)
klp_old 16384 0 - Live 0xffffffffc0902000 (K)
klp_target 16384 1 klp_user, Live 0xffffffffc0266000 (OE)
going 12288 -1 - Unloading 0x0000000000000000 (OK-)
coming 12288 1 - Loading 0xffffffffc0a00000 (+)
veth 45056 0 - Live 0xffffffffc0b00000
nounload 4096 - - Live 0xffffffffc0b00000
odd name 4096 0 a,b, Live 0xffffffffc0c00000 (K)
not a module line
";

    #[test]
    fn livepatches_are_those_with_taint_k() {
        let modules = Modules::parse(LIST);
        let names: Vec<&str> = modules.livepatches().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["klp_patch", "klp_old", "going", "odd name"]);
        assert_eq!(modules.iter().count(), 8);
    }

    #[test]
    fn fields() {
        let modules = Modules::parse(LIST);
        let patch = modules.get("klp_patch").unwrap();
        assert_eq!((patch.size, patch.refcount, patch.address), (16384, Some(1), 0xffff_ffff_c080_2000));
        assert_eq!((patch.state, patch.taints.as_str()), (State::Live, "OEK"));
        let target = modules.get("klp_target").unwrap();
        let going = modules.get("going").unwrap();
        assert_eq!((going.state, going.refcount, going.address), (State::Unloading, Some(-1), 0));
        let coming = modules.get("coming").unwrap();
        assert_eq!((coming.state, coming.is_livepatch()), (State::Loading, false));
        assert_eq!(modules.get("nounload").unwrap().refcount, None);
        assert!(modules.get("not").is_none());
        assert_eq!((target.users.as_slice(), target.permanent), (["klp_user".to_owned()].as_slice(), false));
    }

    #[test]
    fn holders_hold_through_others() {
        let modules = Modules::parse(
            b"third 4096 1 - Live 0x0\nouter 4096 0 - Live 0x0\nuser 4096 1 outer, Live 0x0\n\
              base 4096 2 user,third,[permanent], Live 0x0\n",
        );
        assert_eq!(modules.holders("base").into_iter().collect::<Vec<_>>(), ["outer", "third", "user"]);
        assert!(modules.get("base").unwrap().permanent && !modules.get("user").unwrap().permanent);
        assert!(modules.holders("outer").is_empty() && modules.holders("absent").is_empty());
    }

    #[test]
    fn a_kernel_without_modules_has_no_livepatch() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Modules::read(root.path()).unwrap(), Modules::default());
    }
}
