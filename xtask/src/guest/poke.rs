//! Changes bytes of a relocation's target, and says what stands there and where it leads.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::kcore::Kcore;
use super::{FIXTURES, step, system};
use crate::scenario::exchange::{Poked, hex_of};
use crate::scenario::ko::{self, Reloc};

/// `poke PATCH SECTION N MASK`: the lowest byte of the target of the patch's N-th livepatch relocation (from 0, the
/// file's order) in its section SECTION is xored with MASK by the module `klp_poke`; with `zero` for MASK, all its bytes
/// become zero.
pub fn poke(words: &str) -> anyhow::Result<(i32, String, Option<Poked>)> {
    let [patch, section, number, mask] = words.split_whitespace().collect::<Vec<_>>()[..] else {
        bail!("poke PATCH SECTION N MASK, not poke {words}");
    };
    let number: usize = number.parse()?;
    let relocs = ko::relocations(&Path::new(FIXTURES).join(format!("{patch}.ko")))?;
    let reloc = relocs.iter().filter(|reloc| reloc.target == section).nth(number);
    let reloc = reloc.with_context(|| format!("{patch}.ko has no such relocation"))?;
    let base = system::sections(patch).get(section).copied();
    let base = base.with_context(|| format!("{patch} has no {section} in memory"))?;
    let address = base.wrapping_add(reloc.offset);
    let before = bytes(address, reloc)?;
    let (value, size) = match mask {
        "zero" => (0, before.len()),
        mask => (before.first().context("it writes nothing")? ^ mask.parse::<u8>()?, 1),
    };
    let mut insmod = Command::new("insmod");
    insmod.arg(Path::new(FIXTURES).join("klp_poke.ko"));
    insmod.args([format!("address={address:#x}"), format!("value={value}"), format!("size={size}")]);
    let (rc, output) = step::finish(&mut insmod)?;
    if rc != 0 {
        return Ok((rc, output, None));
    }
    let after = bytes(address, reloc)?;
    ensure!(after != before, "nothing has changed at {address:#x}");
    let symbols = leads_to(reloc, address, &after)?;
    let said = format!(
        "{address:#x}: {} is now {}, which leads to {}",
        hex_of(&before),
        hex_of(&after),
        symbols.join(", ")
    );
    Ok((0, said, Some(Poked { address, before: hex_of(&before), after: hex_of(&after), symbols })))
}

fn bytes(address: u64, reloc: &Reloc) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Kcore::open()?.read(address).context("/proc/kcore shows nothing of it")?;
    bytes.truncate(reloc.original.len());
    Ok(bytes)
}

/// The names of the symbols that stand nearest below the address to which these bytes lead.
fn leads_to(reloc: &Reloc, address: u64, bytes: &[u8]) -> anyhow::Result<Vec<String>> {
    let place = symbol_value(reloc, address, bytes)?;
    let kallsyms = std::fs::read_to_string("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
    let mut best = (0, Vec::new());
    for line in kallsyms.lines() {
        let mut words = line.split_whitespace();
        let (Some(at), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        let at = u64::from_str_radix(at, 16).unwrap_or(0);
        // A livepatch's own symbols stand there with the value last resolved.
        if at > place || at < best.0 || name.starts_with(".klp.sym.") {
            continue;
        }
        if at > best.0 {
            best = (at, Vec::new());
        }
        best.1.push(name.to_owned());
    }
    Ok(best.1)
}

/// S of the formula that makes these bytes (psABI for x86-64): S+A, or S+A-P for those that count from their place.
fn symbol_value(reloc: &Reloc, address: u64, bytes: &[u8]) -> anyhow::Result<u64> {
    ensure!([4, 8].contains(&bytes.len()), "{} bytes", bytes.len());
    let sign = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut value = [sign; 8];
    value.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    let value = i64::from_le_bytes(value);
    // R_X86_64_PC32, PLT32 and PC64.
    let from_place = if matches!(reloc.rtype, 2 | 4 | 24) { address } else { 0 };
    Ok(value.cast_unsigned().wrapping_sub(reloc.addend.cast_unsigned()).wrapping_add(from_place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_undone() {
        let mut reloc = Reloc {
            section: ".klp.rela.t..text".to_owned(),
            index: 0,
            object: "t".to_owned(),
            target: ".text".to_owned(),
            offset: 0,
            rtype: 2,
            symbol: ".klp.sym.t.fn,0".to_owned(),
            addend: -5,
            original: vec![0; 4],
        };
        // The example of the kernel's own documents: P=…c080104b, S=…c0266028.
        let (place, symbol) = (0xffff_ffff_c080_104b, 0xffff_ffff_c026_6028);
        assert_eq!(symbol_value(&reloc, place, &[0xd8, 0x4f, 0xa6, 0xff]).unwrap(), symbol);
        (reloc.rtype, reloc.addend) = (11, 0);
        assert_eq!(symbol_value(&reloc, place, &[0x28, 0x60, 0x26, 0xc0]).unwrap(), symbol);
        assert!(symbol_value(&reloc, place, &[0]).is_err());
    }
}
