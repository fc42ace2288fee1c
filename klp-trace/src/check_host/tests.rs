//! The small livepatch of the ELF tests (`tmod`: `secret` at 0, `twice` at 2; vmlinux: `printk` at 1) on hosts that each
//! lack one thing.

use std::path::Path;

use super::*;
use crate::elf::module::Module;
use crate::elf::testing::{self, Made};
use crate::kernel::sysfs::PatchObject;
use crate::lint::Listed;
use Answer::{No, Unknown, Warning, Yes};

const CORE: u16 = 1;
const INIT: u16 = 2;
const FIT: [(&str, u16); 3] = [("secret", CORE), ("twice", CORE), ("twice", CORE)];

fn object(symbols: &[(&str, u16)]) -> ObjectFile {
    let list: Vec<(&str, u16, u64)> =
        [("", 0)].iter().chain(symbols).map(|(name, section)| (*name, *section, 0)).collect();
    let (table, strings) = testing::symbols(&list);
    let file = testing::build(vec![
        testing::section(".text", 1, 6, vec![0x90; 32]),
        testing::section(".init.text", 1, 6, vec![0x90; 32]),
        Made { link: 4, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
        testing::section(".strtab", 3, 0, strings),
    ]);
    let wanted = ["secret", "twice"].map(str::to_owned).into();
    ObjectFile::parse(&file, Path::new("tmod.ko"), &wanted).unwrap()
}

fn build(id: &str) -> Build {
    Build { build_id: Some(id.to_owned()), srcversion: None }
}

fn object_of(loaded: Option<Build>, file: Result<File, String>) -> Object {
    Object { loaded, builtin: false, holders: Vec::new(), file }
}

fn fit() -> (Patch, Host) {
    let patch = Patch {
        name: "lp_test".to_owned(),
        machine: "x86_64",
        vermagic: Some("6.1 SMP ".to_owned()),
        versions: false,
        depends: Vec::new(),
        imports: vec!["printk".to_owned()],
        functions: Vec::new(),
    };
    let listed = [(("tmod", "secret"), 1), (("tmod", "twice"), 2), (("vmlinux", "printk"), 1)];
    let file = File {
        path: "tmod.ko".to_owned(),
        build: build("aa"),
        vermagic: Some("6.1 SMP ".to_owned()),
        depends: Vec::new(),
        symbols: object(&FIT),
        reach: [("secret".to_owned(), vec![Reach::Site]), ("twice".to_owned(), vec![Reach::Site; 2])].into(),
    };
    let host = Host {
        release: "6.1".to_owned(),
        machine: "x86_64".to_owned(),
        livepatch: Ok(true),
        vermagic: Ok(("6.1 SMP ".to_owned(), "tmod.ko".to_owned())),
        modules: Ok([("tmod".to_owned(), State::Live)].into()),
        patches: Ok(Vec::new()),
        listed: Ok(listed
            .iter()
            .map(|((o, n), count)| (((*o).to_owned(), (*n).to_owned()), *count))
            .collect()),
        traceable: Ok(BTreeMap::new()),
        exports: Ok([("printk".to_owned(), None)].into()),
        ftrace_disabled: false,
        modules_disabled: false,
        clears: Ok(true),
        objects: [("tmod".to_owned(), object_of(Some(build("aa")), Ok(file)))].into(),
    };
    (patch, host)
}

/// The answers that are no yes, once something is changed, and the answer to all.
fn asked(change: impl FnOnce(&mut Patch, &mut Host)) -> (Vec<(&'static str, Answer)>, Answer) {
    let bytes = testing::livepatch();
    let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let (mut patch, mut host) = fit();
    change(&mut patch, &mut host);
    let report = ask(&facts, &patch, &host, &lint::Report::default());
    let other = report.checks.iter().filter(|c| c.answer != Yes);
    assert!(other.clone().all(|c| c.remedy.is_some()), "{report:#?}");
    (other.map(|c| (c.about, c.answer)).collect(), report.answer)
}

fn said(change: impl FnOnce(&mut Patch, &mut Host)) -> Vec<(&'static str, Answer)> {
    asked(change).0
}

fn why<T>() -> Result<T, String> {
    Err("why".to_owned())
}

fn tmod(host: &mut Host) -> &mut Object {
    host.objects.get_mut("tmod").unwrap()
}

fn other(transition: bool) -> sysfs::Patch {
    sysfs::Patch {
        name: "lp_other".to_owned(),
        enabled: true,
        transition,
        replace: None,
        stack_order: None,
        objects: vec![PatchObject { name: "tmod".to_owned(), patched: None }],
        whole: true,
    }
}

#[test]
fn a_host_that_fits() {
    assert_eq!(asked(|_, _| ()), (vec![], Yes));
}

#[test]
fn the_kernel_and_the_module_loader() {
    // Without livepatching, what it would do is no question.
    let without = |h: &mut Host| (h.livepatch, h.clears) = (Ok(false), Ok(false));
    assert_eq!(said(|_, h| without(h)), [("livepatching", No)]);
    assert_eq!(said(|_, h| h.livepatch = why()), [("livepatching", Unknown)]);
    assert_eq!(said(|p, _| p.machine = "s390x"), [("architecture", No)]);
    assert_eq!(
        said(|_, h| h.modules.as_mut().unwrap().insert("lp_test".to_owned(), State::Live).map_or((), drop)),
        [("name", No)]
    );
    assert_eq!(said(|_, h| h.modules = why()), [("name", Unknown), ("build", Unknown)]);
    assert_eq!(said(|_, h| h.patches = Ok(vec![other(true)])), [("transition", No)]);
    assert_eq!(said(|_, h| h.patches = why()), [("transition", Unknown), ("next load", Unknown)]);
    assert_eq!(said(|p, _| p.depends.push("absent".to_owned())), [("depends", No)]);
}

#[test]
fn what_it_depends_on_and_imports() {
    let other = |h: &mut Host, loaded: Option<Build>, file: bool| {
        let file = if file { tmod(h).file.clone() } else { why() };
        h.objects.insert("other".to_owned(), object_of(loaded, file));
    };
    let depends = |p: &mut Patch| p.depends.push("other".to_owned());
    assert_eq!(said(|p, h| (depends(p), other(h, Some(build("bb")), false)).1), []);
    // insmod does not load it, though modprobe would.
    assert_eq!(said(|p, h| (depends(p), other(h, None, true)).1), [("depends", No)]);
    assert_eq!(said(|p, h| (depends(p), other(h, None, false)).1), [("depends", No)]);
    // What is patched is looked at, also where the patch depends on it.
    let both = |p: &mut Patch, h: &mut Host| {
        p.depends.push("tmod".to_owned());
        h.listed.as_mut().unwrap().insert(("tmod".to_owned(), "secret".to_owned()), 0);
    };
    assert_eq!(said(both), [("symbols, object first", No)]);

    assert_eq!(said(|p, _| p.imports.push("nowhere".to_owned())), [("exports", No)]);
    assert_eq!(said(|_, h| h.exports = why()), [("exports", Unknown)]);
    assert_eq!(said(|p, h| (p.imports.clear(), h.exports = why()).1), []);
    let raw = ".klp.sym.tmod.secret,0".to_owned();
    let bytes = testing::livepatch();
    let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let (mut patch, host) = fit();
    patch.imports.push(raw);
    let report = ask(&facts, &patch, &host, &lint::Report::default());
    let check = report.checks.iter().find(|c| c.about == "exports").unwrap();
    assert!(check.remedy.as_ref().unwrap().contains("klp-convert"), "{check:?}");
}

#[test]
fn objects_that_the_file_does_not_tell_are_no_yes() {
    let bytes = testing::livepatch();
    let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::of(None)).unwrap();
    let (patch, host) = fit();
    let report = ask(&facts, &patch, &host, &lint::Report::default());
    let open = report.checks.iter().filter(|c| c.answer != Yes).map(|c| (c.about, c.answer));
    assert_eq!(open.collect::<Vec<_>>(), [("file", Unknown)]);
}

#[test]
fn switches_and_built_in_modules() {
    assert_eq!(said(|_, h| h.ftrace_disabled = true), [("switches", No)]);
    assert_eq!(said(|_, h| h.modules_disabled = true), [("switches", No)]);
    let built_in = |h: &mut Host| (tmod(h).builtin, tmod(h).loaded) = (true, None);
    assert_eq!(said(|_, h| built_in(h)), [("build", No)]);
}

#[test]
fn functions_that_ftrace_does_not_reach() {
    let function = |object: &str, name: &str| lint::sympos::Function {
        object: object.to_owned(),
        name: name.to_owned(),
        sympos: 0,
    };
    let replaced = |p: &mut Patch, h: &mut Host, reach: Reach| {
        p.functions = vec![function("tmod", "secret")];
        tmod(h).file.as_mut().unwrap().reach.insert("secret".to_owned(), vec![reach]);
    };
    assert_eq!(said(|p, h| replaced(p, h, Reach::Site)), []);
    for reach in [Reach::NoSite, Reach::Data, Reach::Init] {
        assert_eq!(said(|p, h| replaced(p, h, reach)), [("functions", No)], "{reach:?}");
    }
    let no_list = |p: &mut Patch, h: &mut Host| {
        replaced(p, h, Reach::Site);
        tmod(h).file.as_mut().unwrap().reach.clear();
    };
    assert_eq!(said(no_list), [("functions", Unknown)]);
    // Of what the file does not tell, the kernel's list does: of the kernel itself, and of another build that is loaded.
    let of = |object: &str, name: &str, sites| ((object.to_owned(), name.to_owned()), sites);
    let kernel = |p: &mut Patch, h: &mut Host, sites: usize| {
        p.functions = vec![function("vmlinux", "printk")];
        h.traceable = Ok(if sites == 0 { BTreeMap::new() } else { [of("vmlinux", "printk", sites)].into() });
    };
    assert_eq!(said(|p, h| kernel(p, h, 1)), []);
    assert_eq!(said(|p, h| kernel(p, h, 0)), [("functions", No)]);
    assert_eq!(said(|p, h| (kernel(p, h, 1), h.traceable = why()).1), [("functions", Unknown)]);
    let some = |p: &mut Patch, h: &mut Host| {
        p.functions = vec![lint::sympos::Function { sympos: 1, ..function("tmod", "twice") }];
        tmod(h).loaded = Some(build("bb"));
        h.traceable = Ok([of("tmod", "twice", 1)].into());
    };
    assert_eq!(said(some), [("build", Unknown), ("functions", Unknown)]);
}

/// The small livepatch with the symbol of its first section in the module `third`.
fn asked_of_third(change: impl FnOnce(&mut Patch, &mut Host)) -> Vec<(String, Answer)> {
    let bytes = testing::livepatch();
    let from = b".klp.sym.tmod.secret,0";
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    let mut bytes = bytes;
    testing::put(&mut bytes, at, b".klp.sym.thrd.secret,0");
    let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed::default()).unwrap();
    let (mut patch, mut host) = fit();
    let file = tmod(&mut host).file.clone();
    host.objects.insert("thrd".to_owned(), object_of(Some(build("aa")), file));
    host.modules.as_mut().unwrap().insert("thrd".to_owned(), State::Live);
    host.listed.as_mut().unwrap().insert(("thrd".to_owned(), "secret".to_owned()), 1);
    change(&mut patch, &mut host);
    let report = ask(&facts, &patch, &host, &lint::Report::default());
    let other = report.checks.iter().filter(|c| c.answer != Yes);
    other.map(|c| (c.about.to_owned(), c.answer)).collect()
}

