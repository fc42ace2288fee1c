//! A journal, read as it grows.

use super::*;

fn state(index: u32, load: u64, verdict: &str, previous: &str) -> String {
    let previous = if previous.is_empty() { String::new() } else { format!(r#","previous":"{previous}""#) };
    format!(
        r#"{{"event":{{"kind":"reloc_state","id":"x"}},"patch":{{"name":"lp","address":"0x1","load":{load}}},
        "object":{{"name":"t"}},"section":{{"index":3,"name":".klp.rela.t..text"}},
        "reloc":{{"index":{index},"offset":"0x8","type":"R_X86_64_PC32","symbol":"s","sympos":0,"addend":-4}},
        "target":{{"address":"0x1000","actual":"01020304"}},"verdict":"{verdict}"{previous}}}"#
    )
    .replace('\n', "")
}

#[test]
fn the_last_load_of_a_loaded_patch_counts() {
    let mut journal = Journal::default();
    for line in [
        state(0, 1, "pending", ""),
        state(0, 1, "applied", "pending"),
        state(0, 2, "pending", ""),
        state(1, 2, "applied", ""),
    ] {
        journal.line(&line);
    }
    assert_eq!(journal.problems, Vec::<String>::new());
    let counts = journal.counts(&["lp".to_owned()]);
    assert_eq!(counts["lp>t"], BTreeMap::from([("pending".to_owned(), 1), ("applied".to_owned(), 1)]));
    assert!(journal.counts(&[]).is_empty());
}

#[test]
fn what_a_load_held_that_has_gone_says_nothing_of_the_next() {
    let mut journal = Journal::default();
    let loaded = ["lp".to_owned()];
    journal.line(&state(0, 1, "applied", ""));
    journal.line(r#"{"event":{"kind":"module"},"module":{"action":"freed","name":"lp"}}"#);
    assert!(journal.counts(&loaded).is_empty(), "loaded again, and not spoken of yet");
    journal.line(r#"{"event":{"kind":"module"},"module":{"action":"loaded","name":"lp"}}"#);
    assert!(journal.counts(&loaded).is_empty());
    journal.line(&state(0, 2, "pending", ""));
    assert_eq!(journal.counts(&loaded)["lp>t"], BTreeMap::from([("pending".to_owned(), 1)]));
    assert_eq!(journal.problems, Vec::<String>::new());
}

#[test]
fn a_verdict_that_does_not_follow_is_noticed() {
    let mut journal = Journal::default();
    journal.line(&state(0, 1, "pending", ""));
    journal.line(&state(0, 1, "stale", "applied"));
    assert_eq!(journal.relocs.values().map(|said| said.torn).sum::<usize>(), 1);
}

#[test]
fn the_tools_own_example_is_read_without_a_problem() {
    let path = crate::testbed::workspace().join("klp-trace/src/journal/writer/golden.ndjson");
    let mut follower = Follower::default();
    follower.advance(&path, u64::MAX).unwrap();
    let journal = follower.journal;
    assert_eq!(journal.problems, Vec::<String>::new());
    assert!(!journal.relocs.is_empty() && !journal.findings.is_empty() && !journal.lost.is_empty());
    assert!(journal.session.unwrap()["session"]["hooks"].is_array());
    assert!(journal.end.unwrap()["end"]["lost"].is_u64());
}

#[test]
fn states_of_a_section_are_those_of_its_relocations() {
    let of = r#""patch":{"name":"lp","address":"0x1","load":1},"object":{"name":"t"},"section":{"index":3,"name":".klp.rela.t..text"}"#;
    let mut journal = Journal::default();
    for rest in [
        r#""event":{"kind":"patch_metadata"},"metadata":{"elf":{"source":"file"},"entries":[{"index":0,"offset":"0x8","addend":-4},{"index":1,"offset":"0x10","addend":0}]}"#,
        r#""event":{"kind":"section_read"},"entries":[{"index":0,"address":"0x1000","bytes":"01020304"},{"index":1,"address":"0x1008","bytes":"05"}]"#,
        r#""event":{"kind":"section_state"},"verdict":"applied","relocations":[{"index":0,"type":"R","symbol":"s"}]"#,
        r#""event":{"kind":"section_state"},"verdict":"mismatch","relocations":[{"index":1,"type":"R","symbol":"s","expected":"06","actual":"05"}]"#,
    ] {
        journal.line(&format!("{{{of},{rest}}}"));
    }
    assert_eq!(journal.problems, Vec::<String>::new());
    let said: Vec<_> = journal.relocs.values().collect();
    assert_eq!((said[0].verdict(), said[1].verdict()), ("applied", "mismatch"));
    assert_eq!(
        (said[0].expected.as_deref(), said[0].actual.as_deref()),
        (Some("01020304"), Some("01020304"))
    );
    assert_eq!((said[1].expected.as_deref(), said[1].actual.as_deref()), (Some("06"), Some("05")));
    assert_eq!(said[0].entry, ("0x8".to_owned(), "R".to_owned(), "s".to_owned(), -4));
    assert_eq!((said[0].address, said[1].address), (Some(0x1000), Some(0x1008)));
    // Of what nobody listed, and of what nobody read.
    journal.line(&format!(
        r#"{{{of},"event":{{"kind":"section_state"}},"verdict":"applied","relocations":[{{"index":7}}]}}"#
    ));
    assert_eq!(journal.problems.len(), 2);
}

#[test]
fn what_is_not_a_journal_is_a_problem() {
    let mut journal = Journal::default();
    for line in ["nonsense", r#"{"event":{"kind":"finding"}}"#, r#"{"event":{"kind":"reloc_state"}}"#] {
        journal.line(line);
    }
    assert_eq!(journal.problems.len(), 3);
}

#[test]
fn half_a_line_waits_for_its_end() {
    let path = std::env::temp_dir().join(format!("klp-xtask-follow-{}", std::process::id()));
    let line = state(0, 1, "pending", "");
    std::fs::write(&path, format!("{line}\n{}", &line[..40])).unwrap();
    let mut follower = Follower::default();
    assert!(follower.advance(&path, u64::MAX).unwrap());
    assert!(!follower.advance(&path, u64::MAX).unwrap());
    assert_eq!((follower.journal.lines, follower.bytes), (1, line.len() as u64 + 1));
    std::fs::remove_file(path).unwrap();
}
