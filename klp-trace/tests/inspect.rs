//! `klp-trace inspect` on real files and on made ones: golden outputs, `readelf` as the other witness, bad input.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

#[path = "inspect/machines.rs"]
mod machines;
#[path = "inspect/readelf.rs"]
mod readelf;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const KPATCH: &str = "tests/fixtures/kpatch-veth-6.12.107+deb13-cloud-amd64.ko.xz";

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// Runs `klp-trace inspect` in a folder.
fn inspect(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.arg("inspect").args(args).current_dir(folder).stdin(Stdio::null());
    command.output().expect("klp-trace starts")
}

/// What it writes when all is well.
fn written(folder: &Path, args: &[&str]) -> String {
    written_with(0, folder, args)
}

/// The same where it ends with that code.
fn written_with(code: i32, folder: &Path, args: &[&str]) -> String {
    let out = inspect(folder, args);
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!((out.status.code(), said.as_str()), (Some(code), ""), "{args:?}");
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// Compares with a golden file; `GOLDEN=write` makes it anew.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inspect").join(name);
    if std::env::var_os("GOLDEN").is_some_and(|v| v == "write") {
        fs::write(&path, text).expect("written");
    }
    let wanted = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, wanted, "{name}: make it anew with GOLDEN=write if this is meant");
}

#[test]
fn a_real_kpatch_build() {
    let root = workspace();
    golden("kpatch.txt", &written(&root, &["--verbose", KPATCH]));
    golden("kpatch-short.txt", &written(&root, &[KPATCH]));
    assert_eq!(written(&root, &["--json", KPATCH]), written(&root, &["--format", "json", KPATCH]));
    // Not silent: what was not checked is not clean.
    golden("kpatch-quiet.txt", &written(&root, &["--quiet", KPATCH]));
    golden("kpatch.json", &written(&root, &["--format", "json", KPATCH]));
    golden("kpatch.csv", &written(&root, &["--format", "csv", KPATCH]));
    golden("kpatch-summary.txt", &written(&root, &["--summary", KPATCH]));
    golden("kpatch-summary.csv", &written(&root, &["--summary", "--format", "csv", KPATCH]));
    readelf::compare(&root, Path::new(KPATCH));
}

#[test]
fn every_architecture_with_livepatching() {
    let dir = tempfile::tempdir().expect("a folder");
    for machine in machines::ALL {
        let file = format!("lp-{}.ko", machine.name);
        fs::write(dir.path().join(&file), machines::livepatch(&machine)).expect("written");
        golden(&format!("{}.txt", machine.name), &written(dir.path(), &["--verbose", &file]));
        golden(&format!("{}.json", machine.name), &written(dir.path(), &["--format", "json", &file]));
        readelf::compare(dir.path(), Path::new(&file));
    }
    golden("machines-summary.txt", &written(dir.path(), &["--summary", "."]));
}

/// Names the folder of the fixtures, and says that they are there: `cargo xtask test` sets it once it has built them.
const FIXTURES: &str = "KLP_TRACE_FIXTURES";

/// Every module that `cargo xtask fixtures` has built.
#[test]
fn the_fixtures_that_are_built_agree_with_readelf() {
    let promised = std::env::var_os(FIXTURES);
    let fixtures =
        promised.as_ref().map_or_else(|| workspace().join("target/testbed/fixtures"), PathBuf::from);
    let mut waiting = vec![fixtures.clone()];
    let (mut compared, mut relocations) = (0, 0);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "ko") {
                relocations += readelf::compare(&workspace(), &path);
                compared += 1;
            }
        }
    }
    let shown = fixtures.display();
    if compared == 0 && promised.is_none() {
        // Not by println!, which the test harness keeps to itself.
        let line = "\nskipped: no fixtures to hold against readelf; cargo xtask fixtures builds them\n";
        std::io::stderr().write_all(line.as_bytes()).expect("standard error");
        return;
    }
    assert!(relocations > 0, "{compared} modules under {shown}, and not one livepatch relocation");
    println!("{compared} modules, {relocations} livepatch relocations: as readelf has them");
}

