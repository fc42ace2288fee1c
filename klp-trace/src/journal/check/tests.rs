use super::*;
use crate::journal::chain;
use crate::journal::envelope::SCHEMA;
use crate::journal::lines::{Line, Lines};
use crate::journal::reader::{Integrity, NotAJournal, Reader};
use crate::journal::testing::{any, one_of_each, origin};
use crate::journal::{Body, Event, Journal};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Three sessions of several lengths, as lines with their newlines.
fn journal() -> Vec<Vec<u8>> {
    let mut runner = TestRunner::deterministic();
    let mut journal = Journal::new(origin());
    let mut lines = Vec::new();
    for (number, length) in [9, 0, 17].into_iter().enumerate() {
        let mut sample = one_of_each();
        sample[0].mono_ns += number as u64;
        let any = prop::collection::vec(any::event(), length).new_tree(&mut runner).unwrap().current();
        let inner =
            any.into_iter().filter(|event| !is_end(event) && !is_session(event) && !is_of_read(event));
        let end = sample.pop().unwrap();
        let events: Vec<_> = sample.into_iter().chain(inner).chain([end]).collect();
        lines.extend(written(&mut journal, &events));
    }
    lines
}

fn is_session(event: &Event) -> bool {
    matches!(event.body, Body::Session(_))
}

/// These belong together, which random ones do not.
fn is_of_read(event: &Event) -> bool {
    matches!(event.body, Body::RelocState(_) | Body::SectionRead(_))
}

fn is_end(event: &Event) -> bool {
    matches!(event.body, Body::SessionEnd(_))
}

fn written(journal: &mut Journal, events: &[Event]) -> Vec<Vec<u8>> {
    events.iter().map(|event| line(journal.line(event).unwrap())).collect()
}

fn line(bytes: &[u8]) -> Vec<u8> {
    [bytes, b"\n"].concat()
}

fn check(files: &[Vec<u8>]) -> (Vec<FileCheck>, Integrity) {
    let mut reader = Reader::new();
    for bytes in files {
        reader.file("test");
        let (mut lines, mut input) = (Lines::default(), &bytes[..]);
        loop {
            match lines.next(&mut input).unwrap() {
                Line::End => break,
                Line::Whole => drop(reader.line(lines.line()).unwrap()),
                Line::Unfinished => drop(reader.unfinished_line(lines.line()).unwrap()),
                Line::TooLong => reader.too_long().unwrap(),
            }
        }
    }
    let integrity = reader.finish().unwrap();
    (integrity.files.clone(), integrity)
}

fn first(bytes: Vec<u8>) -> (FileCheck, Integrity) {
    let (mut files, set) = check(&[bytes]);
    (files.remove(0), set)
}

/// A number below `limit`, from a generator that is the same each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}

/// A corruption: what it is, the bytes, the line at which it must be named, and one more that is as right (where two
/// sessions' first lines change places, either may be called the wrong one).
struct Corrupted {
    what: String,
    bytes: Vec<u8>,
    line: usize,
    or: usize,
}

fn corrupt(lines: &[Vec<u8>], sessions: &[usize], dice: &mut Dice) -> Corrupted {
    let count = lines.len();
    let at = dice.below(count);
    let other = dice.below(count);
    let mut lines = lines.to_vec();
    let slack = usize::from(sessions.contains(&at));
    let done = |what: String, lines: Vec<Vec<u8>>, line: usize, or: usize| Corrupted {
        what,
        bytes: lines.concat(),
        line,
        or,
    };
    match dice.below(8) {
        0 | 1 => {
            let byte = dice.below(lines[at].len());
            let bit = dice.below(8);
            lines[at][byte] ^= 1 << bit;
            done(format!("bit {bit} of byte {byte} of line {} flipped", at + 1), lines, at + 1, at + 1)
        }
        2 => {
            // The last record is as likely as all others together.
            let last = count - 1;
            let byte = dice.below(lines[last].len());
            lines[last][byte] ^= 1 << dice.below(8);
            done(format!("a bit of byte {byte} of the last line flipped"), lines, count, count)
        }
        3 => {
            lines.remove(at);
            done(format!("line {} dropped", at + 1), lines, at + 1, at + 1)
        }
        4 if at != other => {
            let (low, high) = (at.min(other), at.max(other));
            let slack = usize::from(sessions.contains(&low) && sessions.contains(&high));
            lines.swap(low, high);
            done(format!("lines {} and {} swapped", low + 1, high + 1), lines, low + 1, low + 1 + slack)
        }
        5 => {
            let copy = lines[at].clone();
            lines.insert(other, copy);
            let line = if other == at { at + 2 } else { other + 1 };
            done(
                format!("a copy of line {} put before line {}", at + 1, other + 1),
                lines,
                line,
                line + slack,
            )
        }
        6 => {
            let keep = dice.below(lines[at].len() - 1);
            lines[at].truncate(keep);
            lines[at].push(b'\n');
            done(format!("line {} cut to {keep} bytes", at + 1), lines, at + 1, at + 1)
        }
        _ => {
            // A cut between two sessions is another journal, not a damaged one; so cut in the last.
            let last = sessions.last().unwrap();
            let at = last + dice.below(count - last);
            lines.truncate(at + 1);
            let keep = 1 + dice.below(lines[at].len() - 1);
            lines[at].truncate(keep);
            done(format!("the file cut after {keep} bytes of line {}", at + 1), lines, at + 1, at + 1)
        }
    }
}

