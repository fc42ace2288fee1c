//! A livepatch for each architecture, made with `object`'s writer: the shape that gcc, the kernel's build and klp-convert
//! give one, with a few relocation types of that architecture.

use object::build::elf::{Builder, Relocation, SectionData, SectionId, SymbolId};
use object::elf::{self, ET_REL, SHT_NOTE, SHT_PROGBITS, SHT_RELA, SHT_STRTAB, SHT_SYMTAB};
use object::{Endianness, elf::RelocationType, elf::SectionFlags, elf::SymbolSection};

#[derive(Clone, Copy)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    number: u16,
    order: Endianness,
    /// The type of a pointer.
    pointer: u32,
    /// Types of the livepatch relocations of .text.
    code: [u32; 3],
}

const fn machine(
    name: &'static str,
    number: u16,
    order: Endianness,
    pointer: u32,
    code: [u32; 3],
) -> Machine {
    Machine { name, number, order, pointer, code }
}

/// Those of `HAVE_LIVEPATCH`. Calls, addresses in two instructions, and whatever else a compiler makes there.
pub(crate) const ALL: [Machine; 5] = [
    machine("x86_64", 62, Endianness::Little, 1, [4, 2, 11]),
    machine("ppc64le", 21, Endianness::Little, 38, [10, 252, 250]),
    machine("s390x", 22, Endianness::Big, 22, [20, 19, 26]),
    machine("aarch64", 183, Endianness::Little, 257, [283, 275, 277]),
    machine("loongarch64", 258, Endianness::Little, 2, [66, 71, 72]),
];

/// What a file calls itself, and its first symbol.
pub(crate) struct Names {
    pub(crate) module: &'static [u8],
    pub(crate) symbol: &'static [u8],
}

const NAMES: Names = Names { module: b"lp_test", symbol: b".klp.sym.tmod.tmod_helper,0" };

pub(crate) fn livepatch(machine: &Machine) -> Vec<u8> {
    with_names(machine, &NAMES)
}

pub(crate) fn with_names(machine: &Machine, names: &Names) -> Vec<u8> {
    let mut made = Made { builder: Builder::new(machine.order, true) };
    made.builder.header.e_type = ET_REL;
    made.builder.header.e_machine = elf::Machine(machine.number);
    let (alloc, write, exec) = (elf::SHF_ALLOC.0, elf::SHF_WRITE.0, elf::SHF_EXECINSTR.0);
    let info =
        [b"license=GPL\0livepatch=Y\0depends=\0name=", names.module, b"\0vermagic=6.12.0 SMP mod_unload \0"]
            .concat();
    let text = made.data(".text", alloc | exec, vec![0; 64]);
    let data = made.data(".data", alloc | write, vec![0; 1024]);
    let strings = made.data(".rodata.str1.1", alloc, b"tmod\0tmod_show\0".to_vec());
    made.data(".modinfo", alloc, info);
    let this_module = made.data(".gnu.linkonce.this_module", alloc | write, vec![0; 64]);
    made.section(".note.gnu.build-id", SHT_NOTE, alloc, SectionData::Note(note(machine.order).into()));
    let symtab = made.section(".symtab", SHT_SYMTAB, 0, SectionData::Symbol);
    let strtab = made.section(".strtab", SHT_STRTAB, 0, SectionData::String);
    made.section(".shstrtab", SHT_STRTAB, 0, SectionData::SectionString);
    made.builder.sections.get_mut(symtab).sh_link_section = Some(strtab);
    let of = |section| (&b""[..], Some(section));
    let [in_text, in_data, in_strings, module] =
        [of(text), of(data), of(strings), (&b"__this_module"[..], Some(this_module))]
            .map(|(name, section)| made.symbol(name, section));
    let helper = made.symbol(names.symbol, None);
    let [counter, printk] = [".klp.sym.tmod.tmod_counter,2", ".klp.sym.vmlinux.some_static,1"]
        .map(|name| made.symbol(name.as_bytes(), None));
    let pointer = |at, symbol, addend| entry(at, symbol, machine.pointer, addend);
    // klp_patch at 0, its one object at 64, the object's one function at 512.
    let structures = vec![
        pointer(0, module, 0),
        pointer(8, in_data, 64),
        pointer(64, in_strings, 0),
        pointer(72, in_data, 512),
        pointer(512, in_strings, 5),
        pointer(520, in_text, 16),
    ];
    made.relas(".rela.data", 0, symtab, data, structures);
    let [call, high, low] = machine.code;
    let klp = alloc | 0x0010_0000;
    let code = vec![entry(4, helper, call, -4), entry(12, counter, high, 8), entry(16, counter, low, 8)];
    made.relas(".klp.rela.tmod..text", klp, symtab, text, code);
    made.relas(".klp.rela.vmlinux..data", klp, symtab, data, vec![pointer(1000, printk, 0)]);
    let mut out = Vec::new();
    made.builder.write(&mut out).expect("written");
    out
}

struct Made {
    builder: Builder<'static>,
}

impl Made {
    fn section(
        &mut self,
        name: &'static str,
        kind: elf::SectionType,
        flags: u64,
        data: SectionData<'static>,
    ) -> SectionId {
        let section = self.builder.sections.add();
        section.name = name.as_bytes().into();
        section.sh_type = kind;
        section.sh_flags = SectionFlags(flags);
        section.sh_addralign = 8;
        section.data = data;
        section.id()
    }

    fn data(&mut self, name: &'static str, flags: u64, data: Vec<u8>) -> SectionId {
        self.section(name, SHT_PROGBITS, flags, SectionData::Data(data.into()))
    }

    /// A symbol of a section, or one that livepatch resolves.
    fn symbol(&mut self, name: &'static [u8], section: Option<SectionId>) -> SymbolId {
        let symbol = self.builder.symbols.add();
        symbol.name = name.into();
        let local = section.is_some();
        symbol.set_st_info(if local { elf::STB_LOCAL } else { elf::STB_GLOBAL }, elf::STT_NOTYPE);
        symbol.section = section;
        symbol.st_shndx = SymbolSection(0xff20);
        symbol.id()
    }

    fn relas(
        &mut self,
        name: &'static str,
        flags: u64,
        symtab: SectionId,
        target: SectionId,
        list: Vec<Relocation>,
    ) {
        let id = self.section(name, SHT_RELA, flags | elf::SHF_INFO_LINK.0, SectionData::Relocation(list));
        let section = self.builder.sections.get_mut(id);
        section.sh_link_section = Some(symtab);
        section.sh_info_section = Some(target);
        section.sh_entsize = 24;
    }
}

fn entry(r_offset: u64, symbol: SymbolId, rtype: u32, r_addend: i64) -> Relocation {
    Relocation { r_offset, symbol: Some(symbol), r_type: RelocationType(rtype), r_addend }
}

fn note(order: Endianness) -> Vec<u8> {
    let word = |n: u32| if order == Endianness::Big { n.to_be_bytes() } else { n.to_le_bytes() };
    [&word(4)[..], &word(20), &word(3), b"GNU\0", &[0xab; 20]].concat()
}
