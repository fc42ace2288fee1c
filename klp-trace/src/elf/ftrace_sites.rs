//! Where ftrace can reach the functions of a module, by its file.
//!
//! The kernel takes the places that a section of the module lists, one pointer each, written by relocations:
//! `__mcount_loc` (`scripts/recordmcount.c`, objtool), or `__patchable_function_entries` where the kernel is built with
//! `CC_USING_PATCHABLE_FUNCTION_ENTRY` (arm64, loongarch64, ppc64le from 6.8 on; `FTRACE_CALLSITE_SECTION` of
//! include/linux/ftrace.h). On x86 the second one lists padding, and ftrace does not look at it. livepatch takes any place
//! within the function: `ftrace_location()` (kernel/trace/ftrace.c, 5.18 and later).

use std::collections::{BTreeMap, BTreeSet};

use object::elf;

use super::module::{Module, Symbol};
use super::{Error, names};

/// What ftrace can do with a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There is a place in it that calls ftrace.
    Site,
    /// It is a function without one: assembly, `notrace`, inlined into what has one.
    NoSite,
    /// It is in `.init*`, which is freed once the module's init has run.
    Init,
    /// It is no function.
    Data,
}

/// The places of a module.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    /// Offsets within each section, in rising order.
    by_section: BTreeMap<u32, Vec<u64>>,
}

/// How far before a function its place may stand where compilers put it there: arm64 has up to two instructions and a literal
/// in that room. Also how much of a function without a size is looked at. Bytes.
const BEFORE: u64 = 16;

impl Sites {
    /// Reads the places of a module. A list that cannot be read as relocations is an error.
    pub fn read(module: &Module<'_>) -> Result<Self, Error> {
        let (lists, _) = module.machine().ftrace_lists();
        let mut sites = Self::default();
        let is_list = |index: u32| {
            module.section(index).is_some_and(|section| lists.contains(&section.name) && section.is_alloc())
        };
        let tables = module.sections().iter().filter(|s| s.sh_type == elf::SHT_RELA.0 && is_list(s.info));
        for table in tables {
            for rela in module.relas(table.index)?.iter() {
                let Some(symbol) = module.symbol(rela.symbol) else { continue };
                let at = symbol.value.wrapping_add_signed(rela.addend);
                sites.by_section.entry(symbol.shndx.into()).or_default().push(at);
            }
        }
        sites.by_section.values_mut().for_each(|all| all.sort_unstable());
        Ok(sites)
    }

    /// Whether the module lists no place at all: it may have been built without ftrace.
    pub fn is_empty(&self) -> bool {
        self.by_section.is_empty()
    }

    /// What ftrace can do with each symbol of the names (as [`names::display`] writes them), in the order of the module's symbol
    /// table.
    pub fn of_names(&self, module: &Module<'_>, wanted: &BTreeSet<String>) -> BTreeMap<String, Vec<Reach>> {
        let mut reach: BTreeMap<String, Vec<Reach>> = BTreeMap::new();
        for symbol in module.symbols().filter(|symbol| symbol.shndx != 0) {
            if let Some(name) = symbol.name.map(names::display).filter(|name| wanted.contains(name)) {
                reach.entry(name).or_default().push(self.reach(module, &symbol));
            }
        }
        reach
    }

    /// What ftrace can do with a symbol of that module.
    pub fn reach(&self, module: &Module<'_>, symbol: &Symbol<'_>) -> Reach {
        let section = module.section(symbol.shndx.into()).filter(|section| section.index != 0);
        let Some(section) = section.filter(|section| section.is_code()) else { return Reach::Data };
        if section.name.starts_with(b".init") {
            return Reach::Init;
        }
        let (_, before) = module.machine().ftrace_lists();
        let start = symbol.value.saturating_sub(if before { BEFORE } else { 0 });
        // Assembly may leave the size out.
        let end = symbol.value.saturating_add(symbol.size.max(BEFORE));
        let places = self.by_section.get(&section.index).map(Vec::as_slice).unwrap_or_default();
        let first = places.partition_point(|at| *at < start);
        if places.get(first).is_some_and(|at| *at < end) { Reach::Site } else { Reach::NoSite }
    }
}

#[cfg(test)]
mod tests;
