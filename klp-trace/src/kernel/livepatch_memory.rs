//! A loaded livepatch's own records in kernel memory: its sections, their entries, its symbols.
//!
//! The kernel keeps a livepatch's ELF header, section headers and whole symbol table (`copy_module_elf()`,
//! kernel/module/livepatch.c; `sh_addr` is where each section is), under the file's indices.

use super::btf::KernelBtf;
use super::kcore::Kcore;

/// Set on a relocation section that livepatch applies (include/uapi/linux/elf.h).
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;
/// Size of an `Elf64_Shdr` (ELF-64 object file format, 1.5).
const SHDR: u64 = 64;
/// Size of an `Elf64_Rela`, and of an `Elf64_Sym`.
const ENTRY: u64 = 24;
/// Bytes of one table that are read at once: as many relocations as a file may have (elf/limits.rs).
const TABLE: u64 = ENTRY * crate::elf::limits::KLP_RELOCATIONS;
/// Bytes kept of a name: as the eBPF programs do (klp-trace-ebpf, record.rs).
const SECTION_NAME: usize = 255;
const SYMBOL_NAME: usize = 639;
/// `MODULE_NAME_LEN` on 64-bit.
const MODULE_NAME: usize = 56;

/// Where the kernel keeps what is read, by its BTF; bytes from the start of each struct.
#[derive(Debug, Clone, Copy)]
pub struct Offsets {
    /// `module.name`
    pub name: u32,
    /// `module.klp`
    pub klp: u32,
    /// `module.klp_info`
    pub klp_info: u32,
    /// `module.core_kallsyms.strtab`
    pub strtab: u32,
    /// `module.core_kallsyms.num_symtab`
    pub num_symtab: u32,
    /// `klp_modinfo.hdr.e_shnum`
    pub shnum: u32,
    /// `klp_modinfo.sechdrs`
    pub sechdrs: u32,
    /// `klp_modinfo.secstrings`
    pub secstrings: u32,
    /// `klp_modinfo.symndx`
    pub symndx: u32,
}

impl Offsets {
    /// From the running kernel's BTF; the name of what it lacks when it lacks something.
    pub fn of(btf: &KernelBtf) -> Result<Self, String> {
        let offset = |structure: &str, member: &str| {
            let lack = || {
                format!(
                    "the kernel has no {structure}.{member}: it is built without CONFIG_LIVEPATCH, or is newer than this \
                     klp-trace knows"
                )
            };
            btf.offset(structure, member).ok_or_else(lack)
        };
        Ok(Self {
            name: offset("module", "name")?,
            klp: offset("module", "klp")?,
            klp_info: offset("module", "klp_info")?,
            strtab: offset("module", "core_kallsyms.strtab")?,
            num_symtab: offset("module", "core_kallsyms.num_symtab")?,
            shnum: offset("klp_modinfo", "hdr.e_shnum")?,
            sechdrs: offset("klp_modinfo", "sechdrs")?,
            secstrings: offset("klp_modinfo", "secstrings")?,
            symndx: offset("klp_modinfo", "symndx")?,
        })
    }
}

/// A livepatch in memory.
#[derive(Debug)]
pub struct Livepatch<'a> {
    memory: &'a Kcore,
    /// `module.name`.
    pub name: Vec<u8>,
    headers: Vec<u8>,
    secstrings: u64,
    symtab: u64,
    symbols: u32,
    strtab: u64,
}

/// A section header's members that matter.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    name: u32,
    /// `sh_flags`
    pub flags: u64,
    /// `sh_addr`: where it is
    pub address: u64,
    /// `sh_size`
    pub size: u64,
    /// `sh_info`
    pub info: u32,
}

/// An `Elf64_Rela`: offset, info, addend.
pub type Rela = [u64; 3];