#[test]
fn symbols_of_a_third_module() {
    let about = |answer| vec![("symbols' module".to_owned(), answer)];
    assert_eq!(asked_of_third(|_, _| ()), about(Warning), "nothing holds it");
    assert_eq!(asked_of_third(|_, h| h.objects.get_mut("thrd").unwrap().loaded = None), about(No));
    assert_eq!(asked_of_third(|_, h| h.modules = why())[1..].last(), about(Unknown).last());
    // Held by the object that the section waits for, or by the patch.
    let held = |h: &mut Host| h.objects.get_mut("thrd").unwrap().holders.push("tmod".to_owned());
    assert_eq!(asked_of_third(|_, h| held(h)), []);
    let other = |h: &mut Host| h.objects.get_mut("thrd").unwrap().holders.push("unrelated".to_owned());
    assert_eq!(asked_of_third(|_, h| other(h)), about(Warning));
    let depends = |h: &mut Host| tmod(h).file.as_mut().unwrap().depends.push("thrd".to_owned());
    assert_eq!(asked_of_third(|_, h| depends(h)), []);
    let imported = |h: &mut Host| h.exports = Ok([("printk".to_owned(), Some("thrd".to_owned()))].into());
    assert_eq!(asked_of_third(|_, h| imported(h)), []);
    // depends= alone makes no holder.
    assert_eq!(asked_of_third(|p, _| p.depends.push("thrd".to_owned())), about(Warning));
}

