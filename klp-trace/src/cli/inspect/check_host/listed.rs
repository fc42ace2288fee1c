//! What /proc/kallsyms and tracefs list of what the patch asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::check_host::Patch;
use crate::elf::names;
use crate::kernel::kallsyms::{Query, Symbols, VMLINUX};
use crate::kernel::traceable;

/// What clears late relocations, where it is.
const CLEARS: &str = "clear_relocate_add";
/// What the kernel calls the entry of an exported symbol.
const EXPORT: &str = "__ksymtab_";
/// Exported by every kernel with livepatching: where it is not listed, exports are not.
const ALWAYS: &str = "__ksymtab_klp_enable_patch";

/// The names that are asked for, by object; dependencies and patched objects with none among them.
pub(super) type Wanted = BTreeMap<String, BTreeSet<String>>;

/// Object and name, escaped.
type Name = (String, String);

/// What is listed.
pub(super) struct Listed {
    /// How many symbols of each name.
    pub(super) counts: BTreeMap<Name, usize>,
    /// Whether the kernel has what clears.
    pub(super) clears: bool,
    /// The patch's ordinary symbols that are exported, and by which module; or why that is not known.
    pub(super) exports: Result<BTreeMap<String, Option<String>>, String>,
    /// Places of functions that ftrace reaches; or why that is not known.
    pub(super) traceable: Result<BTreeMap<Name, usize>, String>,
}

/// Reads it in one pass over each list.
pub(super) fn read(root: &Path, wanted: &Wanted, patch: &Patch) -> Result<Listed, String> {
    let mut query = Query::new();
    query.want(VMLINUX, CLEARS);
    query.want(VMLINUX, ALWAYS);
    let all = || wanted.iter().flat_map(|(object, symbols)| symbols.iter().map(move |name| (object, name)));
    for (object, name) in all() {
        query.want(names::bytes(object), names::bytes(name));
    }
    for name in &patch.imports {
        let entry = entry(name);
        query.want(VMLINUX, &entry);
        for module in wanted.keys().filter(|object| *object != VMLINUX) {
            query.want(names::bytes(module), &entry);
        }
    }
    let found = query.count(root).map_err(|error| error.to_string())?;
    if !found.present(VMLINUX) {
        return Err("/proc/kallsyms lists nothing of the kernel itself".to_owned());
    }
    let at = |(object, name): (&String, &String)| found.addresses(names::bytes(object), names::bytes(name));
    let counts = all().map(|(o, n)| ((o.clone(), n.clone()), at((o, n)).len())).collect();
    let functions = patch
        .functions
        .iter()
        .map(|f| ((f.object.clone(), f.name.clone()), at((&f.object, &f.name)).to_vec()));
    Ok(Listed {
        counts,
        clears: !found.addresses(VMLINUX, CLEARS).is_empty(),
        exports: exports(&found, wanted, patch),
        traceable: traceable::count(root, &functions.collect()),
    })
}

fn entry(name: &str) -> Vec<u8> {
    [EXPORT.as_bytes(), &names::bytes(name)].concat()
}

fn exports(
    found: &Symbols,
    wanted: &Wanted,
    patch: &Patch,
) -> Result<BTreeMap<String, Option<String>>, String> {
    if found.addresses(VMLINUX, ALWAYS).is_empty() {
        return Err("/proc/kallsyms does not list what is exported".to_owned());
    }
    let by = |name: &String| {
        let entry = entry(name);
        if !found.addresses(VMLINUX, &entry).is_empty() {
            return Some(None);
        }
        let modules = wanted.keys().filter(|object| *object != VMLINUX);
        let mut modules = modules.filter(|module| !found.addresses(names::bytes(module), &entry).is_empty());
        modules.next().map(|module| Some(module.clone()))
    };
    Ok(patch.imports.iter().filter_map(|name| Some((name.clone(), by(name)?))).collect())
}
