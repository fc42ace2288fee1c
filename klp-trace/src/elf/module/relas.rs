//! The entries of a relocation section, read where they stand.

use object::Endianness;
use object::elf::{self, Rela64};

use crate::elf::Error;
use crate::elf::header::{Elf, Section};
use crate::elf::symtab::table;

/// One entry, in plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rela {
    /// Its place in its section, from 0.
    pub index: u32,
    /// Bytes into the section that is changed.
    pub offset: u64,
    /// The type (`ELF64_R_TYPE`).
    pub rtype: u32,
    /// Index in the symbol table.
    pub symbol: u32,
    /// The addend.
    pub addend: i64,
}

/// The entries of a section.
#[derive(Clone, Copy)]
pub struct Relas<'a> {
    entries: &'a [Rela64<Endianness>],
    order: Endianness,
}

impl Default for Relas<'_> {
    fn default() -> Self {
        Self { entries: &[], order: Endianness::Little }
    }
}

impl<'a> Relas<'a> {
    /// Those of a section; none when it holds something else.
    pub(super) fn read(elf: &Elf<'a>, section: Section) -> Result<Self, Error> {
        if !section.is(elf::SHT_RELA) {
            return Ok(Self::default());
        }
        Ok(Self { entries: table(elf, section)?, order: elf.order })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Every entry, in the section's order.
    pub fn iter(&self) -> impl Iterator<Item = Rela> + use<'a> {
        let order = self.order;
        (0u32..).zip(self.entries).map(move |(index, entry)| Rela {
            index,
            offset: entry.r_offset.get(order),
            rtype: entry.r_type(order, false).0,
            symbol: entry.r_sym(order, false),
            addend: entry.r_addend.get(order),
        })
    }
}
