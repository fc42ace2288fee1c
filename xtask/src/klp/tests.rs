//! Round trips of a small module through the rewriter, read back with `object`'s reader.

use object::build::elf::{Builder, Relocation, SectionData, SymbolId};
use object::elf::{
    self, ET_REL, FileHeader64, R_X86_64_64, R_X86_64_PC32, SHF_ALLOC, SHF_INFO_LINK, SHN_UNDEF, SHT_NOTE,
    SHT_PROGBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB,
};
use object::read::elf::{FileHeader, Rela as _, SectionHeader, Sym};
use object::{Endianness, SectionIndex};

use super::convert;
use super::convert::{SHF_RELA_LIVEPATCH, SHN_LIVEPATCH};

const NOTE: &[u8] = b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\x01\x02\x03\x04";
const TEXT: &[u8] = &[0xe8; 40];
const DATA: &[u8] = &[0; 16];

/// Symbols of the module that [`module`] builds: an ordinary one and livepatch symbols of two objects.
const NAMES: [&str; 4] = ["printk", ".klp.sym.one.fn,0", ".klp.sym.two.fn,1", ".klp.sym.one.data,0"];

/// Relocations: section (0 text, 1 data), offset, symbol, addend.
type Entry = (usize, u64, usize, i64);
const ENTRIES: [Entry; 6] =
    [(0, 1, 0, -4), (0, 6, 1, -4), (0, 11, 2, -4), (0, 16, 3, -8), (0, 21, 0, -4), (1, 0, 3, 8)];

struct Module {
    names: Vec<&'static str>,
    entries: Vec<Entry>,
    /// Whether the data section is loaded.
    loaded: bool,
    /// The symbol that the module defines itself.
    defined: Option<usize>,
}

fn module() -> Module {
    Module { names: NAMES.to_vec(), entries: ENTRIES.to_vec(), loaded: true, defined: None }
}

impl Module {
    fn build(&self) -> Vec<u8> {
        let mut builder = Builder::new(Endianness::Little, true);
        builder.header.e_type = ET_REL;
        builder.header.e_machine = elf::EM_X86_64;
        let mut add = |name: &'static str, kind, data| {
            let section = builder.sections.add();
            section.name = name.as_bytes().into();
            section.sh_type = kind;
            section.sh_addralign = 8;
            section.data = data;
            section.id()
        };
        let text = add(".text", SHT_PROGBITS, SectionData::Data(TEXT.into()));
        let data = add(".data", SHT_PROGBITS, SectionData::Data(DATA.into()));
        add(".note.gnu.build-id", SHT_NOTE, SectionData::Note(NOTE.into()));
        let symtab = add(".symtab", SHT_SYMTAB, SectionData::Symbol);
        let strtab = add(".strtab", SHT_STRTAB, SectionData::String);
        add(".shstrtab", SHT_STRTAB, SectionData::SectionString);
        builder.sections.get_mut(text).sh_flags = SHF_ALLOC;
        if self.loaded {
            builder.sections.get_mut(data).sh_flags = SHF_ALLOC;
        }
        builder.sections.get_mut(symtab).sh_link_section = Some(strtab);
        let symbols: Vec<SymbolId> = self
            .names
            .iter()
            .enumerate()
            .map(|(index, name)| {
                let symbol = builder.symbols.add();
                symbol.name = name.as_bytes().into();
                symbol.set_st_info(elf::STB_GLOBAL, elf::STT_NOTYPE);
                symbol.st_shndx = SHN_UNDEF;
                symbol.section = (self.defined == Some(index)).then_some(text);
                symbol.id()
            })
            .collect();
        for (which, target) in [text, data].into_iter().enumerate() {
            let relocations = self.relocations(which, &symbols);
            let section = builder.sections.add();
            section.name = [".rela.text", ".rela.data"][which].as_bytes().into();
            section.sh_type = SHT_RELA;
            section.sh_flags = SHF_INFO_LINK;
            section.sh_link_section = Some(symtab);
            section.sh_info_section = Some(target);
            section.sh_addralign = 8;
            section.sh_entsize = 24;
            section.data = SectionData::Relocation(relocations);
        }
        let mut out = Vec::new();
        builder.write(&mut out).unwrap();
        out
    }

    fn relocations(&self, which: usize, symbols: &[SymbolId]) -> Vec<Relocation> {
        let kind = [R_X86_64_PC32, R_X86_64_64][which];
        self.entries
            .iter()
            .filter(|entry| entry.0 == which)
            .map(|&(_, r_offset, symbol, r_addend)| Relocation {
                r_offset,
                symbol: Some(symbols[symbol]),
                r_type: kind,
                r_addend,
            })
            .collect()
    }
}

/// One relocation section as it stands in a file.
#[derive(Debug, PartialEq)]
struct Rela {
    name: String,
    flags: u64,
    target: String,
    entries: Vec<(u64, String, u32, i64)>,
}