#[test]
fn vermagic_as_the_kernel_compares_it() {
    let of = |text: &str| Ok((text.to_owned(), "x.ko".to_owned()));
    let refused = [("vermagic", No)];
    assert_eq!(said(|p, _| p.vermagic = None), refused);
    assert_eq!(said(|_, h| h.vermagic = of("6.2 SMP ")), refused);
    assert_eq!(said(|_, h| h.vermagic = of("6.1 SMP preempt ")), refused);
    // Without a module of this kernel the release is all that can be compared.
    assert_eq!(said(|_, h| h.vermagic = why()), [("vermagic", Unknown)]);
    let elsewhere = |h: &mut Host| (h.vermagic, h.release) = (why(), "6.2".to_owned());
    assert_eq!(said(|_, h| elsewhere(h)), refused);
    // With checksums the release does not matter to the kernel; the checksums are not compared here.
    let sums = |p: &mut Patch, theirs: &str| {
        p.versions = true;
        p.vermagic = Some("6.1 SMP modversions ".to_owned());
        of(theirs)
    };
    assert_eq!(said(|p, h| h.vermagic = sums(p, "6.1 SMP modversions ")), []);
    assert_eq!(said(|p, h| h.vermagic = sums(p, "6.2 SMP modversions ")), [("vermagic", Unknown)]);
    assert_eq!(said(|p, h| h.vermagic = sums(p, "6.2 SMP ")), refused);
}