impl<'a> Livepatch<'a> {
    /// The livepatch whose `struct module` is at `module`; `None`: it is none, or something of it cannot be read.
    pub fn at(memory: &'a Kcore, offsets: &Offsets, module: u64) -> Option<Self> {
        let at = |base: u64, offset: u32| base.checked_add(offset.into());
        let (name, _) = memory.string(at(module, offsets.name)?, MODULE_NAME)?;
        let [klp] = memory.bytes(at(module, offsets.klp)?)?;
        let info = word(memory, at(module, offsets.klp_info)?)?;
        if klp == 0 || info == 0 {
            return None;
        }
        let shnum = u16::from_le_bytes(memory.bytes(at(info, offsets.shnum)?)?);
        let headers = memory.many(
            word(memory, at(info, offsets.sechdrs)?)?,
            SHDR * u64::from(shnum),
            SHDR * u64::from(u16::MAX),
        )?;
        let symndx = u32::from_le_bytes(memory.bytes(at(info, offsets.symndx)?)?);
        let mut found = Self {
            memory,
            name,
            headers,
            secstrings: word(memory, at(info, offsets.secstrings)?)?,
            symtab: 0,
            symbols: u32::from_le_bytes(memory.bytes(at(module, offsets.num_symtab)?)?),
            strtab: word(memory, at(module, offsets.strtab)?)?,
        };
        found.symtab = found.header(symndx)?.address;
        Some(found)
    }

    /// The header of a section.
    pub fn header(&self, index: u32) -> Option<Header> {
        let start = usize::try_from(SHDR.checked_mul(index.into())?).ok()?;
        let bytes = self.headers.get(start..)?;
        let long = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Some(Header {
            name: short(0)?,
            flags: long(8)?,
            address: long(16)?,
            size: long(32)?,
            info: short(44)?,
        })
    }

    /// The indices of the sections that livepatch applies.
    pub fn livepatch_sections(&self) -> Vec<u32> {
        let marked =
            |index: &u32| self.header(*index).is_some_and(|header| header.flags & SHF_RELA_LIVEPATCH != 0);
        (0..u32::from(u16::MAX)).take_while(|index| self.header(*index).is_some()).filter(marked).collect()
    }

    /// A section's name, and whether it was cut.
    pub fn section_name(&self, header: &Header) -> Option<(Vec<u8>, bool)> {
        self.memory.string(self.secstrings.checked_add(header.name.into())?, SECTION_NAME)
    }

    /// The entries of a relocation section.
    pub fn entries(&self, header: &Header) -> Option<Vec<Rela>> {
        let bytes = self.memory.many(header.address, header.size / ENTRY * ENTRY, TABLE)?;
        let entry = |bytes: &[u8]| {
            let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
            Some([word(0)?, word(8)?, word(16)?])
        };
        bytes.chunks_exact(24).map(entry).collect()
    }

    /// The symbol table, read at once.
    pub fn symbols(&self) -> Option<Symbols> {
        let table = self.memory.many(self.symtab, ENTRY * u64::from(self.symbols), TABLE)?;
        Some(Symbols { table, strtab: self.strtab })
    }
}

/// A livepatch's symbol table as it was at one moment.
#[derive(Debug)]
pub struct Symbols {
    table: Vec<u8>,
    strtab: u64,
}

impl Symbols {
    /// A symbol's first word (`st_name`, `st_info`, `st_other`, `st_shndx`) and `st_value`.
    pub fn get(&self, index: u32) -> Option<[u64; 2]> {
        let start = usize::try_from(ENTRY * u64::from(index)).ok()?;
        let bytes = self.table.get(start..)?;
        let word = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Some([word(0)?, word(8)?])
    }

    /// A symbol's name by its `st_name`, and whether it was cut.
    pub fn name(&self, memory: &Kcore, st_name: u32) -> Option<(Vec<u8>, bool)> {
        memory.string(self.strtab.checked_add(st_name.into())?, SYMBOL_NAME)
    }
}

fn word(memory: &Kcore, address: u64) -> Option<u64> {
    memory.bytes(address).map(u64::from_le_bytes)
}

#[cfg(test)]
pub(crate) mod tests;
