//! A module with a traced function, one that is not, one in .init.text, a variable, and assembly without a size.

use std::path::Path;

use super::*;
use crate::elf::testing::{self, Made};

/// `list` is the section that lists the places, each an offset of `.text`.
fn module(list: &str, places: &[i64], machine: u8) -> Vec<u8> {
    let (mut table, strings) = testing::symbols(&[
        ("", 0, 0),
        ("", 1, 0),
        ("traced", 1, 0x10),
        ("hidden", 1, 0x30),
        ("begins", 2, 0),
        ("counter", 3, 0),
        ("assembly", 1, 0x50),
    ]);
    for symbol in 2..6 {
        testing::put(&mut table, symbol * 24 + 16, &[0x18]);
    }
    let entries = places.iter().enumerate().map(|(n, at)| testing::rela(8 * n as u64, 1, 1, *at));
    let mut file = testing::build(vec![
        testing::section(".text", 1, 6, vec![0x90; 0x80]),
        testing::section(".init.text", 1, 6, vec![0x90; 0x20]),
        testing::section(".data", 1, 3, vec![0; 8]),
        testing::section(list, 1, 2, vec![0; 8 * places.len()]),
        Made {
            link: 6,
            info: 4,
            entsize: 24,
            ..testing::section(".rela", 4, 0x40, entries.flatten().collect())
        },
        Made { link: 7, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
        testing::section(".strtab", 3, 0, strings),
    ]);
    testing::put(&mut file, 18, &[machine]);
    file
}

fn reached(file: &[u8]) -> Vec<(String, Reach)> {
    let module = Module::parse(file, Path::new("x.ko"), false).unwrap();
    let sites = Sites::read(&module).unwrap();
    let named = module.symbols().filter(|s| s.name.is_some_and(|name| !name.is_empty()));
    let of = |symbol: Symbol<'_>| {
        (String::from_utf8(symbol.name.unwrap().to_vec()).unwrap(), sites.reach(&module, &symbol))
    };
    named.map(of).collect()
}

fn all(traced: Reach, assembly: Reach) -> Vec<(String, Reach)> {
    [
        ("traced", traced),
        ("hidden", Reach::NoSite),
        ("begins", Reach::Init),
        ("counter", Reach::Data),
        ("assembly", assembly),
    ]
    .map(|(name, reach)| (name.to_owned(), reach))
    .into()
}

const X86: u8 = 62;
const ARM: u8 = 183;

#[test]
fn a_place_anywhere_in_the_function_counts() {
    for at in [0x10, 0x14, 0x27] {
        assert_eq!(reached(&module("__mcount_loc", &[at], X86)), all(Reach::Site, Reach::NoSite), "{at:#x}");
    }
    for at in [0x0f, 0x28] {
        assert_eq!(
            reached(&module("__mcount_loc", &[at], X86)),
            all(Reach::NoSite, Reach::NoSite),
            "{at:#x}"
        );
    }
    assert_eq!(reached(&module("__mcount_loc", &[0x54, 0x10], X86)), all(Reach::Site, Reach::Site));
}

#[test]
fn each_architecture_has_its_list() {
    // x86 lists padding there, of functions without a place too.
    let padding = module("__patchable_function_entries", &[0x10, 0x30], X86);
    assert_eq!(reached(&padding), all(Reach::NoSite, Reach::NoSite));
    let before = module("__patchable_function_entries", &[0x08], ARM);
    assert_eq!(reached(&before), all(Reach::Site, Reach::NoSite));
    assert_eq!(reached(&module("__mcount_loc", &[0x10], ARM)), all(Reach::Site, Reach::NoSite));
}
