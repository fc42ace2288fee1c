//! Objects and functions from each of the places that builders put them.

use std::path::Path;

use super::*;
use crate::elf::testing::{self, Made};

/// Sections 1 .text, 2 .data, 3 strings, 4 .gnu.linkonce.this_module, 5 the named one, 6 .symtab, 7 .strtab, and the
/// relocations of `relocated` by the section symbols of 1 to 5.
fn file(name: &str, data: Vec<u8>, relocated: u32, relas: &[(u64, u32, i64)]) -> Vec<u8> {
    let list: Vec<(&str, u16, u64)> =
        [("", 0, 0)].into_iter().chain((1..=5).map(|section| ("", section, 0))).collect();
    let (symtab, strtab) = testing::symbols(&list);
    let rela =
        relas.iter().flat_map(|(at, symbol, addend)| testing::rela(*at, *symbol, 1, *addend)).collect();
    testing::build(vec![
        testing::section(".text", 1, 6, vec![0x90; 64]),
        testing::section(".data", 1, 3, vec![0; 1024]),
        testing::section(".rodata.str1.1", 1, 2, b"tmod\0first\0second\0".to_vec()),
        testing::section(".gnu.linkonce.this_module", 1, 3, vec![0; 64]),
        testing::section(name, 1, 2, data),
        Made { link: 7, entsize: 24, ..testing::section(".symtab", 2, 0, symtab) },
        testing::section(".strtab", 3, 0, strtab),
        Made { link: 6, info: relocated, entsize: 24, ..testing::section(".rela", 4, 0x40, rela) },
    ])
}

/// Objects with their functions and positions.
type List = Vec<(String, Vec<(String, u64)>)>;

fn listed(file: &[u8]) -> Option<(Origin, List, bool)> {
    let module = Module::parse(file, Path::new("lp.ko"), false).expect("a module");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    module.objects().map(|objects| {
        let list = objects.list.iter();
        let list =
            list.map(|o| (text(o.name), o.functions.iter().map(|f| (text(f.name), f.sympos)).collect()));
        (objects.origin, list.collect(), objects.incomplete.is_some())
    })
}

fn two(object: &str, sympos: u64) -> List {
    vec![(object.to_owned(), vec![("first".to_owned(), 0), ("second".to_owned(), sympos)])]
}

#[test]
fn kpatch_functions() {
    let mut data = vec![0; 112];
    testing::put(&mut data, 56 + 32, &[2]);
    let relas = [(0, 1, 16), (40, 3, 5), (48, 3, 0), (56, 1, 32), (96, 3, 11), (104, 3, 0)];
    let good = file(".kpatch.funcs", data.clone(), 5, &relas);
    assert_eq!(listed(&good), Some((Origin::KpatchFuncs, two("tmod", 2), false)));
    let cut = file(".kpatch.funcs", data, 5, &relas[..4]);
    let (_, list, incomplete) = listed(&cut).expect("objects");
    assert!(incomplete && list[0].1.len() == 1, "what cannot be followed is said");
}

#[test]
fn klp_build_objects() {
    for (name, origin) in
        [(".init.klp_objects", Origin::InitKlpObjects), ("__klp_objects", Origin::KlpObjects)]
    {
        let mut data = vec![0; 64];
        testing::put(&mut data, 56, &[2]);
        let relas = [(0, 3, 0), (8, 2, 0)];
        let found = listed(&file(name, data, 5, &relas)).expect("objects");
        assert_eq!((found.0, found.2), (origin, true), "no name where the first function should be");
    }
    assert!(
        listed(&file("__klp_objects", vec![0; 60], 5, &[])).is_some_and(|f| f.2),
        "another layout is said"
    );
}

#[test]
fn structures_written_by_hand() {
    // klp_patch at 0, one object at 64, two functions at 512.
    let mut relas = vec![(0, 4, 0), (8, 2, 64), (64, 3, 0), (72, 2, 512), (512, 3, 5), (520, 1, 0)];
    relas.extend([(512 + 152, 3, 11), (512 + 160, 1, 16)]);
    let good = file(".x", Vec::new(), 2, &relas);
    assert_eq!(listed(&good), Some((Origin::KlpPatch, two("tmod", 0), false)));
    let vmlinux: Vec<_> = relas.iter().copied().filter(|r| r.0 != 64).collect();
    assert_eq!(
        listed(&file(".x", Vec::new(), 2, &vmlinux)),
        Some((Origin::KlpPatch, two("vmlinux", 0), false))
    );
    let no_code: Vec<_> = relas.iter().map(|r| if r.0 == 520 { (520, 3, 0) } else { *r }).collect();
    assert_eq!(listed(&file(".x", Vec::new(), 2, &no_code)), None, "an owner alone makes no livepatch");
}

