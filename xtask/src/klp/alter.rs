//! Files that are not what was loaded, made of those that are: no witness may take the one for the other.

use anyhow::{Context, ensure};
use object::read::elf::{ElfFile64, FileHeader as _, Rela as _, SectionHeader as _};
use object::{LittleEndian, elf};

use super::convert::SHF_RELA_LIVEPATCH;

/// Where an `Elf64_Rela` has its addend (ELF specification): after offset and info.
const ADDEND: usize = 16;
/// Size of an `Elf64_Rela`.
const RELA_SIZE: usize = 24;

/// The module `bytes` with `from`, its name, replaced by `to` wherever it stands. Errors: the names differ in length.
pub fn renamed(bytes: &[u8], from: &str, to: &str) -> anyhow::Result<Vec<u8>> {
    ensure!(from.len() == to.len() && !from.is_empty(), "{from} and {to} are not of one length");
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(rest) = out.get_mut(at..).filter(|rest| rest.len() >= from.len()) {
        if rest.starts_with(from.as_bytes()) {
            for (old, new) in rest.iter_mut().zip(to.bytes()) {
                *old = new;
            }
        }
        at += 1;
    }
    Ok(out)
}

/// The livepatch `bytes` with `more` added to the addend of its first livepatch relocation that writes anything. Not
/// another byte changes: not the build-id either. Errors: not an ELF file, or it has no such relocation.
pub fn with_addend(bytes: &[u8], more: i64) -> anyhow::Result<Vec<u8>> {
    let endian = LittleEndian;
    let file = ElfFile64::<LittleEndian>::parse(bytes).context("not an ELF file")?;
    let table = file.elf_header().sections(endian, bytes)?;
    for section in table.iter() {
        if section.sh_flags(endian).0 & SHF_RELA_LIVEPATCH.0 == 0 {
            continue;
        }
        let (entries, _) = section.rela(endian, bytes)?.context("not a table of Elf64_Rela")?;
        let first = entries.iter().position(|entry| entry.r_type(endian, false) != elf::R_X86_64_NONE);
        let Some((number, entry)) = first.and_then(|number| Some((number, entries.get(number)?))) else {
            continue;
        };
        let at = usize::try_from(section.sh_offset(endian))? + number * RELA_SIZE + ADDEND;
        let addend = entry.r_addend(endian).wrapping_add(more);
        let mut out = bytes.to_vec();
        out.get_mut(at..at + 8).context("past the file's end")?.copy_from_slice(&addend.to_le_bytes());
        return Ok(out);
    }
    anyhow::bail!("no livepatch relocation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_wherever_it_stands() {
        assert_eq!(
            renamed(b"name=lp_alt\0lp_alt_show", "lp_alt", "lp_one").unwrap(),
            b"name=lp_one\0lp_one_show"
        );
        assert!(renamed(b"", "lp_alt", "lp_other").is_err());
        assert!(renamed(b"", "", "").is_err());
    }

    #[test]
    fn what_is_no_livepatch_has_no_addend_to_change() {
        assert!(with_addend(b"nonsense", 1).is_err());
    }
}
