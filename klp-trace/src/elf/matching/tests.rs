//! The file that was loaded agrees; every field that differs is named.

use std::path::Path;

use super::*;
use crate::arch::Arch;
use crate::elf::testing;

/// How the kernel's copy comes to differ.
type Change<'a> = &'a dyn Fn(&mut Loaded);

fn file() -> PatchFile {
    PatchFile::parse(&testing::livepatch(), Path::new("lp.ko")).unwrap()
}

/// What a kernel that loaded the file would hold of its first section.
fn loaded(file: &PatchFile) -> Loaded {
    let section = &file.sections[0];
    let rela = |r: &KlpReloc| Rela { offset: r.offset, rtype: r.rtype, addend: r.addend, symbol: r.symbol };
    Loaded {
        index: section.index,
        name: Some(section.name.clone()),
        target_index: section.target_index,
        total: 2,
        entries: section.relocs.iter().map(|r| (r.index, rela(r))).collect(),
        symbols: file.symbols.values().map(|s| (s.index, s.raw.clone())).collect(),
    }
}

#[test]
fn the_file_that_was_loaded_agrees() {
    let file = file();
    let result = compare(&file, &loaded(&file));
    assert_eq!(result, Comparison { compared: 2, ..Comparison::default() });
    assert!(result.agrees());
}

#[test]
#[rustfmt::skip]
fn each_field_counts() {
    let file = file();
    let entry = |l: &mut Loaded, change: fn(&mut Rela)| change(l.entries.get_mut(&1).unwrap());
    let cases: &[(Field, Change)] = &[
        (Field::Section, &|l| l.index = testing::TEXT),
        (Field::SectionName, &|l| l.name = Some(".klp.rela.other..text".to_owned())),
        (Field::Target, &|l| l.target_index = 3),
        (Field::Count, &|l| l.total = 3),
        (Field::Offset, &|l| entry(l, |r| r.offset += 1)),
        (Field::Type, &|l| entry(l, |r| r.rtype = 2)),
        (Field::Addend, &|l| entry(l, |r| r.addend = 1)),
        (Field::Symbol, &|l| entry(l, |r| r.symbol = 2)),
        (Field::SymbolName, &|l| { l.symbols.insert(3, ".klp.sym.tmod.twice,1".to_owned()); }),
    ];
    for (field, change) in cases {
        let mut kernel = loaded(&file);
        change(&mut kernel);
        let result = compare(&file, &kernel);
        assert!(!result.agrees(), "{field:?}");
        assert!(result.differences.iter().any(|d| d.field == *field), "{field:?}: {result:?}");
    }
}

#[test]
fn what_was_not_read_is_no_agreement() {
    let file = file();
    let mut kernel = loaded(&file);
    kernel.entries.remove(&0);
    let result = compare(&file, &kernel);
    assert_eq!((result.different, result.compared, result.unread), (0, 1, 1));
    assert!(!result.agrees());
    let mut kernel = loaded(&file);
    kernel.symbols.clear();
    let result = compare(&file, &kernel);
    assert_eq!((result.different, result.unnamed), (0, 2));
    assert!(!result.agrees());
}

#[test]
fn differences_are_bounded_and_readable() {
    let mut sections = testing::sections();
    let many = (0..100).flat_map(|i| testing::rela(i, 2, 2, 0));
    sections[testing::KLP_TEXT as usize - 1].data = many.collect();
    let file = PatchFile::parse(&testing::build(sections), Path::new("lp.ko")).unwrap();
    let mut kernel = Loaded { total: 100, ..loaded(&file) };
    kernel.entries.values_mut().for_each(|r| r.addend = -4);
    let result = compare(&file, &kernel);
    assert_eq!((result.different, result.differences.len()), (100, KEPT));
    let text = "section 8, relocation 0: addend is 0 in the file, -4 in the kernel";
    assert_eq!(result.differences[0].to_string(), text);
}

