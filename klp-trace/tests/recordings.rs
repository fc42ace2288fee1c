//! Every scenario's recording, judged anew: the verdicts and findings that klp-trace came to on the real kernel, derived from
//! the evidence alone.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use klp_trace::arch::Arch;
use klp_trace::journal::{Body, Event, Journal};
use klp_trace::journal::{files, recording};
use klp_trace::verify::Verifier;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A verdict or a finding, in words that are the same recorded and derived.
type Conclusion = String;

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let entries = folder.read_dir().expect("tests/recordings").map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "zst")).collect();
    found.sort();
    assert!(!found.is_empty(), "no recordings in {}", folder.display());
    found
}

/// What the recording says that was concluded.
fn recorded(path: &Path) -> Vec<Conclusion> {
    let mut text = String::new();
    files::open(path, None).unwrap().read_to_string(&mut text).unwrap();
    let mut read = BTreeMap::new();
    text.lines()
        .flat_map(|line| one_by_one(serde_json::from_str(line).unwrap(), &mut read))
        .filter_map(|record| conclusion(&record))
        .collect()
}

/// A record as earlier versions have it: with one relocation each. `read`: what was read last of each.
fn one_by_one(record: Value, read: &mut BTreeMap<String, Value>) -> Vec<Value> {
    let at = |index: &Value| format!("{} {} {index}", record["patch"]["address"], record["section"]["index"]);
    if let Some(entries) = record["entries"].as_array() {
        read.extend(entries.iter().map(|entry| (at(&entry["index"]), entry["bytes"].clone())));
    }
    let Some(relocations) = record["relocations"].as_array() else { return vec![record] };
    let one = |reloc: &Value| {
        let mut one = record.clone();
        let mut target = serde_json::json!({ "expected": reloc["expected"], "actual": reloc["actual"] });
        if record["verdict"] == "applied" && reloc["expected"].is_null() && reloc["actual"].is_null() {
            let bytes = &read[&at(&reloc["index"])];
            target = serde_json::json!({ "expected": bytes, "actual": bytes });
        }
        one["event"]["kind"] = "reloc_state".into();
        (one["reloc"], one["target"]) = (reloc.clone(), target);
        one
    };
    relocations.iter().map(one).collect()
}

fn conclusion(record: &Value) -> Option<Conclusion> {
    let some = |value: &&Value| !value.is_null();
    let text =
        |pointer: &str| record.pointer(pointer).filter(some).map(ToString::to_string).unwrap_or_default();
    match record.pointer("/event/kind")?.as_str()? {
        "reloc_state" => Some(
            [
                "/patch/name",
                "/patch/load",
                "/object/load",
                "/section/name",
                "/reloc/index",
                "/target/expected",
                "/target/actual",
                "/verdict",
                "/reason",
            ]
            .map(text)
            .join(" "),
        ),
        "finding" => {
            let said = ["/finding/id", "/finding/severity", "/finding/message"].map(text);
            let why = text("/finding/why").replace(WAS_SILENTLY, " silently");
            Some(format!("{} {why} {}", said.join(" "), without_cost(&text("/finding/action"))))
        }
        _ => None,
    }
}

/// What to do, without what it costs: that is said since there are commands for it, and older recordings do not say it.
fn without_cost(action: &str) -> &str {
    let action = action.strip_suffix('"').unwrap_or(action);
    action
        .rsplit_once("; until ")
        .filter(|(_, cost)| cost.ends_with(COST))
        .map_or(action, |(action, _)| action)
}

/// What older recordings say in place of "silently", in why a finding is one.
const WAS_SILENTLY: &str = " without a word";

/// How the action of a remedy ends that disables a patch.
const COST: &str = " is loaded again, its fix is not on this host";

/// What is concluded from the evidence of a recording; what was concluded when it was made is left out.
fn derived(path: &Path) -> Vec<Conclusion> {
    derived_records(path).iter().filter_map(conclusion).collect()
}

/// The verdicts and findings, as records of earlier versions have them.
fn derived_records(path: &Path) -> Vec<Value> {
    let mut verifier = Verifier::new(Arch::X86_64);
    let mut journal = None;
    let mut records = Vec::new();
    let integrity = recording::replay(path, &mut |origin, event: Event| {
        let journal = journal.get_or_insert_with(|| Journal::new(origin.clone()));
        verifier.feed(event, &mut |said| records.extend(record_of(journal, &said)));
        ControlFlow::Continue(())
    });
    assert!(integrity.unwrap().is_whole(), "{}", path.display());
    verifier
        .finish(&mut |said| records.extend(journal.as_mut().and_then(|journal| record_of(journal, &said))));
    records
}

