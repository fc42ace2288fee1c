//! Files that a linker never makes: each must be refused by the rule that it breaks, named at its offset.

use std::path::Path;

use super::*;
use crate::elf::testing::{self, *};

/// What a good file becomes.
type Break = fn(&mut Vec<u8>);
/// The rule that must be named, and where.
type Named = fn(&Rule) -> bool;

fn parse(data: &[u8]) -> Result<PatchFile, Error> {
    PatchFile::parse(data, Path::new("bad.ko"))
}

/// Overwrites a field of a section's header.
fn set(file: &mut [u8], section: u32, field: u64, value: &[u8]) {
    let at = header_at(file, section, field);
    put(file, at, value);
}

/// Writes a relocation of the first livepatch section.
fn set_reloc(file: &mut [u8], offset: u64, symbol: u32, rtype: u32) {
    let at = contents_at(file, KLP_TEXT);
    put(file, at, &rela(offset, symbol, rtype, 0));
}

const HUGE: [u8; 8] = (1u64 << 40).to_le_bytes();

#[test]
#[rustfmt::skip]
fn each_broken_rule_is_named() {
    let cases: &[(&str, Break, Named)] = &[
        ("empty", |f| f.clear(), |r| matches!(r, Rule::TooShort { len: 0 })),
        ("cut in the header", |f| f.truncate(63), |r| matches!(r, Rule::TooShort { len: 63 })),
        ("cut in the headers", |f| f.truncate(f.len() - 1), |r| matches!(r, Rule::Truncated { .. })),
        ("text", |f| put(f, 0, b"#!/b"), |r| matches!(r, Rule::NotElf)),
        ("32-bit", |f| f[4] = 1, |r| matches!(r, Rule::Not64Bit)),
        ("big-endian", |f| { f[5] = 2; f[16..20].copy_from_slice(&[0, 1, 0, 62]); },
            |r| matches!(r, Rule::ByteOrder { machine: "x86_64", big_endian: true })),
        ("no byte order", |f| f[5] = 3, |r| matches!(r, Rule::DataEncoding { got: 3 })),
        ("a program", |f| f[16] = 2, |r| matches!(r, Rule::NotRelocatable { e_type: 2 })),
        ("riscv", |f| f[18] = 243, |r| matches!(r, Rule::NoLivepatching { machine: 243 })),
        ("no sections", |f| put(f, 60, &[0, 0]), |r| matches!(r, Rule::NoSections)),
        ("more sections than fit", |f| put(f, 60, &[255, 255]), |r| matches!(r, Rule::Truncated { .. })),
        ("header size", |f| f[58] = 40, |r| matches!(r, Rule::SectionHeaderSize { got: 40 })),
        ("e_shoff far away", |f| put(f, 40, &HUGE), |r| matches!(r, Rule::Truncated { .. })),
        ("e_shoff overflows", |f| put(f, 40, &[255; 8]), |r| matches!(r, Rule::RangeOverflow { .. })),
        ("e_shstrndx 0", |f| put(f, 62, &[0, 0]), |r| matches!(r, Rule::ShStrNdx { index: 0, .. })),
        ("e_shstrndx extended", |f| put(f, 62, &[255; 2]), |r| matches!(r, Rule::ShStrNdx { index: 0xffff, .. })),
        ("e_shstrndx no strings", |f| f[62] = 1, |r| matches!(r, Rule::NotStringTable { section: 1, .. })),
        ("names of 1 TiB", |f| set(f, SHSTRTAB, 32, &HUGE), |r| matches!(r, Rule::Truncated { .. })),
        ("sh_name beyond", |f| set(f, KLP_TEXT, 0, &[255; 4]), |r| matches!(r, Rule::NameOutOfRange { .. })),
        ("names cut", |f| set(f, SHSTRTAB, 32, &[1]), |r| matches!(r, Rule::NameOutOfRange { .. })),
        ("not a livepatch", |f| { let at = contents_at(f, MODINFO); put(f, at + 25, b"L"); },
            |r| matches!(r, Rule::NotLivepatch)),
        ("no .modinfo", |f| set(f, MODINFO, 8, &[0]), |r| matches!(r, Rule::NotLivepatch)),
        ("modinfo of 1 TiB", |f| set(f, MODINFO, 32, &HUGE), |r| matches!(r, Rule::Truncated { .. })),
        ("note too long", |f| { let at = contents_at(f, NOTE); put(f, at + 4, &[255; 4]); },
            |r| matches!(r, Rule::Note { section: NOTE })),
        ("no symbol table", |f| set(f, SYMTAB, 4, &[1]), |r| matches!(r, Rule::SymbolTables { count: 0 })),
        ("two symbol tables", |f| set(f, BSS, 4, &[2]), |r| matches!(r, Rule::SymbolTables { count: 2 })),
        ("symbols name themselves", |f| set(f, SYMTAB, 40, &[6]),
            |r| matches!(r, Rule::Link { section: SYMTAB, link: SYMTAB, .. })),
        ("symbol size", |f| set(f, SYMTAB, 56, &[16]), |r| matches!(r, Rule::EntrySize { got: 16, expected: 24, .. })),
        ("symbol size 0", |f| set(f, SYMTAB, 56, &[0]), |r| matches!(r, Rule::EntrySize { got: 0, .. })),
        ("ragged symbols", |f| set(f, SYMTAB, 32, &[119]), |r| matches!(r, Rule::RaggedSize { size: 119, .. })),
        ("klp section type", |f| set(f, KLP_TEXT, 4, &[1]), |r| matches!(r, Rule::NotRela { sh_type: 1, .. })),
        ("klp section name", |f| set(f, KLP_TEXT, 0, &[0]), |r| matches!(r, Rule::SectionName { .. })),
        ("cyclic link", |f| set(f, KLP_TEXT, 40, &[8]),
            |r| matches!(r, Rule::Link { section: KLP_TEXT, link: KLP_TEXT, .. })),
        ("link to nowhere", |f| set(f, KLP_TEXT, 40, &[255; 4]), |r| matches!(r, Rule::Link { link: u32::MAX, .. })),
        ("sh_info 0", |f| set(f, KLP_TEXT, 44, &[0]), |r| matches!(r, Rule::TargetOutOfRange { info: 0, .. })),
        ("sh_info beyond", |f| set(f, KLP_TEXT, 44, &[11]),
            |r| matches!(r, Rule::TargetOutOfRange { info: 11, count: 11, .. })),
        ("sh_info far beyond", |f| set(f, KLP_TEXT, 44, &[255; 4]), |r| matches!(r, Rule::TargetOutOfRange { .. })),
        ("it relocates itself", |f| set(f, KLP_TEXT, 44, &[8]), |r| matches!(r, Rule::TargetIsTable { info: 8, .. })),
        ("they relocate each other", |f| { set(f, KLP_TEXT, 44, &[9]); set(f, KLP_DATA, 44, &[8]); },
            |r| matches!(r, Rule::TargetIsTable { info: 9, .. })),
        ("it relocates the symbols", |f| set(f, KLP_TEXT, 44, &[6]), |r| matches!(r, Rule::TargetIsTable { .. })),
        ("target of 1 TiB", |f| set(f, TEXT, 32, &HUGE), |r| matches!(r, Rule::Truncated { .. })),
        ("target name beyond", |f| set(f, TEXT, 0, &[255; 4]), |r| matches!(r, Rule::NameOutOfRange { .. })),
        ("entry size", |f| set(f, KLP_TEXT, 56, &[25]), |r| matches!(r, Rule::EntrySize { got: 25, .. })),
        ("ragged entries", |f| set(f, KLP_TEXT, 32, &[47]), |r| matches!(r, Rule::RaggedSize { size: 47, .. })),
        ("entries of 1 TiB", |f| set(f, KLP_TEXT, 32, &(24u64 << 36).to_le_bytes()),
            |r| matches!(r, Rule::Truncated { .. })),
        ("offset overflows", |f| set(f, KLP_TEXT, 24, &[255; 8]), |r| matches!(r, Rule::RangeOverflow { .. })),
        ("same bytes twice", |f| { let at = contents_at(f, KLP_TEXT) as u64; set(f, KLP_DATA, 24, &at.to_le_bytes()); },
            |r| matches!(r, Rule::Overlap { .. })),
        ("inside the strings", |f| { let at = contents_at(f, KLP_TEXT) as u64; set(f, STRTAB, 24, &at.to_le_bytes()); },
            |r| matches!(r, Rule::NotLivepatchSymbol { .. } | Rule::NameOutOfRange { .. } | Rule::SymbolName { .. })),
        ("symbol beyond", |f| set_reloc(f, 0, 5, 2), |r| matches!(r, Rule::SymbolIndex { symbol: 5, count: 5, .. })),
        ("symbol far beyond", |f| set_reloc(f, 0, u32::MAX, 2), |r| matches!(r, Rule::SymbolIndex { .. })),
        ("ordinary symbol", |f| set_reloc(f, 0, 1, 2), |r| matches!(r, Rule::NotLivepatchSymbol { symbol: 1, .. })),
        ("symbol's name", |f| { let at = contents_at(f, SYMTAB); put(f, at + 48, &[1]); },
            |r| matches!(r, Rule::SymbolName { symbol: 2, .. })),
        ("symbol's name beyond", |f| { let at = contents_at(f, SYMTAB); put(f, at + 48, &[255; 4]); },
            |r| matches!(r, Rule::NameOutOfRange { .. })),
    ];
    for (name, damage, named) in cases {
        let mut file = livepatch();
        damage(&mut file);
        let error = parse(&file).expect_err(name);
        assert!(named(&error.rule), "{name}: {error}");
        let text = error.to_string();
        assert!(text.starts_with("bad.ko: at byte 0x"), "{name}: {text}");
    }
}

