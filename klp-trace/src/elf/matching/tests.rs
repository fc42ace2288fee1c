//! The file that was loaded agrees; every field that differs is named.

use std::path::Path;

use super::*;
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
