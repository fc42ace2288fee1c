//! A checked view of an ELF module: every offset, size, link and name is checked when it is used.

use std::path::Path;

use object::Endianness;
use object::elf::{self, FileHeader64, SectionHeader64};
use object::read::ReadRef as _;

use super::{Error, Rule, limits, names};
use crate::arch::{Arch, Machine};

type Shdr = SectionHeader64<Endianness>;

/// A section header in plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) index: u32,
    pub(crate) sh_name: u32,
    pub(crate) sh_type: u32,
    pub(crate) flags: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entsize: u64,
}

impl Section {
    fn new(index: u32, header: &Shdr, order: Endianness) -> Self {
        Self {
            index,
            sh_name: header.sh_name.get(order),
            sh_type: header.sh_type.get(order).0,
            flags: header.sh_flags.get(order).0,
            offset: header.sh_offset.get(order),
            size: header.sh_size.get(order),
            link: header.sh_link.get(order),
            info: header.sh_info.get(order),
            entsize: header.sh_entsize.get(order),
        }
    }

    pub(crate) fn is(&self, sh_type: elf::SectionType) -> bool {
        self.sh_type == sh_type.0
    }

    pub(crate) fn has(&self, flag: elf::SectionFlags) -> bool {
        self.flags & flag.0 != 0
    }
}

/// Where the fields of a section header stand in it (ELF-64 specification, figure 8).
pub(crate) mod field {
    pub(crate) const SH_NAME: u64 = 0;
    pub(crate) const SH_TYPE: u64 = 4;
    pub(crate) const SH_SIZE: u64 = 32;
    pub(crate) const SH_LINK: u64 = 40;
    pub(crate) const SH_INFO: u64 = 44;
    pub(crate) const SH_ENTSIZE: u64 = 56;
}

/// A string table.
#[derive(Clone, Copy)]
pub(crate) struct Strings<'a> {
    index: u32,
    bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// The string at `name`; `None`: outside the table, or longer than `limit`.
    pub(crate) fn get(&self, name: u32, limit: u64) -> Option<&'a [u8]> {
        let tail = self.bytes.get(usize::try_from(name).ok()?..)?;
        let within = tail.get(..usize::try_from(limit).ok()?).unwrap_or(tail);
        within.get(..memchr::memchr(0, within)?)
    }
}

/// A file's bytes, with what its errors say about it.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) file: &'a Path,
    pub(crate) decompressed: bool,
    pub(crate) data: &'a [u8],
}

impl Source<'_> {
    pub(crate) fn error(&self, offset: u64, rule: Rule) -> Error {
        Error { file: self.file.to_owned(), offset, decompressed: self.decompressed, rule }
    }

    fn len(&self) -> u64 {
        self.data.len() as u64
    }
}

/// Whether a file that begins so can be a module: its first 64 bytes.
pub(crate) fn possible(file: &Path, head: &[u8; 64]) -> Result<(), Error> {
    match Elf::parse(Source { file, decompressed: true, data: head }) {
        Err(error) => match error.rule {
            Rule::Truncated { end, .. } if end <= limits::FILE_BYTES => Ok(()),
            _ => Err(error),
        },
        Ok(_) => Ok(()),
    }
}

