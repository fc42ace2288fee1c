//! Which symbols addresses belong to: /proc/kallsyms read the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use super::kallsyms::VMLINUX;
use crate::elf::names;
use crate::journal::Nearest;

/// How far behind a symbol an address may be and still be called its own: no function or table of the kernel is larger,
/// and beyond lies other memory.
const REACH: u64 = 4 << 20;

/// The symbol at or before each address, nearest first come; without those that no symbol is near. A file of the form of
/// [`super::kallsyms::PATH`]. One pass.
pub fn nearest(path: &Path, addresses: &BTreeSet<u64>) -> io::Result<BTreeMap<u64, Nearest>> {
    let mut best: BTreeMap<u64, (u64, Vec<u8>)> = BTreeMap::new();
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        if let Some(at) = address(&line).filter(|at| *at != 0 && !is_no_symbol(&line)) {
            // The addresses that this symbol may be nearest to.
            for wanted in addresses.range(at..=at.saturating_add(REACH)) {
                if best.get(wanted).is_none_or(|(known, _)| *known < at) {
                    best.insert(*wanted, (at, line.clone()));
                }
            }
        }
        line.clear();
    }
    let found = |(wanted, (at, line)): (u64, (u64, Vec<u8>))| Some((wanted, symbol(&line, wanted - at)?));
    Ok(best.into_iter().filter_map(found).collect())
}

/// What a livepatch has resolved for it is listed too, and trampolines, which lie between modules, as if they were modules
/// of names that begin with `__builtin__` (kernel/kallsyms.c).
fn is_no_symbol(line: &[u8]) -> bool {
    line.get(19..).is_some_and(|name| {
        name.starts_with(b".klp.sym.") || memchr::memmem::find(name, b"\t[__builtin__").is_some()
    })
}

fn address(line: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(line.get(..16)?).ok()?, 16).ok()
}

/// `<16 hex digits> <type> <name>`, and for modules a tab and `[<module>]`.
fn symbol(line: &[u8], offset: u64) -> Option<Nearest> {
    let rest = line.trim_ascii_end().get(19..)?;
    let in_module = memchr::memrchr(b'\t', rest).and_then(|tab| {
        let (name, tail) = rest.split_at_checked(tab)?;
        Some((name, tail.strip_prefix(b"\t[")?.strip_suffix(b"]")?))
    });
    let (name, object) = in_module.unwrap_or((rest, VMLINUX.as_bytes()));
    let text = |bytes: &[u8]| Arc::<str>::from(names::display(bytes));
    Some(Nearest { object: text(object), symbol: text(name), offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_symbol_before_an_address_is_its_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "\
ffffffff81000000 T _stext
ffffffff81000010 T first
ffffffff81000040 T second
ffffffffc0802010 t in_module\t[tmod]
ffffffffc0802000 d __this_module\t[tmod]
0000000000000000 A zero
ffffffffc0802014 ? .klp.sym.tmod.in_module,0\t[lp]
ffffffffc0802016 t ftrace_trampoline\t[__builtin__ftrace]
";
        std::fs::write(file.path(), text).unwrap();
        let wanted = [0xffff_ffff_8100_003f, 0xffff_ffff_8100_0040, 0xffff_ffff_c080_2018, 0x18, u64::MAX];
        let found = nearest(file.path(), &BTreeSet::from(wanted)).unwrap();
        let shown: Vec<String> = found
            .values()
            .map(|near| format!("{}:{}+{:#x}", near.object, near.symbol, near.offset))
            .collect();
        assert_eq!(shown, ["vmlinux:first+0x2f", "vmlinux:second+0x0", "tmod:in_module+0x8"]);
    }
}
