use super::*;
use crate::event::envelope::SCHEMA;
use crate::event::testing::{any, one_of_each, origin};
use crate::event::{Body, Event, Journal};
use crate::source::checked::check_input;
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
        let inner = any.into_iter().filter(|event| !is_end(event) && !is_session(event));
        let end = sample.pop().unwrap();
        let events: Vec<_> = sample.into_iter().chain(inner).chain([end]).collect();
        lines.extend(written(&mut journal, &events));
    }
    lines
}

fn is_session(event: &Event) -> bool {
    matches!(event.body, Body::Session(_))
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

fn check(files: &[Vec<u8>]) -> (Vec<FileCheck>, SetCheck) {
    let mut checker = Checker::new();
    let checked = files
        .iter()
        .map(|bytes| check_input(&mut checker, &mut &bytes[..], "test".to_owned()).unwrap())
        .collect();
    (checked, checker.finish())
}

fn first(bytes: Vec<u8>) -> (FileCheck, SetCheck) {
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
    for range in [6..8, 8..15] {
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
    assert_eq!((set.records, set.sessions, set.ended), (17, 1, true));
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
    assert!(matches!(Checker::new().line(&other), Err(NotAJournal::OtherSchema { line: 1, .. })));
}

proptest! {
    #[test]
    fn any_lines_are_survived(noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..12)) {
        let mut checker = Checker::new();
        checker.file();
        for line in &noise {
            prop_assert!(checker.line(line).is_ok());
        }
        prop_assert_eq!(checker.end_file().damages, noise.len() as u64);
    }
}
