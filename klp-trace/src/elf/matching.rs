//! Whether a file is the one that was loaded: by build-id, and by what the kernel holds of its relocations.
//!
//! Both are needed. A build-id survives post-link tools that rewrite relocations, and not every file has one. Pure:
//! what the kernel holds is handed in.

mod sets;

use std::collections::BTreeMap;
use std::fmt;

use super::patch::{KlpReloc, KlpSection, PatchFile};

/// How many differences are kept; the others are counted.
pub const KEPT: usize = 8;

/// `SHF_EXECINSTR` (ELF specification).
const SHF_EXECINSTR: u64 = 4;

/// The build-ids of a file and of the loaded module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildIds {
    /// Both have the same.
    Equal,
    /// Neither has one: only the entries can tell.
    NeitherHas,
    /// The loaded module shows none (`/sys/module/<m>/notes/.note.gnu.build-id`).
    LoadedLacks,
    /// The file has none.
    FileLacks,
    /// They differ: another build.
    Differ,
}

impl BuildIds {
    /// Compares two build-ids.
    pub fn compare(file: Option<&[u8]>, loaded: Option<&[u8]>) -> Self {
        match (file, loaded) {
            (Some(a), Some(b)) if a == b => Self::Equal,
            (Some(_), Some(_)) => Self::Differ,
            (None, None) => Self::NeitherHas,
            (Some(_), None) => Self::LoadedLacks,
            (None, Some(_)) => Self::FileLacks,
        }
    }
}

impl fmt::Display for BuildIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Equal => "build-ids are equal",
            Self::NeitherHas => "neither the file nor the loaded module has a build-id",
            Self::LoadedLacks => "the loaded module shows no build-id",
            Self::FileLacks => "the file has no build-id",
            Self::Differ => "build-ids differ",
        })
    }
}

/// One livepatch relocation section as the kernel holds it. Indices are the file's: the kernel keeps a livepatch's
/// section headers and its whole symbol table (`copy_module_elf()`, 6.1 to 7.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Its index (`relsec`).
    pub index: u32,
    /// Its name, escaped; `None` where the kernel did not say.
    pub name: Option<String>,
    /// The section that it writes to.
    pub target_index: u32,
    /// How many entries it has.
    pub total: u32,
    /// Those that were read: index, and what stands there.
    pub entries: BTreeMap<u32, Rela>,
    /// The whole names, escaped, of the symbols that are known, by index.
    pub symbols: BTreeMap<u32, String>,
}

/// An `Elf64_Rela` as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rela {
    /// `r_offset`.
    pub offset: u64,
    /// `ELF64_R_TYPE(r_info)`.
    pub rtype: u32,
    /// `r_addend`.
    pub addend: i64,
    /// `ELF64_R_SYM(r_info)`.
    pub symbol: u32,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The file has no such livepatch section.
    Section,
    /// The section's name.
    SectionName,
    /// `sh_info`.
    Target,
    /// The number of entries.
    Count,
    /// `r_offset`.
    Offset,
    /// The type.
    Type,
    /// `r_addend`.
    Addend,
    /// The symbol's index.
    Symbol,
    /// The symbol's name.
    SymbolName,
    /// The whole entry, where the kernel sorts them: offset, type, symbol and addend.
    Entry,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Section => "livepatch section",
            Self::SectionName => "section name",
            Self::Target => "target section",
            Self::Count => "number of relocations",
            Self::Offset => "offset",
            Self::Type => "type",
            Self::Addend => "addend",
            Self::Symbol => "symbol index",
            Self::SymbolName => "symbol name",
            Self::Entry => "entry",
        }
    }
}

/// A difference between the file and the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The livepatch section.
    pub section: u32,
    /// The relocation, for what differs in one.
    pub reloc: Option<u32>,
    /// What differs.
    pub field: Field,
    /// What the file has.
    pub file: String,
    /// What the kernel has.
    pub loaded: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section {}", self.section)?;
        if let Some(reloc) = self.reloc {
            write!(f, ", relocation {reloc}")?;
        }
        write!(f, ": {} is {} in the file, {} in the kernel", self.field.name(), self.file, self.loaded)
    }
}

