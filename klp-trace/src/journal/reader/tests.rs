use super::*;
use crate::journal::envelope::SCHEMA;
use crate::journal::testing::{any, at, entry, object, one_of_each, origin, section_read, state};
use crate::journal::{Body, Journal, SectionRead};
use crate::model::{Hook, Verdict};
use proptest::prelude::*;

type Lines = Vec<Vec<u8>>;

fn written(events: &[Event]) -> Lines {
    let mut journal = Journal::new(origin());
    events.iter().map(|event| journal.line(event).unwrap().to_vec()).collect()
}

fn read(lines: &Lines) -> (Vec<Event>, Integrity) {
    let mut reader = Reader::new();
    let events = lines.iter().filter_map(|line| reader.line(line).unwrap()).collect();
    (events, reader.finish().unwrap())
}

/// What the first fault of a journal is, and its line.
fn fault(lines: &Lines) -> Option<(u64, Fault)> {
    read(lines).1.first.map(|damage| (damage.line, damage.fault))
}

fn evidence() -> Vec<Event> {
    let conclusion = |event: &Event| {
        matches!(
            event.body,
            Body::RelocState(_) | Body::Finding(_) | Body::FindingClosed(_) | Body::SessionEnd(_)
        )
    };
    one_of_each().into_iter().filter(|event| !conclusion(event)).collect()
}

#[test]
fn the_evidence_comes_back_and_the_conclusions_do_not() {
    let (events, integrity) = read(&written(&one_of_each()));
    assert_eq!(events, evidence());
    assert!(integrity.is_whole() && integrity.ended && integrity.cut == 0);
    assert_eq!(integrity.records, 16);
}

#[test]
fn the_origin_comes_back() {
    let mut reader = Reader::new();
    assert!(reader.origin().is_none());
    for line in written(&one_of_each()) {
        reader.line(&line).unwrap();
        assert_eq!(reader.origin(), Some(&origin()));
    }
}

#[test]
fn sessions_follow_one_another() {
    let mut lines = written(&one_of_each());
    let mut later = one_of_each();
    later[0].mono_ns += 1;
    lines.extend(written(&later));
    let (events, integrity) = read(&lines);
    assert_eq!(events.len(), 2 * evidence().len());
    assert!(integrity.is_whole() && integrity.ended && integrity.cut == 0);
    lines.remove(15);
    let (_, integrity) = read(&lines);
    assert_eq!(integrity.first, Some(Damage { line: 16, fault: Fault::Unended }));
    assert!(integrity.ended);
}

#[test]
fn entries_are_those_listed_before_their_section_read() {
    let (apply, going) = (Hook::ApplyRelocateAdd, Hook::KlpModuleGoing);
    let listed =
        |index, read, verdict| at(1, Body::RelocState(state(index, read, Some(Verdict::Pending), verdict)));
    let whole = |read| Body::SectionRead(section_read(read, 4, (0..4).map(entry).collect()));
    let mut unread = state(3, Some(apply), None, Verdict::Unknown);
    unread.actual = None;
    unread.recorded = None;
    let lines = written(&[
        one_of_each().remove(0),
        listed(0, Some(apply), Verdict::Applied),
        // A conclusion without a read, in between: not evidence.
        listed(1, None, Verdict::Stale),
        listed(2, Some(apply), Verdict::Applied),
        at(1, Body::RelocState(unread)),
        at(1, whole(apply)),
        at(2, whole(going)),
    ]);
    let (events, integrity) = read(&lines);
    assert_eq!(integrity.first, None);
    let reads: Vec<_> = events
        .into_iter()
        .filter_map(|event| if let Body::SectionRead(read) = event.body { Some(read) } else { None })
        .collect();
    let unread = crate::journal::EntryRead { bytes: None, recorded: None, ..entry(3) };
    assert_eq!(reads[0], section_read(apply, 4, vec![entry(0), entry(2), unread]));
    assert_eq!(reads[1], section_read(going, 4, vec![]));
}

/// What is derived is taken out of a record; what was seen stays.
fn without_conclusions(lines: &Lines) -> Lines {
    let strip = |line: &Vec<u8>| {
        let mut value: serde_json::Value = serde_json::from_slice(line).unwrap();
        let record = value.as_object_mut().unwrap();
        if ["finding", "finding_closed", "session_end"].iter().any(|kind| record["event"]["kind"] == *kind) {
            return None;
        }
        for field in ["verdict", "previous", "reason", "finding", "live", "witnesses"] {
            record.remove(field);
        }
        if let Some(target) = record.get_mut("target") {
            target.as_object_mut().unwrap().remove("expected");
        }
        Some(serde_json::to_vec(&value).unwrap())
    };
    lines.iter().filter_map(strip).collect()
}

#[test]
fn nothing_rests_on_verdicts_or_findings() {
    let lines = written(&one_of_each());
    let (stripped, integrity) = read(&without_conclusions(&lines));
    assert_eq!(stripped, evidence());
    assert!(!integrity.is_whole(), "but it is said that the journal is not as it was written");
}