/// Reads back every relocation section, in order, checking its link to the symbol table.
fn read(bytes: &[u8]) -> Vec<Rela> {
    let header = FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let symbols = sections.symbols(endian, bytes, SHT_SYMTAB).unwrap();
    let name = |index: usize| {
        let section = sections.section(SectionIndex(index)).unwrap();
        String::from_utf8_lossy(sections.section_name(endian, section).unwrap()).into_owned()
    };
    let mut found = Vec::new();
    for (index, section) in sections.enumerate() {
        let Some((entries, link)) = section.rela(endian, bytes).unwrap() else { continue };
        assert_eq!(link, symbols.section());
        let entries = entries.iter().map(|entry| {
            let symbol = symbols.symbol(entry.symbol(endian, false).unwrap()).unwrap();
            let symbol = String::from_utf8_lossy(symbols.symbol_name(endian, symbol).unwrap()).into_owned();
            (entry.r_offset.get(endian), symbol, entry.r_type(endian, false).0, entry.r_addend.get(endian))
        });
        found.push(Rela {
            name: name(index.0),
            flags: section.sh_flags(endian).0,
            target: name(section.sh_info(endian) as usize),
            entries: entries.collect(),
        });
    }
    found
}

/// Contents of the section `name`.
fn contents<'a>(bytes: &'a [u8], name: &str) -> &'a [u8] {
    let header = FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    sections.section_by_name(endian, name.as_bytes()).unwrap().1.data(endian, bytes).unwrap()
}

fn rela(name: &str, flags: u64, target: &str, entries: &[(u64, &str, elf::RelocationType, i64)]) -> Rela {
    let entries =
        entries.iter().map(|(at, symbol, kind, addend)| (*at, (*symbol).to_owned(), kind.0, *addend));
    Rela { name: name.into(), flags, target: target.into(), entries: entries.collect() }
}

#[test]
fn marked_relocations_move_by_gate_and_the_others_stay() {
    let converted = convert(&module().build()).unwrap().unwrap();
    let klp = (SHF_ALLOC | SHF_INFO_LINK | SHF_RELA_LIVEPATCH).0;
    assert_eq!(klp, 0x0010_0042);
    let [printk, one_fn, two_fn, one_data] = NAMES;
    let expected = [
        rela(".rela.text", 0x40, ".text", &[(1, printk, R_X86_64_PC32, -4), (21, printk, R_X86_64_PC32, -4)]),
        rela(
            ".klp.rela.one..text",
            klp,
            ".text",
            &[(6, one_fn, R_X86_64_PC32, -4), (16, one_data, R_X86_64_PC32, -8)],
        ),
        rela(".klp.rela.two..text", klp, ".text", &[(11, two_fn, R_X86_64_PC32, -4)]),
        rela(".klp.rela.one..data", klp, ".data", &[(0, one_data, R_X86_64_64, 8)]),
    ];
    assert_eq!(read(&converted), expected);
}

#[test]
fn marked_symbols_alone_become_livepatch_symbols() {
    let converted = convert(&module().build()).unwrap().unwrap();
    let bytes = converted.as_slice();
    let header = FileHeader64::<Endianness>::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let symbols = sections.symbols(endian, bytes, SHT_SYMTAB).unwrap();
    let found: Vec<_> = symbols.iter().skip(1).map(|symbol| symbol.st_shndx(endian)).collect();
    assert_eq!(found, [SHN_UNDEF, SHN_LIVEPATCH, SHN_LIVEPATCH, SHN_LIVEPATCH]);
}

#[test]
fn contents_and_the_build_id_stay() {
    let before = module().build();
    let after = convert(&before).unwrap().unwrap();
    for name in [".text", ".data", ".note.gnu.build-id"] {
        assert_eq!(contents(&before, name), contents(&after, name), "{name}");
    }
    assert_eq!(contents(&after, ".note.gnu.build-id"), NOTE);
}

#[test]
fn a_module_without_marked_symbols_is_left_alone() {
    let plain = Module { names: vec!["printk"], entries: vec![(0, 1, 0, -4)], ..module() };
    assert_eq!(convert(&plain.build()).unwrap(), None);
}

#[test]
fn what_would_not_work_in_a_kernel_is_refused() {
    let refused = |module: Module| convert(&module.build()).unwrap_err().to_string();
    assert!(refused(Module { defined: Some(1), ..module() }).contains("defines"));
    assert!(refused(Module { loaded: false, ..module() }).contains("not loaded"));
    assert!(
        refused(Module { names: vec!["printk", ".klp.sym.one", "a", "b"], ..module() })
            .contains(".klp.sym.one")
    );
    assert!(convert(b"\x7fELF and nothing more").is_err());
    let mut executable = module().build();
    executable[16] = 2;
    assert!(convert(&executable).is_err());
}

#[test]
fn one_byte_of_a_target_is_changed_and_nothing_else() {
    let converted = convert(&module().build()).unwrap().unwrap();
    let altered = super::with_value(&converted, 0x5a).unwrap();
    let changed: Vec<usize> = (0..converted.len()).filter(|at| converted[*at] != altered[*at]).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!((converted[changed[0]], altered[changed[0]]), (0, 0x5a));
}

#[test]
fn one_addend_is_changed_and_nothing_else() {
    let converted = convert(&module().build()).unwrap().unwrap();
    let altered = super::with_addend(&converted, 8).unwrap();
    let changed: Vec<usize> = (0..converted.len()).filter(|at| converted[*at] != altered[*at]).collect();
    // The addend of the first livepatch relocation, -4, is 4 now.
    let (from, to) = (changed[0], changed[0] + 8);
    assert!(changed.iter().all(|at| (from..to).contains(at)) && altered.len() == converted.len());
    assert_eq!(converted[from..to], (-4_i64).to_le_bytes());
    assert_eq!(altered[from..to], 4_i64.to_le_bytes());
}
