//! Tables against vmlinux that the kernel has sorted and marked since it relocated them, and code that tables list.

use super::story::Story;
use crate::{
    journal::{Body, ListedPlace, ObjectRef, Rewrites, SectionRead, SectionRef},
    model::{Bytes, FindingId, Hook, Reason, Verdict},
};

const A: u64 = 0xffff_ffff_8200_0100;
const B: u64 = 0xffff_ffff_8200_0080;
const BASE: u64 = 0xffff_ffff_c080_2000;

fn section() -> SectionRef {
    SectionRef { index: 9, name: ".klp.rela.vmlinux.__jump_table".into() }
}

/// Four entries of a jump table, of two keys by turns: their fields for the key, at 8 of 16 bytes each.
fn patch() -> Story {
    let mut story = Story::new(true);
    story.table(&section(), "__jump_table", &["a", "b", "a", "b"], 24, |index| 16 * u64::from(index) + 8);
    for (name, address) in [("a", A), ("b", B)] {
        story.symbol(ObjectRef { name: "vmlinux".into(), address: None, load: None }, name, address);
    }
    story
}

/// The table with these keys, each with its flags.
fn table(keys: [u64; 4]) -> Vec<u8> {
    let entry = |(at, key): (u64, u64)| {
        let distance = key.wrapping_sub(BASE + 16 * at + 8).to_le_bytes();
        [[0x11; 8], distance].concat()
    };
    (0..).zip(keys).flat_map(entry).collect()
}

/// What is said of the table's relocations when it is found so, and what it is found to be.
type Said = Vec<(Option<Verdict>, Option<Reason>)>;

fn found(story: &mut Story, table: &[u8]) -> (Said, SectionRead) {
    let mut read = story.section_read(section(), Hook::Demand, None, &[(0, 0); 4]);
    assert!(story.verifier.asks_for_rewrites(&read));
    story.verifier.find_sorted(&mut read, BASE, table);
    story.feed(Body::SectionRead(read.clone()));
    (story.verdicts().into_iter().map(|(_, verdict, reason)| (verdict, reason)).collect(), read)
}

#[test]
fn entries_are_found_where_the_sort_has_taken_them() {
    let mut story = patch();
    let (said, read) = found(&mut story, &table([B, B, A, A]));
    assert_eq!(said, [(Some(Verdict::Applied), None); 4]);
    let places: Vec<u64> = read.entries.iter().map(|entry| (entry.address.0 - BASE) / 16).collect();
    assert_eq!(places, [3, 1, 2, 0], "who need not move stays");
    assert!(story.findings().is_empty());
}

#[test]
fn bits_that_the_loader_sets_are_its_own() {
    let mut story = patch();
    let (said, _) = found(&mut story, &table([B | 2, B, A, A | 2]));
    let marked =
        said.iter().filter(|said| **said == (Some(Verdict::Applied), Some(Reason::Rewritten))).count();
    assert_eq!((said.len(), marked), (4, 2));
}

#[test]
fn one_wrong_byte_in_a_sorted_table_is_seen() {
    for at in [8, 9, 10, 11, 12, 15, 24, 41, 56] {
        let mut story = patch();
        let mut wrong = table([B, B, A, A]);
        wrong[at] ^= 0x10;
        let (said, read) = found(&mut story, &wrong);
        let bad: Vec<_> = said.iter().filter(|said| said.0 != Some(Verdict::Applied)).collect();
        assert_eq!(bad, [&(Some(Verdict::Mismatch), None)], "byte {at}");
        let place = BASE + 16 * (at as u64 / 16) + 8;
        assert!(read.entries.iter().any(|entry| entry.address.0 == place), "it is told where it is");
        let [finding] = story.findings().try_into().unwrap();
        assert_eq!(finding.id, FindingId::Klp006);
    }
}

#[test]
fn the_branch_of_a_key_is_no_bit_of_the_loaders() {
    let mut story = patch();
    let (said, _) = found(&mut story, &table([B, B | 1, A, A]));
    assert!(said.contains(&(Some(Verdict::Mismatch), None)));
}

#[test]
fn a_key_too_many_is_seen_although_each_is_known() {
    let mut story = patch();
    let (said, _) = found(&mut story, &table([B, B, B, A]));
    let bad = said.iter().filter(|said| said.0 == Some(Verdict::Mismatch)).count();
    assert_eq!((said.len(), bad), (4, 1));
}

#[test]
fn a_table_that_could_not_be_read_is_unknown() {
    let mut story = patch();
    let read = story.section_read(section(), Hook::Demand, None, &[(7, 0); 4]);
    story.feed(Body::SectionRead(read));
    let said: Vec<_> = story.verdicts().into_iter().map(|(_, verdict, reason)| (verdict, reason)).collect();
    assert_eq!(said, [(Some(Verdict::Unknown), Some(Reason::Rewritten)); 4]);
    assert!(story.findings().is_empty());
}

#[test]
fn code_that_a_table_lists_is_held_against_what_it_allows() {
    for (allowed, verdict, reason) in [
        (Some(vec![7]), Verdict::Applied, Some(Reason::Rewritten)),
        (Some(vec![8, 9]), Verdict::Mismatch, None),
        (Some(vec![]), Verdict::Unknown, Some(Reason::Rewritten)),
        (None, Verdict::Unknown, Some(Reason::Rewritten)),
    ] {
        let mut story = Story::new(true);
        let text = SectionRef { index: 8, name: ".klp.rela.vmlinux..text".into() };
        story.another(&text, "vmlinux", &["a"], 1, false);
        story.symbol(ObjectRef { name: "vmlinux".into(), address: None, load: None }, "a", A);
        let mut read = story.section_read(text, Hook::Demand, None, &[(7, A)]);
        let places = story.verifier.rewritten(&read);
        assert_eq!(places.iter().map(|place| place.index).collect::<Vec<_>>(), [0]);
        read.rewrites = allowed.map(|allowed: Vec<u64>| Rewrites {
            sorted: false,
            listed: vec![ListedPlace {
                index: 0,
                table: ".static_call_sites".into(),
                allowed: allowed.into_iter().map(|value| Bytes::new(value.to_le_bytes(), 8)).collect(),
            }],
        });
        story.feed(Body::SectionRead(read));
        assert_eq!(story.verdicts(), [(0, Some(verdict), reason)]);
    }
}
