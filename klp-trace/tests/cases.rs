//! `klp-trace inspect` on files as people make them, one for each kind: what is wrong is said, and nothing else.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

#[allow(dead_code, reason = "the rules' tests use more of it")]
#[path = "lint/ko.rs"]
mod ko;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ko::{Ko, field};
use serde_json::Value;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(format!("{name}.ko"))
}

fn read(name: &str) -> Ko {
    Ko(std::fs::read(case(name)).expect("a case"))
}

/// klp-build's livepatch, unpacked.
fn klp_build() -> Ko {
    let path = "../tests/fixtures/klp-build-two-7.3.4.ko.xz";
    let packed =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the fixture is there");
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(packed.as_slice(), true).read_to_end(&mut bytes).expect("xz");
    Ko(bytes)
}

fn inspect(args: &[&str], files: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.arg("inspect").args(args).args(files).output().expect("it starts")
}

/// The record of a file, and the exit code.
fn record(path: &Path, args: &[&str]) -> (Value, Option<i32>) {
    let args = [&["--format", "json"][..], args].concat();
    let out = inspect(&args, &[path]);
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    (serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}{said}")), out.status.code())
}

/// Rule and severity of each finding.
fn findings(record: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let list = record["lint"]["findings"].as_array().expect("findings");
    list.iter().map(|f| (text(&f["rule"]), text(&f["severity"]))).collect()
}

/// What is said of bytes.
fn said(ko: &Ko, args: &[&str]) -> Vec<(String, String)> {
    findings(&recorded(ko, args).0)
}

fn recorded(ko: &Ko, args: &[&str]) -> (Value, Option<i32>) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("lp.ko");
    std::fs::write(&path, &ko.0).expect("written");
    record(&path, args)
}

/// A pair of rule and severity.
fn of(rule: &str, severity: &str) -> (String, String) {
    (rule.to_owned(), severity.to_owned())
}

/// File, the file of its object, what is found.
type Case = (&'static str, Option<&'static str>, &'static [(&'static str, &'static str)]);

const ERROR: &str = "error";
const WARNING: &str = "warning";

const CASES: &[Case] = &[
    ("01-zfs", None, &[("object-name", ERROR), ("gate-not-listed", ERROR)]),
    ("01b-zfs", None, &[("object-name", ERROR)]),
    ("01c-dash-listed", None, &[("object-name", ERROR)]),
    ("01g-object-56", None, &[("object-name-too-long", ERROR)]),
    ("02-kpatch-callback-only-object", None, &[]),
    ("02b-kpatch-callbacks-and-no-functions", None, &[]),
    ("02c-hand-callback-only", None, &[]),
    ("03-third-module", None, &[("third-module-symbol", WARNING)]),
    ("03b-vmlinux-gate-module-symbol", None, &[("third-module-symbol", WARNING)]),
    ("04-structures-of-5.0", None, &[]),
    ("04b-CONFIG_DEBUG_KOBJECT_RELEASE", None, &[]),
    ("05-unconverted-undef", None, &[("conversion-not-run", ERROR)]),
    ("05b-klp-convert-not-run", None, &[("conversion-not-run", ERROR)]),
    ("05c-create-klp-module-not-run", None, &[("conversion-not-run", WARNING)]),
    ("06-percpu-vmlinux-6.12", None, &[("target-per-cpu", ERROR)]),
    ("06-percpu-vmlinux-7.3", None, &[]),
    ("07-empty-not-alloc", None, &[("section-not-loaded", WARNING)]),
    ("07c-empty-bad-info", None, &[("target-index", WARNING)]),
    ("klp-arch-5.4", None, &[]),
    ("lp_dash", Some("kvm-intel"), &[("object-name", ERROR)]),
    ("lp_datum", Some("modf"), &[("function-not-code", ERROR)]),
    ("lp_ppc_nonop", None, &[("call-without-nop", ERROR)]),
    ("lp_ppc_nop", None, &[]),
    ("lp_ppc_sibling", None, &[("call-without-nop", ERROR)]),
    ("lp_twice", Some("modf"), &[("symbol-not-in-object", ERROR)]),
    ("name-200-5.15", None, &[("symbol-name", ERROR)]),
    ("vmlinux-symbol-5.4", None, &[]),
];

#[test]
fn every_case_gets_what_it_deserves() {
    for (name, object, expected) in CASES {
        let object = object.map(case);
        let args: Vec<&str> =
            object.iter().flat_map(|path| ["--object-file", path.to_str().expect("UTF-8")]).collect();
        let (record, code) = record(&case(name), &args);
        let mut found = findings(&record);
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|(rule, severity)| of(rule, severity)).collect();
        expected.sort();
        assert_eq!(found, expected, "{name}: {record:#}");
        let wrong = expected.iter().any(|(_, severity)| severity == ERROR);
        assert_eq!(code, Some(i32::from(wrong)), "{name}");
    }
}