fn record_of(journal: &mut Journal, event: &Event) -> Option<Value> {
    match &event.body {
        Body::RelocState(state) => Some(serde_json::json!({
            "event": { "kind": "reloc_state" },
            "patch": state.patch,
            "object": state.object,
            "section": state.section,
            "reloc": state.reloc,
            "target": { "expected": state.expected, "actual": state.actual },
            "verdict": state.verdict,
            "reason": state.reason,
        })),
        Body::Finding(_) => {
            let mut lines = Vec::new();
            journal.append(event, &mut lines);
            serde_json::from_slice(&lines).ok()
        }
        _ => None,
    }
}

#[test]
fn every_recording_leads_to_its_verdicts_and_findings() {
    let mut findings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in recordings() {
        let (recorded, derived) = (recorded(&path), derived(&path));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // What is found in a round of reads is said at its end, and was said read by read when older recordings were made: verdicts
        // are compared with verdicts, findings with findings.
        for findings in [false, true] {
            let of = |lines: &[Conclusion]| -> Vec<Conclusion> {
                let mut lines: Vec<_> =
                    lines.iter().filter(|line| line.starts_with("\"KLP") == findings).cloned().collect();
                // A `section_state` puts relocations together that were not judged one after the other: each has its own order.
                if !findings && name.contains("-compact") {
                    lines.sort_by_key(|line| line.split(' ').take(5).map(str::to_owned).collect::<Vec<_>>());
                }
                lines
            };
            let (recorded, derived) = (of(&recorded), of(&derived));
            if recorded != derived {
                let first = recorded.iter().zip(&derived).find(|(a, b)| a != b);
                let (was, is) = (recorded.len(), derived.len());
                wrong.push(format!("{name}: {was} recorded, {is} derived, {first:?}"));
            }
        }
        for finding in derived.iter().filter(|line| line.starts_with("\"KLP")) {
            findings.entry(finding[1..7].to_owned()).or_default().insert(name.clone());
        }
    }
    // All of them: which recordings a change concerns says what it changed.
    assert!(wrong.is_empty(), "{} recordings:\n{}", wrong.len(), wrong.join("\n"));
    // The others are found in files (lint) or by audits, where no hook fires (KLP005, KLP011).
    let live = [
        "KLP001", "KLP002", "KLP003", "KLP004", "KLP006", "KLP007", "KLP009", "KLP010", "KLP012", "KLP013",
        "KLP014", "KLP016",
    ];
    for id in live {
        assert!(findings.contains_key(id), "no recording has {id}: {:?}", findings.keys());
    }
}

/// The remedies of all recordings, held against what was looked at. `KLP_TRACE_BLESS=1` writes them anew; look at them before
/// you keep them.
#[test]
fn remedies_are_commands_with_the_names_of_the_host() {
    let mut remedies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in recordings() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let recording = name.split('.').take_while(|part| *part != "ndjson").collect::<Vec<_>>().join(".");
        for record in derived_records(&path) {
            let said = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if said("/event/kind") != "finding" {
                continue;
            }
            let mut lines = vec![format!(
                "{} {}: {}",
                said("/finding/id"),
                said("/finding/severity"),
                said("/finding/action")
            )];
            let commands = record.pointer("/finding/commands").and_then(Value::as_array);
            lines.extend(commands.into_iter().flatten().map(|c| format!("    {}", c.as_str().unwrap())));
            let disables = lines.iter().any(|line| line.starts_with("    echo 0 >"));
            assert_eq!(lines[0].ends_with(COST), disables, "{recording}: {lines:?}");
            remedies.entry(lines.join("\n")).or_default().insert(recording.clone());
        }
    }
    let names = |of: &BTreeSet<String>| of.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    let blocks = remedies.iter().map(|(said, of)| format!("{said}\n  in {}\n", names(of)));
    let actual = blocks.collect::<Vec<_>>().join("\n");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/remedies.txt");
    if std::env::var_os("KLP_TRACE_BLESS").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), actual);
}

