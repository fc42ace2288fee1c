//! Addresses of symbols, from one pass over /proc/kallsyms.
//!
//! The file has a quarter of a million lines; a few dozen matter. Lines are looked at in place, in one buffer.
//!
//! Format (kernel/kallsyms.c, `s_show`): `<16 hex digits> <type> <name>`, and for modules a tab and `[<module>]`.
//! vmlinux comes first, in address order; then each module, in the order of its symbol table, core symbols only once
//! it is live (6.1 to 7.3). The kernel finds its place by counting through a list that changes while it is read
//! (`module_get_kallsym`), so a read is taken only if no module came or went meanwhile.
//!
//! Behind the modules come, once more under their names, functions of .init that ftrace remembers although their memory is
//! freed (kernel/trace/ftrace.c, `ftrace_mod_get_kallsym`; only while something uses ftrace, as an enabled livepatch does).
//! No search of the kernel's by name finds those, so they are passed over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

use super::modules::{Modules, State};
use scan::Scan;

/// The name under which klp relocations know the kernel itself.
pub const VMLINUX: &str = "vmlinux";

/// Where the kernel shows its symbols.
pub const PATH: &str = "/proc/kallsyms";

const MODULES: &str = "/proc/modules";

/// How often to read before giving up on a moment without a change.
const ATTEMPTS: usize = 5;

/// Bytes of [`PATH`] before the read in which the first line of a module came; 0 until it was read once. vmlinux's lines do
/// not change while a kernel runs, and the kernel hands out whole lines in pieces of a page (fs/seq_file.c).
static BEFORE_MODULES: AtomicU64 = AtomicU64::new(0);

/// How much earlier than there a read looks which modules there are.
const AHEAD: u64 = 8192;

/// Why there are no addresses.
#[derive(Debug, Error)]
pub enum KallsymsError {
    /// Every address is zero: kptr_restrict, or CAP_SYSLOG is missing.
    #[error("{path} hides its addresses")]
    Hidden {
        /// The file.
        path: PathBuf,
    },
    /// Modules came and went each time it was read.
    #[error("modules come and go while /proc/kallsyms is read")]
    Unsettled,
    /// The file cannot be read; a kernel without CONFIG_KALLSYMS has none.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Lines among which `_text` is: before it are per-CPU symbols alone.
const LINES_TO_TEXT: usize = 8192;

/// Where the kernel's `_text` is; none when that is hidden or not to be found.
pub fn text(path: &Path) -> Option<u64> {
    let lines = io::BufReader::new(File::open(path).ok()?).lines().take(LINES_TO_TEXT);
    let line = lines.map_while(Result::ok).find(|line| line.ends_with(" _text"))?;
    let address = u64::from_str_radix(line.split(' ').next()?, 16).ok()?;
    (address != 0).then_some(address)
}

/// The symbols to look for, and after [`Query::read`] where they are.
#[derive(Debug, Default, Clone)]
pub struct Query {
    /// Index into `objects`.
    by_name: HashMap<Vec<u8>, usize>,
    objects: Vec<Object>,
}

#[derive(Debug, Default, Clone)]
struct Object {
    names: HashMap<Vec<u8>, Vec<u64>>,
    /// The lengths of the wanted names: most lines are dismissed by theirs, without hashing.
    lengths: Lengths,
    seen: bool,
    /// A line of another module came after its own.
    over: bool,
}

/// The addresses found by a [`Query`].
#[derive(Debug, Default, Clone)]
pub struct Symbols(Query);

impl Query {
    /// Nothing wanted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also look for the symbol `name` of `object`, a module or [`VMLINUX`].
    pub fn want(&mut self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) {
        let object = self.object_mut(object.as_ref());
        object.lengths.add(name.as_ref().len());
        object.names.entry(name.as_ref().to_vec()).or_default();
    }

    /// Also look for where a module's `struct module` is: the symbol `__this_module`.
    pub fn want_module(&mut self, module: impl AsRef<[u8]>) {
        self.want(module, THIS_MODULE);
    }

    /// The objects of which anything is wanted.
    pub fn objects(&self) -> impl Iterator<Item = &[u8]> {
        self.by_name.keys().map(Vec::as_slice)
    }

