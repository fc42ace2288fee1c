use super::*;
use crate::journal::chain::is_sealed;
use crate::journal::testing::{at, entry, golden, one_of_each, origin, section_read, state};
use crate::model::Verdict;

fn lines(journal: &mut Journal, events: &[Event]) -> Vec<String> {
    let line = |event| String::from_utf8(journal.line(event).unwrap().to_vec()).unwrap();
    events.iter().map(line).collect()
}

/// As it is written now; what `lines` gives is the form of earlier versions.
fn written(journal: &mut Journal, events: &[Event]) -> Vec<String> {
    let mut bytes = Vec::new();
    for event in events {
        journal.append(event, &mut bytes);
    }
    journal.flush();
    let mut lines: Vec<String> = String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect();
    while let Some(line) = journal.next_line() {
        lines.push(String::from_utf8(line.to_vec()).unwrap());
    }
    lines
}

fn records(events: &[Event]) -> Vec<Record> {
    let lines = written(&mut Journal::new(origin()), events);
    assert!(lines.iter().all(|line| is_sealed(line.as_bytes()) && line.len() < 1 << 20));
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The format is a promise: a change here is a change of docs/journal.md, and perhaps of the schema.
#[test]
fn one_line_of_each_kind_is_as_it_always_was() {
    let mut journal = written(&mut Journal::new(origin()), &one_of_each()).join("\n");
    journal.push('\n');
    golden("journal/writer/golden.ndjson", &journal);
}

#[test]
fn evidence_stands_in_the_read_and_what_was_concluded_after_it() {
    let apply = Hook::ApplyRelocateAdd;
    let listed = |index, verdict| at(1, Body::RelocState(state(index, Some(apply), None, verdict)));
    let records = records(&[
        listed(0, Verdict::Applied),
        listed(1, Verdict::Mismatch),
        // Without a look at the memory: of no read.
        at(1, Body::RelocState(state(2, None, None, Verdict::Unknown))),
        listed(3, Verdict::Applied),
        at(1, Body::SectionRead(section_read(apply, 9, (0..9).map(entry).collect()))),
        at(2, Body::SectionRead(section_read(apply, 9, (0..9).map(entry).collect()))),
    ]);
    let kinds: Vec<_> = records.iter().map(|record| record.event.kind).collect();
    let (read, of) = (Kind::SectionRead, Kind::SectionState);
    assert_eq!(kinds, [read, of, of, of, read]);
    let entries = |record: &Record| record.entries.iter().flatten().map(|e| e.index).collect::<Vec<_>>();
    assert_eq!((entries(&records[0]), entries(&records[4])), (vec![0, 1, 3], vec![]));
    let walk = |at: usize| records[at].walk.as_ref().map(|walk| (walk.listed, walk.unchanged));
    assert_eq!((walk(0), walk(4)), (Some((3, 6)), Some((0, 9))));
    let states: Vec<_> = records[1..4]
        .iter()
        .map(|record| {
            (record.verdict, record.relocations.iter().flatten().map(|r| r.index).collect::<Vec<_>>())
        })
        .collect();
    let of = |verdict, indices: &[u32]| (Some(verdict), indices.to_vec());
    assert_eq!(
        states,
        [of(Verdict::Applied, &[0, 3]), of(Verdict::Mismatch, &[1]), of(Verdict::Unknown, &[2])]
    );
    // What is as it should be is not said three times; what is not, is.
    let first = |at: usize| records[at].relocations.as_ref().unwrap()[0].clone();
    assert_eq!((first(1).expected, first(1).actual), (None, None));
    assert!(first(2).expected.is_some() && first(2).actual.is_some());
    assert_eq!(records[0].entries.as_ref().unwrap()[0].bytes.unwrap().as_slice(), [0x2c, 0x70, 0xff, 0xff]);
}

#[test]
fn a_section_of_many_relocations_takes_several_records() {
    let apply = Hook::ApplyRelocateAdd;
    let total = 10_000;
    let mut events: Vec<_> =
        (0..total).map(|i| at(1, Body::RelocState(state(i, Some(apply), None, Verdict::Applied)))).collect();
    events.push(at(1, Body::SectionRead(section_read(apply, total, (0..total).map(entry).collect()))));
    let records = records(&events);
    let parts: Vec<_> = records
        .iter()
        .map(|record| {
            let entries = record.entries.as_ref().map_or(0, Vec::len);
            let relocations = record.relocations.as_ref().map_or(0, Vec::len);
            (record.part, record.parts, entries, relocations)
        })
        .collect();
    let (all, most) = (Some(3), pending::MAX_RELOCATIONS);
    assert_eq!(
        parts,
        [
            (Some(1), all, most, 0),
            (Some(2), all, most, 0),
            (Some(3), all, 10_000 - 2 * most, 0),
            (Some(1), all, 0, most),
            (Some(2), all, 0, most),
            (Some(3), all, 0, 10_000 - 2 * most),
        ]
    );
}

#[test]
fn names_of_any_length_leave_a_record_below_a_mebibyte() {
    let apply = Hook::ApplyRelocateAdd;
    let long: std::sync::Arc<str> = "\"\\".repeat(512).into();
    let mut events = Vec::new();
    for index in 0..3000 {
        let mut state = state(index, Some(apply), None, Verdict::Stale);
        state.reloc.symbol = long.clone();
        events.push(at(1, Body::RelocState(state)));
    }
    events.push(at(1, Body::SectionRead(section_read(apply, 3000, (0..3000).map(entry).collect()))));
    assert!(records(&events).len() > 6);
}

#[test]
fn states_wait_for_nothing_but_their_read() {
    let mut journal = Journal::new(origin());
    let mut lines = Vec::new();
    journal.append(&at(1, Body::RelocState(state(0, None, None, Verdict::Stale))), &mut lines);
    assert!(lines.is_empty());
    journal.flush();
    assert_eq!(journal.next_kind(), Some(Kind::SectionState));
    assert!(journal.next_line().is_some() && journal.next_line().is_none());
    // The next event of another time ends the record.
    journal.append(&at(2, Body::RelocState(state(0, None, None, Verdict::Stale))), &mut lines);
    assert!(lines.is_empty());
    journal.append(&at(3, Body::RelocState(state(1, None, None, Verdict::Stale))), &mut lines);
    assert_eq!(String::from_utf8_lossy(&lines).lines().count(), 1);
    let read = Some(Hook::Demand);
    journal.append(&at(4, Body::RelocState(state(0, read, None, Verdict::Stale))), &mut lines);
    assert_eq!(String::from_utf8_lossy(&lines).lines().count(), 2);
    journal.flush();
    assert_eq!(journal.next_kind(), None, "its read is to come");
}

#[test]
fn each_line_carries_the_hash_of_the_one_before() {
    let mut journal = Journal::new(origin());
    let mut before = Hash::ZERO;
    for (number, line) in lines(&mut journal, &one_of_each()).iter().enumerate() {
        assert!(is_sealed(line.as_bytes()));
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!(record.prev, before);
        assert_eq!(record.seq, number as u64 + 1);
        before = record.hash.unwrap();
    }
    assert_eq!(journal.head(), before);
    assert_eq!(journal.records(), 16);
}

#[test]
fn a_session_starts_anew() {
    let mut journal = Journal::new(origin());
    let first = lines(&mut journal, &one_of_each());
    let second = lines(&mut journal, &one_of_each());
    assert_eq!(first, second);
    let mut later = one_of_each();
    later[0].mono_ns += 1;
    let third: Record = serde_json::from_str(&lines(&mut journal, &later)[0]).unwrap();
    let first: Record = serde_json::from_str(&first[0]).unwrap();
    assert_ne!(first.event.id.session, third.event.id.session);
}

#[test]
fn a_section_read_says_what_was_listed_and_what_was_not() {
    let apply = Hook::ApplyRelocateAdd;
    let listed = |index, read| at(1, Body::RelocState(state(index, read, None, Verdict::Applied)));
    let events = [
        // Of another read of the section, and of none.
        listed(0, Some(Hook::Demand)),
        listed(1, None),
        listed(3, Some(apply)),
        listed(5, None),
        listed(4, Some(apply)),
        at(1, Body::SectionRead(section_read(apply, 9, (0..9).map(entry).collect()))),
        at(2, Body::SectionRead(section_read(apply, 9, (0..9).map(entry).collect()))),
    ];
    let lines = lines(&mut Journal::new(origin()), &events);
    let walk = |line: &String| serde_json::from_str::<Record>(line).unwrap().walk.unwrap();
    assert_eq!((walk(&lines[5]).listed, walk(&lines[5]).unchanged), (2, 7));
    assert_eq!((walk(&lines[6]).listed, walk(&lines[6]).unchanged), (0, 9));
}

/// Every name of a field, with those of its members.
fn fields(value: &serde_json::Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                found.insert(name.clone());
                fields(member, found);
            }
        }
        serde_json::Value::Array(members) => members.iter().for_each(|member| fields(member, found)),
        _ => {}
    }
}

