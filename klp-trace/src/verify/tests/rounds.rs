//! One finding for a patch and an object, however many sections it concerns; what they cover adds up.

use super::story::Story;
use crate::{
    journal::{Body, Finding, Livepatch, PatchMetadata, SectionRef, Standing, TransitionStep},
    model::{FindingId, Hook, Phase},
};

fn text() -> SectionRef {
    SectionRef { index: 6, name: ".klp.rela.tmod..text".into() }
}

/// The story's patch with another section against the same object, both written.
fn two_sections(clears: bool) -> Story {
    let mut story = Story::new(clears);
    story.load_patch();
    story.another(&text(), "tmod", &["a", "b"], 2, false);
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    let values = story.values();
    for section in [text(), Story::section()] {
        read(&mut story, section, Hook::ApplyRelocateAdd, values);
    }
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.findings(), []);
    story
}

fn read(story: &mut Story, section: SectionRef, hook: Hook, bytes: [u64; 2]) {
    let recorded = [0x1010, 0x1020];
    let entries = [(bytes[0], recorded[0]), (bytes[1], recorded[1]), (0, 0)];
    let entries = if section.index == 6 { &entries[..2] } else { &entries[..] };
    let ret = (hook == Hook::ApplyRelocateAdd).then_some(0);
    let read = story.section_read(section, hook, ret, entries);
    story.feed(Body::SectionRead(read));
}

fn one(story: &mut Story, id: FindingId, relocations: &[u32]) -> Finding {
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, id);
    let covered: Vec<u32> = finding.sections.iter().map(|section| section.relocations).collect();
    assert_eq!(covered, relocations, "{}", finding.message);
    assert_eq!(finding.relocations, relocations.iter().sum::<u32>(), "{}", finding.message);
    assert_eq!(finding.section.as_ref().unwrap().name, text().name, "the first one's");
    finding
}

fn on_demand(story: &mut Story, first: [u64; 2], second: [u64; 2]) {
    read(story, text(), Hook::Demand, first);
    read(story, Story::section(), Hook::Demand, second);
}

#[test]
fn what_an_audit_finds_stale() {
    for detached in [false, true] {
        let mut story = Story::new(false);
        story.metadata(Story::patch_loaded());
        story.another(&text(), "tmod", &["a", "b"], 2, false);
        story.step(if detached { TransitionStep::Detached } else { TransitionStep::Patching });
        story.base = 0x1000;
        let values = story.values();
        on_demand(&mut story, values, values);
        let id = if detached { FindingId::Klp004 } else { FindingId::Klp001 };
        let finding = one(&mut story, id, &[2, 2]);
        assert!(finding.message.starts_with("4 relocations of patch lp"), "{}", finding.message);
        on_demand(&mut story, values, values);
        assert_eq!(story.findings(), [], "said once");
    }
}

#[test]
fn what_an_unload_leaves() {
    for (clears, id) in [(false, FindingId::Klp001), (true, FindingId::Klp002)] {
        let mut story = two_sections(clears);
        story.hook(Hook::KlpModuleGoing, Phase::Enter, None);
        let values = story.values();
        for section in [text(), Story::section()] {
            read(&mut story, section, Hook::KlpCleanupModulePatchesLimited, [0, values[1]]);
        }
        story.hook(Hook::KlpModuleGoing, Phase::Exit, None);
        let finding = one(&mut story, id, &[1, 1]);
        assert_eq!(finding.first.unwrap().index, 1);
    }
}

#[test]
fn what_is_wrong_zeroed_or_never_written() {
    let mut story = two_sections(true);
    on_demand(&mut story, [7, 0x1020], [8, 9]);
    let finding = one(&mut story, FindingId::Klp006, &[1, 2]);
    let both = "in .klp.rela.tmod..text and .klp.rela.tmod..data hold a value";
    assert!(finding.message.contains(both), "{}", finding.message);

    let mut story = two_sections(true);
    on_demand(&mut story, [0, 0], [0, 0x1020]);
    let finding = one(&mut story, FindingId::Klp005, &[2, 1]);
    assert!(
        finding.message.ends_with("(.klp.rela.tmod..text and .klp.rela.tmod..data)"),
        "{}",
        finding.message
    );

    let mut story = Story::new(true);
    story.load_patch();
    story.another(&text(), "tmod", &["a", "b"], 2, false);
    story.feed(Body::Livepatch(Livepatch {
        patch: Story::patch(),
        standing: Standing::Enabled,
        sections: 2,
        unread: None,
        refcount: None,
        objects: Some(vec!["other".into()]),
    }));
    on_demand(&mut story, [0, 0], [0, 0]);
    let finding = one(&mut story, FindingId::Klp007, &[2, 2]);
    assert!(finding.message.contains("the sections wait for tmod"), "{}", finding.message);
}

#[test]
fn what_is_misplaced() {
    let mut story = Story::new(true);
    let place = |section: SectionRef, target: &str| {
        Body::PatchMetadata(PatchMetadata {
            patch: Story::patch(),
            section,
            object: "tmod".into(),
            elf: Story::patch_loaded(),
            target: target.into(),
            writable: false,
            total: 2,
            entries: Vec::new(),
        })
    };
    story.feed(place(text(), ".init.text"));
    story.feed(place(Story::section(), ".data..percpu"));
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!((finding.id, finding.relocations, finding.sections.len()), (FindingId::Klp012, 4, 2));
    assert!(
        finding.message.contains("are in .init.text and .data..percpu, which are no places"),
        "{}",
        finding.message
    );
    assert!(
        finding.why.contains(".init.text: ") && finding.why.contains("; .data..percpu: "),
        "{}",
        finding.why
    );
}

#[test]
fn a_round_ends_with_what_is_no_part_of_it() {
    let mut story = two_sections(true);
    read(&mut story, text(), Hook::Demand, [7, 8]);
    let said = |story: &Story| story.said.iter().filter(|body| matches!(body, Body::Finding(_))).count();
    assert_eq!(said(&story), 0);
    story.step(TransitionStep::Unpatching);
    assert_eq!(said(&story), 1, "before what comes next");
    let before = story.said.iter().position(|body| matches!(body, Body::Finding(_)));
    let step = story.said.iter().rposition(|body| matches!(body, Body::Transition(_)));
    assert!(before < step);

    // The source knows that there is nothing more to read at once.
    let mut story = two_sections(true);
    read(&mut story, text(), Hook::Demand, [7, 8]);
    let mut said = 0;
    story.verifier.rest(0, &mut |_| said += 1);
    assert_eq!(said, 1);
    // What the kernel does is not interrupted, unless nothing more comes.
    let mut story = two_sections(true);
    read(&mut story, text(), Hook::ApplyRelocateAdd, [7, 8]);
    story.verifier.rest(999_999_999, &mut |_| said += 1);
    assert_eq!(said, 1);
    story.verifier.rest(1_000_000_000, &mut |_| said += 1);
    assert_eq!(said, 2);
}
