//! What the rules look at: a file's livepatch sections as they stand, right or wrong. [`Facts::of`] makes it.
//!
//! Entries stay where they are in the file, and names are borrowed from it: a hundred thousand relocations are read in
//! a few milliseconds, and most of them are nothing to speak of.

use std::borrow::Cow;
use std::num::NonZero;

use super::listed::Listed;
use crate::arch::Machine;
use crate::elf::built_for::BuiltFor;
use crate::elf::klp;
use crate::elf::module::{Rela, Relas};

/// The livepatch side of a file.
#[derive(Clone)]
pub struct Facts<'a> {
    /// The architecture.
    pub machine: Machine,
    /// Whether `.modinfo` has `livepatch=`: without it the module is none to the kernel.
    pub marked: bool,
    /// The kernel that it was built for.
    pub built_for: BuiltFor,
    /// The index of the one symbol table.
    pub symtab: u32,
    /// How many symbols it has.
    pub symbol_count: u64,
    /// Every section that has `SHF_RELA_LIVEPATCH` or is named `.klp.rela.*`.
    pub sections: Vec<Section<'a>>,
    /// The symbols that they refer to.
    pub symbols: Symbols<'a>,
    /// Sections named `.klp.arch.*`: index and name.
    pub leftovers: Vec<(u32, String)>,
    /// Ordinary relocations of loaded sections that refer to livepatch symbols.
    pub strays: Vec<Stray>,
    /// What ordinary relocations write in sections that livepatch relocations write to as well.
    pub written: Vec<Span>,
    /// The objects that the patch lists.
    pub objects: Listed,
    /// Steps of the build that were not run, told from what they would have used up.
    pub unfinished: Vec<Unfinished>,
}

/// A step of the build that was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The step.
    pub step: Step,
    /// What it would have used up: symbols or sections, escaped; the first of them.
    pub left: Vec<String>,
    /// How many there are.
    pub count: usize,
}

/// A step of the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What makes livepatch symbols of undefined symbols named `.klp.sym.<object>.<symbol>,<sympos>`.
    Conversion,
    /// klp-convert, which takes in `.klp.sym.rela.<gate>.<object>.<symbol>,<sympos>`, or a section of its own.
    KlpConvert,
    /// create-klp-module of kpatch-build, which takes in sections of its own.
    CreateKlpModule,
}

/// A livepatch relocation section, or what is named like one.
#[derive(Clone)]
pub struct Section<'a> {
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
    pub entries: Relas<'a>,
    /// The symbols that they refer to, each once; those that the symbol table does not have are left out.
    pub symbols: Vec<u32>,
    /// What some entry has about it that a rule speaks of.
    pub signs: Signs,
    /// The target's bytes in the file.
    pub(super) bytes: &'a [u8],
    /// Whether the target's words are big-endian.
    pub(super) big_endian: bool,
}

/// What at least one entry of a section has about it: rules look at the single entries only where there is something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signs(u8);

impl Signs {
    /// Its type is one that the loader does not know.
    pub const UNKNOWN_TYPE: Self = Self(1);
    /// It writes outside its target.
    pub const OUTSIDE: Self = Self(2);
    /// A byte that it writes is not zero in the file.
    pub const NOT_ZERO: Self = Self(4);
    /// Its symbol is none of the symbol table.
    pub const NO_SYMBOL: Self = Self(8);
    /// It writes before the end of what an earlier one of its section writes.
    pub const OUT_OF_ORDER: Self = Self(16);

    /// Adds a sign if it is there.
    pub(super) fn note(&mut self, sign: Self, there: bool) {
        self.0 |= if there { sign.0 } else { 0 };
    }

    /// Whether some entry has it.
    pub fn has(self, sign: Self) -> bool {
        self.0 & sign.0 != 0
    }
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

/// A symbol that a livepatch relocation refers to.
#[derive(Debug, Clone)]
pub struct Symbol<'a> {
    /// Its place in the symbol table.
    pub index: u32,
    /// Its name in the file, escaped.
    pub raw: Cow<'a, str>,
    /// `st_shndx`.
    pub shndx: u16,
    /// Where its parts stand in `raw`; `None` where the kernel cannot read them.
    pub(super) split: Option<Split>,
}

