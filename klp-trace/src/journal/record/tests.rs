use super::*;
use crate::journal::testing::{any, one_of_each, origin};
use crate::journal::{Body, Journal};
use proptest::prelude::*;

#[test]
fn names_of_kinds_are_their_serialised_names_and_those_of_the_events() {
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        assert_eq!(Kind::from_name(kind.name()), Some(kind));
    }
    let kinds: Vec<_> = one_of_each().iter().map(|event| event.body.kind()).collect();
    // `continued` is of files, `section_state` of several events.
    let of_one = |kind: &&Kind| !matches!(kind, Kind::Continued | Kind::SectionState);
    let mut all: Vec<_> = Kind::ALL.iter().filter(of_one).map(|kind| kind.name()).collect();
    all.sort_by_key(|name| kinds.iter().position(|kind| kind == name));
    assert_eq!(kinds, all, "the samples hold each kind once");
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let mut journal = Journal::new(origin());
    let event = one_of_each().remove(3);
    let line = String::from_utf8(journal.line(&event).unwrap().to_vec()).unwrap();
    let later = line
        .replacen("\"module\":{", "\"weather\":[{}],\"module\":{\"colour\":\"blue\",", 1)
        .replacen("\"host\":{", "\"host\":{\"rack\":3,", 1);
    assert_ne!(line, later);
    assert_eq!(serde_json::from_str::<Record>(&later).unwrap().into_event(), Ok(event));
}

#[test]
fn words_of_later_versions_are_passed_over_in_conclusions_alone() {
    let mut journal = Journal::new(origin());
    let event = one_of_each().remove(5);
    let line = String::from_utf8(journal.line(&event).unwrap().to_vec()).unwrap();
    let later = line.replacen("\"verdict\":\"applied\"", "\"verdict\":\"haunted\"", 1);
    assert_ne!(line, later);
    let Ok(Body::RelocState(state)) =
        serde_json::from_str::<Record>(&later).unwrap().into_event().map(|e| e.body)
    else {
        panic!("not a reloc_state")
    };
    assert_eq!(state.verdict, None);
    let later = line.replacen("\"read\":\"apply_relocate_add\"", "\"read\":\"apply_by_hand\"", 1);
    assert_ne!(line, later);
    assert!(serde_json::from_str::<Record>(&later).is_err());
}

#[test]
fn a_record_without_what_its_kind_needs_says_which_part() {
    let mut journal = Journal::new(origin());
    for event in one_of_each() {
        let line = journal.line(&event).unwrap();
        let mut record: Record = serde_json::from_slice(line).unwrap();
        record.session = None;
        record.metadata = None;
        record.symbol = None;
        record.place = None;
        record.livepatch = None;
        record.module = None;
        record.hook = None;
        record.reloc = None;
        record.walk = None;
        record.transition = None;
        record.stall = None;
        record.message = None;
        record.finding = None;
        record.closed = None;
        record.lost = None;
        record.end = None;
        let refusal = record.into_event().unwrap_err();
        assert_eq!(refusal.kind.name(), event.body.kind());
        assert!(refusal.to_string().contains(refusal.part), "{refusal}");
        assert!(refusal.kind.needs().contains(&refusal.part), "{refusal}");
    }
}

proptest! {
    #[test]
    fn every_event_survives_its_record(event in any::event()) {
        let mut journal = Journal::new(origin());
        let line = journal.line(&event).unwrap().to_vec();
        prop_assert!(!line.contains(&b'\n'));
        prop_assert!(crate::journal::chain::is_sealed(&line));
        let record: Record = serde_json::from_slice(&line).unwrap();
        prop_assert_eq!(record.mono_ns, event.mono_ns);
        prop_assert_eq!(record.into_event().unwrap(), event);
    }
}