    /// Takes the addresses of what is wanted of a module from its own symbols, in their order.
    pub(super) fn take<'s>(&mut self, object: &[u8], symbols: impl Iterator<Item = (&'s [u8], u64)>) {
        let object = self.object_mut(object);
        object.seen = true;
        for (name, address) in symbols.filter(|(name, _)| object.lengths.contain(name.len())) {
            if let Some(addresses) = object.names.get_mut(name) {
                addresses.push(address);
            }
        }
    }

    /// What was taken, without a read.
    pub fn known(self) -> Symbols {
        Symbols(self)
    }

    fn object_mut(&mut self, name: &[u8]) -> &mut Object {
        let objects = &mut self.objects;
        let index = *self.by_name.entry(name.to_vec()).or_insert_with(|| {
            objects.push(Object::default());
            objects.len() - 1
        });
        // The index was handed out for this vector, which never shrinks.
        #[allow(clippy::indexing_slicing, reason = "invariant of by_name")]
        &mut objects[index]
    }

    /// Reads [`PATH`] at a moment when no module comes or goes: else the kernel, which counts its place in a list that
    /// changes, may leave out symbols that are there.
    pub fn read(self) -> Result<Symbols, KallsymsError> {
        let io = |source| KallsymsError::Io { path: PATH.into(), source };
        let read = |query, near: &mut dyn FnMut()| {
            let mut scan = Scan::new(query);
            scan.near = Some((BEFORE_MODULES.load(Ordering::Relaxed).saturating_sub(AHEAD), near));
            scan.run(File::open(PATH).map_err(io)?).map_err(io)?;
            BEFORE_MODULES.store(scan.before_modules.unwrap_or(0), Ordering::Relaxed);
            scan.shown().ok_or_else(|| KallsymsError::Hidden { path: PATH.into() })
        };
        self.read_settled(read, || modules(Path::new(MODULES)))
    }

    /// Counts the symbols under `root` (`/`, except in tests), likewise at a settled moment. How many there are of a name
    /// is shown where addresses are hidden too: then every address is 0.
    pub fn count(self, root: &Path) -> Result<Symbols, KallsymsError> {
        let path = root.join("proc/kallsyms");
        let io = |source| KallsymsError::Io { path: path.clone(), source };
        let read = |query, _: &mut dyn FnMut()| {
            let mut scan = Scan::new(query);
            scan.run(File::open(&path).map_err(io)?).map_err(io)?;
            Ok(scan.finish())
        };
        self.read_settled(read, || modules(&root.join("proc/modules")))
    }

    /// `read` calls its second argument where a change has done no harm so far.
    fn read_settled<S: PartialEq>(
        self,
        mut read: impl FnMut(Self, &mut dyn FnMut()) -> Result<Symbols, KallsymsError>,
        mut state: impl FnMut() -> Option<S>,
    ) -> Result<Symbols, KallsymsError> {
        for _ in 0..ATTEMPTS {
            let mut before = state();
            let symbols = read(self.clone(), &mut || before = state())?;
            if before == state() {
                return Ok(symbols);
            }
        }
        Err(KallsymsError::Unsettled)
    }

    /// Reads a file of that format.
    pub fn read_file(self, path: &Path) -> Result<Symbols, KallsymsError> {
        let io = |source| KallsymsError::Io { path: path.to_owned(), source };
        let scanned = self.read_from(File::open(path).map_err(io)?).map_err(io)?;
        scanned.ok_or_else(|| KallsymsError::Hidden { path: path.to_owned() })
    }

    /// Whether a file of that format shows addresses; reads only as far as the first.
    fn any_address(source: impl Read) -> io::Result<bool> {
        let mut scan = Scan::new(Self::new());
        scan.stop_at_address = true;
        scan.run(source)?;
        Ok(scan.any_address)
    }

    /// Reads that format; `None` when not a single address differs from zero.
    fn read_from(self, source: impl Read) -> io::Result<Option<Symbols>> {
        let mut scan = Scan::new(self);
        scan.run(source)?;
        Ok(scan.shown())
    }
}

/// Whether this process sees addresses in [`PATH`], or a file of that format. Cheap: reads as far as the first address.
pub fn check(path: &Path) -> Result<(), KallsymsError> {
    let io = |source| KallsymsError::Io { path: path.to_owned(), source };
    if Query::any_address(File::open(path).map_err(io)?).map_err(io)? {
        Ok(())
    } else {
        Err(KallsymsError::Hidden { path: path.to_owned() })
    }
}

/// Name, state and address of each module: what decides which symbols there are. `None` when it cannot be read.
fn modules(path: &Path) -> Option<Vec<(String, State, u64)>> {
    let modules = Modules::parse(&std::fs::read(path).ok()?);
    Some(modules.iter().map(|module| (module.name.clone(), module.state, module.address)).collect())
}

const THIS_MODULE: &str = "__this_module";

impl Symbols {
    /// Every address of the symbol, in the kernel's order of counting (sympos): address order for vmlinux, symbol
    /// table order for modules. Empty when there is none, or it was not asked for.
    pub fn addresses(&self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> &[u64] {
        self.object(object.as_ref()).and_then(|o| o.names.get(name.as_ref())).map_or(&[], Vec::as_slice)
    }

    /// The address of a symbol of which there is exactly one.
    pub fn single(&self, object: impl AsRef<[u8]>, name: impl AsRef<[u8]>) -> Option<u64> {
        match self.addresses(object, name) {
            [address] => Some(*address),
            _ => None,
        }
    }

    /// The address of a module's `struct module`, after [`Query::want_module`].
    pub fn this_module(&self, module: impl AsRef<[u8]>) -> Option<u64> {
        self.single(module, THIS_MODULE)
    }

    /// Whether the object was in the file at all, after anything of it was wanted.
    pub fn present(&self, object: impl AsRef<[u8]>) -> bool {
        self.object(object.as_ref()).is_some_and(|o| o.seen)
    }

    fn object(&self, name: &[u8]) -> Option<&Object> {
        self.0.by_name.get(name).and_then(|index| self.0.objects.get(*index))
    }
}

/// A set of name lengths; lengths of 64 and above are all taken as one.
#[derive(Debug, Default, Clone, Copy)]
struct Lengths(u64);

impl Lengths {
    fn add(&mut self, length: usize) {
        self.0 |= 1 << length.min(63);
    }

    fn contain(self, length: usize) -> bool {
        self.0 & (1 << length.min(63)) != 0
    }
}

mod scan;
#[cfg(test)]
mod tests;
