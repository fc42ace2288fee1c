//! What a source and the outputs ask of the verifier: which sections are known, what has to be read, how things stand.

use super::story::{PATCH, Story};
use crate::{
    journal::{Body, EndReason, Livepatch, SectionRef, Standing},
    model::{Address, FindingId, Hook, Phase, Verdict},
};

const VMLINUX: u32 = 9;

/// The story's patch, with a section for the kernel itself, of which two relocations were not told.
fn patch() -> Story {
    let mut story = Story::new(true);
    story.load_patch();
    let section = SectionRef { index: VMLINUX, name: ".klp.rela.vmlinux..text".into() };
    story.another(&section, "vmlinux", &["_printk"], 3, false);
    story
}

#[test]
fn sections_are_known_by_their_patch_and_index() {
    let story = patch();
    let verifier = &story.verifier;
    let (at, own) = (Address(PATCH), Story::section());
    assert!(verifier.has_section(at, own.index) && verifier.has_section(at, VMLINUX));
    assert!(!verifier.has_section(at, 8) && !verifier.has_section(Address(1), own.index));
    assert_eq!((verifier.sections(at), verifier.sections(Address(1))), (2, 0));
    assert_eq!(verifier.section_name(at, own.index), Some(own.name));
    assert_eq!(verifier.section_name(at, 8), None);
    assert_eq!(verifier.gate(at, own.index).as_deref(), Some("tmod"));
    assert_eq!(verifier.gate(at, VMLINUX).as_deref(), Some("vmlinux"));
    let gates = verifier.gates();
    assert_eq!(gates.iter().map(|gate| &**gate).collect::<Vec<_>>(), ["tmod", "vmlinux"]);
}

#[test]
fn all_is_read_again_but_what_can_no_longer_change() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let section = SectionRef { index: VMLINUX, name: ".klp.rela.vmlinux..text".into() };
    story.another(&section, "vmlinux", &["_printk"], 1, false);
    let read = story.section_read(section, Hook::ApplyRelocateAdd, Some(0), &[(0, 0)]);
    story.feed(Body::SectionRead(read));
    assert_eq!(story.verifier.wants(), []);
    story.verifier.want_all();
    let wanted: Vec<u32> = story.verifier.wants().iter().map(|want| want.section).collect();
    assert_eq!(wanted, [Story::section().index]);
    story.verifier.want_all();
    assert_eq!(story.verifier.wants().len(), 1, "it is still wanted");
}

#[test]
fn what_was_not_told_or_not_read_counts_as_unknown() {
    let mut story = patch();
    let totals = |story: &Story| story.verifier.totals().into_iter().collect::<Vec<_>>();
    assert_eq!(totals(&story), [(Verdict::Pending, 2), (Verdict::Unknown, 3)]);
    // A patch that cannot be read counts too.
    let mut unread = Livepatch {
        patch: crate::journal::PatchRef { name: "lp2".into(), address: Address(0), load: 0 },
        standing: Standing::Enabled,
        sections: 1,
        unread: Some(crate::journal::Unread::Other("no permission".to_owned())),
        refcount: None,
        objects: None,
    };
    story.feed(Body::Livepatch(unread.clone()));
    assert_eq!(story.verifier.outcome().unknown, 4);
    unread.unread = None;
    story.feed(Body::Livepatch(unread));
    assert_eq!(story.verifier.outcome().unknown, 3);
}

#[test]
fn what_was_read_whole_leaves_nothing_unknown() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let totals = story.verifier.totals().into_iter().collect::<Vec<_>>();
    assert_eq!(totals, [(Verdict::Applied, 2)], "NONE has no verdict");
}

#[test]
fn a_session_ends_with_its_findings_counted() {
    let mut story = Story::new(false);
    story.load_patch();
    for base in [0x1000, 0x2000] {
        story.load_target(base);
        story.unload_target(story.values(), false);
    }
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-22));
    let end = story.verifier.end(EndReason::Complete);
    let findings: Vec<_> = end.findings.into_iter().collect();
    assert_eq!(findings, [(FindingId::Klp001, 2), (FindingId::Klp009, 1)]);
    assert_eq!((end.reason, end.lost), (EndReason::Complete, 0));
    assert_eq!(end.verdicts.into_iter().collect::<Vec<_>>(), [(Verdict::Stale, 2)]);
}
