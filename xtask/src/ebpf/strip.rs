//! Drops from the object what only a debugger reads: DWARF, and the line numbers of .BTF.ext. BTF and the functions'
//! types stay: the kernel wants them. So the object says what the programs do, and a comment more or less in their
//! source does not change it.

use anyhow::{Context as _, ensure};
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
    let mut kept = None;
    for section in &mut builder.sections {
        let name = section.name.to_vec();
        if name.starts_with(b".debug") || name.starts_with(b".rel.debug") {
            section.delete = true;
        } else if name == b".BTF.ext"
            && let SectionData::Data(data) = &mut section.data
        {
            let shorter = without_lines(data).context(".BTF.ext")?;
            kept = Some(shorter.len() as u64);
            *data = shorter.into();
        }
    }
    let kept = kept.context("the linked object has no .BTF.ext: was bpf-linker given --btf?")?;
    for section in &mut builder.sections {
        if section.name[..] == b".rel.BTF.ext"[..]
            && let SectionData::Relocation(relocations) = &mut section.data
        {
            relocations.retain(|r| r.r_offset < kept);
        }
    }
    builder.delete_orphans();
    builder.delete_unused_versions();
    builder.set_section_sizes();
    let mut out = Vec::new();
    builder.write(&mut out).context("write the stripped object")?;
    Ok(out)
}

/// Offsets in .BTF.ext's header (Documentation/bpf/btf.rst, 4.2): each part has an offset, from the header's end, and
/// a length.
const HEADER_LENGTH: usize = 4;
const LINES: usize = 16;
const RELOCATIONS: usize = 24;

/// .BTF.ext without its line information, which follows the functions'.
fn without_lines(ext: &[u8]) -> anyhow::Result<Vec<u8>> {
    let field = |at: usize| -> anyhow::Result<u32> {
        let bytes = ext.get(at..at + 4).context("shorter than its header")?;
        Ok(u32::from_le_bytes(bytes.try_into()?))
    };
    let header = field(HEADER_LENGTH)?;
    let (lines, length) = (field(LINES)?, field(LINES + 4)?);
    let end = usize::try_from(header + lines)?;
    ensure!(end + usize::try_from(length)? == ext.len(), "the lines are not its last part");
    ensure!(header < 32 || field(RELOCATIONS + 4)? == 0, "it holds CO-RE relocations, which would be lost");
    let mut out = ext.get(..end).context("its lines begin beyond its end")?.to_vec();
    let mut set = |at: usize, value: u32| {
        if let Some(bytes) = out.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    };
    set(LINES + 4, 0);
    if header >= 32 {
        // Empty, but a reader checks that it begins within the section.
        set(RELOCATIONS, lines);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::without_lines;

    /// A header of 32 bytes, four bytes of functions, `lines` bytes of lines, `core` bytes of relocations claimed.
    fn ext(lines: u32, core: u32) -> Vec<u8> {
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for field in [32, 0, 4, 4, lines, 4 + lines, core] {
            out.extend_from_slice(&u32::to_le_bytes(field));
        }
        out.extend_from_slice(b"func");
        out.extend(std::iter::repeat_n(0xaa, lines as usize));
        out
    }

    #[test]
    fn lines_alone_go() {
        assert_eq!(without_lines(&ext(8, 0)).ok(), Some(ext(0, 0)));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(without_lines(&ext(8, 4)).is_err());
        assert!(without_lines(&ext(8, 0)[..40]).is_err());
        assert!(without_lines(b"\x9f\xeb\x01\x00").is_err());
    }
}
