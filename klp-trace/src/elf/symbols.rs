//! The symbols of a module that a livepatch patches, as the kernel sees them in its symbol table.
//!
//! While a module is COMING, kallsyms holds its whole symbol table; once its init has run, only the core symbols
//! (`add_kallsyms()` and `is_core_symbol()` of `kernel/module/kallsyms.c`, 6.1 to 7.3, with
//! `CONFIG_KALLSYMS_ALL`, which livepatch kernels of distributions have). So the same sympos may name different
//! symbols, or none; choosing among the occurrences is not done here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use object::elf;

use super::ftrace_sites::Reach;
use super::header::{Elf, Source};
use super::symtab::Symtab;
use super::{Error, Rule, limits, modinfo, names, notes, open};
use crate::arch::Machine;

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
    /// Whether its section is loaded to be executed.
    pub code: bool,
}

/// A module's file, read for the symbols of some names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFile {
    /// The module's name: `name=` of `.modinfo`, else from the file's name.
    pub name: String,
    /// `NT_GNU_BUILD_ID`, when the file has one.
    pub build_id: Option<Vec<u8>>,
    /// The architecture.
    pub machine: Machine,
    /// The modules that it depends on (`depends=`), as the kernel spells them; at most [`limits::DEPENDS`].
    pub depends: Vec<String>,
    found: BTreeMap<String, Vec<Occurrence>>,
    suffixed: BTreeMap<String, Vec<String>>,
    reach: BTreeMap<String, Vec<Reach>>,
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

    /// The names that are this one with a suffix of clang's LTO (`name.llvm.123`), which some kernels take for it; some of
    /// them.
    pub fn suffixed(&self, name: &str) -> &[String] {
        self.suffixed.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds what ftrace can do with the symbols of each name, as [`Sites::of_names`](super::ftrace_sites::Sites::of_names) has it.
    #[must_use]
    pub fn with_reach(self, reach: BTreeMap<String, Vec<Reach>>) -> Self {
        Self { reach, ..self }
    }

    /// What ftrace can do with each occurrence of a name; empty where that was not read, or the file does not tell.
    pub fn reach(&self, name: &str) -> &[Reach] {
        self.reach.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    fn parse_source(source: Source<'_>, wanted: &BTreeSet<String>) -> Result<Self, Error> {
        let elf = Elf::parse(source)?;
        let symtab = Symtab::parse(&elf)?;
        let strings = elf.strings(symtab.section.link)?;
        let info = elf.find(b".modinfo")?.map_or(Ok(&[][..]), |s| elf.bytes(s))?;
        let mut found: BTreeMap<String, Vec<Occurrence>> = BTreeMap::new();
        let mut suffixed: BTreeMap<String, Vec<String>> = BTreeMap::new();
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
                if let Some((base, _)) = name.split_once(LTO).filter(|(base, _)| wanted.contains(*base)) {
                    let list = suffixed.entry(base.to_owned()).or_default();
                    if list.len() < SUFFIXED {
                        list.push(name);
                    }
                }
                continue;
            }
            count += 1;
            if count > limits::OCCURRENCES {
                let what = "symbols of the wanted names";
                return Err(source.error(at, Rule::TooMany { what, limit: limits::OCCURRENCES }));
            }
            let section = elf.section(symbol.shndx.into()).filter(|s| s.index != 0);
            let section_name = section.map(|s| elf.section_name(s.index)).transpose()?;
            let code = section.is_some_and(|s| s.has(elf::SHF_ALLOC) && s.has(elf::SHF_EXECINSTR));
            let core =
                section.zip(section_name).is_some_and(|(s, name)| s.has(elf::SHF_ALLOC) && stays(name));
            found.entry(name).or_default().push(Occurrence {
                index,
                shndx: symbol.shndx,
                section: section_name.map(names::display),
                value: symbol.value,
                core,
                code,
            });
        }
        Ok(Self {
            name: modinfo::get(info, b"name")
                .map_or_else(|| names::display(&names::module_of_file(source.file)), names::display),
            build_id: notes::of_elf(&elf)?.map(<[u8]>::to_vec),
            machine: elf.machine,
            depends: modinfo::depends(info).map(|name| names::display(&names::normal(name))).collect(),
            found,
            suffixed,
            reach: BTreeMap::new(),
        })
    }
}