#[test]
fn every_field_and_kind_is_documented() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/journal.md")).unwrap();
    let mut names = std::collections::BTreeSet::new();
    let mut journal = Journal::new(origin());
    let mut all = lines(&mut journal.clone(), &one_of_each());
    all.extend(written(&mut journal, &one_of_each()));
    let mut many: Vec<_> =
        (0..5000).map(|i| at(1, Body::RelocState(state(i, None, None, Verdict::Stale)))).collect();
    for event in &mut many {
        if let Body::RelocState(state) = &mut event.body {
            (state.reloc.file_index, state.reloc.sympos, state.recorded) = (Some(1), 1, None);
        }
    }
    all.extend(written(&mut journal, &many));
    all.push(String::from_utf8(journal.next_file().unwrap().to_vec()).unwrap());
    for line in all {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        // Their members are named by verdicts and findings.
        if let Some(end) = record.get_mut("end") {
            end["verdicts"].take();
            end["findings"].take();
            end["open"].take();
        }
        fields(&record, &mut names);
        names.insert(record["event"]["kind"].as_str().unwrap().to_owned());
    }
    assert!(names.len() > 60, "{names:?}");
    for name in names {
        let known = [format!("`{name}`"), format!(".{name}`"), format!("`{name}."), format!(".{name}.")];
        assert!(
            known.iter().any(|known| page.contains(known)),
            "docs/journal.md does not say what {name} is"
        );
    }
}

#[test]
fn a_host_of_any_name_acts_on_no_terminal() {
    let mut origin = origin();
    std::sync::Arc::make_mut(&mut origin.host).name = "node\u{202e}7".into();
    let mut journal = Journal::new(origin);
    for event in &one_of_each() {
        let line = std::str::from_utf8(journal.line(event).unwrap()).unwrap().to_owned();
        assert!(line.contains("node\\u202e7") && !line.contains('\u{202e}'), "{line}");
    }
}