/// Objects with the number of their functions.
fn objects(record: &Value) -> Vec<(String, usize)> {
    assert_eq!(record["objects"]["incomplete"], Value::Null, "{record:#}");
    let list = record["objects"]["list"].as_array().expect("objects");
    let of = |o: &Value| {
        (o["name"].as_str().expect("a name").to_owned(), o["functions"].as_array().expect("functions").len())
    };
    list.iter().map(of).collect()
}

#[test]
fn objects_are_listed_with_callbacks_alone_and_whatever_the_layout() {
    let listed = |name: &str| objects(&record(&case(name), &[]).0);
    let object = |name: &str, functions| (name.to_owned(), functions);
    assert_eq!(listed("02-kpatch-callback-only-object"), [object("vmlinux", 1), object("joydev", 0)]);
    assert_eq!(listed("02c-hand-callback-only"), [object("joydev", 0), object("vmlinux", 1)]);
    let two = [object("modA", 2), object("modB", 1)];
    assert_eq!(listed("04-structures-of-5.0"), two);
    assert_eq!(listed("04b-CONFIG_DEBUG_KOBJECT_RELEASE"), two);
    let (text, _) = text_of(&case("02c-hand-callback-only"), &[]);
    assert!(text.contains("joydev:  no function, callbacks alone"), "{text}");
}

fn text_of(path: &Path, args: &[&str]) -> (String, String) {
    let out = inspect(&[&["--color", "never"][..], args].concat(), &[path]);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(out.stdout), text(out.stderr))
}

#[test]
fn livepatches_of_the_kernels_own_builder_are_clean() {
    let ko = klp_build();
    let (made, code) = recorded(&ko, &["--fail-on", "info"]);
    assert_eq!((findings(&made), code), (vec![], Some(0)));
    assert_eq!(objects(&made), [("vmlinux".to_owned(), 1), ("dummy".to_owned(), 2)]);
    // As 6.19 made them: one table for all objects.
    let mut old = ko.clone();
    old.rename_section(old.section("__klp_relocs.vmlinux"), "__klp_relocs");
    old.rename_section(old.section(".init.klp_objects"), "__klp_objects");
    assert_eq!(said(&old, &[]), []);
    // Stripped of debug information, and of the tables' relocations.
    let mut stripped = ko.clone();
    for section in [".rela__klp_relocs.dummy", ".rela.debug_info"] {
        stripped.set(stripped.section(section), field::SIZE, 0);
    }
    assert_eq!(said(&stripped, &[]), []);
    // A real reference from code or data stays an error, and so does one from what the patch's init reads.
    for section in [".rela.text", ".rela.init.data", ".rela.init.klp_funcs"] {
        let mut stray = ko.clone();
        let symbol = stray.symbol(".klp.sym.dummy.numdummies,0");
        stray.set_symbol(stray.section(section), 0, symbol);
        assert!(said(&stray, &[]).contains(&of("livepatch-symbol-elsewhere", ERROR)), "{section}");
    }
}

