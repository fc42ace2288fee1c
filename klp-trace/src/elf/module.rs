//! Any kernel module's file as it is, of any architecture with livepatching, for `inspect` and its lint.
//!
//! [`PatchFile`](super::PatchFile) refuses what a kernel would not load, because verdicts rest on it. Here the odd is
//! what people ask about: a livepatch section with a wrong name or type is kept together with what is wrong with it.
//! Damage is still an error: a section beyond the end of the file, names outside their table.
//!
//! Everything borrows from the file's bytes; nothing is made for each relocation.

mod objects;
mod relas;
mod tool;

use std::path::Path;

use object::{Endian as _, elf};

pub use objects::{Function, Objects, Origin, PatchedObject};
pub use relas::{Rela, Relas};
pub use tool::{BuiltBy, Tool};

use super::header::{Elf, Section as Header, Source, Strings, field};
use super::symtab::Symtab;
use super::{Error, Rule, klp, limits, modinfo, names, notes};
use crate::arch::{Machine, RelocType};

/// A module's file.
pub struct Module<'a> {
    elf: Elf<'a>,
    symtab: Symtab<'a>,
    strings: Strings<'a>,
    sections: Vec<Section<'a>>,
    klp: Vec<KlpSection<'a>>,
    modinfo: &'a [u8],
    build_id: Option<&'a [u8]>,
}

