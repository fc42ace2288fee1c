//! One malformed file for each lint rule, made from a livepatch as users have them; the same file unmodified is clean.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

#[allow(dead_code, reason = "the cases use more of it")]
#[path = "lint/ko.rs"]
mod ko;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::LazyLock;

use klp_trace::elf::module::Module;
use klp_trace::lint::{self, Facts, Listed, Report};
use ko::{Ko, field};

const KLP: &str = ".klp.rela.veth..text.veth_setup";
const FREE: &str = ".klp.sym.veth.veth_dev_free,1";

/// The livepatch that kpatch-build made, unpacked.
fn kpatch() -> Ko {
    static FILE: LazyLock<Ko> = LazyLock::new(unpack);
    FILE.clone()
}

fn unpack() -> Ko {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/kpatch-veth-6.12.107+deb13-cloud-amd64.ko.xz");
    let packed = std::fs::read(path).expect("the fixture is there");
    let mut bytes = Vec::new();
    lzma_rust2::XzReader::new(packed.as_slice(), true).read_to_end(&mut bytes).expect("xz");
    Ko(bytes)
}

fn check(ko: &Ko, objects: &[&str]) -> Report {
    let path = Path::new("broken.ko");
    let module = Module::parse(&ko.0, path, false).unwrap_or_else(|error| panic!("{error}"));
    let names = objects.iter().map(|&name| name.to_owned()).collect();
    let objects = Listed { names, ..Listed::default() };
    lint::check(&Facts::of(&module, objects).unwrap_or_else(|error| panic!("{error}")))
}

/// Points the livepatch section at another one, whose bytes are made zeros and whose own relocations are taken away, so
/// that nothing else is wrong with it.
fn retarget(ko: &mut Ko, target: &str) {
    let (klp, target) = (ko.section(KLP), ko.section(target));
    ko.set(klp, field::INFO, target);
    for entry in 0..4 {
        ko.set_offset(klp, entry, entry * 4);
    }
    let (at, size) = (ko.at(target), ko.get(target, field::SIZE));
    ko.0[at..at + size].fill(0);
    if let Some(own) =
        (1..78).find(|s| ko.get(*s, field::TYPE) == 4 && ko.get(*s, field::INFO) == target && *s != klp)
    {
        ko.set(own, field::SIZE, 0);
    }
}

/// What `klp-trace inspect` says of a file, and its exit code.
fn inspected(ko: &Ko, args: &[&str]) -> (String, Option<i32>) {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("lp.ko"), &ko.0).expect("written");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    let out =
        command.arg("inspect").args(args).arg("lp.ko").current_dir(dir.path()).output().expect("it starts");
    (String::from_utf8(out.stdout).expect("UTF-8"), out.status.code())
}

#[test]
fn the_exit_code_is_the_worst_finding_that_counts() {
    let broken = |rule: &str| {
        let mut ko = kpatch();
        CASES.iter().find(|case| case.0 == rule).expect("a case").3(&mut ko);
        ko
    };
    let code = |ko: &Ko, args: &[&str]| inspected(ko, args).1;
    assert_eq!(code(&kpatch(), &["--fail-on", "info"]), Some(0));
    let orphan = broken("gate-not-listed");
    assert_eq!(code(&orphan, &[]), Some(1));
    assert_eq!(code(&orphan, &["--allow", "KLP007"]), Some(0));
    assert_eq!(code(&orphan, &["--allow", "KLP007", "--deny", "gate-not-listed"]), Some(1));
    assert_eq!(code(&orphan, &["--allow", "KLP700"]), Some(2));
    assert_eq!(code(&orphan, &["--late-cost"]), Some(0));
    assert_eq!(code(&orphan, &["--late-cost", "--format", "csv"]), Some(2));
    assert_eq!(code(&orphan, &["--check-host", "--format", "csv"]), Some(2));
    assert_eq!(code(&orphan, &["--check-host", "--late-cost"]), Some(2));
    let leftover = broken("klp-arch-leftover");
    assert_eq!(code(&leftover, &[]), Some(0));
    assert_eq!(code(&leftover, &["--fail-on", "warning"]), Some(1));
    assert_eq!(code(&leftover, &["--deny", "KLP012"]), Some(1));
}

