//! Records that were lost: what is no longer known, and when it is again.

use super::{both, story::Story};
use crate::{
    journal::{Body, EventsLost, LossCause, ModuleAction, ObjectRef, SectionRef},
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

/// As a 4 KiB ring buffer showed it on 6.1: records were lost while klp_module_coming ran, one section of two was written.
#[test]
fn what_a_load_under_way_has_not_written_yet_is_not_missing() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    lose(&mut story);
    story.verdicts();
    story.module(ModuleAction::Loading, "tmod", Some(0x1000), false);
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Pending, None));
    assert_eq!(story.findings(), []);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.verifier.wants().len(), 1, "by now it has to be there");
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
    let ids: Vec<FindingId> = story.findings().iter().map(|finding| finding.id).collect();
    assert_eq!(ids, [FindingId::Klp005]);
}

#[test]
fn where_the_end_of_a_load_was_lost_the_list_of_modules_tells_it() {
    for found_first in [false, true] {
        let mut story = Story::new(true);
        story.load_patch();
        story.verdicts();
        story.base = 0x1000;
        if !found_first {
            story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        }
        lose(&mut story);
        story.verdicts();
        story.module(ModuleAction::Loading, "tmod", None, false);
        story.read(Hook::Demand, None, [0, 0], [0, 0]);
        assert_eq!(story.verdicts(), both(Verdict::Pending, None));
        assert!(story.verifier.wants().is_empty());
        story.module(ModuleAction::Loading, "tmod", None, false);
        assert!(story.verifier.wants().is_empty(), "nothing new");
        story.module(ModuleAction::Present, "tmod", None, false);
        assert_eq!(story.verifier.wants().len(), 1);
        story.symbols();
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.verdicts(), both(Verdict::Applied, None));
        assert_eq!(story.findings(), []);
    }
}

#[test]
fn a_load_that_is_found_under_way_and_then_seen_is_one_load() {
    let mut story = Story::new(true);
    story.load_patch();
    story.module(ModuleAction::Loading, "tmod", None, false);
    story.load_target(0x1000);
    let load = |story: &Story| story.verifier.objects.get("tmod").map(|object| object.load);
    assert_eq!(load(&story), Some(1));
    story.unload_target([0, 0], true);
    story.load_target(0x2000);
    assert_eq!(load(&story), Some(2));
}

/// On a kernel that clears nothing the values of the load before are still there while the next one begins.
#[test]
fn what_an_earlier_load_left_is_stale_while_the_next_one_is_under_way() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    story.verdicts();
    story.findings();
    lose(&mut story);
    story.verdicts();
    story.base = 0x9000;
    story.module(ModuleAction::Loading, "tmod", None, false);
    story.symbols();
    story.read(Hook::Demand, None, old, old);
    assert_eq!(story.verdicts(), both(Verdict::Stale, None));
    assert!(story.findings().iter().all(|finding| finding.id != FindingId::Klp006));
}

/// A module's exit function runs before livepatch clears what is gated on it, and may take its time.
#[test]
fn what_an_unload_under_way_has_not_cleared_yet_is_not_stale() {
    for clears in [true, false] {
        let mut story = Story::new(clears);
        story.load_patch();
        story.load_target(0x1000);
        story.verdicts();
        lose(&mut story);
        story.verdicts();
        story.module(ModuleAction::Unloading, "tmod", None, false);
        story.symbols();
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.verdicts(), both(Verdict::Applied, None));
        assert_eq!(story.findings(), []);
        story.module(ModuleAction::Absent, "tmod", None, false);
        assert_eq!(story.verifier.wants().len(), 1);
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.verdicts(), both(Verdict::Stale, None));
        let ids: Vec<FindingId> = story.findings().iter().map(|finding| finding.id).collect();
        assert_eq!(ids, [FindingId::Klp001]);
    }
}

#[test]
fn what_an_unload_under_way_has_cleared_already_is_not_missing() {
    let mut story = loaded();
    lose(&mut story);
    story.verdicts();
    story.module(ModuleAction::Unloading, "tmod", None, false);
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None));
    assert_eq!(story.findings(), []);
}
