//! A livepatch far larger than any real one, to be read: never loaded anywhere.

use anyhow::Context as _;
use object::Endianness;
use object::build::elf::{Builder, Relocation, SectionData, SectionId};
use object::elf::{
    EM_X86_64, ET_REL, R_X86_64_PC32, R_X86_64_PLT32, SHF_ALLOC, SHF_EXECINSTR, SHF_INFO_LINK, SHT_PROGBITS,
    SHT_RELA, SHT_STRTAB, SHT_SYMTAB, STB_GLOBAL, STT_NOTYPE, SectionType,
};

use crate::klp;

/// Symbols that the relocations ask for, in turn.
const SYMBOLS: usize = 10_000;

/// A module with so many livepatch relocations of `.text`, eight bytes apart.
pub(super) fn livepatch(relocations: usize) -> anyhow::Result<Vec<u8>> {
    let names: Vec<String> =
        (0..SYMBOLS).map(|n| format!(".klp.sym.klp_target.target_function_{n},{}", n % 3)).collect();
    let mut builder = Builder::new(Endianness::Little, true);
    builder.header.e_type = ET_REL;
    builder.header.e_machine = EM_X86_64;
    let modinfo = b"license=GPL\0livepatch=Y\0name=lp_bench\0vermagic=6.12.0 SMP mod_unload \0".to_vec();
    let text = add(&mut builder, ".text", SHT_PROGBITS, SectionData::Data(vec![0; 8 * relocations].into()));
    builder.sections.get_mut(text).sh_flags = SHF_ALLOC | SHF_EXECINSTR;
    let info = add(&mut builder, ".modinfo", SHT_PROGBITS, SectionData::Data(modinfo.into()));
    builder.sections.get_mut(info).sh_flags = SHF_ALLOC;
    let symtab = add(&mut builder, ".symtab", SHT_SYMTAB, SectionData::Symbol);
    let strtab = add(&mut builder, ".strtab", SHT_STRTAB, SectionData::String);
    add(&mut builder, ".shstrtab", SHT_STRTAB, SectionData::SectionString);
    builder.sections.get_mut(symtab).sh_link_section = Some(strtab);
    let symbols: Vec<_> = names
        .iter()
        .map(|name| {
            let symbol = builder.symbols.add();
            symbol.name = name.as_bytes().into();
            symbol.set_st_info(STB_GLOBAL, STT_NOTYPE);
            symbol.st_shndx = klp::SHN_LIVEPATCH;
            symbol.id()
        })
        .collect();
    let entries = (0..relocations).map(|n| Relocation {
        r_offset: 8 * n as u64,
        symbol: symbols.get(n % SYMBOLS).copied(),
        r_type: if n % 2 == 0 { R_X86_64_PLT32 } else { R_X86_64_PC32 },
        r_addend: -4,
    });
    let relas = SectionData::Relocation(entries.collect());
    let section = add(&mut builder, ".klp.rela.klp_target..text", SHT_RELA, relas);
    let section = builder.sections.get_mut(section);
    section.sh_flags = SHF_ALLOC | SHF_INFO_LINK | klp::SHF_RELA_LIVEPATCH;
    section.sh_link_section = Some(symtab);
    section.sh_info_section = Some(text);
    section.sh_entsize = 24;
    let mut out = Vec::new();
    builder.write(&mut out).context("cannot write the module")?;
    Ok(out)
}

fn add<'a>(
    builder: &mut Builder<'a>,
    name: &'static str,
    kind: SectionType,
    data: SectionData<'a>,
) -> SectionId {
    let section = builder.sections.add();
    section.name = name.as_bytes().into();
    section.sh_type = kind;
    section.sh_addralign = 8;
    section.data = data;
    section.id()
}
