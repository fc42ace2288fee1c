//! `--redact-addresses`: no address of the recorded boot is left in any output, and the verdicts are the same.

#![allow(clippy::expect_used, reason = "a test")]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `_text` of the recorded kernel stands below its modules; where exactly its journal, an early one, does not say.
const BASE: &str = "0xffffffff9a400000";

fn recorded() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals/event-1.ndjson");
    std::fs::read_to_string(path).expect("a journal that was kept")
}

/// The recorded journal, with the kernel's base in its session.
fn journal(folder: &Path) -> PathBuf {
    let text = recorded().replacen("\"session\":{", &format!("\"session\":{{\"kernel_base\":\"{BASE}\","), 1);
    let path = folder.join("klp.ndjson");
    std::fs::write(&path, text).expect("it is written");
    path
}

fn run(words: &[&str], journal: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    let out = command.args(words).arg("--from").arg(journal).output().expect("klp-trace starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

/// How the addresses of the recorded boot may be written: as numbers, and as the bytes of eight and of four.
fn live_addresses() -> BTreeSet<String> {
    let all = addresses(&recorded(), 0xffff_ffff_9a40_0000);
    assert!(all.len() > 30, "{all:?}");
    all
}

fn addresses(journal: &str, base: u64) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let words = journal.split(|c: char| !c.is_ascii_alphanumeric());
    let found = words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    for address in found.filter(|address| (base..0xffff_ffff_ff00_0000).contains(address)) {
        let bytes = format!("{:016x}", address.swap_bytes());
        all.extend([format!("{address:x}"), bytes.clone(), bytes.chars().take(8).collect()]);
    }
    all
}

/// What is concluded, without addresses and bytes.
fn verdicts(journal: &str) -> Vec<String> {
    let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let told = records.filter(|record| {
        ["section_state", "finding", "session_end"].iter().any(|kind| record["event"]["kind"] == *kind)
    });
    told.flat_map(|record| {
        let fields =
            ["/section/name", "/verdict", "/reason", "/previous", "/finding/id", "/finding/severity", "/end"];
        let said =
            fields.map(|field| record.pointer(field).map(Value::to_string).unwrap_or_default()).join(" ");
        let relocations = record["relocations"].as_array().map_or_else(|| vec![Value::Null], Clone::clone);
        relocations.into_iter().map(move |reloc| format!("{said} {}", reloc["index"]))
    })
    .collect()
}

#[test]
fn no_address_is_left_and_the_verdicts_are_the_same() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let journal = journal(folder.path());
    let live = live_addresses();
    let told = |text: &str| live.iter().find(|address| text.contains(&**address)).cloned();
    let mut told_unredacted = 0;
    let mut outputs = vec![
        vec!["watch", "--verbose"],
        vec!["watch", "--format", "ndjson"],
        vec!["assert", "--format", "text"],
    ];
    for format in ["ktap", "tap", "junit", "github", "sarif", "json"] {
        outputs.push(vec!["assert", "--format", format]);
    }
    for words in outputs {
        let (code, open, _) = run(&words, &journal);
        told_unredacted += u32::from(told(&open).is_some());
        let (redacted_code, text, said) = run(&[&words[..], &["--redact-addresses"]].concat(), &journal);
        assert_eq!(redacted_code, code, "{words:?}: {said}");
        assert_eq!(told(&text), None, "{words:?}: {text}");
        assert!(text.contains("KLP001") && !text.contains(BASE), "{words:?}: {text}");
    }
    assert!(told_unredacted >= 6, "{told_unredacted} outputs tell an address when they may");
}

#[test]
fn a_redacted_journal_is_whole_and_judged_alike() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let journal = journal(folder.path());
    let (_, open, _) = run(&["watch", "--format", "ndjson"], &journal);
    let (_, redacted, _) = run(&["watch", "--format", "ndjson", "--redact-addresses"], &journal);
    assert!(verdicts(&open).len() > 50);
    assert_eq!(verdicts(&redacted), verdicts(&open));
    assert!(redacted.lines().next().is_some_and(|line| line.contains("\"redacted\":true")));
    // Again: nothing is left to be moved, and the chain is whole.
    let path = folder.path().join("redacted.ndjson");
    std::fs::write(&path, &redacted).expect("it is written");
    let (code, again, said) = run(&["watch", "--format", "ndjson", "--redact-addresses"], &path);
    // The recorded one had no base: that it was put in is damage, and is said of what is made of it.
    assert_eq!(code, Some(1));
    assert!(said.lines().count() == 1 && said.contains("made of a damaged one"), "{said}");
    assert_eq!(verdicts(&again), verdicts(&open));
}

#[test]
fn without_the_kernels_base_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("klp.ndjson");
    std::fs::write(&path, recorded()).expect("it is written");
    for words in [&["watch"][..], &["watch", "--format", "ndjson"], &["assert", "--format", "json"]] {
        let (code, text, said) = run(&[words, &["--redact-addresses"]].concat(), &path);
        assert_eq!(code, Some(4), "{said}");
        assert!(said.contains("kernel_base"), "{said}");
        assert!(live_addresses().iter().all(|address| !text.contains(address)), "{text}");
    }
}

/// Of every scenario's recording that says where its kernel was.
#[test]
fn every_recording_is_judged_alike_and_tells_no_address() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let mut judged = 0;
    for entry in folder.read_dir().expect("tests/recordings") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "zst") {
            continue;
        }
        let (code, open, _) = run(&["watch", "--format", "ndjson"], &path);
        let first: Value = serde_json::from_str(open.lines().next().unwrap_or_default()).expect("a record");
        let base = first["session"]["kernel_base"].as_str().and_then(|base| base.strip_prefix("0x"));
        let Some(base) = base.map(|base| u64::from_str_radix(base, 16).expect("an address")) else {
            continue;
        };
        let (redacted_code, redacted, said) =
            run(&["watch", "--format", "ndjson", "--redact-addresses"], &path);
        assert_eq!(redacted_code, code, "{}: {said}", path.display());
        assert_eq!(verdicts(&redacted), verdicts(&open), "{}", path.display());
        let told = addresses(&open, base).into_iter().find(|address| redacted.contains(&**address));
        assert_eq!(told, None, "{}", path.display());
        judged += 1;
    }
    assert!(judged > 50, "{judged} recordings say where their kernel was");
}
