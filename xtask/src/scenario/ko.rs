//! What a patch's file says must be relocated: the list that no journal may fall short of, or exceed.

use std::path::Path;

use anyhow::{Context, ensure};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, Rela as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, Object as _};

/// SHF_RELA_LIVEPATCH (include/uapi/linux/elf.h).
const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

/// One livepatch relocation of a file, R_*_NONE left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloc {
    /// The section it stands in.
    pub section: String,
    /// Its index there, from 0, R_*_NONE counted.
    pub index: u32,
    /// The object that gates it.
    pub object: String,
    /// The section it writes to.
    pub target: String,
    /// r_offset.
    pub offset: u64,
    /// The type.
    pub rtype: u32,
    /// The symbol's whole name.
    pub symbol: String,
    /// r_addend.
    pub addend: i64,
    /// The bytes at the target as the file has them, as many as the type writes.
    pub original: Vec<u8>,
}

/// The livepatch relocations of `path`, in the file's order.
pub fn relocations(path: &Path) -> anyhow::Result<Vec<Reloc>> {
    let data = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&data).with_context(|| path.display().to_string())
}

fn parse(data: &[u8]) -> anyhow::Result<Vec<Reloc>> {
    let file = ElfFile64::<LittleEndian>::parse(data)?;
    ensure!(file.architecture() == object::Architecture::X86_64, "not x86_64");
    let endian = LittleEndian;
    let table = file.elf_header().sections(endian, data)?;
    let symbols = table.symbols(endian, data, elf::SHT_SYMTAB)?;
    let mut relocs = Vec::new();
    for section in table.iter() {
        if section.sh_flags(endian).0 & SHF_RELA_LIVEPATCH == 0 {
            continue;
        }
        let name = String::from_utf8_lossy(table.section_name(endian, section)?).into_owned();
        let object = name.strip_prefix(".klp.rela.").and_then(|rest| rest.split('.').next());
        let object = object.with_context(|| format!("{name} names no object"))?.to_owned();
        let target = table.section(object::SectionIndex(section.sh_info(endian) as usize))?;
        let target_name = String::from_utf8_lossy(table.section_name(endian, target)?).into_owned();
        let bytes = target.data(endian, data)?;
        let (entries, _) = section.rela(endian, data)?.context("not a table of Elf64_Rela")?;
        for (index, entry) in entries.iter().enumerate() {
            let rtype = entry.r_type(endian, false);
            if rtype == elf::R_X86_64_NONE {
                continue;
            }
            let offset = entry.r_offset(endian);
            let start = usize::try_from(offset)?;
            let original = bytes.get(start..start + size(rtype)?).context("an offset past its section")?;
            let symbol = entry.symbol(endian, false).context("no symbol")?;
            let symbol = symbols.symbol(symbol)?.name(endian, symbols.strings())?;
            relocs.push(Reloc {
                section: name.clone(),
                index: u32::try_from(index)?,
                object: object.clone(),
                target: target_name.clone(),
                offset,
                rtype: rtype.0,
                symbol: String::from_utf8_lossy(symbol).into_owned(),
                addend: entry.r_addend(endian),
                original: original.to_vec(),
            });
        }
    }
    Ok(relocs)
}

/// How many bytes a relocation of this type writes (arch/x86/kernel/module.c, `__write_relocate_add`).
fn size(rtype: elf::RelocationType) -> anyhow::Result<usize> {
    Ok(match rtype {
        elf::R_X86_64_64 | elf::R_X86_64_PC64 => 8,
        elf::R_X86_64_PC32 | elf::R_X86_64_PLT32 | elf::R_X86_64_32 | elf::R_X86_64_32S => 4,
        other => anyhow::bail!("a relocation of type {}, which the kernel's loader refuses", other.0),
    })
}