#[test]
fn every_format_says_the_same() {
    for (rule, id, severity, damage) in CASES {
        let mut ko = kpatch();
        damage(&mut ko);
        let (text, _) = inspected(&ko, &["--color", "never"]);
        assert!(text.contains(&format!("{severity}  {id} ")) && text.contains(rule), "{rule}: {text}");
        assert!(!text.contains("wrong:"), "said twice: {text}");
        let (json, _) = inspected(&ko, &["--format", "json"]);
        let record: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(record["lint"]["findings"][0]["rule"], *rule);
        assert_eq!(record["lint"]["findings"].as_array().map(Vec::len), Some(1), "{rule}");
        let (csv, _) = inspected(&ko, &["--format", "csv"]);
        assert!(csv.contains(&format!(",{id}/{rule}\n")), "{rule}: {csv}");
        let (summary, _) = inspected(&ko, &["--summary", "--color", "never"]);
        assert!(
            rule == &"module-unmarked" || summary.contains(&format!("lint: 1 {severity}")),
            "{rule}: {summary}"
        );
    }
    let (text, _) = inspected(&kpatch(), &["--color", "never"]);
    assert!(text.contains("  lint        clean; not checked: KLP008, KLP014\n"), "{text}");
}

#[test]
fn any_host_can_be_asked() {
    // What it answers is the host's; that each question has one is not.
    let (json, _) = inspected(&kpatch(), &["--check-host", "--format", "json"]);
    let record: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(record["schema"], "klp-trace.check-host/1");
    let checks = record["checks"].as_array().expect("checks");
    for about in ["livepatching", "architecture", "vermagic", "name", "transition", "file"] {
        let asked = checks.iter().filter(|check| check["about"] == about).count();
        assert_eq!(asked, 1, "{about}: {record}");
    }
    let (text, code) = inspected(&kpatch(), &["--check-host", "--color", "never"]);
    assert!(text.contains("would kpatch_veth load here, on "), "{text}");
    // It was built for another kernel than any that runs tests, or cannot be told from one.
    assert!(matches!(code, Some(1 | 4 | 5)), "{code:?}: {text}");
}

type Break = fn(&mut Ko);