#[test]
fn names_of_a_hostile_file_do_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let machine = machines::ALL[0];
    let odd =
        machines::Names { module: b"=cmd|'\x1b[2J", symbol: b".klp.sym.tmod.=1+1\x1b]0;x\x07\xe2\x80\xae,1" };
    fs::write(dir.path().join("=lp.ko"), machines::with_names(&machine, &odd)).expect("written");
    for format in ["text", "json", "csv"] {
        for more in [&["--format", format, "=lp.ko"][..], &["--summary", "--format", format, "=lp.ko"]] {
            let text = written(dir.path(), more);
            assert!(!text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{text:?}");
            if format == "csv" {
                let cells = text.lines().flat_map(|line| line.split(','));
                let formula = |c: &&str| c.trim_matches('"').starts_with(['=', '+', '@']);
                assert_eq!(cells.filter(formula).count(), 0, "{text}");
                assert!(text.contains("'=lp.ko,'=cmd|"), "{text}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    let whole = machines::livepatch(&machines::ALL[0]);
    fs::write(at("good.ko"), &whole).expect("written");
    fs::write(at("cut.ko"), &whole[..whole.len() / 2]).expect("written");
    fs::write(at("text.ko"), "#!/bin/sh\n").expect("written");
    fs::File::create(at("huge.ko")).expect("a file").set_len(10 << 30).expect("sparse");
    let made = Command::new("mkfifo").arg(at("fifo.ko")).status().expect("mkfifo");
    assert!(made.success());
    std::os::unix::fs::symlink(dir.path(), at("loop")).expect("a link");
    std::os::unix::fs::symlink(dir.path(), at("loop.ko")).expect("a link");
    let out = inspect(dir.path(), &["--summary", "."]);
    let (said, shown) = (String::from_utf8_lossy(&out.stderr), String::from_utf8_lossy(&out.stdout));
    assert_eq!(out.status.code(), Some(3));
    for (file, why) in [
        ("./cut.ko", "truncated or damaged"),
        ("./text.ko", "not an ELF file"),
        ("./huge.ko", "the file is 10737418240 bytes, the limit is 536870912"),
        ("./fifo.ko", "not a regular file"),
    ] {
        assert!(said.lines().any(|line| line.contains(file) && line.contains(why)), "{file}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    assert!(shown.contains("./good.ko: livepatch"), "{shown}");
    assert!(shown.ends_with("5 files: 1 livepatch, 0 other modules, 4 not readable\n"), "{shown}");

    let out = inspect(dir.path(), &["--format", "json", "text.ko", "good.ko"]);
    let lines = String::from_utf8(out.stdout).expect("UTF-8");
    let lines: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines[0]["error"].as_str().is_some_and(|e| e.contains("not an ELF file")), "{lines:?}");
    assert_eq!((lines.len(), &lines[1]["module"]["livepatch"]), (2, &true.into()));
}

#[test]
fn an_empty_folder_and_a_closed_pipe_are_no_success() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = inspect(dir.path(), &["."]);
    assert_eq!(out.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&out.stderr).contains("no module file in this folder"));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.args(["inspect", "--format", "json", KPATCH]).current_dir(workspace()).stdout(full);
    let out = command.output().expect("klp-trace starts");
    assert_eq!(out.status.code(), Some(3), "a full disk is said");
    // Nobody reads: no failure that is worth a word, and no verdict of what was not looked at either.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    command.stdout(writer).stderr(Stdio::piped());
    let out = command.output().expect("klp-trace starts");
    assert_eq!((out.status.code(), out.stderr.as_slice()), (Some(5), b"".as_slice()));
}

#[test]
fn json_has_the_schemas_that_are_printed() {
    let printed = |what: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        let out = command.args(["schema", what]).output().expect("klp-trace starts");
        let schema = serde_json::from_slice(&out.stdout).expect("JSON");
        jsonschema::validator_for(&schema).expect("a schema")
    };
    let (files, host) = (printed("inspect"), printed("check-host"));
    let root = workspace();
    let cases = root.join("klp-trace/tests/cases");
    let readme = root.join("README.md").display().to_string();
    let cases = cases.display().to_string();
    let mut kinds = [0, 0, 0];
    for args in [vec!["--json", KPATCH, &cases, &readme], vec!["--json", "--summary", &cases]] {
        let out = inspect(&root, &args);
        for line in String::from_utf8(out.stdout).expect("UTF-8").lines() {
            let mut record: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let problems: Vec<_> = files.iter_errors(&record).map(|error| error.to_string()).collect();
            assert!(problems.is_empty(), "{line}: {problems:?}");
            kinds[0] += usize::from(record.get("error").is_some());
            kinds[1] += usize::from(record.pointer("/sections/0/relocs/0/symbol").is_some());
            kinds[2] += usize::from(record.pointer("/lint/findings/0").is_some());
            record["relocations"] = "many".into();
            assert!(record.get("error").is_some() || !files.is_valid(&record), "{line}");
        }
    }
    assert!(kinds.iter().all(|of| *of > 0), "{kinds:?}");
    let out = inspect(&root, &["--check-host", "--json", KPATCH]);
    let record: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    assert!(host.is_valid(&record) && !files.is_valid(&record), "{record:#}");
}