/// What comparing a section gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The first differences, at most [`KEPT`].
    pub differences: Vec<Difference>,
    /// How many there are.
    pub different: u64,
    /// Entries that were compared.
    pub compared: u64,
    /// Entries of the kernel's section that were not read, so not compared.
    pub unread: u64,
    /// Compared entries whose symbol's name the kernel did not give.
    pub unnamed: u64,
    /// Where the file has each entry, by its index in memory; empty where the kernel keeps the file's order.
    pub order: BTreeMap<u32, u32>,
}

impl Comparison {
    /// Whether all of the section was compared and found equal. Less is no agreement.
    pub fn agrees(&self) -> bool {
        self.different == 0 && self.unread == 0 && self.unnamed == 0
    }

    fn differ(&mut self, section: u32, reloc: Option<u32>, field: Field, file: String, loaded: String) {
        self.different += 1;
        if self.differences.len() < KEPT {
            self.differences.push(Difference { section, reloc, field, file, loaded });
        }
    }
}

/// Compares a file with one section that the kernel holds.
pub fn compare(file: &PatchFile, loaded: &Loaded) -> Comparison {
    let mut result = Comparison::default();
    let index = loaded.index;
    let mut section = |field, file: String, loaded: String| result.differ(index, None, field, file, loaded);
    let Some(found) = file.sections.iter().find(|s| s.index == index) else {
        section(Field::Section, "absent".to_owned(), "present".to_owned());
        return result;
    };
    if let Some(name) = loaded.name.as_ref().filter(|name| **name != found.name) {
        section(Field::SectionName, found.name.clone(), name.clone());
    }
    if found.target_index != loaded.target_index {
        section(Field::Target, found.target_index.to_string(), loaded.target_index.to_string());
    }
    if found.relocs.len() as u64 != u64::from(loaded.total) {
        section(Field::Count, found.relocs.len().to_string(), loaded.total.to_string());
    }
    result.unread = u64::from(loaded.total).saturating_sub(loaded.entries.len() as u64);
    if file.arch.sorts(found.target_flags & SHF_EXECINSTR != 0) {
        sets::compare(&mut result, file, found, loaded);
        return result;
    }
    for (at, rela) in &loaded.entries {
        match usize::try_from(*at).ok().and_then(|at| found.relocs.get(at)) {
            Some(reloc) => entry(&mut result, file, found, loaded, reloc, *rela),
            // Beyond the file's entries: the count differs already.
            None => result.unread += 1,
        }
    }
    result
}

fn entry(
    result: &mut Comparison,
    file: &PatchFile,
    section: &KlpSection,
    loaded: &Loaded,
    reloc: &KlpReloc,
    rela: Rela,
) {
    result.compared += 1;
    let mut differ = |field, file: String, loaded: String| {
        result.differ(section.index, Some(reloc.index), field, file, loaded);
    };
    if reloc.offset != rela.offset {
        differ(Field::Offset, format!("{:#x}", reloc.offset), format!("{:#x}", rela.offset));
    }
    if reloc.rtype != rela.rtype {
        differ(Field::Type, reloc.rtype.to_string(), rela.rtype.to_string());
    }
    if reloc.addend != rela.addend {
        differ(Field::Addend, reloc.addend.to_string(), rela.addend.to_string());
    }
    if reloc.symbol != rela.symbol {
        differ(Field::Symbol, reloc.symbol.to_string(), rela.symbol.to_string());
    }
    named(result, file, section.index, reloc, rela, loaded);
}

/// The name of the symbol that both refer to.
fn named(
    result: &mut Comparison,
    file: &PatchFile,
    section: u32,
    reloc: &KlpReloc,
    rela: Rela,
    loaded: &Loaded,
) {
    match (file.symbols.get(&reloc.symbol), loaded.symbols.get(&rela.symbol)) {
        (Some(ours), Some(theirs)) if ours.raw != *theirs => {
            result.differ(section, Some(reloc.index), Field::SymbolName, ours.raw.clone(), theirs.clone());
        }
        (Some(_), Some(_)) => {}
        _ => result.unnamed += 1,
    }
}

#[cfg(test)]
mod tests;