/// Rule, id, severity, and what breaks it.
const CASES: &[(&str, &str, &str, Break)] = &[
    ("gate-not-listed", "KLP007", "error", |ko| {
        ko.rename_section(ko.section(KLP), ".klp.rela.vath..text.veth_setup");
    }),
    ("target-in-init", "KLP012", "error", |ko| retarget(ko, ".init.text")),
    ("target-per-cpu", "KLP012", "error", |ko| {
        retarget(ko, ".return_sites");
        ko.set(ko.section(".return_sites"), field::SIZE, 16);
        ko.rename_section(ko.section(".return_sites"), ".data..percpu");
        let at = ko.at(ko.section(".data..percpu"));
        ko.0[at..at + 16].fill(0);
    }),
    ("target-not-loaded", "KLP012", "error", |ko| retarget(ko, ".debug_str")),
    ("target-special", "KLP012", "error", |ko| {
        ko.rename_section(ko.section(".text.veth_setup"), "__jump_table");
    }),
    ("klp-arch-leftover", "KLP012", "warning", |ko| {
        ko.rename_section(ko.section(".comment"), ".klp.arch.veth.altinstructions");
    }),
    ("section-unmarked", "KLP015", "error", |ko| ko.set(ko.section(KLP), field::FLAGS, 0x42)),
    ("module-unmarked", "KLP015", "error", |ko| {
        let info = ko.section(".modinfo");
        let (at, size) = (ko.at(info), ko.get(info, field::SIZE));
        let key = ko.0[at..at + size].windows(10).position(|w| w == b"livepatch=").expect("the key");
        ko.set_byte(info, key, b'x');
    }),
    ("section-type", "KLP015", "error", |ko| ko.set(ko.section(KLP), field::TYPE, 1)),
    ("section-name", "KLP015", "error", |ko| ko.rename_section(ko.section(KLP), ".rela.klp.veth")),
    ("section-gate-too-long", "KLP015", "error", |ko| {
        ko.rename_section(ko.section(KLP), &format!(".klp.rela.{}.text", "v".repeat(56)));
    }),
    ("section-not-loaded", "KLP015", "error", |ko| ko.set(ko.section(KLP), field::FLAGS, 0x0010_0040)),
    ("section-size", "KLP015", "error", |ko| ko.set(ko.section(KLP), field::SIZE, 95)),
    ("target-index", "KLP015", "error", |ko| ko.set(ko.section(KLP), field::INFO, 999)),
    ("symbol-table-link", "KLP015", "warning", |ko| ko.set(ko.section(KLP), field::LINK, 8)),
    ("symbol-index", "KLP015", "error", |ko| ko.set_symbol(ko.section(KLP), 3, 1_000_000)),
    ("symbol-not-livepatch", "KLP015", "error", |ko| ko.define_symbol(ko.symbol(FREE), 8)),
    ("symbol-name", "KLP015", "error", |ko| ko.rename_symbol(ko.symbol(FREE), ".klp.sym.veth.veth_dev_free")),
    ("vmlinux-symbol-in-module-section", "KLP015", "error", |ko| {
        ko.rename_symbol(ko.symbol(FREE), ".klp.sym.vmlinux.free_netdev,0");
    }),
    // R_X86_64_GOTPCREL
    ("unsupported-type", "KLP015", "error", |ko| ko.set_type(ko.section(KLP), 1, 9)),
    ("offset-outside-target", "KLP015", "error", |ko| ko.set_offset(ko.section(KLP), 3, 0x2000)),
    ("target-not-zero", "KLP015", "error", |ko| {
        let at = ko.offset(ko.section(KLP), 2);
        ko.set_byte(ko.section(".text.veth_setup"), at + 3, 1);
    }),
    ("overlapping-targets", "KLP015", "error", |ko| {
        let (klp, at) = (ko.section(KLP), ko.offset(ko.section(KLP), 0));
        ko.set_offset(klp, 1, at);
    }),
    ("object-name", "KLP007", "error", |ko| {
        ko.rename_symbol(ko.symbol(FREE), ".klp.sym.ve-th.veth_dev_free,1");
    }),
    ("type-too-narrow", "KLP015", "error", |ko| ko.set_type(ko.section(KLP), 1, 10)),
    ("conversion-not-run", "KLP015", "warning", |ko| {
        ko.rename_section(ko.section(".comment"), ".kpatch.symbols");
    }),
    ("livepatch-symbol-elsewhere", "KLP015", "error", |ko| {
        let (symbol, own) = (ko.symbol(FREE), ko.section(".rela.text.veth_setup"));
        ko.set_symbol(own, 2, symbol);
    }),
];

/// Rules that a change of this one file cannot break alone: tests/cases.rs has files of their own.
const IN_CASES: &[&str] =
    &["object-name-too-long", "function-name-too-long", "object-twice", "function-twice", "call-without-nop"];

#[test]
fn the_file_as_it_was_made_is_clean() {
    let report = check(&kpatch(), &["veth"]);
    assert_eq!(report, Report::default());
}

