//! The one symbol table of a module.

use object::Endianness;
use object::elf::{self, Sym64};
use object::read::ReadRef as _;

use super::header::{Elf, Section, field};
use super::{Error, Rule};

/// A symbol in plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Symbol {
    pub(crate) name: u32,
    pub(crate) info: u8,
    pub(crate) shndx: u16,
    pub(crate) value: u64,
    pub(crate) size: u64,
}

/// The symbol table, its entries in the file's bounds, its string table of the right type.
pub(crate) struct Symtab<'a> {
    pub(crate) section: Section,
    entries: &'a [Sym64<Endianness>],
    order: Endianness,
}

impl<'a> Symtab<'a> {
    /// The symbol table of a module: exactly one, as the kernel's loader wants.
    pub(crate) fn parse(elf: &Elf<'a>) -> Result<Self, Error> {
        let mut tables = elf.sections().filter(|s| s.is(elf::SHT_SYMTAB));
        let (Some(section), None) = (tables.next(), tables.next()) else {
            let count =
                u32::try_from(elf.sections().filter(|s| s.is(elf::SHT_SYMTAB)).count()).unwrap_or(u32::MAX);
            return Err(elf.error(0, 0, Rule::SymbolTables { count }));
        };
        if !elf.section(section.link).is_some_and(|s| s.is(elf::SHT_STRTAB)) {
            let rule = Rule::Link { section: section.index, link: section.link, expected: "a string table" };
            return Err(elf.error(section.index, field::SH_LINK, rule));
        }
        Ok(Self { section, entries: table(elf, section)?, order: elf.order })
    }

    pub(crate) fn len(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(crate) fn get(&self, index: u32) -> Option<Symbol> {
        self.entries.get(usize::try_from(index).ok()?).map(|entry| Symbol::new(entry, self.order))
    }

    /// Every symbol with its index, in the table's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Symbol)> + use<'a> {
        let order = self.order;
        (0u32..).zip(self.entries.iter().map(move |entry| Symbol::new(entry, order)))
    }

    /// Where symbol `index` stands in the file.
    pub(crate) fn offset(&self, index: u32) -> u64 {
        self.section.offset.saturating_add(u64::from(index) * 24)
    }
}

impl Symbol {
    fn new(entry: &Sym64<Endianness>, order: Endianness) -> Self {
        Self {
            name: entry.st_name.get(order),
            info: entry.st_info.0,
            shndx: entry.st_shndx.get(order).0,
            value: entry.st_value.get(order),
            size: entry.st_size.get(order),
        }
    }
}

/// A section's entries, after its entry size and size are checked.
pub(crate) fn table<'a, T: object::Pod>(elf: &Elf<'a>, section: Section) -> Result<&'a [T], Error> {
    let (index, entry) = (section.index, size_of::<T>() as u64);
    if section.entsize != entry {
        let rule = Rule::EntrySize { section: index, got: section.entsize, expected: entry };
        return Err(elf.error(index, field::SH_ENTSIZE, rule));
    }
    let bytes = elf.bytes(section)?;
    let ragged =
        || elf.error(index, field::SH_SIZE, Rule::RaggedSize { section: index, size: section.size, entry });
    if !section.size.is_multiple_of(entry) {
        return Err(ragged());
    }
    bytes.read_slice_at(0, bytes.len() / size_of::<T>()).map_err(|()| ragged())
}
