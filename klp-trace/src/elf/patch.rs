//! A livepatch module's file: what it asks the kernel to write, where, and for which objects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{self, Rela64};

use super::header::{Elf, Section, Source, field};
use super::symtab::{Symtab, table};
use super::{Error, Rule, klp, limits, modinfo, names, notes, open};
use crate::arch::Arch;

/// A livepatch as its file describes it. All names went through [`names::display`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchFile {
    /// The file it was read from.
    pub path: PathBuf,
    /// The module's name: `name=` of `.modinfo`, else from the file's name, dashes as underscores.
    pub name: String,
    /// `NT_GNU_BUILD_ID`, when the file has one.
    pub build_id: Option<Vec<u8>>,
    /// The kernel it was built for: `vermagic=` of `.modinfo`.
    pub vermagic: Option<String>,
    /// `srcversion=` of `.modinfo`; many distributions build without.
    pub srcversion: Option<String>,
    /// The architecture, from `e_machine`.
    pub arch: Arch,
    /// Every section marked `SHF_RELA_LIVEPATCH`, in the order of their indices.
    pub sections: Vec<KlpSection>,
    /// The symbols that their relocations refer to, by index in the symbol table.
    pub symbols: BTreeMap<u32, KlpSymbol>,
    /// Sections named `.klp.rela.*` without the mark: the kernel does not take them as livepatch relocations.
    pub unmarked: Vec<String>,
}

/// One livepatch relocation section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KlpSection {
    /// Its index in the section headers: `relsec` of the kernel's `apply_relocate_add()`.
    pub index: u32,
    /// Its whole name.
    pub name: String,
    /// The object whose presence makes the kernel apply it (the gate).
    pub object: String,
    /// The section that is written to (`sh_info`).
    pub target_index: u32,
    /// Its name.
    pub target_name: String,
    /// Its size in bytes.
    pub target_size: u64,
    /// Whether it has `SHF_WRITE`: the patch itself may change the bytes at run time.
    pub target_writable: bool,
    /// Its `sh_flags`.
    pub target_flags: u64,
    /// The relocations, in the order in which the kernel applies them.
    pub relocs: Vec<KlpReloc>,
}

/// One entry of a livepatch relocation section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KlpReloc {
    /// Its place in its section, from 0.
    pub index: u32,
    /// Bytes into the target section.
    pub offset: u64,
    /// The type (`ELF64_R_TYPE`).
    pub rtype: u32,
    /// The addend.
    pub addend: i64,
    /// Index in the symbol table; a key of [`PatchFile::symbols`].
    pub symbol: u32,
    /// The file's eight bytes at the target, before any relocation: zero past the section's end, and for NOBITS.
    pub original: [u8; 8],
    /// Whether all bytes that the type writes lie in the target section. The kernel does not check.
    pub in_target: bool,
}

/// A symbol that the kernel is asked to find in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KlpSymbol {
    /// Its index in the symbol table.
    pub index: u32,
    /// Its name as it stands in the file.
    pub raw: String,
    /// The object to search: a module's name or `vmlinux`.
    pub object: String,
    /// The symbol's name in that object.
    pub name: String,
    /// 0: must be the only one of its name; n: the n-th.
    pub sympos: u64,
}

