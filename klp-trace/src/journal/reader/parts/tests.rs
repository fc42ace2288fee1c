use crate::journal::chain::{self, Hash};
use crate::journal::reader::{Damage, Fault, Integrity, Reader};
use crate::journal::testing::{at, entry, one_of_each, origin, section_read, state};
use crate::journal::{Body, Event, Journal, SectionRead};
use crate::model::{Hook, Verdict};
use serde_json::Value;

/// Relocations of the section: of three parts.
const TOTAL: u32 = 10_000;

/// The records of a session in which a section is read, and its end.
fn records() -> Vec<Value> {
    let read = Hook::ApplyRelocateAdd;
    let mut events = vec![one_of_each().remove(0)];
    events.extend((0..TOTAL).map(|i| at(1, Body::RelocState(state(i, Some(read), None, Verdict::Applied)))));
    events.push(at(1, Body::SectionRead(section_read(read, TOTAL, (0..TOTAL).map(entry).collect()))));
    events.push(one_of_each().remove(3));
    events.push(one_of_each().remove(15));
    let mut lines = Vec::new();
    let mut journal = Journal::new(origin());
    for event in &events {
        journal.append(event, &mut lines);
    }
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let records: Vec<Value> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    let kinds: Vec<_> = records.iter().map(|record| record["event"]["kind"].as_str().unwrap()).collect();
    let (read, of) = ("section_read", "section_state");
    assert_eq!(kinds, ["session", read, read, read, of, of, of, "module", "session_end"]);
    records
}

/// What is read of records that are numbered and sealed as if they had been written so.
fn read(records: &[Value]) -> (Vec<Event>, Integrity) {
    let (mut reader, mut prev, mut events) = (Reader::new(), Hash::ZERO, Vec::new());
    for (seq, record) in (1..).zip(records) {
        let mut record: crate::journal::record::Record = serde_json::from_value(record.clone()).unwrap();
        (record.seq, record.event.id.seq, record.prev, record.hash) = (seq, seq, prev, None);
        let mut line = serde_json::to_vec(&record).unwrap();
        prev = chain::seal(&mut line);
        events.extend(reader.line(&line).unwrap());
        events.extend(reader.more());
    }
    (events, reader.finish().unwrap())
}

fn reads(events: &[Event]) -> Vec<&SectionRead> {
    events
        .iter()
        .filter_map(|event| if let Body::SectionRead(read) = &event.body { Some(read) } else { None })
        .collect()
}

fn damages(integrity: &Integrity) -> Vec<Damage> {
    integrity.listed().cloned().collect()
}

fn part(part: u32, due: u32) -> Fault {
    Fault::Part { kind: "section_read", part, parts: 3, due }
}

#[test]
fn a_read_of_several_records_comes_back() {
    let (events, integrity) = read(&records());
    assert!(integrity.is_sound(), "{:?}", integrity.first);
    let whole = section_read(Hook::ApplyRelocateAdd, TOTAL, (0..TOTAL).map(entry).collect());
    assert_eq!(reads(&events), [&whole]);
    assert_eq!(events.len(), 3);
}

#[test]
fn without_one_of_its_records_nothing_of_a_read_is_judged() {
    for (gone, said) in
        [(1, (2, part(2, 1))), (2, (3, part(3, 2))), (3, (4, Fault::Unfinished { due: 3, parts: 3 }))]
    {
        let mut records = records();
        records.remove(gone);
        let (events, integrity) = read(&records);
        assert_eq!(damages(&integrity), [Damage { line: said.0, fault: said.1 }]);
        let [found] = reads(&events)[..] else { panic!("{events:?}") };
        assert!(found.lost > 0, "{gone}");
        assert_eq!(found.lost as usize + found.entries.len(), TOTAL as usize);
        // It comes before what came after it.
        assert!(matches!(events[1].body, Body::SectionRead(_)) && matches!(events[2].body, Body::Module(_)));
    }
}

#[test]
fn a_record_that_is_there_twice_is_a_damage() {
    for twice in [2, 3] {
        let mut records = records();
        records.insert(twice, records[twice].clone());
        let (events, integrity) = read(&records);
        assert!(
            matches!(integrity.first, Some(Damage { line, fault: Fault::Part { .. } }) if line == twice as u64 + 2)
        );
        let found = reads(&events);
        assert!(found[0].lost == 0 && found[0].entries.len() == TOTAL as usize);
    }
    // The first one starts a read: the one before it has no end.
    let mut records = records();
    records.insert(1, records[1].clone());
    let (events, integrity) = read(&records);
    assert_eq!(damages(&integrity), [Damage { line: 3, fault: Fault::Unfinished { due: 2, parts: 3 } }]);
    assert_eq!(reads(&events).iter().map(|read| read.lost > 0).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn records_out_of_order_are_a_damage() {
    let mut records = records();
    records.swap(2, 3);
    let (events, integrity) = read(&records);
    assert_eq!(integrity.first, Some(Damage { line: 3, fault: part(3, 2) }));
    assert!(reads(&events).iter().all(|read| read.lost > 0));
    // Of conclusions too.
    records = self::records();
    records.swap(4, 5);
    let (events, integrity) = read(&records);
    let fault = Fault::Part { kind: "section_state", part: 2, parts: 3, due: 1 };
    assert_eq!(integrity.first, Some(Damage { line: 5, fault }));
    assert_eq!(reads(&events)[0].lost, 0);
}

#[test]
fn entries_that_are_gone_are_lost_and_those_beyond_the_section_are_none() {
    let mut records = records();
    records[2]["entries"].as_array_mut().unwrap().truncate(4000);
    let (events, integrity) = read(&records);
    let fault = Fault::Unlisted { listed: TOTAL, found: TOTAL - 96 };
    assert_eq!(damages(&integrity), [Damage { line: 4, fault }]);
    assert_eq!(reads(&events)[0].lost, 96);
    records = self::records();
    for record in &mut records[1..4] {
        record.as_object_mut().unwrap().remove("entries");
    }
    let (events, integrity) = read(&records);
    assert!(!integrity.is_whole() && reads(&events).iter().all(|read| read.lost == TOTAL));
    records = self::records();
    records[3]["entries"][7]["index"] = TOTAL.into();
    let (events, integrity) = read(&records);
    assert_eq!(integrity.first.map(|damage| damage.line), Some(4));
    assert_eq!((reads(&events)[0].lost, reads(&events)[0].entries.len()), (1, TOTAL as usize - 1));
}

#[test]
fn absurd_numbers_are_a_damage() {
    for (field, value) in
        [("part", 0_u32), ("part", 9), ("parts", 1), ("parts", u32::MAX), ("part", u32::MAX)]
    {
        let mut records = records();
        records[2][field] = value.into();
        let (events, integrity) = read(&records);
        assert!(!integrity.is_whole(), "{field} {value}");
        assert!(reads(&events).iter().all(|read| read.lost > 0), "{field} {value}");
    }
}