/// A section as its header tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its place in the section headers.
    pub index: u32,
    /// Its name.
    pub name: &'a [u8],
    /// `sh_type`.
    pub sh_type: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// Where its bytes stand in the (decompressed) file.
    pub offset: u64,
    /// Its bytes; those of NOBITS stand nowhere in the file.
    pub size: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`: of relocations, the section that they change.
    pub info: u32,
    /// `sh_entsize`.
    pub entsize: u64,
}

/// A section marked `SHF_RELA_LIVEPATCH`: the kernel takes it for livepatch relocations, whatever else it is.
pub struct KlpSection<'a> {
    /// Its index in the section headers.
    pub index: u32,
    /// Its whole name.
    pub name: &'a [u8],
    /// The gate that the kernel reads in its name; `None`: the kernel refuses the name.
    pub object: Option<&'a [u8]>,
    /// The section that it changes; `None`: `sh_info` names none, or a table.
    pub target: Option<u32>,
    /// Its entries, in the kernel's order; none when they cannot be read.
    pub relas: Relas<'a>,
    /// What is wrong with the section as a whole, by the rules that `watch` refuses it for.
    pub problems: Vec<Rule>,
}

/// A symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol<'a> {
    /// Its place in the symbol table.
    pub index: u32,
    /// Its name; `None`: outside the string table, or without an end.
    pub name: Option<&'a [u8]>,
    /// `st_info`: binding in the upper four bits, type in the lower.
    pub info: u8,
    /// `st_shndx`: the section that defines it, or a reserved index.
    pub shndx: u16,
    /// `st_value`: bytes into that section.
    pub value: u64,
    /// `st_size` in bytes.
    pub size: u64,
}

impl<'a> Symbol<'a> {
    /// Whether it is marked for livepatch to resolve.
    pub fn is_klp(&self) -> bool {
        self.shndx == klp::SHN_LIVEPATCH
    }

    /// The parts that the kernel reads in its name; `None` where it would refuse it, and for ordinary symbols.
    pub fn klp_name(&self) -> Option<klp::SymbolName<'a>> {
        klp::symbol(self.name?)
    }
}

impl Section<'_> {
    /// Whether it has all bits of `flags`.
    pub fn has(&self, flags: u64) -> bool {
        self.flags & flags == flags
    }

    /// Whether the module loader keeps it in memory (`SHF_ALLOC`).
    pub fn is_alloc(&self) -> bool {
        self.has(elf::SHF_ALLOC.0)
    }

    /// Whether it is loaded to be executed.
    pub fn is_code(&self) -> bool {
        self.has(elf::SHF_ALLOC.0 | elf::SHF_EXECINSTR.0)
    }

    /// Whether the kernel takes it for livepatch relocations.
    pub fn is_klp(&self) -> bool {
        self.has(klp::SHF_RELA_LIVEPATCH)
    }
}

impl<'a> Module<'a> {
    /// Reads the bytes of a plain ELF file; `path` and `decompressed` (see [`super::open::Contents`]) are for messages
    /// and the module's name.
    pub fn parse(data: &'a [u8], path: &'a Path, decompressed: bool) -> Result<Self, Error> {
        let elf = Elf::parse(Source { file: path, decompressed, data })?;
        let mut sections = Vec::with_capacity(usize::from(elf.count()));
        for index in 0..u32::from(elf.count()) {
            let Some(header) = elf.section(index) else { break };
            if index != 0 {
                // Where the file was cut, something is missing: said even of what nobody looks at.
                elf.bytes(header)?;
            }
            sections.push(Section::new(header, if index == 0 { b"" } else { elf.section_name(index)? }));
        }
        let symtab = Symtab::parse(&elf)?;
        let strings = elf.strings(symtab.section.link)?;
        let modinfo = modinfo_of(&elf)?;
        let build_id = notes::of_elf(&elf)?;
        let mut module = Self { elf, symtab, strings, sections, klp: Vec::new(), modinfo, build_id };
        let marked = module.sections.iter().skip(1).filter(|s| s.is_klp());
        module.klp = marked.map(|section| module.klp_section(section)).collect::<Result<_, _>>()?;
        if module.relocation_count() > limits::KLP_RELOCATIONS {
            let rule = Rule::TooMany { what: "livepatch relocations", limit: limits::KLP_RELOCATIONS };
            return Err(module.elf.error(module.klp.first().map_or(0, |s| s.index), field::SH_SIZE, rule));
        }
        Ok(module)
    }

    /// The file as the user named it.
    pub fn path(&self) -> &'a Path {
        self.elf.source.file
    }

    /// The machine that it is for.
    pub fn machine(&self) -> Machine {
        self.elf.machine
    }

    /// Whether its byte order is big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.elf.big_endian()
    }

    /// Every section, the null section first: each at its own index.
    pub fn sections(&self) -> &[Section<'a>] {
        &self.sections
    }

    /// A section by its index.
    pub fn section(&self, index: u32) -> Option<&Section<'a>> {
        self.sections.get(usize::try_from(index).ok()?)
    }

    /// The first section of a name.
    pub fn find(&self, name: &[u8]) -> Option<&Section<'a>> {
        self.sections.iter().skip(1).find(|s| s.name == name)
    }

    /// A section's bytes in the file; none for NOBITS.
    pub fn bytes(&self, index: u32) -> &'a [u8] {
        // Every range was checked at the start.
        self.elf.section(index).and_then(|header| self.elf.bytes(header).ok()).unwrap_or_default()
    }

    /// Every section that the kernel takes for livepatch relocations.
    pub fn klp_sections(&self) -> &[KlpSection<'a>] {
        &self.klp
    }

    /// Sections named as livepatch relocations without the mark: the kernel takes them for ordinary ones.
    pub fn unmarked(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().filter(|s| !s.is_klp() && s.name.starts_with(b".klp.rela."))
    }

    /// `.klp.arch.*`: alternatives and paravirt sites that kernels before 5.8 applied late. Later ones do not look at
    /// them.
    pub fn arch_leftovers(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().filter(|s| s.name.starts_with(b".klp.arch."))
    }

    /// The entries of a section of relocations, marked or not.
    pub fn relas(&self, index: u32) -> Result<Relas<'a>, Error> {
        self.elf.section(index).map_or_else(|| Ok(Relas::default()), |header| Relas::read(&self.elf, header))
    }

    /// How many livepatch relocations there are, NONE entries among them.
    pub fn relocation_count(&self) -> u64 {
        self.klp.iter().map(|s| s.relas.len() as u64).sum()
    }

    /// How many symbols there are, the null symbol among them.
    pub fn symbol_count(&self) -> u64 {
        self.symtab.len()
    }

    /// The index of the symbol table's section.
    pub fn symtab_index(&self) -> u32 {
        self.symtab.section.index
    }

    /// A symbol; `None`: the table has no such index.
    pub fn symbol(&self, index: u32) -> Option<Symbol<'a>> {
        let raw = self.symtab.get(index)?;
        let name = self.strings.get(raw.name, limits::ANY_SYMBOL_NAME_BYTES);
        Some(Symbol { index, name, info: raw.info, shndx: raw.shndx, value: raw.value, size: raw.size })
    }

    /// `st_shndx` of a symbol; `None`: the table has no such index.
    pub fn symbol_shndx(&self, index: u32) -> Option<u16> {
        self.symtab.get(index).map(|raw| raw.shndx)
    }

    /// Every symbol but the null symbol.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'a>> {
        (1..u32::try_from(self.symtab.len()).unwrap_or(u32::MAX)).filter_map(|index| self.symbol(index))
    }

    /// A relocation type by the tables of [`Machine::reloc`].
    pub fn reloc_type(&self, rtype: u32) -> Option<RelocType> {
        self.elf.machine.reloc(rtype)
    }

    /// The first value of a key of `.modinfo`.
    pub fn info(&self, key: &[u8]) -> Option<&'a [u8]> {
        modinfo::get(self.modinfo, key)
    }

    /// Whether the kernel takes the module for a livepatch: `.modinfo` has the key (`check_modinfo_livepatch()`).
    pub fn is_livepatch(&self) -> bool {
        self.info(b"livepatch").is_some()
    }

    /// The module's name: `name=` of `.modinfo`, else from the file's name, dashes as underscores.
    pub fn name(&self) -> Vec<u8> {
        self.info(b"name").map_or_else(|| names::module_of_file(self.path()), <[u8]>::to_vec)
    }

    /// The modules that it depends on, by `depends=` of `.modinfo`; at most [`limits::DEPENDS`].
    pub fn depends(&self) -> impl Iterator<Item = &'a [u8]> {
        modinfo::depends(self.modinfo)
    }

    /// `NT_GNU_BUILD_ID`.
    pub fn build_id(&self) -> Option<&'a [u8]> {
        self.build_id
    }

    /// The objects and functions that it patches; `None`: the file does not tell.
    pub fn objects(&self) -> Option<Objects<'a>> {
        objects::read(self)
    }

    /// Which tool built it; of a livepatch.
    pub fn built_by(&self) -> BuiltBy<'a> {
        tool::of(self)
    }

    /// The eight bytes at `offset` of a section, as a number of the file's byte order; `None`: not all are there.
    pub fn word(&self, index: u32, offset: u64) -> Option<u64> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.bytes(index).get(start..start.checked_add(8)?)?;
        Some(self.elf.order.read_u64(bytes.try_into().ok()?))
    }

    /// The four bytes at `offset` of a section, likewise.
    pub fn half(&self, index: u32, offset: u64) -> Option<u32> {
        let start = usize::try_from(offset).ok()?;
        let bytes = self.bytes(index).get(start..start.checked_add(4)?)?;
        Some(self.elf.order.read_u32(bytes.try_into().ok()?))
    }

    fn klp_section(&self, section: &Section<'a>) -> Result<KlpSection<'a>, Error> {
        let (index, name) = (section.index, || names::display(section.name));
        let mut problems = Vec::new();
        let object = klp::section_object(section.name);
        if object.is_none() {
            problems.push(Rule::SectionName { section: index, name: name() });
        }
        if section.link != self.symtab.section.index {
            problems.push(Rule::Link { section: index, link: section.link, expected: "the symbol table" });
        }
        let target = self.section(section.info).filter(|t| t.index != 0);
        let is_table =
            |t: &Section<'_>| [elf::SHT_RELA, elf::SHT_REL, elf::SHT_SYMTAB].iter().any(|k| k.0 == t.sh_type);
        let info = section.info;
        match target {
            None => {
                let count = self.elf.count();
                problems.push(Rule::TargetOutOfRange { section: index, name: name(), info, count });
            }
            Some(t) if is_table(t) => {
                problems.push(Rule::TargetIsTable { section: index, name: name(), info });
            }
            Some(_) => {}
        }
        let relas = if section.sh_type == elf::SHT_RELA.0 {
            match self.relas(index) {
                Ok(relas) => relas,
                Err(Error { rule: rule @ (Rule::EntrySize { .. } | Rule::RaggedSize { .. }), .. }) => {
                    problems.push(rule);
                    Relas::default()
                }
                Err(error) => return Err(error),
            }
        } else {
            problems.push(Rule::NotRela { section: index, name: name(), sh_type: section.sh_type });
            Relas::default()
        };
        let target = target.filter(|t| !is_table(t)).map(|t| t.index);
        Ok(KlpSection { index, name: section.name, object, target, relas, problems })
    }
}

impl<'a> Section<'a> {
    fn new(header: Header, name: &'a [u8]) -> Self {
        Self {
            index: header.index,
            name,
            sh_type: header.sh_type,
            flags: header.flags,
            offset: header.offset,
            size: header.size,
            link: header.link,
            info: header.info,
            entsize: header.entsize,
        }
    }
}

fn modinfo_of<'a>(elf: &Elf<'a>) -> Result<&'a [u8], Error> {
    let Some(section) = elf.find(b".modinfo")? else { return Ok(&[]) };
    let info = elf.bytes(section)?;
    if info.len() as u64 > limits::MODINFO_BYTES {
        let rule = Rule::TooLarge { what: ".modinfo", got: info.len() as u64, limit: limits::MODINFO_BYTES };
        return Err(elf.source.error(section.offset, rule));
    }
    Ok(info)
}

#[cfg(test)]
mod tests;