impl PatchFile {
    /// Reads a livepatch from a file, plain or compressed, within [`limits`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let contents = open::module(path)?;
        Self::parse_source(Source { file: path, decompressed: contents.decompressed, data: &contents.bytes })
    }

    /// Reads a livepatch from the bytes of a plain ELF file; `path` is for messages and the module's name.
    pub fn parse(data: &[u8], path: &Path) -> Result<Self, Error> {
        Self::parse_source(Source { file: path, decompressed: false, data })
    }

    /// How many relocations the file holds, NONE entries included.
    pub fn relocation_count(&self) -> usize {
        self.sections.iter().map(|s| s.relocs.len()).sum()
    }

    fn parse_source(source: Source<'_>) -> Result<Self, Error> {
        let elf = Elf::parse(source)?;
        let arch = elf.judged()?;
        let info_section = elf.find(b".modinfo")?;
        let info = info_section.map_or(Ok(&[][..]), |s| elf.bytes(s))?;
        let info_at = info_section.map_or(0, |s| s.offset);
        if info.len() as u64 > limits::MODINFO_BYTES {
            let rule =
                Rule::TooLarge { what: ".modinfo", got: info.len() as u64, limit: limits::MODINFO_BYTES };
            return Err(source.error(info_at, rule));
        }
        if modinfo::get(info, b"livepatch").is_none() {
            return Err(source.error(info_at, Rule::NotLivepatch));
        }
        let text = |key: &[u8]| modinfo::get(info, key).map(names::display);
        let mut reader = Reader {
            elf: &elf,
            arch,
            symtab: Symtab::parse(&elf)?,
            symbols: BTreeMap::new(),
            relocations: 0,
        };
        let mut sections = Vec::new();
        let mut unmarked = Vec::new();
        for section in elf.sections() {
            if section.flags & klp::SHF_RELA_LIVEPATCH != 0 {
                sections.push(reader.section(section)?);
            } else if elf.section_name(section.index)?.starts_with(b".klp.rela.") {
                unmarked.push(elf.label(section.index));
            }
        }
        check_overlaps(&elf, &sections)?;
        Ok(Self {
            path: source.file.to_owned(),
            name: text(b"name").unwrap_or_else(|| names::display(&names::module_of_file(source.file))),
            build_id: notes::of_elf(&elf)?.map(<[u8]>::to_vec),
            vermagic: text(b"vermagic"),
            srcversion: text(b"srcversion"),
            arch,
            sections,
            symbols: reader.symbols,
            unmarked,
        })
    }
}

/// What gathers while the sections are read.
struct Reader<'e, 'a> {
    elf: &'e Elf<'a>,
    arch: Arch,
    symtab: Symtab<'a>,
    symbols: BTreeMap<u32, KlpSymbol>,
    relocations: u64,
}

impl Reader<'_, '_> {
    fn section(&mut self, section: Section) -> Result<KlpSection, Error> {
        let (elf, index) = (self.elf, section.index);
        let raw_name = elf.section_name(index)?;
        let name = names::display(raw_name);
        if !section.is(elf::SHT_RELA) {
            return Err(elf.error(
                index,
                field::SH_TYPE,
                Rule::NotRela { section: index, name, sh_type: section.sh_type },
            ));
        }
        let Some(object) = klp::section_object(raw_name) else {
            return Err(elf.error(index, field::SH_NAME, Rule::SectionName { section: index, name }));
        };
        if section.link != self.symtab.section.index {
            let rule = Rule::Link { section: index, link: section.link, expected: "the symbol table" };
            return Err(elf.error(index, field::SH_LINK, rule));
        }
        let target = elf.section(section.info).filter(|t| t.index != 0);
        let Some(target) = target else {
            let rule =
                Rule::TargetOutOfRange { section: index, name, info: section.info, count: elf.count() };
            return Err(elf.error(index, field::SH_INFO, rule));
        };
        if [elf::SHT_RELA, elf::SHT_REL, elf::SHT_SYMTAB].into_iter().any(|t| target.is(t)) {
            let rule = Rule::TargetIsTable { section: index, name, info: section.info };
            return Err(elf.error(index, field::SH_INFO, rule));
        }
        Ok(KlpSection {
            index,
            object: names::display(object),
            target_index: target.index,
            target_name: names::display(elf.section_name(target.index)?),
            target_size: target.size,
            target_writable: target.has(elf::SHF_WRITE),
            target_flags: target.flags,
            relocs: self.relocs(section, target)?,
            name,
        })
    }