#[test]
fn a_step_that_was_not_run_is_told_from_what_it_leaves() {
    // Half converted: one symbol is still undefined.
    let mut half = klp_build();
    half.define_symbol(half.symbol(".klp.sym.vmlinux.saved_command_line,0"), 0);
    let found = said(&half, &[]);
    assert!(found.contains(&of("conversion-not-run", ERROR)), "{found:?}");
    // klp-convert's own sections.
    let mut annotated = read("02c-hand-callback-only");
    annotated.rename_section(annotated.section(".rodata.str1.1"), ".klp.module_relocs.joydev");
    assert!(said(&annotated, &[]).contains(&of("conversion-not-run", ERROR)));
    // kpatch-build's beside finished relocations.
    let mut beside = read("02-kpatch-callback-only-object");
    beside.rename_section(beside.section(".gnu.linkonce.this_module"), ".kpatch.symbols");
    assert_eq!(said(&beside, &[]), [of("conversion-not-run", WARNING)]);
    let (text, _) = text_of(&case("05-unconverted-undef"), &[]);
    assert!(text.contains("objtool klp post-link") && text.contains(".klp.sym.modA.secret,0"), "{text}");
    let (text, _) = text_of(&case("05b-klp-convert-not-run"), &[]);
    assert!(text.contains("run klp-convert"), "{text}");
}

#[test]
fn names_that_no_module_has_are_told_wherever_they_stand() {
    let mut symbol = read("02c-hand-callback-only");
    symbol.rename_symbol(symbol.symbol(".klp.sym.joydev.joydev_minors,0"), ".klp.sym.joy-dev.x,0");
    assert!(said(&symbol, &[]).contains(&of("object-name", ERROR)));
    let (text, _) = text_of(&case("lp_dash"), &[]);
    assert!(text.contains("name it as lsmod does (kvm_intel)"), "{text}");
    // The kernel itself is the object without a name.
    let mut vmlinux = read("lp_twice");
    let strings = vmlinux.section(".rodata.str1.1");
    let at = vmlinux.grow(strings, b"vmlinux\0");
    vmlinux.set_addend(vmlinux.section(".rela.data"), 2, at);
    let found = said(&vmlinux, &[]);
    assert_eq!(found, [of("object-name", ERROR)]);
}

#[test]
fn names_have_the_lengths_that_the_kernel_reads() {
    let named = |entry: usize, bytes: usize, release: &str| {
        let mut ko = read("lp_twice");
        let strings = ko.section(".rodata.str1.1");
        let at = ko.grow(strings, &[vec![b'm'; bytes], vec![0]].concat());
        ko.set_addend(ko.section(".rela.data"), entry, at);
        ko.set_release(release);
        let (record, _) = recorded(&ko, &[]);
        let unchecked = record["lint"]["unchecked"].as_array().expect("unchecked");
        let unsure = unchecked.iter().any(|u| u["id"] == "KLP015");
        (findings(&record).into_iter().map(|f| f.0).collect::<Vec<_>>(), unsure)
    };
    let (object, function) = (2, 4);
    let none: (Vec<String>, bool) = (vec![], false);
    let too_long = |what: &str| (vec![format!("{what}-name-too-long")], false);
    assert_eq!(named(object, 55, "6.12.1"), none);
    assert_eq!(named(object, 56, "6.12.1"), too_long("object"));
    assert_eq!(named(object, 5000, "6.12.1"), too_long("object"));
    assert_eq!(named(function, 511, "6.12.1"), none);
    assert_eq!(named(function, 512, "6.12.1"), too_long("function"));
    assert_eq!(named(function, 700, "5.15.1"), too_long("function"));
    assert_eq!(named(function, 128, "5.15.1"), too_long("function"));
    assert_eq!(named(function, 127, "5.15.1"), none);
    assert_eq!(named(function, 128, "5.14.0-427.el9.x86_64"), (vec![], true), "it may have been taken over");
    assert_eq!(named(function, 128, "custom"), (vec![], true), "no version");
}

#[test]
fn the_same_twice_is_refused_by_sysfs() {
    // Both objects of the two get the same name; both functions of the first.
    let twice = |entry: usize, like: usize| {
        let mut ko = read("04-structures-of-5.0");
        let relas = ko.section(".rela.data");
        let addend = ko.addend(relas, like);
        ko.set_addend(relas, entry, addend);
        said(&ko, &[])
    };
    let found = twice(4, 2);
    assert!(found.contains(&of("object-twice", ERROR)), "{found:?}");
    assert_eq!(twice(8, 6), [of("function-twice", ERROR)]);
}

