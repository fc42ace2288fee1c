//! The relocations of each gate: how many, into what, and whose symbols.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Around, Kind};
use crate::elf::target::is_special;
use crate::lint::Facts;
use crate::lint::facts::{Parts, Section, Symbol};

const SHF_WRITE: u64 = 1;
const SHF_EXECINSTR: u64 = 4;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// The module, or vmlinux.
    pub object: String,
    /// Functions of it that the patch replaces.
    pub functions: usize,
    /// Livepatch relocations gated on it.
    pub relocations: usize,
    /// Of those, into code.
    pub in_code: usize,
    /// Of those, into writable data.
    pub in_data: usize,
    /// Of those, into sections that the kernel reads when a module is loaded (`__jump_table`, …), by name.
    pub special_sections: Vec<String>,
    /// The symbols that they refer to.
    pub symbols: Symbols,
    /// Whether it is loaded on this host; none when that is not known. vmlinux always is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// Bytes of the module's file; none without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
}

/// Different symbols, each counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Symbols {
    /// All of them.
    pub total: usize,
    /// Static ones of the gate's own object: nothing but a livepatch relocation reaches them.
    pub own_static: usize,
    /// Global, not exported.
    pub own_global: usize,
    /// Exported: an ordinary relocation would do, at the price of a dependency.
    pub own_exported: usize,
    /// Of a module that is neither the gate nor vmlinux.
    pub third_module: usize,
    /// Those whose kind is not known: no file of the object, or the file does not have them.
    pub unknown: usize,
}

impl Gate {
    /// Whether it is a module: patched late, when it comes after the patch.
    pub fn is_module(&self) -> bool {
        self.object != "vmlinux"
    }
}

/// Every object that gates a section or is patched, by name.
pub(super) fn of(facts: &Facts, around: &Around) -> Vec<Gate> {
    let mut by_object: BTreeMap<&str, Vec<&Section<'_>>> = BTreeMap::new();
    for section in facts.livepatch_sections() {
        if let Some(gate) = &section.gate {
            by_object.entry(&gate.object).or_default().push(section);
        }
    }
    for function in &around.functions {
        by_object.entry(&function.object).or_default();
    }
    by_object.into_iter().map(|(object, sections)| gate(facts, around, object, &sections)).collect()
}

fn gate(facts: &Facts, around: &Around, object: &str, sections: &[&Section]) -> Gate {
    let entries = |wanted: fn(u64) -> bool| {
        let into = sections.iter().filter(|s| s.target.as_ref().is_some_and(|t| wanted(t.flags)));
        into.map(|s| s.entries.len()).sum()
    };
    let special = sections.iter().filter_map(|s| s.target.as_ref()).filter(|t| is_special(&t.name));
    let special: BTreeSet<String> = special.map(|t| t.name.clone()).collect();
    let symbols: BTreeSet<u32> = sections.iter().flat_map(|s| s.symbols.iter().copied()).collect();
    let parts = symbols.iter().map(|index| facts.symbols.get(*index).and_then(Symbol::parts));
    Gate {
        object: object.to_owned(),
        functions: around.functions.iter().filter(|f| f.object == object).count(),
        relocations: sections.iter().map(|s| s.entries.len()).sum(),
        in_code: entries(|flags| flags & SHF_EXECINSTR != 0),
        in_data: entries(|flags| flags & SHF_WRITE != 0 && flags & SHF_EXECINSTR == 0),
        special_sections: special.into_iter().collect(),
        symbols: kinds(around, object, parts),
        loaded: if object == "vmlinux" {
            Some(true)
        } else {
            around.loaded.as_ref().ok().map(|loaded| loaded.contains(object))
        },
        file_bytes: around.files.get(object).and_then(|file| file.as_ref().ok()).map(|file| file.bytes),
    }
}

fn kinds<'f>(around: &Around, gate: &str, symbols: impl Iterator<Item = Option<Parts<'f>>>) -> Symbols {
    let mut all = Symbols::default();
    for parts in symbols {
        all.total += 1;
        let place = match parts {
            None => &mut all.unknown,
            Some(parts) if parts.object != gate && parts.object != "vmlinux" => &mut all.third_module,
            Some(parts) => match kind(around, parts) {
                Some(Kind::Static) => &mut all.own_static,
                Some(Kind::Global) => &mut all.own_global,
                Some(Kind::Exported) => &mut all.own_exported,
                None => &mut all.unknown,
            },
        };
        *place += 1;
    }
    all
}

/// How the object holds a symbol. Of vmlinux there is no file: exported is all that can be known.
fn kind(around: &Around, parts: Parts<'_>) -> Option<Kind> {
    if parts.object == "vmlinux" {
        return around.exported.as_ref().ok()?.contains(parts.name).then_some(Kind::Exported);
    }
    around.files.get(parts.object)?.as_ref().ok()?.symbols.get(parts.name).copied()
}
