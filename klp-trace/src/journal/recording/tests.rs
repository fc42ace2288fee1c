use super::*;
use crate::journal::reader::{Damage, Fault, MAX_LINE};
use crate::journal::testing::{one_of_each, origin};
use crate::journal::{Body, Journal};
use proptest::prelude::*;
use std::io::BufReader;

fn journal() -> Vec<u8> {
    let mut journal = Journal::new(origin());
    let mut bytes = Vec::new();
    for event in one_of_each() {
        bytes.extend_from_slice(journal.line(&event).unwrap());
        bytes.push(b'\n');
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<Event>, Integrity), RecordingError> {
    let mut events = Vec::new();
    // A small buffer, so that lines come in parts.
    let mut input = BufReader::with_capacity(37, bytes);
    let integrity = replay_from(&mut input, "test", &mut |from, event| {
        assert_eq!(*from, origin());
        events.push(event);
        ControlFlow::Continue(())
    })?;
    Ok((events, integrity))
}

#[test]
fn the_evidence_of_a_file_comes_back() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), journal()).unwrap();
    let mut events = Vec::new();
    let integrity = replay(file.path(), &mut |_, event| {
        events.push(event);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(integrity.is_whole() && integrity.ended);
    assert_eq!(events, read(&journal()).unwrap().0);
    assert_eq!(events.len(), 12);
}

#[test]
fn a_file_cut_anywhere_gives_what_is_whole_of_it() {
    let whole = journal();
    let all = read(&whole).unwrap().0;
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let near_newline = |at: &usize| whole[at.saturating_sub(1)..(at + 2).min(whole.len())].contains(&b'\n');
    for cut in (first..whole.len()).filter(|at| at % 61 == 0 || near_newline(at)) {
        let (events, integrity) = read(&whole[..cut]).unwrap();
        assert_eq!(events, all[..events.len()]);
        let before_newline = whole[cut] == b'\n';
        let whole_lines = before_newline || whole[cut - 1] == b'\n';
        let newline = matches!(integrity.first, Some(Damage { fault: Fault::NoNewline, .. }));
        assert_eq!(integrity.is_whole() || newline, whole_lines, "cut at {cut}: {integrity:?}");
        assert_eq!(integrity.ended, cut == whole.len() - 1);
    }
}

#[test]
fn a_line_without_end_takes_no_memory_without_end() {
    let mut bytes = journal();
    bytes.splice(bytes.len().., std::iter::repeat_n(b'x', MAX_LINE + 1));
    bytes.push(b'\n');
    let (events, integrity) = read(&bytes).unwrap();
    assert_eq!(events.len(), 12);
    assert_eq!(integrity.first, Some(Damage { line: 17, fault: Fault::TooLong }));
    let refusal = read(&bytes[journal().len()..]).unwrap_err().to_string();
    assert!(refusal.contains("line 1") && refusal.contains("longer"), "{refusal}");
}

#[test]
fn what_cannot_be_read_says_why() {
    let refusal = |path: &str| replay(Path::new(path), &mut |_, _| ControlFlow::Continue(())).unwrap_err();
    let absent = refusal("/nonexistent/journal.ndjson").to_string();
    assert!(absent.contains("/nonexistent/journal.ndjson") && absent.contains("No such file"), "{absent}");
    let folder = refusal("/").to_string();
    assert!(folder.contains("no journal (*.ndjson) is in this folder"), "{folder}");
    assert!(refusal("/dev/null").to_string().contains("not one record"));
}

#[test]
fn whoever_takes_the_events_may_stop() {
    let mut seen = 0;
    let mut take = |_: &Origin, event: Event| {
        seen += 1;
        if matches!(event.body, Body::Module(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    replay_from(&mut journal().as_slice(), "test", &mut take).unwrap();
    assert_eq!(seen, 4);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(noise: Vec<u8>, cut: prop::sample::Index) {
        let mut bytes = journal();
        let at = cut.index(bytes.len());
        bytes.splice(at..at, noise);
        // Not `read`, which wants the origin unchanged: noise may land in the host's name.
        let _ = replay_from(&mut bytes.as_slice(), "test", &mut |_, _| ControlFlow::Continue(()));
    }
}