#[test]
fn rules_of_certain_kernels_are_not_asked_where_the_kernel_is_not_known() {
    for (name, id, old, new) in [
        ("06-percpu-vmlinux-6.12", "KLP012", "6.15.9", "6.16.0"),
        ("klp-arch-5.4", "KLP012", "5.8.0", "5.7.19"),
        ("vmlinux-symbol-5.4", "KLP015", "5.8.0", "5.7.19"),
        ("name-200-5.15", "KLP015", "6.0.19", "6.1.0"),
    ] {
        let mut ko = read(name);
        let mut of = |release: &str| {
            ko.set_release(release);
            let (record, code) = recorded(&ko, &["--strict", "--allow", "KLP008", "--allow", "KLP014"]);
            let unchecked = record["lint"]["unchecked"].as_array().expect("unchecked").clone();
            (findings(&record).len(), unchecked.iter().any(|u| u["id"] == id), code)
        };
        let (found, unsure, _) = of(old);
        assert_eq!((found, unsure), (1, false), "{name} on {old}");
        assert_eq!(of(new), (0, false, Some(0)), "{name} on {new}");
        assert_eq!(of("5.?"), (0, true, Some(5)), "{name} on a kernel that is not known");
        assert_eq!(of(""), (0, true, Some(5)), "{name} without a vermagic");
    }
}

#[test]
fn other_architectures_are_looked_up_too() {
    for arch in ["ppc64le", "s390x"] {
        let object = case(&format!("modx-{arch}"));
        let args = ["--object-file", object.to_str().expect("UTF-8")];
        let (record, code) = record(&case(&format!("lp_{arch}")), &args);
        let found = findings(&record);
        assert_eq!(code, Some(1), "{record:#}");
        assert_eq!(record["lint"]["unchecked"], serde_json::json!([]));
        assert!(found.contains(&of("symbol-depends-on-load-order", WARNING)), "{found:?}");
        assert!(found.contains(&of("symbol-not-in-object", ERROR)), "{found:?}");
    }
}

#[test]
fn remedies_fit() {
    let modf = case("modf");
    let args = ["--object-file", modf.to_str().expect("UTF-8")];
    let (text, _) = text_of(&case("lp_twice"), &args);
    assert!(
        text.contains("give the position of the one that is meant: 1 is the one in .text at 0x0, 2 is"),
        "{text}"
    );
    assert!(!text.contains(".isra"), "{text}");
    // A function in .init is of use in no order.
    let mut init = read("modf");
    for symbol in [2, 3] {
        init.set_symbol_section(symbol, 2);
    }
    init.set_symbol_section(3, 0);
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("modf.ko");
    std::fs::write(&path, &init.0).expect("written");
    let (record, _) = record(&case("lp_twice"), &["--object-file", path.to_str().expect("UTF-8")]);
    assert_eq!(findings(&record), [of("symbol-in-init", ERROR)]);
}

#[test]
fn values_that_never_fit() {
    let mut ko = read("02c-hand-callback-only");
    let klp = ko.section(".klp.rela.joydev..text");
    ko.set_type(klp, 0, 11);
    assert_eq!(said(&ko, &[]), [], "R_X86_64_32S is extended with the sign");
    ko.set_type(klp, 0, 10);
    assert_eq!(said(&ko, &[]), [of("type-too-narrow", ERROR)]);
    ko.rename_section(klp, ".klp.rela.vmlinux..text");
    assert!(said(&ko, &[]).contains(&of("type-too-narrow", ERROR)));
}

