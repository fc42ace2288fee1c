//! The small livepatch of the ELF tests: two relocations gated on `tmod`, one on vmlinux.

use std::path::Path;

use super::*;
use crate::elf::module::Module;
use crate::elf::testing;
use crate::lint::Listed;

fn measured(change: impl Fn(&mut Around)) -> Report {
    let patch = testing::livepatch();
    let module = Module::parse(&patch, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let symbols = [("secret".to_owned(), Kind::Static), ("twice".to_owned(), Kind::Exported)];
    let file = ObjectFile {
        path: "tmod.ko".to_owned(),
        bytes: 4096,
        srcversion: false,
        symbols: BTreeMap::from(symbols),
    };
    let function = |object: &str| Function { object: object.to_owned(), name: "f".to_owned(), sympos: 0 };
    let mut around = Around {
        patch: "lp_test".to_owned(),
        functions: vec![function("tmod"), function("other")],
        files: BTreeMap::from([
            ("tmod".to_owned(), Ok(file)),
            ("other".to_owned(), Err("no file".to_owned())),
        ]),
        exported: Ok(BTreeSet::new()),
        loaded: Ok(BTreeSet::from(["other".to_owned()])),
        releases: ("7.3".to_owned(), "6.1".to_owned()),
    };
    change(&mut around);
    measure(&facts, &around)
}

#[test]
fn each_object_is_counted() {
    let report = measured(|_| ());
    let of = |name: &str| report.gates.iter().find(|g| g.object == name).unwrap();
    let tmod = of("tmod");
    assert_eq!((tmod.relocations, tmod.functions, tmod.in_code, tmod.in_data), (2, 1, 2, 0));
    assert_eq!((tmod.loaded, tmod.file_bytes), (Some(false), Some(4096)));
    let symbols = Symbols { total: 2, own_static: 1, own_exported: 1, ..Symbols::default() };
    assert_eq!(tmod.symbols, symbols);
    let vmlinux = of("vmlinux");
    assert_eq!((vmlinux.relocations, vmlinux.in_data, vmlinux.loaded), (1, 1, Some(true)));
    assert_eq!(vmlinux.symbols.unknown, 1, "not exported says nothing of static or global");
    assert_eq!((of("other").relocations, of("other").functions), (0, 1), "patched without relocations");
}

#[test]
fn the_headings_are_those_of_the_list() {
    let report = measured(|_| ());
    let names: Vec<&str> = report.criteria.iter().map(|c| c.name).collect();
    let wanted = [
        "implementation cost",
        "maintenance cost",
        "risks",
        "possible improvements and hardening",
        "user-visible effects",
        "complication and limits with creating livepatches",
    ];
    assert_eq!(names, wanted);
    assert!(report.criteria.iter().all(|c| !c.measured.is_empty()));
    assert!(report.criteria[0].measured[0].text.starts_with("2 of 3 livepatch relocations"));
}

#[test]
fn what_is_missing_is_said_with_its_reason_and_never_counted_as_none() {
    let report = measured(|around| {
        around.loaded = Err("no /proc/modules".to_owned());
        around.exported = Err("no Module.symvers".to_owned());
    });
    assert!(report.gates.iter().all(|g| g.loaded == (g.object == "vmlinux").then_some(true)));
    let missing: Vec<&str> =
        report.criteria.iter().flat_map(|c| c.not_measured.iter().map(|n| n.why.as_str())).collect();
    for why in ["no /proc/modules", "no Module.symvers", "no file"] {
        assert!(missing.contains(&why), "{why}: {missing:?}");
    }
    assert!(report.alternatives[0].contains.is_empty() && report.alternatives[0].blocks.is_empty());
    assert_eq!(report.alternatives[0].not_measured[0].why, "no /proc/modules");
}

#[test]
fn the_alternatives_say_what_they_would_block_here() {
    let report = measured(|_| ());
    let [loaded, split, replaced] = report.alternatives.as_slice() else { panic!("three") };
    assert!(
        loaded.contains[0].text.contains("1 function and 1 livepatch relocation of 2 functions and 3"),
        "{loaded:?}"
    );
    assert!(loaded.blocks[0].text.starts_with("tmod:"), "{loaded:?}");
    assert_eq!(split.contains[0].text, "3 livepatch modules");
    assert!(replaced.blocks[0].text.ends_with("none: tmod"), "{replaced:?}");
    assert!(replaced.blocks[1].text.ends_with("unloaded: other"), "{replaced:?}");
}