#[test]
fn a_changed_byte_of_evidence_is_said_and_still_evidence() {
    let mut lines = written(&one_of_each());
    let text = String::from_utf8(lines[5].clone()).unwrap();
    lines[5] = text.replace("\"actual\":\"2c", "\"actual\":\"2d").into_bytes();
    let (events, integrity) = read(&lines);
    assert_eq!(integrity.first, Some(Damage { line: 6, fault: Fault::Altered }));
    assert_eq!(integrity.damages, 1, "the lines after it are whole");
    let Some(Body::SectionRead(SectionRead { entries, .. })) =
        events.into_iter().map(|event| event.body).find(|body| matches!(body, Body::SectionRead(_)))
    else {
        panic!("no section_read")
    };
    assert_eq!(entries[0].bytes.unwrap()[0], 0x2d);
}

#[test]
fn missing_and_exchanged_lines_are_found() {
    let lines = written(&one_of_each());
    for gone in 1..lines.len() - 1 {
        let mut cut = lines.clone();
        cut.remove(gone);
        let (line, what) = fault(&cut).unwrap();
        assert_eq!(line, gone as u64 + 1);
        assert_eq!(what, Fault::Gap { after: gone as u64, seq: gone as u64 + 2 });
    }
    let mut exchanged = lines.clone();
    exchanged.swap(3, 4);
    assert_eq!(fault(&exchanged), Some((4, Fault::Gap { after: 3, seq: 5 })));
    let headless = lines[1..].to_vec();
    assert_eq!(fault(&headless), Some((1, Fault::NoStart { seq: 2 })));
    let endless = lines[..13].to_vec();
    assert!(!read(&endless).1.ended);
}

#[test]
fn a_line_without_its_hash_and_one_that_is_no_record_are_found() {
    let mut lines = written(&one_of_each());
    let text = String::from_utf8(lines[2].clone()).unwrap();
    lines[2] = format!("{}}}", text.split(",\"hash\"").next().unwrap()).into_bytes();
    assert_eq!(fault(&lines), Some((3, Fault::Unsealed)));
    let mut lines = written(&one_of_each());
    lines[2].truncate(100);
    let (events, integrity) = read(&lines);
    assert_eq!(events.len(), evidence().len() - 1);
    let damage = integrity.first.unwrap();
    assert!(matches!(damage.fault, Fault::NoRecord { .. }) && damage.line == 3, "{damage}");
    assert_eq!(integrity.damages, 1, "the record after it cannot be checked against it");
}

#[test]
fn a_torn_end_is_said() {
    let lines = written(&one_of_each());
    let mut reader = Reader::new();
    for line in &lines[..15] {
        reader.line(line).unwrap();
    }
    assert_eq!(reader.unfinished_line(&lines[15][..300]), Ok(None));
    let integrity = reader.finish().unwrap();
    assert_eq!(integrity.first, Some(Damage { line: 16, fault: Fault::Torn }));
    assert!(!integrity.ended);
}

#[test]
fn a_last_line_without_newline_is_whole_if_its_hash_says_so() {
    let lines = written(&one_of_each());
    let mut reader = Reader::new();
    for line in &lines[..15] {
        reader.line(line).unwrap();
    }
    assert_eq!(reader.unfinished_line(&lines[15]), Ok(None));
    let integrity = reader.finish().unwrap();
    assert_eq!(integrity.first, Some(Damage { line: 16, fault: Fault::NoNewline }));
    assert!(integrity.ended);
}

#[test]
fn entries_that_are_gone_count_as_lost_not_as_unchanged() {
    let mut lines = written(&one_of_each());
    lines.remove(5);
    let (events, integrity) = read(&lines);
    assert_eq!(integrity.damages, 2);
    let lost = events.iter().find_map(|event| match &event.body {
        Body::SectionRead(read) => Some((read.lost, read.entries.len())),
        _ => None,
    });
    assert_eq!(lost, Some((1, 0)));
    // And the other way round: the section_read is gone.
    let mut lines = written(&one_of_each());
    lines.remove(6);
    let (events, integrity) = read(&lines);
    assert!(!events.iter().any(|event| matches!(event.body, Body::SectionRead(_))));
    assert_eq!(integrity.damages, 2);
}

#[test]
fn kinds_of_later_versions_are_counted_and_passed_over() {
    let mut lines = written(&one_of_each());
    let text = String::from_utf8(lines[7].clone()).unwrap();
    let mut later = text.replace("\"transition\"", "\"eclipse\"").into_bytes();
    later.truncate(later.len() - 75);
    later.push(b'}');
    let hash = chain::seal(&mut later);
    lines.splice(7.., [later]);
    let (events, integrity) = read(&lines);
    assert_eq!(integrity.first, None);
    assert_eq!(integrity.unknown_kinds, [("eclipse".to_owned(), 1)].into());
    assert_eq!(events.len(), 6);
    assert_ne!(hash, Hash::ZERO);
}

