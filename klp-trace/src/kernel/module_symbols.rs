//! A loaded module's own symbol table in kernel memory: what /proc/kallsyms shows of the module, without having the kernel
//! write out a quarter of a million lines of everything else.
//!
//! `module.kallsyms` (include/linux/module.h, 6.1 to 7.3) leads to the table that `klp_find_object_symbol()` searches: the
//! whole one while the module is loading, the symbols that stay once it is live.

use super::btf::KernelBtf;
use super::kallsyms::Query;
use super::kcore::Kcore;

/// Size of an `Elf64_Sym` (ELF-64 object file format, 1.5).
const ENTRY: usize = 24;
/// `KSYM_NAME_LEN`: no symbol of kallsyms has a longer name.
const NAME: u64 = 512;
/// Bytes of a symbol table, or of its names, that are read at most: some 100 times a large module's.
const MOST: u64 = 64 << 20;
/// `MODULE_NAME_LEN` on 64-bit.
const MODULE_NAME: usize = 56;

/// Where the kernel keeps it, by its BTF; bytes from the start of each struct.
#[derive(Debug, Clone, Copy)]
pub struct Offsets {
    /// `module.name`
    pub name: u32,
    /// `module.kallsyms`
    pub kallsyms: u32,
    /// `mod_kallsyms.symtab`
    pub symtab: u32,
    /// `mod_kallsyms.num_symtab`
    pub num_symtab: u32,
    /// `mod_kallsyms.strtab`
    pub strtab: u32,
}

impl Offsets {
    /// From the running kernel's BTF; `None`: this kernel keeps it otherwise.
    pub fn of(btf: &KernelBtf) -> Option<Self> {
        // A member of module has the other struct's type: no second search for that.
        let own = btf.offset("module", "core_kallsyms")?;
        let inner = |member: &str| btf.offset("module", &format!("core_kallsyms.{member}"))?.checked_sub(own);
        Some(Self {
            name: btf.offset("module", "name")?,
            kallsyms: btf.offset("module", "kallsyms")?,
            symtab: inner("symtab")?,
            num_symtab: inner("num_symtab")?,
            strtab: inner("strtab")?,
        })
    }
}

/// Puts the addresses of what is wanted of a module into a query, from the `struct module` at `module`. `None`, and
/// nothing put there, when that is no module of the name, or not all can be read.
pub fn fill(memory: &Kcore, offsets: &Offsets, module: u64, object: &[u8], query: &mut Query) -> Option<()> {
    let at = |base: u64, offset: u32| base.checked_add(offset.into());
    let word = |address: u64| memory.bytes(address).map(u64::from_le_bytes);
    if memory.string(at(module, offsets.name)?, MODULE_NAME)?.0 != object {
        return None;
    }
    let table = word(at(module, offsets.kallsyms)?)?;
    let count = u32::from_le_bytes(memory.bytes(at(table, offsets.num_symtab)?)?);
    let symbols = memory.many(word(at(table, offsets.symtab)?)?, ENTRY as u64 * u64::from(count), MOST)?;
    let symbols: Vec<Symbol> = symbols.chunks_exact(ENTRY).filter_map(Symbol::read).collect();
    let last = symbols.iter().map(|symbol| u64::from(symbol.name)).max().unwrap_or(0);
    let names = memory.many(word(at(table, offsets.strtab)?)?, last + NAME, MOST)?;
    let named = symbols.iter().filter(|symbol| symbol.defined).filter_map(|symbol| {
        let rest = names.get(usize::try_from(symbol.name).ok()?..)?;
        Some((rest.get(..memchr::memchr(0, rest)?)?, symbol.value))
    });
    query.take(object, named);
    Some(())
}

struct Symbol {
    name: u32,
    /// The kernel's search skips SHN_UNDEF (kernel/module/kallsyms.c, `module_kallsyms_on_each_symbol`).
    defined: bool,
    value: u64,
}

impl Symbol {
    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            name: u32::from_le_bytes(*bytes.first_chunk()?),
            defined: bytes.get(6..8)? != [0, 0],
            value: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::kcore::tests::core;

    const OFFSETS: Offsets = Offsets { name: 8, kallsyms: 64, symtab: 0, num_symtab: 8, strtab: 16 };
    const MODULE: u64 = 0xffff_ffff_c080_2000;

    /// A module `tmod` with these symbols: `st_shndx` and `st_value`, named a, b, a.
    fn memory(symbols: [(u16, u64); 3]) -> Kcore {
        let (table, symtab, strtab) = (MODULE + 0x1000, MODULE + 0x2000, MODULE + 0x3000);
        let mut module = vec![0; 72];
        module[8..12].copy_from_slice(b"tmod");
        module[64..72].copy_from_slice(&table.to_le_bytes());
        let mut info = symtab.to_le_bytes().to_vec();
        info.extend([3, 0, 0, 0, 0, 0, 0, 0]);
        info.extend(strtab.to_le_bytes());
        let mut bytes = Vec::new();
        for ((section, value), name) in symbols.into_iter().zip([1_u32, 3, 1]) {
            bytes.extend(name.to_le_bytes());
            bytes.extend([0x12, 0]);
            bytes.extend(section.to_le_bytes());
            bytes.extend(value.to_le_bytes());
            bytes.extend([0; 8]);
        }
        let mut names = b"\0a\0b\0".to_vec();
        names.resize(600, 0);
        let file = core(&[(MODULE, &module), (table, &info), (symtab, &bytes), (strtab, &names)]);
        crate::kernel::livepatch_memory::tests::open(&file)
    }

    fn query() -> Query {
        let mut query = Query::new();
        query.want("tmod", "a");
        query.want("tmod", "absent");
        query
    }

    #[test]
    fn addresses_come_in_the_tables_order_without_what_is_not_defined() {
        let kcore = memory([(1, 0x30), (1, 0x20), (2, 0x10)]);
        let mut query = query();
        fill(&kcore, &OFFSETS, MODULE, b"tmod", &mut query).unwrap();
        let symbols = query.known();
        assert_eq!(symbols.addresses("tmod", "a"), [0x30, 0x10]);
        assert!(symbols.present("tmod") && symbols.addresses("tmod", "absent").is_empty());
        let kcore = memory([(0, 0x30), (1, 0x20), (2, 0x10)]);
        let mut query = self::query();
        fill(&kcore, &OFFSETS, MODULE, b"tmod", &mut query).unwrap();
        assert_eq!(query.known().addresses("tmod", "a"), [0x10]);
    }

    #[test]
    fn what_is_no_such_module_gives_nothing() {
        let kcore = memory([(1, 0x30), (1, 0x20), (2, 0x10)]);
        let mut query = query();
        assert!(fill(&kcore, &OFFSETS, MODULE, b"other", &mut query).is_none());
        assert!(fill(&kcore, &OFFSETS, MODULE + 8, b"tmod", &mut query).is_none());
        assert!(fill(&kcore, &OFFSETS, 0x1000, b"tmod", &mut query).is_none());
        assert!(!query.known().present("tmod"));
    }
}
