//! A small livepatch module made in memory, to be broken by tests one byte at a time.

/// A section to be written. Its index is its place in [`sections`], counted from 1.
pub(crate) struct Made {
    pub(crate) name: String,
    pub(crate) sh_type: u32,
    pub(crate) flags: u64,
    pub(crate) link: u32,
    pub(crate) info: u32,
    pub(crate) entsize: u64,
    pub(crate) data: Vec<u8>,
}

pub(crate) const TEXT: u32 = 1;
pub(crate) const DATA: u32 = 2;
pub(crate) const BSS: u32 = 3;
pub(crate) const MODINFO: u32 = 4;
pub(crate) const NOTE: u32 = 5;
pub(crate) const SYMTAB: u32 = 6;
pub(crate) const STRTAB: u32 = 7;
pub(crate) const KLP_TEXT: u32 = 8;
pub(crate) const KLP_DATA: u32 = 9;
pub(crate) const SHSTRTAB: u32 = 10;

pub(crate) const SYMBOLS: [&str; 5] =
    ["", "ordinary", ".klp.sym.tmod.secret,0", ".klp.sym.tmod.twice,2", ".klp.sym.vmlinux.printk,1"];

pub(crate) fn section(name: &str, sh_type: u32, flags: u64, data: Vec<u8>) -> Made {
    Made { name: name.to_owned(), sh_type, flags, link: 0, info: 0, entsize: 0, data }
}

pub(crate) fn rela(offset: u64, symbol: u32, rtype: u32, addend: i64) -> Vec<u8> {
    let info = u64::from(symbol) << 32 | u64::from(rtype);
    [offset.to_le_bytes(), info.to_le_bytes(), addend.to_le_bytes()].concat()
}

pub(crate) fn sym(name: usize, shndx: u16, value: u64) -> Vec<u8> {
    let name = u32::try_from(name).expect("small");
    [&name.to_le_bytes()[..], &[0, 0], &shndx.to_le_bytes(), &value.to_le_bytes(), &[0; 8]].concat()
}

/// A symbol table and its strings. Each symbol: name, `st_shndx`, `st_value`.
pub(crate) fn symbols(list: &[(&str, u16, u64)]) -> (Vec<u8>, Vec<u8>) {
    let (mut table, mut strings) = (Vec::new(), Vec::new());
    for (name, shndx, value) in list {
        table.extend(sym(strings.len(), *shndx, *value));
        strings.extend(name.bytes().chain([0]));
    }
    (table, strings)
}

/// Two livepatch sections: two relocations of .text gated on `tmod`, one of .data gated on vmlinux.
pub(crate) fn sections() -> Vec<Made> {
    let text = (0..64).collect();
    let modinfo = b"license=GPL\0name=lp_test\0livepatch=Y\0vermagic=6.1 SMP\0".to_vec();
    let note = [&[4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &[0xab; 20]].concat();
    let list: Vec<(&str, u16, u64)> =
        SYMBOLS.iter().map(|name| (*name, if name.starts_with(".klp") { 0xff20 } else { 0 }, 0)).collect();
    let (symtab, strtab) = symbols(&list);
    let klp_text = [rela(8, 2, 4, -4), rela(16, 3, 11, 0)].concat();
    let klp = |name: &str, info, data| Made {
        link: SYMTAB,
        info,
        entsize: 24,
        ..section(name, 4, 0x0010_0000 | 0x40 | 2, data)
    };
    vec![
        section(".text", 1, 6, text),
        section(".data", 1, 3, vec![0; 32]),
        section(".bss", 8, 3, vec![0; 16]),
        section(".modinfo", 1, 2, modinfo),
        section(".note.gnu.build-id", 7, 2, note),
        Made { link: STRTAB, entsize: 24, ..section(".symtab", 2, 0, symtab) },
        section(".strtab", 3, 0, strtab),
        klp(".klp.rela.tmod..text", TEXT, klp_text),
        klp(".klp.rela.vmlinux..data", DATA, rela(0, 4, 1, 8)),
    ]
}

/// The file: header, contents, then .shstrtab and the section headers.
pub(crate) fn build(mut sections: Vec<Made>) -> Vec<u8> {
    sections.insert(0, section("", 0, 0, Vec::new()));
    sections.push(section(".shstrtab", 3, 0, Vec::new()));
    let mut names = Vec::new();
    let offsets: Vec<usize> = sections
        .iter()
        .map(|s| {
            let at = names.len();
            names.extend(s.name.bytes().chain([0]));
            at
        })
        .collect();
    let count = sections.len();
    sections[count - 1].data = names;
    let (mut out, mut headers) = (vec![0; 64], Vec::new());
    for (made, name) in sections.iter().zip(offsets) {
        out.resize(out.len().next_multiple_of(8), 0);
        let (offset, size) = (out.len() as u64, made.data.len() as u64);
        if made.sh_type != 8 {
            out.extend(&made.data);
        }
        let name = u32::try_from(name).expect("small").to_le_bytes();
        headers.extend([name, made.sh_type.to_le_bytes()].concat());
        headers.extend([made.flags, 0, offset, size].map(u64::to_le_bytes).concat());
        headers.extend([made.link, made.info].map(u32::to_le_bytes).concat());
        headers.extend([8, made.entsize].map(u64::to_le_bytes).concat());
    }
    out.resize(out.len().next_multiple_of(8), 0);
    let (shoff, count) = (out.len() as u64, u16::try_from(count).expect("few"));
    out.extend(headers);
    put(&mut out, 0, b"\x7fELF\x02\x01\x01");
    put(&mut out, 16, &[1, 0, 62, 0, 1, 0, 0, 0]);
    put(&mut out, 40, &shoff.to_le_bytes());
    put(&mut out, 52, &[64, 0]);
    put(&mut out, 58, &[64, 0]);
    put(&mut out, 60, &count.to_le_bytes());
    put(&mut out, 62, &(count - 1).to_le_bytes());
    out
}

/// The whole small livepatch.
pub(crate) fn livepatch() -> Vec<u8> {
    build(sections())
}

pub(crate) fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Where a field of a section's header stands.
pub(crate) fn header_at(file: &[u8], section: u32, field: u64) -> usize {
    let shoff = u64::from_le_bytes(file[40..48].try_into().expect("eight"));
    usize::try_from(shoff + u64::from(section) * 64 + field).expect("small")
}

/// Where a section's contents stand.
pub(crate) fn contents_at(file: &[u8], section: u32) -> usize {
    let at = header_at(file, section, 24);
    usize::try_from(u64::from_le_bytes(file[at..at + 8].try_into().expect("eight"))).expect("small")
}