#[test]
fn symbols_of_a_third_module_dangle_unless_something_holds_it() {
    let (text, _) = text_of(&case("03b-vmlinux-gate-module-symbol"), &[]);
    assert!(text.contains("KLP016") && text.contains("worse than a gate on a module"), "{text}");
    let (third, _) = record(&case("03-third-module"), &[]);
    let what = third["lint"]["findings"][0]["what"].as_str().expect("what").to_owned();
    let gate =
        what.split_once("another module (").and_then(|(_, rest)| rest.split_once(')')).expect("a gate").0;
    let module =
        what.split_once("symbol of ").and_then(|(_, rest)| rest.split_once(':')).expect("a module").0;
    // The gate depends on it: then it stays as long as the gate.
    let dir = tempfile::tempdir().expect("a folder");
    let mut holder = read("modf");
    let info = holder.section(".modinfo");
    holder.replace(info, format!("name={gate}\0depends={}\0", module.replace('_', "-")).as_bytes());
    std::fs::write(dir.path().join(format!("{gate}.ko")), &holder.0).expect("written");
    let folder = dir.path().to_str().expect("UTF-8");
    let found = findings(&found_with(&case("03-third-module"), folder));
    assert!(!found.contains(&of("third-module-symbol", WARNING)), "{found:?}");
    holder.replace(info, format!("name={gate}\0depends=other\0").as_bytes());
    std::fs::write(dir.path().join(format!("{gate}.ko")), &holder.0).expect("written");
    let found = findings(&found_with(&case("03-third-module"), folder));
    assert!(found.contains(&of("third-module-symbol", WARNING)), "{found:?}");
}

#[test]
fn calls_of_ppc64_keep_room_for_the_restore() {
    let text = |second: u32| {
        let mut ko = read("lp_ppc_nonop");
        for (at, byte) in (8..).zip(second.to_le_bytes()) {
            ko.set_byte(ko.section(".text"), at, byte);
        }
        said(&ko, &[])
    };
    assert_eq!(text(0xe841_0018), [], "ld r2,24(r1) is there already");
    assert_eq!(text(0x6000_0000), []);
    assert_eq!(text(0x4e80_0020), [of("call-without-nop", ERROR)], "blr");
    let mut last = read("lp_ppc_nop");
    last.set(last.section(".text"), field::SIZE, 8);
    assert_eq!(said(&last, &[]), [of("call-without-nop", ERROR)], "nothing follows");
}

#[test]
fn tables_of_two_tools_are_no_error() {
    let mut ko = read("02-kpatch-callback-only-object");
    ko.rename_section(ko.section(".gnu.linkonce.this_module"), "__klp_objects");
    let (record, code) = recorded(&ko, &["--strict"]);
    assert_eq!((findings(&record), code), (vec![], Some(5)), "{record:#}");
    let why = record["objects"]["incomplete"].as_str().expect("why");
    assert!(why.contains("two tools"), "{why}");
}

#[test]
fn what_is_built_in_will_never_be_a_module() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("modules.builtin"), "kernel/drivers/input/joydev.ko\nkernel/net/unix/unix.ko\n")
        .expect("written");
    let folder = dir.path().to_str().expect("UTF-8");
    let (record, code) = record(&case("02c-hand-callback-only"), &["--object-file", folder]);
    assert_eq!((findings(&record), code), (vec![of("object-built-in", ERROR)], Some(1)));
    // Of other names the list says nothing.
    std::fs::write(at("modules.builtin"), "kernel/drivers/input/joydev2.ko\njoydev\n/joydev.ko/x.ko\n")
        .expect("written");
    assert_eq!(findings(&found_with(&case("02c-hand-callback-only"), folder)).len(), 1);
    std::fs::write(at("modules.builtin"), "kernel/drivers/input/joy_dev.ko\n").expect("written");
    assert_eq!(findings(&found_with(&case("02c-hand-callback-only"), folder)), []);
}

/// The record of a file whose object is looked for in a folder.
fn found_with(path: &Path, folder: &str) -> Value {
    record(path, &["--object-file", folder]).0
}

