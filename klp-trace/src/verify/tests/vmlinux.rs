//! Relocations against the kernel itself: written while the patch is loaded, in code that the loader then rewrites.

use super::story::Story;
use crate::{
    journal::{Body, ObjectRef, SectionRef},
    model::{Hook, Reason, Verdict},
};

const PRINTK: u64 = 0xffff_ffff_8123_4567;
const OTHER: u64 = 7;

fn section() -> SectionRef {
    SectionRef { index: 9, name: ".klp.rela.vmlinux..text".into() }
}

/// A patch that calls `_printk`, as its file says.
fn patch() -> Story {
    let mut story = Story::new(true);
    story.another(&section(), "vmlinux", &["_printk"], 1, false);
    story
}

fn symbol(story: &mut Story) {
    story.symbol(ObjectRef { name: "vmlinux".into(), address: None, load: None }, "_printk", PRINTK);
}

/// What is said of the relocation when it is read.
fn judged(
    story: &mut Story,
    read: Hook,
    ret: Option<i64>,
    bytes: u64,
) -> Vec<(Option<Verdict>, Option<Reason>)> {
    let whole = story.section_read(section(), read, ret, &[(bytes, PRINTK)]);
    story.feed(Body::SectionRead(whole));
    story.verdicts().into_iter().map(|(_, verdict, reason)| (verdict, reason)).collect()
}

#[test]
fn what_the_kernel_writes_is_judged_at_once() {
    for (bytes, verdict) in [(PRINTK, Verdict::Applied), (OTHER, Verdict::Mismatch), (0, Verdict::Missing)] {
        let mut story = patch();
        symbol(&mut story);
        let said = judged(&mut story, Hook::ApplyRelocateAdd, Some(0), bytes);
        assert_eq!(said, [(Some(verdict), None)], "{bytes:#x}");
    }
}

#[test]
fn what_the_kernel_refuses_to_write_was_never_there() {
    let mut story = patch();
    symbol(&mut story);
    let whole = story.section_read(section(), Hook::ApplyRelocateAdd, Some(-8), &[(0, 0)]);
    story.feed(Body::SectionRead(whole));
    assert_eq!(story.verdicts(), [(0, Some(Verdict::Pending), None)]);
}

#[test]
fn what_was_judged_then_stands_whatever_the_loader_makes_of_the_code() {
    let mut story = patch();
    symbol(&mut story);
    judged(&mut story, Hook::ApplyRelocateAdd, Some(0), PRINTK);
    assert_eq!(judged(&mut story, Hook::Demand, None, OTHER), []);
    assert_eq!(story.verifier.totals().into_iter().collect::<Vec<_>>(), [(Verdict::Applied, 1)]);
}

#[test]
fn what_was_not_seen_written_can_only_be_found_right() {
    for (bytes, verdict, reason) in
        [(PRINTK, Verdict::Applied, None), (OTHER, Verdict::Unknown, Some(Reason::Rewritten))]
    {
        let mut story = patch();
        symbol(&mut story);
        assert_eq!(judged(&mut story, Hook::Demand, None, bytes), [(Some(verdict), reason)]);
    }
}

#[test]
fn what_could_not_be_told_is_judged_when_it_is_read_again() {
    let mut story = patch();
    let said = judged(&mut story, Hook::ApplyRelocateAdd, Some(0), PRINTK);
    assert_eq!(said, [(Some(Verdict::Unknown), Some(Reason::SymbolsGone))]);
    symbol(&mut story);
    assert_eq!(judged(&mut story, Hook::Demand, None, PRINTK), [(Some(Verdict::Applied), None)]);
}

#[test]
fn to_write_it_is_not_to_enable_the_patch() {
    let mut story = patch();
    symbol(&mut story);
    story.metadata(Story::patch_loaded());
    judged(&mut story, Hook::ApplyRelocateAdd, Some(0), PRINTK);
    story.base = 0x1000;
    story.module(crate::journal::ModuleAction::Present, "tmod", Some(story.base), false);
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    let pending = super::both(Verdict::Pending, Some(Reason::NotEnabled));
    assert_eq!(story.verdicts().get(..2), Some(&pending[..]));
}