/// Where the parts of a symbol's name stand in it, and its position. There are as many as symbols: kept small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split {
    /// Bytes of the object's name, escaped.
    pub(super) object: NonZero<u16>,
    /// Bytes of the symbol's name, escaped.
    pub(super) name: NonZero<u16>,
    /// Which of that name; 0: the only one.
    pub(super) sympos: u64,
}

impl Symbol<'_> {
    /// Bytes of the symbol's own name, counted as it is shown; 0 where the kernel cannot read it.
    pub fn name_bytes(&self) -> usize {
        self.split.map_or(0, |split| usize::from(split.name.get()))
    }

    /// What it asks for; `None` where the kernel cannot read it.
    pub fn parts(&self) -> Option<Parts<'_>> {
        let Split { object, name, sympos } = self.split?;
        let (object, rest) =
            self.raw.get(klp::SYMBOL_PREFIX.len()..)?.split_at_checked(object.get().into())?;
        Some(Parts { object, name: rest.get(1..=name.get().into())?, sympos })
    }
}

/// The symbols, in the table's order.
#[derive(Debug, Clone, Default)]
pub struct Symbols<'a>(pub(super) Vec<Symbol<'a>>);

impl<'a> Symbols<'a> {
    /// The symbol of an index.
    pub fn get(&self, index: u32) -> Option<&Symbol<'a>> {
        self.0.binary_search_by_key(&index, |s| s.index).ok().and_then(|at| self.0.get(at))
    }

    /// Those of some indices, in rising order: mostly one is next to the other.
    pub fn each(&self, indices: &[u32]) -> impl Iterator<Item = &Symbol<'a>> {
        let mut next = 0;
        indices.iter().filter_map(move |index| {
            let is_next = self.0.get(next).is_some_and(|s| s.index == *index);
            let at = if is_next { next } else { self.0.binary_search_by_key(index, |s| s.index).ok()? };
            next = at + 1;
            self.0.get(at)
        })
    }

    /// Every one.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol<'a>> {
        self.0.iter()
    }
}

/// What a livepatch symbol asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Where it is looked up, escaped.
    pub object: &'a str,
    /// The name there, escaped.
    pub name: &'a str,
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

impl Section<'_> {
    /// Whether the kernel takes it for a livepatch's.
    pub fn is_marked(&self) -> bool {
        self.flags & klp::SHF_RELA_LIVEPATCH != 0
    }

    /// Whether the kernel would read nothing from it: not one entry.
    pub fn is_empty(&self) -> bool {
        self.size < 24
    }

    /// The module that gates it; `None` for vmlinux and for a name that cannot be read.
    pub fn module(&self) -> Option<&str> {
        self.gate.as_ref().map(|gate| gate.object.as_str()).filter(|object| *object != "vmlinux")
    }

    /// Whether one of the bytes that an entry writes, `size` of them, is not zero in the file. There is none past the
    /// target's end.
    pub fn is_nonzero(&self, entry: &Rela, size: u64) -> bool {
        let start = usize::try_from(entry.offset).unwrap_or(usize::MAX);
        let written = self.bytes.get(start..).unwrap_or_default();
        // No type writes more than eight bytes: one look, unless the section ends here.
        if let (Some(word), 1..=8) = (written.first_chunk(), size) {
            return u64::from_le_bytes(*word) << (64 - 8 * size) != 0;
        }
        written.iter().take(usize::try_from(size).unwrap_or(usize::MAX)).any(|b| *b != 0)
    }

    /// The word of four bytes at an offset of the target, of the file's byte order; `None` past its end.
    pub fn word(&self, offset: u64) -> Option<u32> {
        let bytes = *self.bytes.get(usize::try_from(offset).ok()?..)?.first_chunk()?;
        Some(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// Whether an entry writes `size` bytes that are not all within the target.
    pub fn is_outside(&self, entry: &Rela, size: u64) -> bool {
        let inside = |t: &Target| entry.offset.checked_add(size).is_some_and(|end| end <= t.size);
        size > 0 && self.target.as_ref().is_some_and(|target| !inside(target))
    }
}

impl<'a> Facts<'a> {
    /// The sections that the kernel hands to livepatch and that can hold entries.
    pub fn livepatch_sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.iter().filter(|s| s.is_marked())
    }

    /// How many bytes a relocation writes; 0 for NONE and for a type that the loader does not know.
    pub fn size(&self, entry: &Rela) -> u64 {
        self.machine.reloc(entry.rtype).map_or(0, |t| t.size.into())
    }
}