#[test]
fn an_object_file_that_is_of_no_use_is_an_error() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    };
    let modf = std::fs::read(case("modf")).expect("a case");
    let mut program = modf.clone();
    program[16] = 2;
    let mut object = Ko(modf.clone());
    for section in [".modinfo", ".gnu.linkonce.this_module"] {
        object.rename_section(object.section(section), ".other");
    }
    let (cut, text) = (at("cut.ko", &modf[..modf.len() / 2]), at("text.ko", b"#!/bin/sh\n"));
    let cases = [
        (dir.path().join("missing.ko"), 3),
        (cut.clone(), 3),
        (text, 2),
        (at("empty.ko", b""), 2),
        (at("program.ko", &program), 2),
        (at("object.o", &object.0), 2),
        (case("modx-s390x"), 2),
    ];
    for (path, code) in cases {
        for more in [&[][..], &["--check-host"][..], &["--late-cost"][..]] {
            let args = [more, &["--object-file", path.to_str().expect("UTF-8")]].concat();
            let out = inspect(&args, &[&case("lp_twice")]);
            let said = String::from_utf8_lossy(&out.stderr);
            assert_eq!(out.status.code(), Some(code), "{}: {said}", path.display());
            assert!(said.contains(path.file_name().and_then(|n| n.to_str()).expect("a name")), "{said}");
        }
    }
    // 2 comes before 3, whichever is named first.
    let named = [cut, dir.path().join("text.ko")];
    let [cut, text] = named.each_ref().map(|p| p.to_str().expect("UTF-8"));
    for (first, second) in [(cut, text), (text, cut)] {
        let out = inspect(&["--object-file", first, "--object-file", second], &[&case("lp_twice")]);
        assert_eq!(out.status.code(), Some(2));
    }
    // One for each of two architectures is of use.
    let both = ["modx-s390x", "modx-ppc64le"].map(case);
    let args: Vec<&str> = both.iter().flat_map(|p| ["--object-file", p.to_str().expect("UTF-8")]).collect();
    let out = inspect(&args, &[&case("lp_s390x"), &case("lp_ppc64le")]);
    assert_eq!(out.status.code(), Some(1), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn strict_takes_what_was_not_checked_for_no_pass() {
    let code = |args: &[&str], files: &[&Path]| inspect(args, files).status.code();
    let (clean, wrong, other) = (case("02c-hand-callback-only"), case("lp_dash"), case("modf"));
    assert_eq!(code(&[], &[&clean]), Some(0), "its object's file is not there");
    assert_eq!(code(&["--strict"], &[&clean]), Some(5));
    assert_eq!(code(&["--strict", "--allow", "KLP008", "--allow", "KLP014"], &[&clean]), Some(0));
    assert_eq!(code(&["--strict"], &[&wrong]), Some(1), "a finding comes first");
    assert_eq!(code(&["--strict"], &[&clean, &wrong]), Some(1));
    assert_eq!(code(&[], &[&other]), Some(0));
    assert_eq!(code(&["--strict"], &[&other]), Some(1), "no livepatch");
    assert_eq!(code(&["--strict"], &[&other, &clean]), Some(5));
    let dir = tempfile::tempdir().expect("a folder");
    let broken = dir.path().join("text.ko");
    std::fs::write(&broken, "#!/bin/sh\n").expect("written");
    assert_eq!(code(&["--strict"], &[&broken, &wrong]), Some(3), "what cannot be read comes before");
}

#[test]
fn a_summary_always_says_something() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut ko = read("02c-hand-callback-only");
    let info = ko.section(".modinfo");
    ko.set_byte(info, 0, b'x');
    std::fs::write(dir.path().join("lp.ko"), &ko.0).expect("written");
    let (text, _) = text_of(dir.path(), &["--summary"]);
    assert!(text.contains("lp.ko: not a livepatch") && text.contains("lint: 1 error"), "{text}");
    std::fs::write(dir.path().join("lp.ko"), "#!/bin/sh\n").expect("written");
    let (text, said) = text_of(dir.path(), &["--summary"]);
    assert!(text.contains("1 file: 0 livepatches, 0 other modules, 1 not readable"), "{text}{said}");
}

#[test]
fn a_modinfo_of_fifteen_megabytes_is_read_in_no_time() {
    let mut ko = read("02c-hand-callback-only");
    let info = ko.section(".modinfo");
    ko.replace(info, &[&b"livepatch=Y\0name=lp_cb\0depends="[..], &b"a,".repeat(7 << 20), b"\0"].concat());
    let begun = std::time::Instant::now();
    let (record, code) = recorded(&ko, &["--summary"]);
    assert_eq!(code, Some(0), "{record:#}");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