#[test]
fn two_thousand_corruptions_are_each_named_at_their_line() {
    let lines = journal();
    let sessions: Vec<_> = (0..lines.len())
        .filter(|at| String::from_utf8_lossy(&lines[*at]).contains("\"kind\":\"session\""))
        .collect();
    assert_eq!(sessions.len(), 3);
    let mut dice = Dice(0x6b6c_7074_7261_6365);
    let mut named = 0;
    while named < 2000 {
        let Corrupted { what, bytes, line, or } = corrupt(&lines, &sessions, &mut dice);
        if bytes == lines.concat() {
            continue;
        }
        let (file, set) = first(bytes);
        match file.first {
            Some(damage) => {
                let at = usize::try_from(damage.line).unwrap();
                assert!(at == line || at == or, "{what}: {damage}");
            }
            // Only the last line can be missed without a trace but that the session has no end.
            None => assert!(!set.ended && file.lines + 1 == line as u64, "{what}: nothing was said"),
        }
        named += 1;
    }
}

#[test]
fn what_was_not_touched_is_whole() {
    let lines = journal();
    let (file, set) = first(lines.concat());
    assert_eq!((file.first, file.damages, file.ended), (None, 0, true));
    assert_eq!(file.records, lines.len() as u64);
    assert_eq!((set.sessions, set.ended, file.heads.len()), (3, true, 3));
    assert_eq!(Some(*file.heads.last().unwrap()), chain::sealed_with(lines.last().unwrap().trim_ascii_end()));
}

/// One session in three files.
fn rotated() -> Vec<Vec<u8>> {
    let events = one_of_each();
    let mut journal = Journal::new(origin());
    let mut files = vec![written(&mut journal, &events[..6]).concat()];
    for range in [6..8, 8..16] {
        let mut file = line(journal.next_file().unwrap());
        file.extend(written(&mut journal, &events[range]).concat());
        files.push(file);
    }
    files
}

