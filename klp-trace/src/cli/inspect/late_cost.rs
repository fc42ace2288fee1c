//! `inspect --late-cost`: reads what the measurement needs besides the patch.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::lint::{self, LintArgs};
use crate::elf::module::{Module, Objects};
use crate::elf::{Error, names, open};
use crate::kernel::modules::Modules;
use crate::late_cost::{self, Around, Kind, ObjectFile, Report};
use crate::lint::Facts;
use crate::lint::facts::Symbol;

/// `STB_LOCAL` of `st_info`'s upper four bits.
const STB_LOCAL: u8 = 0;
/// What an exported symbol has beside it in its module's symbol table.
const EXPORT: &[u8] = b"__ksymtab_";

/// Measures a livepatch.
pub fn measure(module: &Module<'_>, objects: Option<&Objects<'_>>, args: &LintArgs) -> Result<Report, Error> {
    let facts = Facts::of(module, lint::listed(objects))?;
    let functions = lint::functions(objects);
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for parts in facts.symbols.iter().filter_map(Symbol::parts) {
        wanted.entry(parts.object.to_string()).or_default().insert(parts.name.to_string());
    }
    for function in &functions {
        wanted.entry(function.object.clone()).or_default();
    }
    wanted.remove("vmlinux");
    let finder = lint::finder(module, args);
    let mut files = BTreeMap::new();
    for (object, symbols) in wanted {
        let file = lint::path_of(&finder, &object).and_then(|path| read(&path, &symbols));
        files.insert(object, file);
    }
    let host = rustix::system::uname().release().to_string_lossy().into_owned();
    let built = lint::release(module);
    let around = Around {
        patch: names::display(&module.name()),
        functions,
        files,
        exported: exported(&built),
        loaded: loaded(),
        releases: (names::display(host.as_bytes()), built),
    };
    Ok(late_cost::measure(&facts, &around))
}

/// A module's file, for the kinds of some symbols.
fn read(path: &Path, wanted: &BTreeSet<String>) -> Result<ObjectFile, String> {
    let bytes = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    let contents = open::module(path).map_err(|e| e.to_string())?;
    let module = Module::parse(&contents.bytes, path, contents.decompressed).map_err(|e| e.to_string())?;
    let mut symbols: BTreeMap<String, Kind> = BTreeMap::new();
    // Of the same name, what is exported or global is what others can reach.
    let mut note = |name: &[u8], kind: Kind| {
        let name = names::display(name);
        if wanted.contains(&name) {
            let known = symbols.entry(name).or_insert(kind);
            *known = kind.max(*known);
        }
    };
    for symbol in module.symbols().filter(|s| s.shndx != 0) {
        let Some(name) = symbol.name else { continue };
        if let Some(exported) = name.strip_prefix(EXPORT) {
            note(exported, Kind::Exported);
        }
        note(name, if symbol.info >> 4 == STB_LOCAL { Kind::Static } else { Kind::Global });
    }
    let srcversion = module.info(b"srcversion").is_some();
    Ok(ObjectFile { path: names::path(path), bytes, srcversion, symbols })
}

/// The modules of this host.
fn loaded() -> Result<BTreeSet<String>, String> {
    if !Path::new("/proc/modules").exists() {
        return Err("this host has no /proc/modules: its kernel loads no modules".to_owned());
    }
    let modules = Modules::read(Path::new("/")).map_err(|e| e.to_string())?;
    Ok(modules.iter().map(|m| names::display(m.name.as_bytes())).collect())
}

/// What vmlinux exports, by the `Module.symvers` of the kernel that the patch was built for: lines of checksum, symbol,
/// object, kind of export (Documentation/kbuild/modules.rst).
fn exported(release: &str) -> Result<BTreeSet<String>, String> {
    if release.is_empty() || release.contains('/') || release.starts_with('.') {
        return Err("the patch's vermagic names no release".to_owned());
    }
    let path = Path::new("/lib/modules").join(release).join("build/Module.symvers");
    let text = open::whole(&path).map_err(|error| format!("{error}; the kernel's headers package has it"))?;
    let lines = text.split(|b| *b == b'\n').map(|line| line.split(|b| *b == b'\t'));
    let of_vmlinux = lines.filter_map(|mut fields| {
        let (symbol, object) = (fields.nth(1)?, fields.next()?);
        (object == b"vmlinux").then(|| names::display(symbol))
    });
    Ok(of_vmlinux.collect())
}
