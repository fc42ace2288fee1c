//! What the rules look at: a file's livepatch sections as they stand, right or wrong. [`Facts::of`] makes it.

use std::collections::BTreeMap;

use crate::arch::Machine;
use crate::elf::klp;

/// The livepatch side of a file.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The architecture.
    pub machine: Machine,
    /// Whether `.modinfo` has `livepatch=`: without it the module is none to the kernel.
    pub marked: bool,
    /// The index of the one symbol table.
    pub symtab: u32,
    /// How many symbols it has.
    pub symbol_count: u64,
    /// Every section that has `SHF_RELA_LIVEPATCH` or is named `.klp.rela.*`.
    pub sections: Vec<Section>,
    /// The symbols that they refer to, by index.
    pub symbols: BTreeMap<u32, Symbol>,
    /// Sections named `.klp.arch.*`: index and name.
    pub leftovers: Vec<(u32, String)>,
    /// Ordinary relocations of loaded sections that refer to livepatch symbols.
    pub strays: Vec<Stray>,
    /// What ordinary relocations write in sections that livepatch relocations write to as well.
    pub written: Vec<Span>,
    /// The objects that the patch lists.
    pub objects: Listed,
}

/// The objects that a patch lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Their names, escaped; `vmlinux` is the kernel itself.
    pub names: Vec<String>,
    /// Why there may be more; `None`: these are all.
    pub incomplete: Option<String>,
}

/// A livepatch relocation section, or what is named like one.
#[derive(Debug, Clone)]
pub struct Section {
    /// Its index.
    pub index: u32,
    /// Its name, escaped.
    pub name: String,
    /// Its gate by the kernel's reading of the name; `None` where the kernel cannot read it.
    pub gate: Option<Gate>,
    /// `sh_type`.
    pub sh_type: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_size`, in bytes.
    pub size: u64,
    /// `sh_entsize`.
    pub entsize: u64,
    /// `sh_link`.
    pub link: u32,
    /// `sh_info`.
    pub info: u32,
    /// The section that it writes to; `None` when `sh_info` names none.
    pub target: Option<Target>,
    /// Its entries.
    pub entries: Vec<Entry>,
}

/// The object whose presence makes the kernel apply a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// Its name, escaped.
    pub object: String,
    /// Whether the name in the file is longer than the 55 bytes that the kernel reads.
    pub cut: bool,
}

/// A section that is written to.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name, escaped.
    pub name: String,
    /// `sh_type`.
    pub sh_type: u32,
    /// `sh_flags`.
    pub flags: u64,
    /// `sh_size`, in bytes.
    pub size: u64,
}

/// A relocation.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its place in its section.
    pub index: u32,
    /// `r_offset`.
    pub offset: u64,
    /// The type.
    pub rtype: u32,
    /// The symbol's index.
    pub symbol: u32,
    /// Whether a byte that the type writes is not zero in the file.
    pub nonzero: bool,
}

/// A symbol that a livepatch relocation refers to.
#[derive(Debug, Clone)]
pub struct Symbol {
    /// Its name in the file, escaped.
    pub raw: String,
    /// `st_shndx`.
    pub shndx: u16,
    /// Its parts; `None` where the kernel cannot read them.
    pub parts: Option<Parts>,
}

/// What a livepatch symbol asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Where it is looked up, escaped.
    pub object: String,
    /// The name there, escaped.
    pub name: String,
    /// Which of that name; 0: the only one.
    pub sympos: u64,
}

/// An ordinary relocation that refers to a livepatch symbol.
#[derive(Debug, Clone)]
pub struct Stray {
    /// The relocation section's index.
    pub section: u32,
    /// Its name, escaped.
    pub name: String,
    /// The relocation's place in it.
    pub index: u32,
    /// The symbol's index, and its name, escaped.
    pub symbol: (u32, String),
}

/// Bytes that an ordinary relocation writes.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// The target section's index.
    pub target: u32,
    /// The first byte.
    pub offset: u64,
    /// How many.
    pub size: u64,
    /// The relocation section's index.
    pub section: u32,
    /// The relocation's place in it.
    pub index: u32,
}

impl Section {
    /// Whether the kernel takes it for a livepatch's.
    pub fn is_marked(&self) -> bool {
        self.flags & klp::SHF_RELA_LIVEPATCH != 0
    }

    /// The module that gates it; `None` for vmlinux and for a name that cannot be read.
    pub fn module(&self) -> Option<&str> {
        self.gate.as_ref().map(|gate| gate.object.as_str()).filter(|object| *object != "vmlinux")
    }
}

impl Facts {
    /// The sections that the kernel hands to livepatch and that can hold entries.
    pub fn livepatch_sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|s| s.is_marked())
    }

    /// How many bytes a relocation writes; 0 for NONE and for a type that the loader does not know.
    pub fn size(&self, entry: &Entry) -> u64 {
        self.machine.reloc(entry.rtype).map_or(0, |t| t.size.into())
    }
}
