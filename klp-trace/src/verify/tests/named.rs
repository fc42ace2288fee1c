//! Which relocation a finding names, and that it is said once.

use super::story::Story;
use crate::{
    journal::{Body, Finding, Livepatch, SectionRef, Standing, TransitionStep},
    model::{FindingId, Hook, Severity},
};

fn one(story: &mut Story, id: FindingId) -> Finding {
    let findings = story.findings();
    findings.into_iter().find(|finding| finding.id == id).unwrap()
}

fn first(finding: &Finding) -> (u32, u32) {
    (finding.relocations, finding.first.as_ref().unwrap().index)
}

#[test]
fn the_first_that_was_found_stale() {
    let mut story = Story::new(true);
    story.metadata(Story::patch_loaded());
    story.step(TransitionStep::Patching);
    story.base = 0x1000;
    story.read(Hook::Demand, None, [0, story.values()[1]], story.values());
    assert_eq!(first(&one(&mut story, FindingId::Klp001)), (1, 1));
}

#[test]
fn the_first_that_was_not_written() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.read(Hook::Demand, None, [story.values()[0], 0], story.values());
    assert_eq!(first(&one(&mut story, FindingId::Klp005)), (1, 1));
}

#[test]
fn the_first_that_is_never_written() {
    let mut story = Story::new(true);
    story.load_patch();
    story.feed(Body::Livepatch(Livepatch {
        patch: Story::patch(),
        standing: Standing::Enabled,
        sections: 1,
        unread: None,
        refcount: None,
        objects: Some(vec!["other".into()]),
    }));
    story.read(Hook::Demand, None, [7, 0], [0, 0]);
    assert_eq!(first(&one(&mut story, FindingId::Klp007)), (1, 1));
}

/// A writable section of the patch, with values of which the second is as the kernel recorded it, and not right.
fn written(bytes: [u64; 2]) -> Finding {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let section = SectionRef { index: 8, name: ".klp.rela.tmod..bss".into() };
    story.another(&section, "tmod", &["a", "b"], 2, true);
    let recorded = story.values()[1] + 8;
    let read = story.section_read(section, Hook::Demand, None, &[(bytes[0], 0x1010), (bytes[1], recorded)]);
    story.feed(Body::SectionRead(read));
    one(&mut story, FindingId::Klp006)
}

#[test]
fn the_first_wrong_value_that_the_patchs_own_code_does_not_explain() {
    let finding = written([7, 0x1028]);
    assert_eq!((first(&finding), finding.severity), ((2, 1), Severity::Error));
    assert!(finding.message.contains("relocation 1 at"), "{}", finding.message);
    let finding = written([7, 9]);
    assert_eq!((first(&finding), finding.severity), ((2, 0), Severity::Warning));
}

#[test]
fn what_was_said_at_the_unload_is_not_found_again() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    assert_eq!(story.findings().len(), 1);
    story.read(Hook::Demand, None, old, old);
    assert_eq!(story.findings(), []);
}
