//! A journal of every version of the format, as a klp-trace of that version wrote it, read by this one.

#![allow(clippy::expect_used, reason = "a test")]

use klp_trace::arch::Arch;
use klp_trace::journal::envelope::SCHEMA;
use klp_trace::journal::recording::replay;
use klp_trace::journal::{Body, Event};
use klp_trace::model::Verdict;
use klp_trace::verify::Verifier;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// File, its schema, and the verdicts that its relocations came to, each counted once for each time it was said.
type Kept = (&'static str, &'static str, &'static [(Verdict, usize)], &'static [&'static str]);

const JOURNALS: &[Kept] = &[
    (
        "event-1.ndjson",
        "klp-trace.event/1",
        &[(Verdict::Applied, 16), (Verdict::Pending, 16), (Verdict::Stale, 16)],
        &["KLP001", "KLP009"],
    ),
    (
        "event-2.ndjson",
        "klp-trace.event/2",
        &[(Verdict::Applied, 16), (Verdict::Pending, 16), (Verdict::Stale, 16)],
        &["KLP001", "KLP009"],
    ),
];

#[test]
fn journals_of_every_version_are_read_and_judged_as_ever() {
    for (file, schema, verdicts, findings) in JOURNALS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals").join(file);
        let first = std::fs::read_to_string(&path).expect("a journal that was kept");
        assert!(first.starts_with(&format!("{{\"schema\":\"{schema}\"")), "{file}");
        let mut verifier = Verifier::new(Arch::X86_64);
        let mut said = Vec::<Event>::new();
        let integrity = replay(&path, &mut |_, event| {
            verifier.feed(event, &mut |event| said.push(event));
            ControlFlow::Continue(())
        })
        .expect("this version reads it");
        verifier.finish(&mut |event| said.push(event));
        assert!(
            integrity.is_whole() && integrity.ended && integrity.unknown_kinds.is_empty(),
            "{integrity:?}"
        );
        let mut counted = BTreeMap::<Verdict, usize>::new();
        let mut found = Vec::new();
        for event in &said {
            match &event.body {
                // R_*_NONE entries are listed without one.
                Body::RelocState(state) => {
                    state.verdict.into_iter().for_each(|verdict| *counted.entry(verdict).or_default() += 1);
                }
                Body::Finding(finding) => found.push(finding.id.to_string()),
                _ => {}
            }
        }
        assert_eq!(counted.into_iter().collect::<Vec<_>>(), *verdicts, "{file}");
        assert_eq!(found, *findings, "{file}");
    }
}

#[test]
fn the_version_that_is_written_has_its_journal() {
    assert!(JOURNALS.iter().any(|(_, schema, ..)| *schema == SCHEMA));
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/journal.md"))
        .expect("docs");
    for (_, schema, ..) in JOURNALS {
        assert!(page.contains(&format!("| `{schema}` ")), "docs/journal.md has no row for {schema}");
    }
}

#[test]
fn every_line_is_as_the_schema_of_its_version_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (file, schema, ..) in JOURNALS {
        let version = schema.rsplit('/').next().expect("a version");
        let schema = root.join(format!("docs/schema/klp-trace.event-{version}.json"));
        let schema = std::fs::read(&schema).expect("its schema");
        let schema = serde_json::from_slice(&schema).expect("JSON");
        let schema = jsonschema::validator_for(&schema).expect("a schema");
        let journal = std::fs::read_to_string(root.join("tests/journals").join(file)).expect("a journal");
        for line in journal.lines() {
            let line = serde_json::from_str(line).expect("JSON");
            assert!(schema.is_valid(&line), "{file}: {line}");
        }
    }
}

/// What the helps of `--from` say that it takes, by every command that has it: a file, a compressed one, a folder, the name of a
/// rotated set, standard input; and of the TUI that standard input is none.
#[test]
fn every_command_takes_every_form_of_a_journal() {
    use std::process::{Command, Stdio};
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals/event-1.ndjson");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("all")).expect("a folder");
    for name in ["one.ndjson", "all/a.ndjson", "set.000001.ndjson"] {
        std::fs::copy(&kept, path(name)).expect("it is copied");
    }
    let mut packed = Vec::new();
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/6.1-reload.ndjson.zst");
    packed.extend(std::fs::read(recording).expect("a recording"));
    std::fs::write(path("two.ndjson.zst"), packed).expect("it is written");
    let commands: &[&[&str]] = &[
        &["watch", "--from"],
        &["audit", "--from"],
        &["assert", "--from"],
        &["policy", "init", "--from"],
        &["verify-journal"],
    ];
    for words in commands {
        for form in ["one.ndjson", "two.ndjson.zst", "all", "set.ndjson", "-"] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
            let input = std::fs::File::open(&kept).expect("a journal");
            let out = command.args(*words).arg(form).current_dir(&folder).stdin(Stdio::from(input)).output();
            let out = out.expect("klp-trace starts");
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(
                out.status.code().is_some_and(|code| code < 2),
                "{words:?} {form}: {:?} {said}",
                out.status
            );
            assert!(!out.stdout.is_empty(), "{words:?} {form}: {said}");
        }
    }
    let mut tui = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    let out = tui.args(["tui", "--from", "-"]).stdin(Stdio::null()).output().expect("klp-trace starts");
    assert_eq!(out.status.code(), Some(2), "{out:?}");
}