    fn relocs(&mut self, section: Section, target: Section) -> Result<Vec<KlpReloc>, Error> {
        let entries: &[Rela64<Endianness>] = table(self.elf, section)?;
        let bytes = self.elf.bytes(target)?;
        self.relocations = self.relocations.saturating_add(entries.len() as u64);
        if self.relocations > limits::KLP_RELOCATIONS {
            let rule = Rule::TooMany { what: "livepatch relocations", limit: limits::KLP_RELOCATIONS };
            return Err(self.elf.error(section.index, field::SH_SIZE, rule));
        }
        let mut relocs = Vec::with_capacity(entries.len());
        for (index, entry) in (0u32..).zip(entries) {
            let symbol = entry.r_sym(self.elf.order, false);
            if !self.symbols.contains_key(&symbol) {
                let found = self.symbol(section, index, symbol)?;
                self.symbols.insert(symbol, found);
            }
            let (offset, rtype) = (entry.r_offset.get(self.elf.order), entry.r_type(self.elf.order, false).0);
            let size = self.arch.size(rtype).unwrap_or(0);
            let end = offset.checked_add(size as u64).filter(|end| *end <= target.size);
            relocs.push(KlpReloc {
                index,
                offset,
                rtype,
                addend: entry.r_addend.get(self.elf.order),
                symbol,
                original: eight_at(bytes, offset),
                in_target: end.is_some(),
            });
        }
        Ok(relocs)
    }

    fn symbol(&self, section: Section, reloc: u32, index: u32) -> Result<KlpSymbol, Error> {
        let at = section.offset.saturating_add(u64::from(reloc) * 24);
        let Some(symbol) = self.symtab.get(index) else {
            let rule =
                Rule::SymbolIndex { section: section.index, reloc, symbol: index, count: self.symtab.len() };
            return Err(self.elf.source.error(at, rule));
        };
        if self.symbols.len() >= limits::KLP_SYMBOLS {
            let rule = Rule::TooMany { what: "livepatch symbols", limit: limits::KLP_SYMBOLS as u64 };
            return Err(self.elf.source.error(at, rule));
        }
        let symbol_at = self.symtab.offset(index);
        let strings = self.elf.strings(self.symtab.section.link)?;
        let what = || format!("symbol {index}");
        let raw = self.elf.string(&strings, symbol.name, limits::SYMBOL_NAME_BYTES, symbol_at, what)?;
        let name = names::display(raw);
        if symbol.shndx != klp::SHN_LIVEPATCH {
            let rule = Rule::NotLivepatchSymbol { section: section.index, reloc, symbol: index, name };
            return Err(self.elf.source.error(at, rule));
        }
        let Some(parts) = klp::symbol(raw) else {
            return Err(self.elf.source.error(symbol_at, Rule::SymbolName { symbol: index, name }));
        };
        let (object, own) = (names::display(parts.object), names::display(parts.name));
        Ok(KlpSymbol { index, raw: name, object, name: own, sympos: parts.sympos })
    }
}

/// Eight bytes from `offset`, zeros where there are none.
fn eight_at(bytes: &[u8], offset: u64) -> [u8; 8] {
    let mut eight = [0; 8];
    let there = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    for (to, from) in eight.iter_mut().zip(there) {
        *to = *from;
    }
    eight
}

/// Livepatch relocations share no byte of the file with another section (ELF specification, "Sections"); a file
/// in which they do was not made by a linker, and one witness would stand for two.
fn check_overlaps(elf: &Elf<'_>, sections: &[KlpSection]) -> Result<(), Error> {
    let mut ranges: Vec<(u64, u64, u32)> = elf
        .sections()
        .filter(|s| !s.is(elf::SHT_NOBITS) && s.size > 0)
        .map(|s| (s.offset, s.offset.saturating_add(s.size), s.index))
        .collect();
    ranges.sort_unstable();
    // The range so far that reaches furthest: an overlap with any earlier range is one with it.
    let mut furthest: Option<(u64, u32)> = None;
    let klp = |index| sections.binary_search_by_key(&index, |s| s.index).ok().and_then(|at| sections.get(at));
    for (start, end, index) in ranges {
        if let Some((_, other)) = furthest.filter(|(reach, _)| *reach > start) {
            let named = klp(index).map(|s| (s, other)).or_else(|| klp(other).map(|s| (s, index)));
            if let Some((section, other)) = named {
                let rule = Rule::Overlap { section: section.index, name: section.name.clone(), other };
                return Err(elf.error(section.index, field::SH_SIZE, rule));
            }
        }
        if furthest.is_none_or(|(reach, _)| end > reach) {
            furthest = Some((end, index));
        }
    }
    Ok(())
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
