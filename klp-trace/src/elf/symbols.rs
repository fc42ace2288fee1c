//! The symbols of a module that a livepatch patches, as the kernel sees them in its symbol table.
//!
//! While a module is COMING, kallsyms holds its whole symbol table; once its init has run, only the core symbols
//! (`add_kallsyms()` and `is_core_symbol()` of `kernel/module/kallsyms.c`, 6.1 to 7.3, with
//! `CONFIG_KALLSYMS_ALL`, which livepatch kernels of distributions have). So the same sympos may name different
//! symbols, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use object::elf;

use super::header::{Elf, Source};
use super::symtab::Symtab;
use super::{Error, Rule, limits, modinfo, names, notes, open};

/// The set of a module's symbols that the kernel searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Every symbol but the undefined ones: while the module is COMING.
    Full,
    /// Those that stay after init.
    Core,
}

/// One symbol of a wanted name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its index in the symbol table.
    pub index: u32,
    /// `st_shndx`: the section that it is defined in, or a reserved index (`SHN_ABS` and others).
    pub shndx: u16,
    /// That section's name; `None` for reserved indices.
    pub section: Option<String>,
    /// `st_value`: bytes into the section. The address while loaded is the section's address plus this.
    pub value: u64,
    /// Whether it stays after the module's init.
    pub core: bool,
}

/// Why a sympos names no symbol, in the kernel's terms (`klp_find_object_symbol()`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// "symbol '%s' not found in symbol table".
    #[error("no such symbol")]
    NotFound,
    /// "unresolvable ambiguity for symbol '%s' in object '%s'".
    #[error("sympos 0 wants a single symbol of the name, there are {count}")]
    Ambiguous {
        /// How many have the name.
        count: u64,
    },
    /// "symbol position %lu for symbol '%s' in object '%s' not found".
    #[error("sympos {sympos} of {count} symbols of the name")]
    NoSuchPosition {
        /// What was asked for.
        sympos: u64,
        /// How many have the name.
        count: u64,
    },
}

/// A module's file, read for the symbols of some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFile {
    /// The module's name: `name=` of `.modinfo`, else from the file's name.
    pub name: String,
    /// `NT_GNU_BUILD_ID`, when the file has one.
    pub build_id: Option<Vec<u8>>,
    found: BTreeMap<String, Vec<Occurrence>>,
}

impl ObjectFile {
    /// Reads a module's file, plain or compressed, for the symbols named (as [`names::display`] writes them).
    pub fn read(path: &Path, wanted: &BTreeSet<String>) -> Result<Self, Error> {
        let contents = open::module(path)?;
        let source = Source { file: path, decompressed: contents.decompressed, data: &contents.bytes };
        Self::parse_source(source, wanted)
    }

    /// The same from the bytes of a plain ELF file; `path` is for messages and the module's name.
    pub fn parse(data: &[u8], path: &Path, wanted: &BTreeSet<String>) -> Result<Self, Error> {
        Self::parse_source(Source { file: path, decompressed: false, data }, wanted)
    }

    /// The symbols of a name in the table's order, without the undefined ones.
    pub fn occurrences(&self, name: &str) -> &[Occurrence] {
        self.found.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The symbol that the kernel finds for a name and sympos in a set.
    pub fn resolve(&self, name: &str, sympos: u64, set: Set) -> Result<&Occurrence, Unresolved> {
        let in_set = || self.occurrences(name).iter().filter(move |o| o.core || set == Set::Full);
        let count = in_set().count() as u64;
        match (sympos, count) {
            (_, 0) => Err(Unresolved::NotFound),
            (0, 2..) => Err(Unresolved::Ambiguous { count }),
            (0, _) => in_set().next().ok_or(Unresolved::NotFound),
            (n, _) => {
                let nth = usize::try_from(n - 1).ok().and_then(|n| in_set().nth(n));
                nth.ok_or(Unresolved::NoSuchPosition { sympos, count })
            }
        }
    }

    fn parse_source(source: Source<'_>, wanted: &BTreeSet<String>) -> Result<Self, Error> {
        let elf = Elf::parse(source)?;
        let symtab = Symtab::parse(&elf)?;
        let strings = elf.strings(symtab.section.link)?;
        let info = elf.find(b".modinfo")?.map_or(Ok(&[][..]), |s| elf.bytes(s))?;
        let mut found: BTreeMap<String, Vec<Occurrence>> = BTreeMap::new();
        let mut count = 0;
        for (index, symbol) in symtab.iter().filter(|(_, s)| s.shndx != elf::SHN_UNDEF.0) {
            let at = symtab.offset(index);
            let name = match elf
                .string(&strings, symbol.name, limits::SYMBOL_NAME_BYTES, at, || format!("symbol {index}"))
            {
                Ok(raw) => names::display(raw),
                // The kernel reads at most 511 bytes of a livepatch symbol's name: none can ask for this one.
                Err(Error { rule: Rule::NameTooLong { .. }, .. }) => continue,
                Err(error) => return Err(error),
            };
            if !wanted.contains(&name) {
                continue;
            }
            count += 1;
            if count > limits::OCCURRENCES {
                let what = "symbols of the wanted names";
                return Err(source.error(at, Rule::TooMany { what, limit: limits::OCCURRENCES }));
            }
            let section = elf.section(symbol.shndx.into()).filter(|s| s.index != 0);
            let section_name = section.map(|s| elf.section_name(s.index)).transpose()?;
            let core =
                section.zip(section_name).is_some_and(|(s, name)| s.has(elf::SHF_ALLOC) && stays(name));
            found.entry(name).or_default().push(Occurrence {
                index,
                shndx: symbol.shndx,
                section: section_name.map(names::display),
                value: symbol.value,
                core,
            });
        }
        Ok(Self {
            name: modinfo::get(info, b"name")
                .map_or_else(|| names::display(&names::module_of_file(source.file)), names::display),
            build_id: notes::of_elf(&elf)?,
            found,
        })
    }
}

/// Whether the loader keeps a section after init: not `.init*` (`module_init_section()`, a rule of names), and
/// not the two whose `SHF_ALLOC` it takes away (`rewrite_section_headers()`).
fn stays(section: &[u8]) -> bool {
    !section.starts_with(b".init") && section != b".modinfo" && section != b"__versions"
}