/// What clang's LTO puts between a static symbol's name and a number.
const LTO: &str = ".llvm.";
/// Suffixed names that are kept for each name.
const SUFFIXED: usize = 4;

/// Whether the loader keeps a section after init: not `.init*` (`module_init_section()`, a rule of names), and
/// not the two whose `SHF_ALLOC` it takes away (`rewrite_section_headers()`).
fn stays(section: &[u8]) -> bool {
    !section.starts_with(b".init") && section != b".modinfo" && section != b"__versions"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::{self, Made};

    /// An ordinary module: sections 1 .text, 2 .init.text, 3 .comment (not loaded), 4 .data..percpu, 5 .modinfo.
    fn module(symbols: &[(&str, u16, u64)]) -> Vec<u8> {
        let (table, strings) = testing::symbols(symbols);
        testing::build(vec![
            testing::section(".text", 1, 6, vec![0x90; 32]),
            testing::section(".init.text", 1, 6, vec![0x90; 32]),
            testing::section(".comment", 1, 0, vec![0; 8]),
            testing::section(".data..percpu", 1, 3, vec![0; 8]),
            testing::section(".modinfo", 1, 2, b"name=some_module\0".to_vec()),
            Made { link: 7, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
            testing::section(".strtab", 3, 0, strings),
        ])
    }

    fn read(data: &[u8], wanted: &[&str]) -> Result<ObjectFile, Error> {
        let wanted = wanted.iter().map(|name| (*name).to_owned()).collect();
        ObjectFile::parse(data, Path::new("some-module.ko"), &wanted)
    }

    #[test]
    fn occurrences_come_in_table_order_without_the_undefined() {
        let file = module(&[
            ("", 0, 0),
            ("twice", 2, 16),
            ("other", 1, 4),
            ("twice", 0, 99),
            ("twice", 1, 8),
            ("twice", 0xfff1, 5),
        ]);
        let object = read(&file, &["twice", "absent"]).unwrap();
        assert_eq!((object.name.as_str(), object.build_id.as_deref()), ("some_module", None));
        let found: Vec<_> = object
            .occurrences("twice")
            .iter()
            .map(|o| (o.index, o.section.as_deref(), o.value, o.core))
            .collect();
        assert_eq!(
            found,
            [(1, Some(".init.text"), 16, false), (4, Some(".text"), 8, true), (5, None, 5, false)]
        );
        assert!(object.occurrences("absent").is_empty());
        assert!(object.occurrences("other").is_empty(), "not asked for");
    }

    #[test]
    fn what_stays_after_init() {
        let file = module(&[("", 0, 0), ("s", 1, 0), ("s", 2, 0), ("s", 3, 0), ("s", 4, 0), ("s", 5, 0)]);
        let core: Vec<_> = read(&file, &["s"]).unwrap().occurrences("s").iter().map(|o| o.core).collect();
        assert_eq!(core, [true, false, false, true, false]);
    }

    #[test]
    fn damage_is_told() {
        let mut file = module(&[("", 0, 0), ("s", 1, 0)]);
        let at = testing::contents_at(&file, 6) + 24;
        testing::put(&mut file, at, &[255; 4]);
        let error = read(&file, &["s"]).unwrap_err();
        assert!(matches!(error.rule, Rule::NameOutOfRange { .. }), "{error}");
        assert_eq!(error.offset, at as u64);
        assert!(matches!(read(b"\x7fELF", &[]).unwrap_err().rule, Rule::TooShort { len: 4 }));
    }

    #[test]
    fn names_too_long_to_be_asked_for_are_passed_over() {
        let long = "x".repeat(64 << 10);
        let file = module(&[("", 0, 0), (&long, 1, 0), ("s", 1, 0)]);
        assert_eq!(read(&file, &["s"]).unwrap().occurrences("s").len(), 1);
    }
}