/// What `assert` has to say of a recording by what was concluded on the real kernel: a finding, or what is not known.
fn demanded(path: &Path) -> i32 {
    let mut text = String::new();
    files::open(path, None).unwrap().read_to_string(&mut text).unwrap();
    let (mut errors, mut lost) = (false, false);
    let mut last: BTreeMap<String, bool> = BTreeMap::new();
    let mut read = BTreeMap::new();
    for record in text.lines().flat_map(|line| one_by_one(serde_json::from_str(line).unwrap(), &mut read)) {
        let at = |pointer: &str| record.pointer(pointer).map(ToString::to_string).unwrap_or_default();
        match record.pointer("/event/kind").and_then(Value::as_str).unwrap_or_default() {
            "finding" => errors |= at("/finding/severity") == "\"error\"",
            "events_lost" => lost = true,
            "reloc_state" => {
                let key = ["/patch/name", "/section/name", "/reloc/index"].map(at).join(" ");
                last.insert(key, at("/verdict") == "\"unknown\"");
            }
            // Of what has left memory, nothing has to be known.
            "module" if ["\"freed\"", "\"absent\""].contains(&&*at("/module/action")) => {
                let name = at("/module/name");
                last.retain(|key, _| !key.starts_with(&format!("{name} ")));
            }
            _ => {}
        }
    }
    match (errors, lost || last.values().any(|unknown| *unknown)) {
        (true, _) => 1,
        (false, true) => 5,
        (false, false) => 0,
    }
}

#[test]
fn assert_judges_every_recording_as_it_was_judged_live() {
    let mut seen = BTreeMap::new();
    for path in recordings() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        let done = command.args(["assert", "--format", "json", "--from"]).arg(&path).output().unwrap();
        let demanded = demanded(&path);
        let said = String::from_utf8_lossy(&done.stdout);
        assert_eq!(done.status.code(), Some(demanded), "{}: {said}", path.display());
        *seen.entry(demanded).or_insert(0) += 1;
    }
    assert!(seen.len() >= 2, "recordings of one kind alone: {seen:?}");
}

/// Each recording's findings as they open and close, and how many of each id hold at the end.
fn findings(path: &Path) -> String {
    let mut verifier = Verifier::new(Arch::X86_64);
    let mut lines =
        format!("{}\n", path.file_stem().and_then(|stem| Path::new(stem).file_stem()).unwrap().display());
    let mut say = |event: Event| {
        let of = |patch: &Option<klp_trace::journal::PatchRef>,
                  object: &Option<klp_trace::journal::ObjectRef>| {
            let patch = patch.as_ref().map_or("-", |patch| &*patch.name);
            format!("{patch} {}", object.as_ref().map_or("-", |object| &*object.name))
        };
        match event.body {
            Body::Finding(found) => {
                writeln!(
                    lines,
                    "  opens  {} {} {}",
                    found.id,
                    found.severity,
                    of(&found.patch, &found.object)
                )
            }
            Body::FindingClosed(closed) => {
                let what = of(&closed.patch, &closed.object);
                writeln!(lines, "  closes {} {} {what}: {}", closed.id, closed.severity, closed.end.word())
            }
            _ => Ok(()),
        }
        .unwrap();
    };
    let integrity = recording::replay(path, &mut |_, event: Event| {
        verifier.feed(event, &mut say);
        ControlFlow::Continue(())
    });
    assert!(integrity.unwrap().is_whole(), "{}", path.display());
    verifier.finish(&mut say);
    let open = verifier.end(klp_trace::journal::EndReason::Complete).open;
    let open: Vec<String> = open.iter().map(|(id, count)| format!("{id} {count}")).collect();
    writeln!(lines, "  open   {}", if open.is_empty() { "none".to_owned() } else { open.join(", ") })
        .unwrap();
    lines
}

/// With KLP_TRACE_BLESS=1 in the environment the table is written anew, to be looked at before it is committed.
#[test]
fn findings_open_and_close_as_the_table_says() {
    let all: String = recordings().iter().map(|path| findings(path)).collect();
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/findings.txt");
    if std::env::var_os("KLP_TRACE_BLESS").is_some() {
        std::fs::write(&table, &all).unwrap();
    }
    let table = std::fs::read_to_string(&table).unwrap();
    for (number, (left, right)) in all.lines().zip(table.lines()).enumerate() {
        assert_eq!(left, right, "tests/recordings/findings.txt:{}", number + 1);
    }
    assert_eq!(all.lines().count(), table.lines().count(), "tests/recordings/findings.txt");
}
