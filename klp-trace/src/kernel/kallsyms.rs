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

use thiserror::Error;

use super::modules::{Modules, State};

/// The name under which klp relocations know the kernel itself.
pub const VMLINUX: &str = "vmlinux";

/// Where the kernel shows its symbols.
pub const PATH: &str = "/proc/kallsyms";

const MODULES: &str = "/proc/modules";

/// How often to read before giving up on a moment without a change.
const ATTEMPTS: usize = 5;

/// Longer than any line: KSYM_NAME_LEN is 512, MODULE_NAME_LEN 56.
const BUFFER: usize = 64 * 1024;

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
        self.read_settled(|query| query.read_file(Path::new(PATH)), || modules(Path::new(MODULES)))
    }

    /// Counts the symbols under `root` (`/`, except in tests), likewise at a settled moment. How many there are of a name
    /// is shown where addresses are hidden too: then every address is 0.
    pub fn count(self, root: &Path) -> Result<Symbols, KallsymsError> {
        let path = root.join("proc/kallsyms");
        let io = |source| KallsymsError::Io { path: path.clone(), source };
        let read = |query| {
            let mut scan = Scan::new(query);
            scan.run(File::open(&path).map_err(io)?).map_err(io)?;
            Ok(scan.finish())
        };
        self.read_settled(read, || modules(&root.join("proc/modules")))
    }

    fn read_settled<S: PartialEq>(
        self,
        mut read: impl FnMut(Self) -> Result<Symbols, KallsymsError>,
        mut state: impl FnMut() -> Option<S>,
    ) -> Result<Symbols, KallsymsError> {
        let mut before = state();
        for _ in 0..ATTEMPTS {
            let symbols = read(self.clone())?;
            let after = state();
            if before == after {
                return Ok(symbols);
            }
            before = after;
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
        Ok(scan.any_address.then(|| scan.finish()))
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

/// One pass over the file.
struct Scan {
    query: Query,
    vmlinux: Option<usize>,
    /// The module that the last line was of, and its index if anything of it is wanted: lines come by module.
    module: Vec<u8>,
    module_index: Option<usize>,
    any_address: bool,
    stop_at_address: bool,
}

impl Scan {
    fn new(query: Query) -> Self {
        let vmlinux = query.by_name.get(VMLINUX.as_bytes()).copied();
        Self {
            query,
            vmlinux,
            module: Vec::new(),
            module_index: None,
            any_address: false,
            stop_at_address: false,
        }
    }

    fn run(&mut self, mut source: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut filled = 0;
        loop {
            let space = buffer.get_mut(filled..).unwrap_or_default();
            if space.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line longer than any symbol"));
            }
            let count = match source.read(space) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let data = buffer.get(..filled + count).unwrap_or_default();
            if count == 0 {
                // A last line without its newline is a line still.
                self.line(data);
                return Ok(());
            }
            let whole = memchr::memrchr(b'\n', data).map_or(0, |last| last + 1);
            self.lines(data.get(..whole).unwrap_or_default());
            if self.stop_at_address && self.any_address {
                return Ok(());
            }
            filled = data.len() - whole;
            buffer.copy_within(whole..whole + filled, 0);
        }
    }

    /// Whole lines, each with its newline.
    fn lines(&mut self, lines: &[u8]) {
        let mut start = 0;
        while let Some(rest) = lines.get(start..).filter(|rest| !rest.is_empty()) {
            // The lines of vmlinux, nearly all, have no tab: where nothing of it is wanted, they are leapt over.
            if self.vmlinux.is_none() && self.any_address {
                let Some(tab) = memchr::memchr(b'\t', rest) else { return };
                let before = rest.get(..tab).unwrap_or_default();
                start += memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
            }
            let rest = lines.get(start..).unwrap_or_default();
            let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            self.line(rest.get(..length).unwrap_or_default());
            start += length + 1;
        }
    }

    fn line(&mut self, line: &[u8]) {
        if !self.any_address {
            self.any_address = line.iter().take(16).any(|digit| matches!(digit, b'1'..=b'9' | b'a'..=b'f'));
        }
        let in_module = line.last() == Some(&b']');
        if !in_module && self.vmlinux.is_none() {
            return;
        }
        let Some((head, rest)) = line.split_at_checked(19) else { return };
        let (name, index) = if in_module {
            let Some(tab) = memchr::memrchr(b'\t', rest) else { return };
            let (name, tail) = rest.split_at(tab);
            let Some(module) = tail.strip_prefix(b"\t[").and_then(|m| m.strip_suffix(b"]")) else { return };
            (name, self.module(module))
        } else {
            (rest, self.vmlinux)
        };
        let Some(object) = index.and_then(|i| self.query.objects.get_mut(i)) else { return };
        object.seen = true;
        if !object.lengths.contain(name.len()) {
            return;
        }
        if let (Some(addresses), Some((address, kind))) = (object.names.get_mut(name), parse_head(head)) {
            // Undefined symbols are listed for livepatch modules, which keep their whole table; the kernel's search
            // skips them (kernel/module/kallsyms.c, `module_kallsyms_on_each_symbol`: SHN_UNDEF).
            if kind != b'U' {
                addresses.push(address);
            }
        }
    }

    fn module(&mut self, name: &[u8]) -> Option<usize> {
        if self.module != name {
            let objects = &mut self.query.objects;
            if let Some(last) = self.module_index.and_then(|index| objects.get_mut(index)) {
                last.over = true;
            }
            self.module.clear();
            self.module.extend_from_slice(name);
            let index = self.query.by_name.get(name).copied();
            self.module_index = index.filter(|index| objects.get(*index).is_some_and(|object| !object.over));
        }
        self.module_index
    }

    fn finish(mut self) -> Symbols {
        // vmlinux is listed in address order, and counted so; made sure of here.
        if let Some(object) = self.vmlinux.and_then(|i| self.query.objects.get_mut(i)) {
            object.names.values_mut().for_each(|addresses| addresses.sort_unstable());
        }
        Symbols(self.query)
    }
}

/// Parses `<16 hex digits> <type> `.
fn parse_head(head: &[u8]) -> Option<(u64, u8)> {
    let (digits, rest) = head.split_at_checked(16)?;
    let [b' ', kind, b' '] = rest else { return None };
    let address = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    Some((address, *kind))
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

#[cfg(test)]
mod tests;
