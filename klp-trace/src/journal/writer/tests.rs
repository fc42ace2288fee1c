use super::*;
use crate::journal::chain::is_sealed;
use crate::journal::testing::{at, entry, golden, one_of_each, origin, section_read, state};
use crate::model::Verdict;

fn lines(journal: &mut Journal, events: &[Event]) -> Vec<String> {
    let line = |event| String::from_utf8(journal.line(event).unwrap().to_vec()).unwrap();
    events.iter().map(line).collect()
}

/// The format is a promise: a change here is a change of docs/journal.md, and perhaps of the schema.
#[test]
fn one_line_of_each_kind_is_as_it_always_was() {
    let mut journal = lines(&mut Journal::new(origin()), &one_of_each()).join("\n");
    journal.push('\n');
    golden("journal/writer/golden.ndjson", &journal);
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
    assert_eq!(journal.records(), 15);
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
    let mut all = lines(&mut journal, &one_of_each());
    all.push(String::from_utf8(journal.next_file().unwrap().to_vec()).unwrap());
    for line in all {
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        // Their members are named by verdicts and findings.
        if let Some(end) = record.get_mut("end") {
            end["verdicts"].take();
            end["findings"].take();
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