#[test]
fn files_of_a_rotated_journal_are_joined_by_their_heads() {
    let (files, set) = check(&rotated());
    assert!(files.iter().all(|file| file.first.is_none()), "{files:?}");
    assert_eq!((set.records, set.sessions, set.ended), (18, 1, true));
    assert_eq!(files.iter().map(|file| file.starts).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(files.iter().map(|file| file.ended).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_file_that_is_missing_or_in_another_place_is_named() {
    let faults = |files: &[Vec<u8>]| -> Vec<Option<Damage>> {
        check(files).0.into_iter().map(|file| file.first).collect()
    };
    let [one, two, three] = <[Vec<u8>; 3]>::try_from(rotated()).unwrap();
    let gap = |after, seq| Some(Damage { line: 1, fault: Fault::Gap { after, seq } });
    assert_eq!(faults(&[one.clone(), three.clone()]), [None, gap(6, 10)]);
    assert_eq!(
        faults(&[two.clone(), three.clone()]),
        [Some(Damage { line: 1, fault: Fault::NoStart { seq: 7 } }), None]
    );
    let swapped = faults(&[one.clone(), three.clone(), two.clone()]);
    assert_eq!(swapped[..2], [None, gap(6, 10)]);
    let twice = faults(&[one.clone(), one.clone(), two.clone(), three]);
    assert_eq!(twice[1], Some(Damage { line: 1, fault: Fault::Repeated }));
    let (files, set) = check(&[one.clone(), two]);
    assert!(!set.ended && files[1].first.is_none());
    // The last line of a file is covered by the next file's first one.
    let last = one.trim_ascii_end().iter().rposition(|byte| *byte == b'\n').unwrap();
    let cut = one[..=last].to_vec();
    let [_, two, three] = <[Vec<u8>; 3]>::try_from(rotated()).unwrap();
    assert_eq!(faults(&[cut, two, three]), [None, gap(5, 7), None]);
}

#[test]
fn another_version_is_refused_by_name_but_not_when_that_is_the_damage() {
    let mut lines = journal();
    let text = String::from_utf8(lines[0].clone()).unwrap();
    lines[0] = text.replace(SCHEMA, "klp-trace.event/9").into_bytes();
    assert_eq!(first(lines.concat()).0.first, Some(Damage { line: 1, fault: Fault::Altered }));
    let mut other = br#"{"schema":"klp-trace.event/9","seq":1,"event":{"kind":"session","id":"0000000000000000-1"},"prev":"#.to_vec();
    other.extend(format!("\"{}\"}}", Hash::ZERO).bytes());
    chain::seal(&mut other);
    assert!(matches!(Reader::new().line(&other), Err(NotAJournal::OtherSchema { line: 1, .. })));
}

proptest! {
    #[test]
    fn any_lines_are_survived(noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..12)) {
        let mut reader = Reader::new();
        reader.file("test");
        for line in &noise {
            let _ = reader.line(line);
        }
        prop_assert!(reader.finish().is_err(), "no one of them is a record");
    }
}

/// A line whose values are those of its session, sealed, but for what `alter` makes of it.
fn altered(number: usize, alter: impl Fn(&str) -> String) -> Option<Damage> {
    let mut lines = journal();
    let text = String::from_utf8(lines[number].clone()).unwrap();
    let unsealed = text.rsplit_once(",\"hash\":").unwrap().0;
    let mut bytes = format!("{}}}", alter(unsealed)).into_bytes();
    assert_ne!(bytes, format!("{unsealed}}}").as_bytes());
    chain::seal(&mut bytes);
    lines[number] = line(&bytes);
    first(lines.concat()).0.listed.into_iter().find(|damage| !matches!(damage.fault, Fault::Gap { .. }))
}

#[test]
fn numbers_times_and_ids_are_those_of_their_session() {
    let number = altered(2, |text| text.replace("\"seq\":3,", "\"seq\":18446744073709551613,"));
    assert_eq!(number, Some(Damage { line: 3, fault: Fault::Number { due: 3, seq: u64::MAX - 2 } }));
    let first = altered(0, |text| text.replace("\"seq\":1,", "\"seq\":7,"));
    assert_eq!(first, Some(Damage { line: 1, fault: Fault::Number { due: 1, seq: 7 } }));
    let id = altered(3, |text| text.replace("-4\"},\"host\"", "-5\"},\"host\""));
    assert!(matches!(id, Some(Damage { line: 4, fault: Fault::Id { .. } })), "{id:?}");
    let session = altered(3, |text| {
        let at = text.find("\"id\":\"").unwrap() + 6;
        let digit = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    });
    assert!(matches!(session, Some(Damage { line: 4, fault: Fault::Id { .. } })), "{session:?}");
    let time = altered(5, |text| {
        let at = text.find("\"time\":\"").unwrap() + 8;
        let digit = if &text[at..=at] == "1" { "2" } else { "1" };
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    });
    assert!(matches!(time, Some(Damage { line: 6, fault: Fault::Time { .. } })), "{time:?}");
}

/// What `convert` makes of a journal's bytes, by its first damage and their number.
fn converted(convert: impl Fn(&str) -> String) -> (Fault, u64, u64) {
    let text = String::from_utf8(journal().concat()).unwrap();
    let (file, set) = first(convert(&text).into_bytes());
    (file.first.unwrap().fault, file.damages, set.records)
}

#[test]
fn what_mail_and_editors_do_is_named_as_what_it_is() {
    let all = journal().len() as u64;
    assert_eq!(converted(|text| text.replace('\n', "\r\n")), (Fault::Crlf, all, all));
    assert_eq!(converted(|text| format!("\u{feff}{text}")), (Fault::Bom, 1, all));
    assert_eq!(converted(|text| format!("\u{feff}{text}").replace('\n', "\r\n")), (Fault::Bom, all + 1, all));
    let (letter, damages, records) = converted(|text| format!("Dear auditor,\n\n{text}\n"));
    assert!(matches!(letter, Fault::NoRecord { .. }), "{letter}");
    assert_eq!((damages, records), (3, all), "each line of the letter");
    let spaced = |text: &str| text.replace("{\"schema\":", "{ \"schema\": ");
    assert_eq!(converted(spaced), (Fault::Reformatted, all, all));
    let sorted = |text: &str| {
        let line = |line| serde_json::from_str::<serde_json::Value>(line).unwrap().to_string() + "\n";
        text.lines().map(line).collect()
    };
    assert_eq!(converted(sorted), (Fault::Reformatted, all, all));
    // Reformatted and altered: not to be told from altered alone.
    let both = |text: &str| spaced(text).replacen("\"mono_ns\":", "\"mono_ns\":1", 1);
    assert!(matches!(converted(both).0, Fault::Altered), "{:?}", converted(both).0);
    let pretty: serde_json::Value = serde_json::from_slice(&journal()[0]).unwrap();
    let mut reader = Reader::new();
    let text = serde_json::to_string_pretty(&pretty).unwrap();
    assert_eq!(reader.line(text.lines().next().unwrap().as_bytes()), Err(NotAJournal::Spread));
}

#[test]
fn lines_that_are_no_records_are_not_read_without_end() {
    let mut reader = Reader::new();
    let refused = (0..1_000_000).find(|_| reader.line(b"").is_err()).unwrap();
    assert!(refused < 20_000, "{refused}");
    let mut reader = Reader::new();
    reader.line(journal()[0].trim_ascii_end()).unwrap();
    let read = (0..1_000_000).find(|_| reader.line(b"").is_err() || reader.is_flooded()).unwrap();
    assert!(read < 20_000, "{read}");
    let integrity = reader.finish().unwrap();
    assert!(integrity.listed().count() <= MAX_LISTED && integrity.damages > 10_000);
}
