//! Where wrong values point to: what is asked before a read is judged, and what is remembered of the answers.

use super::story::Story;
use crate::{
    journal::{AddressLookup, Body, Nearest, SectionRead, SectionRef},
    model::{Address, FindingId, Hook},
};

const WRONG: u64 = 0xffff_ffff_8123_4567;

/// A patch whose object is there, and all is right.
fn loaded() -> Story {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.findings();
    story
}

fn read(story: &Story, bytes: [u64; 2]) -> SectionRead {
    let right = story.values();
    story.section_read(Story::section(), Hook::Demand, None, &[(bytes[0], right[0]), (bytes[1], right[1])])
}

fn answer(story: &mut Story, address: u64) {
    let nearest = Some(Nearest { object: "vmlinux".into(), symbol: "_printk".into(), offset: 0 });
    story.feed(Body::AddressLookup(AddressLookup { address: Address(address), nearest }));
}

#[test]
fn it_is_asked_once_where_wrong_values_point_to() {
    let mut story = loaded();
    let right = story.values();
    let suspects = |story: &Story, bytes| story.verifier.suspects(&read(story, bytes)).into_iter();
    assert_eq!(suspects(&story, right).next(), None);
    assert_eq!(suspects(&story, [right[0], 0]).next(), None, "zero points nowhere");
    assert!(suspects(&story, [WRONG, right[1]]).eq([Address(WRONG)]));
    answer(&mut story, WRONG);
    assert_eq!(suspects(&story, [WRONG, right[1]]).next(), None, "it is known");
    assert!(suspects(&story, [WRONG, WRONG + 8]).eq([Address(WRONG + 8)]));
}

#[test]
fn of_a_section_where_all_is_wrong_the_first_few_are_asked_for() {
    let mut story = loaded();
    let section = SectionRef { index: 8, name: ".klp.rela.tmod..bss".into() };
    let symbols = ["a"; 70];
    story.another(&section, "tmod", &symbols, 70, false);
    let entries: Vec<(u64, u64)> = (0..70).map(|n| (WRONG + n, 0x1010)).collect();
    let read = story.section_read(section, Hook::Demand, None, &entries);
    let asked: Vec<Address> = story.verifier.suspects(&read).into_iter().collect();
    assert_eq!(asked, (0..64).map(|n| Address(WRONG + n)).collect::<Vec<_>>());
}

/// What is told of a wrong value when it is the last of so many addresses that were looked up.
fn told(addresses: u64) -> String {
    let mut story = loaded();
    for address in (0..addresses).rev() {
        answer(&mut story, WRONG + address);
    }
    let wrong = read(&story, [WRONG, story.values()[1]]);
    story.feed(Body::SectionRead(wrong));
    let findings = story.findings();
    findings.into_iter().find(|finding| finding.id == FindingId::Klp006).unwrap().message
}

#[test]
fn addresses_are_remembered_up_to_a_bound() {
    let message = told(1 << 16);
    assert!(message.contains("which points to vmlinux:_printk,"), "{message}");
    let message = told((1 << 16) + 1);
    assert!(message.contains("where no symbol is known"), "{message}");
}