#[test]
fn each_malformed_file_is_caught_with_its_id_and_nothing_else_is_said() {
    for (rule, id, severity, damage) in CASES {
        let mut ko = kpatch();
        damage(&mut ko);
        let report = check(&ko, &["veth"]);
        let said: Vec<_> =
            report.findings.iter().map(|f| (f.rule, f.id.to_string(), f.severity.to_string())).collect();
        assert_eq!(said, [(*rule, (*id).to_owned(), (*severity).to_owned())], "{:#?}", report.findings);
        let finding = &report.findings[0];
        for text in [&finding.what, &finding.kernel, &finding.remedy] {
            assert!(text.len() > 20 && !text.ends_with('.') && !text.contains('\n'), "{rule}: {text:?}");
        }
    }
}

#[test]
fn every_rule_has_its_malformed_file_and_its_paragraph() {
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.0).collect();
    let rules: BTreeSet<&str> = lint::rules::ALL.iter().map(|rule| rule.about().rule).collect();
    let all: BTreeSet<&str> = cases.into_iter().chain(IN_CASES.iter().copied()).collect();
    assert_eq!(all, rules);
    let page = include_str!("../../docs/lint.md");
    let others = lint::policy::OTHERS.iter().map(|about| about.rule);
    for rule in rules.into_iter().chain(others) {
        assert!(page.contains(&format!("`{rule}`")), "docs/lint.md does not name {rule}");
    }
}

#[test]
fn the_relocations_are_named() {
    let mut ko = kpatch();
    ko.rename_symbol(ko.symbol(FREE), ".klp.sym.veth.,1");
    let report = check(&ko, &["veth"]);
    let [finding] = report.findings.as_slice() else { panic!("{report:#?}") };
    assert_eq!(finding.section.as_ref().map(|s| (s.index, s.name.as_str())), Some((77, KLP)));
    assert_eq!(finding.relocations, [3]);
    assert_eq!(finding.symbol.as_deref(), Some(".klp.sym.veth.,1"));
}

#[test]
fn what_an_ordinary_relocation_writes_too_is_an_overlap() {
    let mut ko = kpatch();
    let (klp, own) = (ko.section(KLP), ko.section(".rela.text.veth_setup"));
    let at = ko.offset(own, 0);
    ko.set_offset(klp, 0, at + 2);
    let report = check(&ko, &["veth"]);
    assert!(
        report
            .findings
            .iter()
            .any(|f| f.rule == "overlapping-targets" && f.what.contains("ordinary section 9")),
        "{report:#?}"
    );
}

#[test]
fn gated_on_vmlinux_early_sections_may_be_written() {
    for target in [".init.text", "__jump_table"] {
        let mut ko = kpatch();
        if target == "__jump_table" {
            ko.rename_section(ko.section(".text.veth_setup"), target);
        } else {
            retarget(&mut ko, target);
        }
        ko.rename_section(ko.section(KLP), ".klp.rela.vmlinux..text");
        for symbol in ["veth_netdev_ops", "veth_xdp_metadata_ops", "veth_ethtool_ops", "veth_dev_free"] {
            let old = ko.symbol(&format!(".klp.sym.veth.{symbol},1"));
            ko.rename_symbol(old, &format!(".klp.sym.vmlinux.{symbol},1"));
        }
        assert_eq!(check(&ko, &[]), Report::default(), "{target}");
    }
}

#[test]
fn without_the_list_of_objects_the_gates_are_not_checked_and_that_is_said() {
    let ko = kpatch();
    let module = Module::parse(&ko.0, Path::new("x.ko"), false).unwrap_or_else(|error| panic!("{error}"));
    let facts = Facts::of(&module, Listed { incomplete: Some("no list".to_owned()), ..Listed::default() })
        .unwrap_or_else(|error| panic!("{error}"));
    let report = lint::check(&facts);
    assert!(report.findings.is_empty());
    let unchecked: Vec<_> = report.unchecked.iter().map(|u| (u.id.to_string(), u.subject.as_str())).collect();
    assert_eq!(unchecked, [("KLP007".to_owned(), "veth")]);
}