#[test]
fn objects_with_callbacks_alone_are_objects() {
    // kpatch-build: one callback of "tmod", then the eight zero bytes of the linker's script.
    let file_of = |data: usize, relas: &[(u64, u32, i64)]| {
        let file = file(".kpatch.callbacks.post_patch", vec![0; data], 5, relas);
        listed(&file)
    };
    let none: List = vec![("tmod".to_owned(), vec![])];
    assert_eq!(file_of(24, &[(0, 1, 16), (8, 3, 0)]), Some((Origin::KpatchCallbacks, none.clone(), false)));
    assert_eq!(
        file_of(40, &[(0, 1, 16), (8, 3, 0), (16, 1, 32), (24, 3, 0)]),
        Some((Origin::KpatchCallbacks, none.clone(), false)),
        "two callbacks of one object"
    );
    assert!(file_of(16, &[(0, 1, 16)]).is_some_and(|f| f.2), "a callback of nobody");
    // klp-build: no functions, no pointer to any.
    let made = file("__klp_objects", vec![0; 64], 5, &[(0, 3, 0), (16, 1, 0)]);
    assert_eq!(listed(&made), Some((Origin::KlpObjects, none.clone(), false)));
    // By hand: an empty array of functions, a callback.
    let by_hand = [(0, 4, 0), (8, 2, 64), (64, 3, 0), (72, 2, 512), (64 + 24, 1, 0)];
    assert_eq!(listed(&file(".x", Vec::new(), 2, &by_hand)), Some((Origin::KlpPatch, none, false)));
    assert_eq!(listed(&file(".x", Vec::new(), 2, &by_hand[..4])), None, "neither function nor callback");
}

/// A patch of two objects, `tmod` with two functions and the kernel with one, by structures of these lengths.
fn laid_out(object: u64, func: u64) -> Vec<u8> {
    let first = 16 + 3 * object;
    let second = first + 3 * func;
    let at = |offset: u64| i64::try_from(offset).expect("small");
    let mut relas =
        vec![(0, 4, 0), (8, 2, 16), (16, 3, 0), (24, 2, at(first)), (16 + object + 8, 2, at(second))];
    for begin in [first, first + func, second] {
        relas.extend([(begin, 3, 5), (begin + 8, 1, 0)]);
    }
    // Room for all of it behind section 2's first bytes.
    let made = file(".x", Vec::new(), 2, &relas);
    grown(made, second + 2 * func)
}

/// The same file with a `.data` of so many zero bytes.
fn grown(mut made: Vec<u8>, size: u64) -> Vec<u8> {
    let at = made.len() as u64;
    made.resize(made.len() + usize::try_from(size).unwrap(), 0);
    for (field, value) in [(24, at), (32, size)] {
        let header = testing::header_at(&made, 2, field);
        testing::put(&mut made, header, &value.to_le_bytes());
    }
    made
}

#[test]
fn structures_are_read_by_the_length_that_they_have() {
    for (object, func) in [(168, 152), (136, 136), (256, 240), (200, 184), (168, 176)] {
        let (origin, list, incomplete) = listed(&laid_out(object, func)).expect("objects");
        let functions = |n: usize| vec![("first".to_owned(), 0); n];
        let expected: List = vec![("tmod".to_owned(), functions(2)), ("vmlinux".to_owned(), functions(1))];
        assert_eq!((origin, incomplete), (Origin::KlpPatch, false), "{object}, {func}");
        assert_eq!(list, expected, "{object}, {func}");
    }
}

#[test]
fn a_length_that_cannot_be_told_is_no_list() {
    // So long that a known length fits too, with one function and more behind it.
    assert!(listed(&laid_out(312, 296)).is_some_and(|found| found.2));
    // A pointer where no structure has one.
    let relas = [(0, 4, 0), (8, 2, 64), (64, 3, 0), (72, 2, 512), (512, 3, 5), (520, 1, 0), (536, 1, 0)];
    let (_, list, incomplete) = listed(&file(".x", Vec::new(), 2, &relas)).expect("objects");
    assert!(incomplete && list.len() == 1, "{list:?}");
    // One function, and what may be another behind the end that a shorter length gives it.
    let relas = [
        (0, 4, 0),
        (8, 2, 64),
        (64, 3, 0),
        (72, 2, 300),
        (300, 3, 5),
        (308, 1, 0),
        (700, 3, 11),
        (708, 1, 0),
    ];
    let (_, list, incomplete) = listed(&file(".x", Vec::new(), 2, &relas)).expect("objects");
    assert!(incomplete && list[0].1.len() == 1, "{list:?}");
}

#[test]
fn an_object_called_vmlinux_by_hand_is_not_the_kernel() {
    let name = b"vmlinux\0";
    let mut relas = vec![(0, 4, 0), (8, 2, 64), (64, 2, 1000), (72, 2, 512), (512, 3, 5), (520, 1, 0)];
    let mut made = file(".x", Vec::new(), 2, &relas);
    let at = testing::contents_at(&made, 2) + 1000;
    testing::put(&mut made, at, name);
    let is_kernel = |file: &[u8]| {
        let module = Module::parse(file, Path::new("lp.ko"), false).expect("a module");
        let objects = module.objects().expect("objects");
        (objects.list[0].name.to_vec(), objects.list[0].is_kernel)
    };
    assert_eq!(is_kernel(&made), (b"vmlinux".to_vec(), false));
    relas.remove(2);
    assert_eq!(is_kernel(&file(".x", Vec::new(), 2, &relas)), (b"vmlinux".to_vec(), true));
}