#[test]
fn what_is_no_journal_is_refused() {
    let refusal = |line: &[u8]| {
        let mut reader = Reader::new();
        reader.line(line).and_then(|_| reader.finish()).unwrap_err().to_string()
    };
    assert!(refusal(b"hello").starts_with("line 1 is not a record"));
    assert!(refusal(b"{\"a\":1}").contains("missing field"));
    assert!(refusal(&[0xff; 20]).starts_with("line 1"));
    let text = String::from_utf8(written(&one_of_each()).remove(0)).unwrap();
    let other = refusal(text.replace(SCHEMA, "klp-trace.event/9").as_bytes());
    assert!(other.contains("klp-trace.event/9") && other.contains(SCHEMA), "{other}");
    assert_eq!(Reader::new().finish(), Err(NotAJournal::Empty));
    assert!(Reader::new().too_long().is_err());
}

#[test]
fn unknown_kinds_do_not_take_memory_without_end() {
    let mut lines = vec![written(&one_of_each()).remove(0)];
    for number in 0..1000 {
        let kind = format!("k{number}{}", "x".repeat(1000));
        lines.push(
            format!("{{\"schema\":\"{SCHEMA}\",\"seq\":2,\"event\":{{\"kind\":\"{kind}\"}}}}").into_bytes(),
        );
    }
    let (_, integrity) = read(&lines);
    assert_eq!(integrity.unknown_kinds.len(), MAX_UNKNOWN_KINDS + 1);
    assert!(integrity.unknown_kinds.keys().all(|kind| kind.len() <= 200));
    assert_eq!(integrity.unknown_kinds.values().sum::<u64>(), 1000);
}

/// A journal's line with one of its values made something else.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("-1".to_owned()),
        Just("1e400".to_owned()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    (any::event(), any::<prop::sample::Index>(), value).prop_map(|(event, at, value)| {
        let line = String::from_utf8(written(&[event]).remove(0)).unwrap();
        let colons: Vec<_> = line.match_indices("\":").map(|(at, _)| at + 2).collect();
        let start = *at.get(&colons);
        let end = line[start..].find([',', '}']).map_or(line.len(), |end| start + end);
        format!("{}{value}{}", &line[..start], &line[end..]).into_bytes()
    })
}

proptest! {
    #[test]
    fn any_journal_comes_back(events in prop::collection::vec(any::event(), 0..12)) {
        let events: Vec<_> = std::iter::once(one_of_each().remove(0)).chain(events).collect();
        let (_, integrity) = read(&written(&events));
        // The chain holds; strays come of reads at random.
        if let Some(damage) = integrity.first {
            let of_entries = matches!(
                damage.fault,
                Fault::Stray { .. } | Fault::NoRecord { .. } | Fault::Unended | Fault::Repeated
            );
            prop_assert!(of_entries, "{damage}");
        }
        prop_assert_eq!(integrity.records, events.len() as u64);
    }

    #[test]
    fn any_bytes_and_any_values_are_survived(
        noise in prop::collection::vec(prop_oneof![prop::collection::vec(any::<u8>(), 0..64), mutated()], 0..12),
    ) {
        let mut reader = Reader::new();
        reader.line(&written(&one_of_each())[0]).unwrap();
        for line in noise {
            let _ = reader.line(&line);
        }
        let _ = reader.finish();
    }

    #[test]
    fn any_changed_byte_is_found(line in 0usize..16, at: prop::sample::Index, flip in 1u8..) {
        let mut lines = written(&one_of_each());
        let at = at.index(lines[line].len());
        lines[line][at] ^= flip;
        let mut reader = Reader::new();
        let refused = lines.iter().any(|line| reader.line(line).is_err());
        prop_assert!(refused || !reader.finish().unwrap().is_whole());
    }
}

#[test]
fn the_objects_of_reads_come_back() {
    let gone = crate::journal::ObjectRef { address: None, ..object() };
    let mut read = section_read(Hook::KlpModuleGoing, 1, vec![]);
    read.object = gone;
    let lines = written(&[one_of_each().remove(0), at(1, Body::SectionRead(read.clone()))]);
    assert_eq!(self::read(&lines).0[1].body, Body::SectionRead(read));
}

#[test]
fn what_is_said_of_a_hostile_line_can_be_shown() {
    let first = String::from_utf8(written(&one_of_each())[0].clone()).unwrap();
    let hostile = first.replacen("\"klp_module_", "\"klp_\u{7f}\u{202e}module_", 1);
    assert_ne!(hostile, first);
    let mut reader = Reader::new();
    assert_eq!(reader.line(hostile.as_bytes()), Ok(None));
    let refused = reader.finish().unwrap_err().to_string();
    assert!(refused.contains("klp_\\x7f"), "{refused}");
    assert!(!refused.chars().any(|c| c.is_control() || c == '\u{202e}'), "{refused}");
}