#[test]
fn errors_say_where() {
    let at = |damage: Break| {
        let mut file = livepatch();
        damage(&mut file);
        (parse(&file).expect_err("broken").offset, file)
    };
    assert_eq!(at(|f| f[18] = 243).0, 18);
    let (offset, file) = at(|f| set(f, KLP_TEXT, 44, &[255; 4]));
    assert_eq!(offset, header_at(&file, KLP_TEXT, 44) as u64);
    let (offset, file) = at(|f| {
        let at = contents_at(f, KLP_TEXT);
        put(f, at + 24, &rela(0, 99, 2, 0));
    });
    assert_eq!(offset, contents_at(&file, KLP_TEXT) as u64 + 24, "the second relocation");
    assert_eq!(
        PatchFile::parse(&file, Path::new("a\x1b.ko")).expect_err("broken").to_string(),
        format!("a\\x1b.ko: at byte {offset:#x}: relocation 1 of section 8: symbol 99 of 5")
    );
}

#[test]
fn names_of_64_kib_are_refused() {
    let mut long = sections();
    long[KLP_TEXT as usize - 1].name = format!(".klp.rela.tmod.{}", "x".repeat(64 << 10));
    let error = parse(&build(long)).expect_err("a section's name");
    assert!(matches!(error.rule, Rule::NameTooLong { limit: limits::SECTION_NAME_BYTES, .. }), "{error}");

    let mut long = sections();
    let name = format!(".klp.sym.tmod.{},0", "x".repeat(64 << 10));
    let (symtab, strtab) = testing::symbols(&[("", 0, 0), ("", 0, 0), (&name, 0xff20, 0)]);
    (long[SYMTAB as usize - 1].data, long[STRTAB as usize - 1].data) = (symtab, strtab);
    let error = parse(&build(long)).expect_err("a symbol's name");
    assert!(matches!(error.rule, Rule::NameTooLong { limit: limits::SYMBOL_NAME_BYTES, .. }), "{error}");
    assert!(error.to_string().len() < 200, "the name is not repeated");
}

#[test]
fn more_relocations_than_the_limit_are_refused_before_they_are_kept() {
    let mut many = sections();
    let count = usize::try_from(limits::KLP_RELOCATIONS).expect("fits");
    many[KLP_TEXT as usize - 1].data = rela(0, 2, 2, 0).repeat(count + 1);
    let error = parse(&build(many)).expect_err("too many");
    assert!(matches!(error.rule, Rule::TooMany { limit: limits::KLP_RELOCATIONS, .. }), "{error}");
}

/// Every single byte of the small file, set to a few telling values: an answer or an error, never a panic.
#[test]
fn any_byte_may_be_wrong() {
    let good = livepatch();
    let mut refused = 0;
    for at in 0..good.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut file = good.clone();
            file[at] = value;
            refused += usize::from(parse(&file).is_err());
        }
    }
    assert!(refused > 100, "{refused} refused");
    for len in 0..good.len() {
        assert!(parse(&good[..len]).is_err(), "cut to {len}: the section headers stand at the end");
    }
}
