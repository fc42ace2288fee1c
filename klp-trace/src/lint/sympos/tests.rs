//! The small livepatch of the ELF tests (`tmod`: `secret` at 0, `twice` at 2) against objects made for each case.

use std::path::Path;

use super::*;
use crate::elf::module::Module;
use crate::elf::testing::{self, Made};
use crate::lint::Listed;

/// An object's file: 1 .text, 2 .init.text, 3 .data.
fn object(symbols: &[(&str, u16)]) -> Vec<u8> {
    let list: Vec<(&str, u16, u64)> =
        [("", 0)].iter().chain(symbols).map(|(name, section)| (*name, *section, 0)).collect();
    let (table, strings) = testing::symbols(&list);
    testing::build(vec![
        testing::section(".text", 1, 6, vec![0x90; 32]),
        testing::section(".init.text", 1, 6, vec![0x90; 32]),
        testing::section(".data", 1, 3, vec![0; 32]),
        testing::section(".modinfo", 1, 2, b"name=tmod\0".to_vec()),
        Made { link: 6, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
        testing::section(".strtab", 3, 0, strings),
    ])
}

fn said(
    symbols: &[(&str, u16)],
    functions: &[Function],
) -> Vec<(String, &'static str, Severity, Option<String>)> {
    said_with_reach(symbols, functions, &[])
}

/// The same where the object's file tells what ftrace can do with some functions.
fn said_with_reach(
    symbols: &[(&str, u16)],
    functions: &[Function],
    reach: &[(&str, &[Reach])],
) -> Vec<(String, &'static str, Severity, Option<String>)> {
    let reach: BTreeMap<String, Vec<Reach>> =
        reach.iter().map(|(name, all)| ((*name).to_owned(), all.to_vec())).collect();
    let patch = testing::livepatch();
    let module = Module::parse(&patch, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let file = object(symbols);
    let mut report = Report::default();
    let mut find = |name: &str, wanted: &dyn Fn() -> BTreeSet<String>| {
        assert_eq!(name, "tmod");
        let file = ObjectFile::parse(&file, Path::new("tmod.ko"), &wanted()).map_err(|e| e.to_string())?;
        Ok(file.with_reach(reach.clone()))
    };
    check(&facts, functions, &mut find, &mut report);
    assert!(report.unchecked.is_empty());
    report.findings.into_iter().map(|f| (f.id.to_string(), f.rule, f.severity, f.symbol)).collect()
}

const CORE: u16 = 1;
const INIT: u16 = 2;

fn klp008(symbol: &str, severity: Severity) -> (String, &'static str, Severity, Option<String>) {
    ("KLP008".to_owned(), ORDER.rule, severity, Some(symbol.to_owned()))
}

fn klp014(symbol: &str) -> (String, &'static str, Severity, Option<String>) {
    ("KLP014".to_owned(), NOT_FOUND.rule, Severity::Error, Some(symbol.to_owned()))
}

#[test]
fn symbols_that_mean_the_same_in_both_orders_are_clean() {
    assert_eq!(said(&[("secret", CORE), ("twice", CORE), ("twice", CORE)], &[]), []);
    // Those that go come last: the position is that of the same symbol in both sets.
    assert_eq!(said(&[("secret", CORE), ("twice", CORE), ("twice", CORE), ("twice", INIT)], &[]), []);
}

#[test]
fn an_init_twin_makes_a_position_mean_two_symbols() {
    let symbols = [("secret", CORE), ("twice", INIT), ("twice", CORE), ("twice", CORE)];
    assert_eq!(said(&symbols, &[]), [klp008("twice", Severity::Error)]);
}

#[test]
fn an_init_twin_makes_one_order_fail() {
    let symbols = [("secret", CORE), ("secret", INIT), ("twice", INIT), ("twice", CORE)];
    assert_eq!(
        said(&symbols, &[]),
        [klp008("secret", Severity::Warning), klp008("twice", Severity::Warning)]
    );
}

#[test]
fn what_is_in_neither_set_is_not_found() {
    assert_eq!(said(&[("twice", CORE)], &[]), [klp014("secret"), klp014("twice")]);
}

#[test]
fn replaced_functions_are_looked_up_too() {
    let symbols = [("secret", CORE), ("twice", CORE), ("twice", CORE), ("f", CORE), ("f", INIT)];
    let function = |name: &str| Function { object: "tmod".to_owned(), name: name.to_owned(), sympos: 0 };
    let found = said(&symbols, &[function("f"), function("gone"), function("secret")]);
    assert_eq!(found, [klp008("f", Severity::Warning), klp014("gone")]);
}

#[test]
fn what_is_in_init_alone_is_of_use_in_no_order() {
    let symbols = [("secret", INIT), ("twice", CORE), ("twice", CORE), ("f", INIT), ("g", CORE), ("g", INIT)];
    let function = |name: &str, sympos| Function { object: "tmod".to_owned(), name: name.to_owned(), sympos };
    let found = said(&symbols, &[function("f", 0), function("g", 2)]);
    let init = |name: &str| ("KLP014".to_owned(), IN_INIT.rule, Severity::Error, Some(name.to_owned()));
    assert_eq!(found, [init("secret"), init("f"), init("g")]);
}

#[test]
fn functions_are_code() {
    const DATA: u16 = 3;
    let symbols = [("secret", DATA), ("twice", CORE), ("twice", CORE), ("datum", DATA)];
    let function = Function { object: "tmod".to_owned(), name: "datum".to_owned(), sympos: 1 };
    let found = said(&symbols, &[function]);
    let data = ("KLP014".to_owned(), NOT_CODE.rule, Severity::Error, Some("datum".to_owned()));
    assert_eq!(found, [data], "a relocation's symbol may be data, a function may not");
}

#[test]
fn functions_have_an_ftrace_site() {
    let symbols = [("secret", CORE), ("twice", CORE), ("twice", CORE)];
    let function = |name: &str, sympos| Function { object: "tmod".to_owned(), name: name.to_owned(), sympos };
    let reach: &[(&str, &[Reach])] =
        &[("secret", &[Reach::NoSite]), ("twice", &[Reach::Site, Reach::NoSite])];
    let out_of_reach =
        |name: &str| ("KLP014".to_owned(), NO_SITE.rule, Severity::Error, Some(name.to_owned()));
    let of = |functions: &[Function]| said_with_reach(&symbols, functions, reach);
    assert_eq!(of(&[function("secret", 0)]), [out_of_reach("secret")]);
    assert_eq!(of(&[function("twice", 1)]), []);
    assert_eq!(of(&[function("twice", 2)]), [out_of_reach("twice")]);
    assert_eq!(of(&[]), [], "what is only referred to needs none");
    assert_eq!(said(&symbols, &[function("secret", 0)]), [], "a file that does not tell");
}

#[test]
fn names_with_the_suffix_of_clangs_lto_are_known_to_some_kernels() {
    let patch = testing::livepatch();
    let module = Module::parse(&patch, Path::new("lp.ko"), false).unwrap();
    let file = object(&[("secret.llvm.42", CORE), ("twice", CORE), ("twice", CORE), ("twice.cold", CORE)]);
    let mut find = |_: &str, wanted: &dyn Fn() -> BTreeSet<String>| {
        ObjectFile::parse(&file, Path::new("tmod.ko"), &wanted()).map_err(|e| e.to_string())
    };
    let mut on = |release: &str| {
        let mut facts = Facts::of(&module, Listed::default()).unwrap();
        facts.built_for = crate::lint::BuiltFor::release(release);
        let mut report = Report::default();
        check(&facts, &[], &mut find, &mut report);
        let said = report
            .findings
            .iter()
            .map(|f| f.remedy.clone())
            .chain(report.unchecked.iter().map(|u| u.why.clone()));
        (report.findings.len(), report.unchecked.len(), said.collect::<String>())
    };
    for release in ["6.1.0", "6.10.9", "5.15.0", "5.14.0-427.el9.x86_64", ""] {
        let (found, unsure, why) = on(release);
        assert_eq!((found, unsure), (0, 1), "{release}");
        assert!(why.contains("secret.llvm.42"), "{why}");
    }
    let (found, unsure, remedy) = on("6.11.0");
    assert_eq!((found, unsure), (1, 0));
    assert!(remedy.contains("ask for it by its whole name, secret.llvm.42"), "{remedy}");
}

#[test]
fn without_the_objects_file_nothing_is_known_and_that_is_said() {
    let patch = testing::livepatch();
    let module = Module::parse(&patch, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let mut report = Report::default();
    check(
        &facts,
        &[],
        &mut |_: &str, _: &dyn Fn() -> BTreeSet<String>| Err("no file".to_owned()),
        &mut report,
    );
    assert!(report.findings.is_empty());
    let ids: Vec<_> = report.unchecked.iter().map(|u| (u.id, u.subject.as_str())).collect();
    assert_eq!(ids, [(FindingId::Klp008, "tmod"), (FindingId::Klp014, "tmod")]);
}