#[test]
fn build_ids() {
    let of = |a: Option<&[u8]>, b: Option<&[u8]>| BuildIds::compare(a, b);
    assert_eq!(of(Some(b"a"), Some(b"a")), BuildIds::Equal);
    assert_eq!(of(Some(b"a"), Some(b"ab")), BuildIds::Differ);
    assert_eq!(of(Some(b"a"), None), BuildIds::LoadedLacks);
    assert_eq!(of(None, Some(b"a")), BuildIds::FileLacks);
    assert_eq!(of(None, None), BuildIds::NeitherHas);
    assert!(BuildIds::Equal < BuildIds::Differ, "sorts best first");
}

/// The file as one of an architecture, whose target section is executable or not.
fn of(arch: Arch, executable: bool) -> PatchFile {
    let mut file = file();
    file.arch = arch;
    for section in &mut file.sections {
        section.target_flags = if executable { 6 } else { 3 };
    }
    file
}

/// The entries in another order than the file's.
fn turned(file: &PatchFile) -> Loaded {
    let mut kernel = loaded(file);
    let last = kernel.total - 1;
    kernel.entries = kernel.entries.into_iter().map(|(at, rela)| (last - at, rela)).collect();
    kernel
}

#[test]
fn order_counts_where_the_kernel_keeps_it() {
    for (arch, executable, sorts) in [
        (Arch::X86_64, true, false),
        (Arch::X86_64, false, false),
        (Arch::S390x, true, false),
        (Arch::Ppc64le, true, true),
        (Arch::Ppc64le, false, true),
        (Arch::Aarch64, true, true),
        (Arch::Aarch64, false, false),
        (Arch::Loongarch64, true, true),
        (Arch::Loongarch64, false, false),
    ] {
        let file = of(arch, executable);
        let result = compare(&file, &turned(&file));
        assert_eq!(result.agrees(), sorts, "{arch:?}, executable: {executable}");
        if sorts {
            assert_eq!(result.order, BTreeMap::from([(0, 1), (1, 0)]), "{arch:?}");
            assert_eq!(result.compared, 2);
        }
        assert!(compare(&file, &loaded(&file)).agrees(), "{arch:?}: the file's order");
    }
}

#[test]
fn a_set_that_differs_in_one_entry_is_another() {
    let file = of(Arch::Ppc64le, false);
    let change = |change: &dyn Fn(&mut Loaded)| {
        let mut kernel = turned(&file);
        change(&mut kernel);
        compare(&file, &kernel)
    };
    let entry = |l: &mut Loaded, change: fn(&mut Rela)| change(l.entries.get_mut(&1).unwrap());
    let cases: [&dyn Fn(&mut Loaded); 4] = [
        &|l| entry(l, |r| r.offset += 1),
        &|l| entry(l, |r| r.rtype += 1),
        &|l| entry(l, |r| r.symbol += 1),
        &|l| entry(l, |r| r.addend += 1),
    ];
    for case in cases {
        let result = change(case);
        // One that the file lacks, one that the kernel lacks.
        assert_eq!((result.different, result.compared), (2, 1), "{result:?}");
    }
    // One twice in the place of another.
    let result = change(&|l| {
        let one = l.entries[&0];
        l.entries.insert(1, one);
    });
    assert_eq!(result.different, 2, "{result:?}");
    assert!(result.differences[0].to_string().contains("entry is not there so often in the file"));
    // One twice in both.
    let mut double = file.clone();
    let again = KlpReloc { index: 2, ..double.sections[0].relocs[0].clone() };
    double.sections[0].relocs.push(again);
    let mut kernel = loaded(&double);
    kernel.total = 3;
    kernel.entries = (0..)
        .zip(double.sections[0].relocs.iter().rev())
        .map(|(at, r)| (at, Rela { offset: r.offset, rtype: r.rtype, addend: r.addend, symbol: r.symbol }))
        .collect();
    assert!(compare(&double, &kernel).agrees());
    // One that was not read is none that is missing, and no agreement.
    let result = change(&|l| {
        l.entries.remove(&0);
    });
    assert_eq!((result.different, result.unread), (0, 1));
    assert!(!result.agrees());
    // The names count too.
    let result = change(&|l| {
        l.symbols.insert(3, ".klp.sym.tmod.twice,1".to_owned());
    });
    assert!(result.differences.iter().any(|d| d.field == Field::SymbolName), "{result:?}");
}
