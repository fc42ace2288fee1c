//! Records that were lost: what is no longer known, and when it is again.

use super::{both, story::Story};
use crate::{
    journal::{Body, EventsLost, LossCause, ObjectRef, SectionRef},
    model::{FindingId, Hook, Phase, Reason, Verdict},
};

fn lose(story: &mut Story) -> Vec<FindingId> {
    let lost = EventsLost { hook: Hook::ApplyRelocateAdd, cause: LossCause::RingFull, count: 1 };
    story.feed(Body::EventsLost(lost));
    story.findings().iter().map(|finding| finding.id).collect()
}

fn loaded() -> Story {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    story
}

fn read(story: &mut Story) {
    story.symbols();
    story.read(Hook::Demand, None, story.values(), story.values());
}

#[test]
fn a_later_loss_is_said_anew_when_all_was_read_in_between() {
    let mut story = loaded();
    assert_eq!(lose(&mut story), [FindingId::Klp013]);
    read(&mut story);
    assert_eq!(lose(&mut story), [FindingId::Klp013]);
    assert_eq!(story.verifier.outcome().losses, 2);
}

#[test]
fn a_loss_lasts_until_the_last_section_is_read() {
    let mut story = loaded();
    let section = SectionRef { index: 8, name: ".klp.rela.other..data".into() };
    story.another(&section, "other", &["c"], 1, false);
    assert_eq!(lose(&mut story), [FindingId::Klp013]);
    read(&mut story);
    assert_eq!(story.verifier.wants().len(), 1);
    assert_eq!(lose(&mut story), []);
    read(&mut story);
    let other = story.section_read(section, Hook::Demand, None, &[(0, 0)]);
    story.feed(Body::SectionRead(other));
    assert_eq!(story.verifier.wants(), []);
    assert_eq!(lose(&mut story), [FindingId::Klp013]);
}

#[test]
fn symbols_of_modules_are_looked_up_anew_and_the_kernels_own_are_not() {
    let mut story = loaded();
    let section = SectionRef { index: 9, name: ".klp.rela.vmlinux..text".into() };
    story.another(&section, "vmlinux", &["_printk"], 1, false);
    let vmlinux = ObjectRef { name: "vmlinux".into(), address: None, load: None };
    story.symbol(vmlinux, "_printk", 0xffff_ffff_8123_4567);
    let needed =
        |story: &Story| (story.verifier.needed_for("tmod").len(), story.verifier.needed_for("vmlinux").len());
    assert_eq!(needed(&story), (0, 0));
    lose(&mut story);
    assert_eq!(needed(&story), (2, 0), "an object may have gone and come back elsewhere");
}

#[test]
fn what_a_failed_load_left_is_not_known_to_be_there_still() {
    let mut story = Story::new(true);
    story.load_patch();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(0), story.values(), story.values());
    story.read(Hook::KlpCleanupModulePatchesLimited, Some(-19), story.values(), story.values());
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-19));
    let failed = both(Verdict::Stale, Some(Reason::FailedLoad));
    assert_eq!(story.verdicts().get(5..), Some(&failed[..]));
    lose(&mut story);
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::EventsLost)));
}