#[test]
fn symbols_in_both_orders() {
    let count = |h: &mut Host, object: &str, name: &str, count| {
        *h.listed.as_mut().unwrap().get_mut(&(object.to_owned(), name.to_owned())).unwrap() = count;
    };
    let (first, second) = ("symbols, object first", "symbols, patch first");
    assert_eq!(said(|_, h| count(h, "tmod", "secret", 2)), [(first, No)]);
    assert_eq!(said(|_, h| count(h, "tmod", "twice", 1)), [(first, No)]);
    assert_eq!(said(|_, h| count(h, "vmlinux", "printk", 0)), [(first, No)]);
    assert_eq!(said(|_, h| h.listed = why()), [(first, Unknown), (first, Unknown)]);
    let state = |h: &mut Host, state| *h.modules.as_mut().unwrap().get_mut("tmod").unwrap() = state;
    assert_eq!(said(|_, h| state(h, State::Loading)), [(first, Unknown)]);
    // While it loads, .init is counted too.
    let file = |h: &mut Host, list: &[(&str, u16)]| tmod(h).file.as_mut().unwrap().symbols = object(list);
    let twin = [("secret", CORE), ("twice", CORE), ("twice", CORE), ("secret", INIT)];
    assert_eq!(said(|_, h| file(h, &twin)), [(second, No)]);
    let other = [("secret", CORE), ("twice", INIT), ("twice", CORE), ("twice", CORE)];
    assert_eq!(said(|_, h| file(h, &other)), [(second, No)]);
    // Not loaded: the file tells of both.
    let only = |h: &mut Host, list: &[(&str, u16)]| {
        file(h, list);
        tmod(h).loaded = None;
    };
    assert_eq!(said(|_, h| only(h, &FIT)), []);
    assert_eq!(said(|_, h| only(h, &[("secret", CORE), ("twice", CORE)])), [(first, No), (second, No)]);
    let function = |name: &str| {
        vec![lint::sympos::Function { object: "tmod".to_owned(), name: name.to_owned(), sympos: 0 }]
    };
    assert_eq!(said(|p, _| p.functions = function("gone")), [(first, No), (second, No)]);
}

#[test]
fn objects_and_their_next_load() {
    let (build_of, second) = ("build", "symbols, patch first");
    assert_eq!(said(|_, h| tmod(h).loaded = Some(build("bb"))), [(build_of, Unknown)]);
    assert_eq!(said(|_, h| tmod(h).loaded = Some(Build::default())), [(build_of, Unknown)]);
    assert_eq!(said(|_, h| tmod(h).file = why()), [(build_of, Unknown), (second, Unknown)]);
    // A srcversion counts only without a build-id.
    let source = |version: &str| Build { build_id: None, srcversion: Some(version.to_owned()) };
    let both = |h: &mut Host, a, b| {
        tmod(h).loaded = Some(a);
        tmod(h).file.as_mut().unwrap().build = b;
    };
    assert_eq!(said(|_, h| both(h, source("1"), source("1"))), []);
    assert_eq!(said(|_, h| both(h, source("1"), source("2"))), [(build_of, Unknown)]);

    assert_eq!(asked(|_, h| h.clears = Ok(false)), (vec![("next load", Warning)], Warning));
    assert_eq!(said(|_, h| h.clears = why()), [("next load", Unknown)]);
    // Another patch may hold what an earlier load left, as long as the object is away.
    assert_eq!(said(|_, h| h.patches = Ok(vec![other(false)])), []);
    let away = |h: &mut Host| (h.patches, tmod(h).loaded) = (Ok(vec![other(false)]), None);
    assert_eq!(said(|_, h| away(h)), [("next load", Unknown)]);
}

#[test]
fn lint_of_the_file_counts_but_for_what_is_asked_here() {
    let bytes = testing::livepatch();
    let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
    let facts = Facts::of(&module, Listed { names: vec!["tmod".to_owned()], ..Listed::default() }).unwrap();
    let (patch, host) = fit();
    let found = lint::check(&facts);
    assert_eq!(found.worst(), Some(crate::model::Severity::Error), "its text is not zero");
    let report = ask(&facts, &patch, &host, &found);
    let file = report.checks.iter().find(|c| c.about == "file").unwrap();
    assert_eq!(file.answer, No);
    assert!(file.what.contains("KLP015 target-not-zero"), "{file:?}");
}
