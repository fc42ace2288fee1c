//! What a module's file says, and what is said about odd ones.

use super::*;
use crate::elf::testing::{self, *};

fn parse(data: &[u8]) -> Result<Module<'_>, Error> {
    Module::parse(data, Path::new("lp-test.ko"), false)
}

/// Overwrites a field of a section's header.
fn set(file: &mut [u8], section: u32, field: u64, value: &[u8]) {
    let at = header_at(file, section, field);
    put(file, at, value);
}

#[test]
fn a_livepatch_is_read_without_a_copy() {
    let file = testing::livepatch();
    let module = parse(&file).unwrap();
    assert!(module.is_livepatch());
    assert_eq!((module.machine(), module.is_big_endian()), (Machine::X86_64, false));
    assert_eq!(module.name(), b"lp_test");
    assert_eq!(module.info(b"vermagic"), Some(&b"6.1 SMP"[..]));
    assert_eq!(module.build_id(), Some(&[0xab; 20][..]));
    assert_eq!(module.relocation_count(), 3);
    let [text, data] = module.klp_sections() else { panic!("two sections") };
    assert_eq!((text.index, text.object, text.target), (KLP_TEXT, Some(&b"tmod"[..]), Some(TEXT)));
    assert_eq!((data.object, data.target), (Some(&b"vmlinux"[..]), Some(DATA)));
    let relas: Vec<Rela> = text.relas.iter().collect();
    assert_eq!(relas[0], Rela { index: 0, offset: 8, rtype: 4, symbol: 2, addend: -4 });
    assert_eq!(relas[1], Rela { index: 1, offset: 16, rtype: 11, symbol: 3, addend: 0 });
    let symbol = module.symbol(3).unwrap();
    let parts = symbol.klp_name().unwrap();
    assert_eq!((parts.object, parts.name, parts.sympos), (&b"tmod"[..], &b"twice"[..], 2));
    assert!(symbol.is_klp() && text.problems.is_empty());
    assert!(module.symbol(5).is_none());
}

#[test]
fn it_agrees_with_the_strict_reader() {
    let file = testing::livepatch();
    let module = parse(&file).unwrap();
    let strict = crate::elf::PatchFile::parse(&file, Path::new("lp-test.ko")).unwrap();
    assert_eq!(strict.name.as_bytes(), module.name());
    for (a, b) in strict.sections.iter().zip(module.klp_sections()) {
        assert_eq!((a.name.as_bytes(), Some(a.object.as_bytes())), (b.name, b.object));
        let of = |r: Rela| (r.index, r.offset, r.rtype, r.symbol, r.addend);
        let strictly = a.relocs.iter().map(|r| (r.index, r.offset, r.rtype, r.symbol, r.addend));
        assert!(strictly.eq(b.relas.iter().map(of)));
    }
}

#[test]
fn what_a_kernel_would_refuse_is_kept_with_what_is_wrong() {
    type Case = (&'static str, fn(&mut [u8]), fn(&Rule) -> bool);
    let cases: [Case; 7] = [
        ("type", |f| set(f, KLP_TEXT, 4, &[9]), |r| matches!(r, Rule::NotRela { sh_type: 9, .. })),
        ("link", |f| set(f, KLP_TEXT, 40, &[1]), |r| matches!(r, Rule::Link { link: 1, .. })),
        ("target beyond", |f| set(f, KLP_TEXT, 44, &[200]), |r| matches!(r, Rule::TargetOutOfRange { .. })),
        ("no target", |f| set(f, KLP_TEXT, 44, &[0]), |r| matches!(r, Rule::TargetOutOfRange { .. })),
        ("target a table", |f| set(f, KLP_TEXT, 44, &[6]), |r| matches!(r, Rule::TargetIsTable { .. })),
        ("entry size", |f| set(f, KLP_TEXT, 56, &[16]), |r| matches!(r, Rule::EntrySize { got: 16, .. })),
        ("ragged", |f| set(f, KLP_TEXT, 32, &[47]), |r| matches!(r, Rule::RaggedSize { .. })),
    ];
    for (what, damage, named) in cases {
        let mut file = testing::livepatch();
        damage(&mut file);
        let module = parse(&file).unwrap();
        let section = &module.klp_sections()[0];
        assert!(section.problems.iter().any(named), "{what}: {:?}", section.problems);
        assert_eq!(section.index, KLP_TEXT);
    }
    let mut unnamed = testing::sections();
    unnamed[7].name = ".rela.text".to_owned();
    let file = testing::build(unnamed);
    let module = parse(&file).unwrap();
    assert_eq!(module.klp_sections()[0].object, None);
    assert_eq!(module.klp_sections()[0].relas.len(), 2, "its entries are still entries");
}

#[test]
fn damage_is_an_error() {
    let good = testing::livepatch();
    for len in [0, 63, 64, 200, good.len() - 1] {
        assert!(parse(&good[..len]).is_err(), "cut to {len}");
    }
    let mut file = testing::livepatch();
    set(&mut file, BSS, 4, &[1]);
    set(&mut file, BSS, 32, &[0, 0, 0, 0, 1]);
    assert!(
        matches!(parse(&file).err().map(|e| e.rule), Some(Rule::Truncated { .. })),
        "no section is left out"
    );
}

#[test]
fn sections_without_the_mark_and_leftovers_are_named() {
    let mut list = testing::sections();
    list[8].flags = 2;
    list.push(testing::section(".klp.arch.tmod.altinstructions", 1, 2, vec![0; 8]));
    let file = testing::build(list);
    let module = parse(&file).unwrap();
    assert_eq!(module.unmarked().map(|s| s.index).collect::<Vec<_>>(), [KLP_DATA]);
    assert_eq!(module.relas(KLP_DATA).unwrap().len(), 1);
    assert_eq!(module.arch_leftovers().count(), 1);
    assert_eq!(module.klp_sections().len(), 1);
}

#[test]
fn symbols_without_a_name_have_none() {
    let mut file = testing::livepatch();
    let at = contents_at(&file, SYMTAB) + 2 * 24;
    put(&mut file, at, &[255; 4]);
    let module = parse(&file).unwrap();
    assert_eq!(module.symbol(2).unwrap().name, None);
    assert_eq!(module.symbol(2).unwrap().klp_name(), None);
    assert_eq!(module.symbols().count(), 4);
}
