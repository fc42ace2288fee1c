//! Drops DWARF and its relocations from the object, keeps BTF.

use anyhow::Context as _;
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

/// The object without what only a debugger reads.
pub fn strip(elf: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut builder = Builder::read(elf).context("the linked object is not an ELF file")?;
    // LLVM keeps section names in .strtab; the writer wants them apart.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    for section in &mut builder.sections {
        let name = section.name.to_vec();
        if name.starts_with(b".debug") || name.starts_with(b".rel.debug") {
            section.delete = true;
        }
    }
    builder.delete_orphans();
    builder.delete_unused_versions();
    builder.set_section_sizes();
    let mut out = Vec::new();
    builder.write(&mut out).context("write the stripped object")?;
    Ok(out)
}