/// A relocatable ELF64 file of a machine with livepatching, whose section headers lie inside the file.
pub(crate) struct Elf<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) machine: Machine,
    pub(crate) order: Endianness,
    shoff: u64,
    sections: &'a [Shdr],
    shstrndx: u16,
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(source: Source<'a>) -> Result<Self, Error> {
        let data = source.data;
        let fail = |offset, rule| Err(source.error(offset, rule));
        if data.get(..4).is_some_and(|magic| magic != elf::ELFMAG) {
            return fail(0, Rule::NotElf);
        }
        let Ok(header) = data.read_at::<FileHeader64<Endianness>>(0) else {
            return fail(0, Rule::TooShort { len: source.len() });
        };
        if header.e_ident.class != elf::ELFCLASS64 {
            return fail(4, Rule::Not64Bit);
        }
        let order = match header.e_ident.data {
            elf::ELFDATA2LSB => Endianness::Little,
            elf::ELFDATA2MSB => Endianness::Big,
            other => return fail(5, Rule::DataEncoding { got: other.0 }),
        };
        let e_type = header.e_type.get(order).0;
        if e_type != elf::ET_REL.0 {
            return fail(16, Rule::NotRelocatable { e_type });
        }
        let number = header.e_machine.get(order).0;
        let Some(machine) = Machine::from_elf(number) else {
            return fail(18, Rule::NoLivepatching { machine: number });
        };
        let big_endian = order == Endianness::Big;
        if !machine.has_order(big_endian) {
            return fail(5, Rule::ByteOrder { machine: machine.name(big_endian), big_endian });
        }
        let (count, shstrndx) = (header.e_shnum.get(order), header.e_shstrndx.get(order).0);
        if count == 0 {
            return fail(60, Rule::NoSections);
        }
        let entry = header.e_shentsize.get(order);
        if usize::from(entry) != size_of::<Shdr>() {
            return fail(58, Rule::SectionHeaderSize { got: entry });
        }
        let shoff = header.e_shoff.get(order);
        range(source, 40, "the section header table", shoff, u64::from(count) * 64)?;
        let Ok(sections) = data.read_slice_at::<Shdr>(shoff, usize::from(count)) else {
            let end = shoff.saturating_add(u64::from(count) * 64);
            let what = "the section header table".to_owned();
            return fail(40, Rule::Truncated { what, end, len: source.len() });
        };
        let elf = Self { source, machine, order, shoff, sections, shstrndx };
        if shstrndx == 0 || shstrndx >= count {
            return fail(62, Rule::ShStrNdx { index: shstrndx, count });
        }
        elf.strings(shstrndx.into())?;
        Ok(elf)
    }

    /// The architecture by whose formulas relocations are judged; an error of the file for one that cannot be.
    pub(crate) fn judged(&self) -> Result<Arch, Error> {
        let machine = self.machine.name(self.big_endian());
        Arch::from_elf(self.machine.number(), self.big_endian())
            .ok_or_else(|| self.source.error(18, Rule::NotJudged { machine }))
    }

    pub(crate) fn big_endian(&self) -> bool {
        self.order == Endianness::Big
    }

    /// An error in the header of section `index`, at its field's offset.
    pub(crate) fn error(&self, index: u32, field: u64, rule: Rule) -> Error {
        self.source.error(self.at(index, field), rule)
    }

    /// Where a field of a section's header stands in the file.
    fn at(&self, index: u32, field: u64) -> u64 {
        self.shoff.saturating_add(u64::from(index) * 64 + field)
    }

    pub(crate) fn count(&self) -> u16 {
        // The slice was made from a 16-bit count.
        u16::try_from(self.sections.len()).unwrap_or(limits::SECTIONS)
    }

    pub(crate) fn section(&self, index: u32) -> Option<Section> {
        self.sections.get(usize::try_from(index).ok()?).map(|header| Section::new(index, header, self.order))
    }

    /// Every section but the first, which is the null section.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> + use<'a> {
        let order = self.order;
        (0u32..).zip(self.sections).skip(1).map(move |(index, header)| Section::new(index, header, order))
    }

    pub(crate) fn section_name(&self, index: u32) -> Result<&'a [u8], Error> {
        let name = self.section(index).map_or(0, |s| s.sh_name);
        let at = self.at(index, field::SH_NAME);
        let what = || format!("section {index}");
        self.string(&self.strings(self.shstrndx.into())?, name, limits::SECTION_NAME_BYTES, at, what)
    }

    /// A section's name for an error or a label: never fails.
    pub(crate) fn label(&self, index: u32) -> String {
        self.section_name(index).map_or_else(|_| "its name unreadable".to_owned(), names::display)
    }

    /// The first section of this name that is loaded, as the kernel's `find_sec()` looks for it.
    pub(crate) fn find(&self, name: &[u8]) -> Result<Option<Section>, Error> {
        for section in self.sections().filter(|s| s.has(elf::SHF_ALLOC)) {
            if self.section_name(section.index)? == name {
                return Ok(Some(section));
            }
        }
        Ok(None)
    }

    /// A section's bytes in the file; none for NOBITS.
    pub(crate) fn bytes(&self, section: Section) -> Result<&'a [u8], Error> {
        if section.is(elf::SHT_NOBITS) {
            return Ok(&[]);
        }
        let what = format!("section {} ({})", section.index, self.label(section.index));
        range(self.source, self.at(section.index, field::SH_SIZE), &what, section.offset, section.size)
    }

    /// The string at `name` of a string table; `at` and `what` tell whose name it is.
    pub(crate) fn string(
        &self,
        table: &Strings<'a>,
        name: u32,
        limit: u64,
        at: u64,
        what: impl Fn() -> String,
    ) -> Result<&'a [u8], Error> {
        let (table, bytes) = (table.index, table.bytes);
        let outside = || {
            self.source.error(at, Rule::NameOutOfRange { what: what(), name, table, len: bytes.len() as u64 })
        };
        let tail = usize::try_from(name).ok().and_then(|start| bytes.get(start..)).ok_or_else(outside)?;
        let within = usize::try_from(limit).unwrap_or(usize::MAX);
        match tail.iter().take(within).position(|b| *b == 0).and_then(|end| tail.get(..end)) {
            Some(text) => Ok(text),
            None if tail.len() < within => Err(outside()),
            None => Err(self.source.error(at, Rule::NameTooLong { what: what(), limit })),
        }
    }

    /// The bytes of a string table; its type and range are checked, without a name in the error (names come
    /// from here).
    pub(crate) fn strings(&self, index: u32) -> Result<Strings<'a>, Error> {
        let header = self.section(index);
        let Some(table) = header.filter(|s| s.is(elf::SHT_STRTAB)) else {
            let sh_type = header.map_or(0, |s| s.sh_type);
            return Err(self.error(index, field::SH_TYPE, Rule::NotStringTable { section: index, sh_type }));
        };
        let what = format!("string table {index}");
        let bytes = range(self.source, self.at(index, field::SH_SIZE), &what, table.offset, table.size)?;
        Ok(Strings { index, bytes })
    }
}

/// The bytes `offset..offset + size` of the file.
fn range<'a>(source: Source<'a>, at: u64, what: &str, offset: u64, size: u64) -> Result<&'a [u8], Error> {
    let Some(end) = offset.checked_add(size) else {
        return Err(source.error(at, Rule::RangeOverflow { what: what.to_owned() }));
    };
    source
        .data
        .read_bytes_at(offset, size)
        .map_err(|()| source.error(at, Rule::Truncated { what: what.to_owned(), end, len: source.len() }))
}
