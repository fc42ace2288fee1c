//! The same bytes, read at another time: what should be there depends on where the object and the patch stand.

use super::{both, story::Story};
use crate::{
    journal::{ModuleAction, TransitionStep},
    model::{FindingId, Hook, Phase, Reason, Verdict},
};

/// The object is being loaded, and the patch's relocations have been written.
fn written(story: &mut Story) {
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(0), story.values(), story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(0));
    story.verdicts();
}

fn loaded() -> Story {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story
}

#[test]
fn a_write_that_succeeds_and_leaves_zero_has_missed() {
    let mut story = loaded();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(0), [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
    assert_eq!(story.findings()[0].id, FindingId::Klp005);
}

#[test]
fn what_was_written_for_this_load_is_due_before_the_load_is_over() {
    let mut story = loaded();
    written(&mut story);
    story.read(Hook::Demand, None, [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
}

#[test]
fn so_it_is_when_the_patch_is_out_of_use() {
    let mut story = loaded();
    story.load_target(0x1000);
    story.step(TransitionStep::Detached);
    story.verdicts();
    // Nobody clears what an object that is there needs.
    story.read(Hook::Demand, None, [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
    let [finding] = story.findings().try_into().unwrap();
    let said = "were zeroed although tmod is loaded and the patch is out of use";
    assert!(finding.message.contains(said), "{}", finding.message);
    assert!(finding.action.contains("remove the module of patch lp"), "{}", finding.action);
}

#[test]
fn what_was_written_and_is_zero_was_zeroed() {
    let mut story = loaded();
    story.load_target(0x1000);
    story.read(Hook::Demand, None, [0, 0], story.values());
    let [finding] = story.findings().try_into().unwrap();
    let said = "were zeroed although tmod is loaded and the patch is enabled";
    assert!(finding.message.contains(said), "{}", finding.message);
    assert!(finding.action.starts_with("disable patch lp now"), "{}", finding.action);
}

#[test]
fn nothing_is_due_of_a_patch_out_of_use_when_its_object_comes() {
    let mut story = loaded();
    story.step(TransitionStep::Detached);
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.verifier.wants(), []);
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), [], "pending as before");
    story.read(Hook::Demand, None, [0x9010, 0x9020], [0x9010, 0x9020]);
    assert_eq!(story.verdicts(), both(Verdict::Stale, None), "a load's that was not seen");
}

#[test]
fn what_the_kernel_clears_is_cleared_wherever_the_object_stands() {
    // Another patch fails on the object: the kernel clears those that it had written before.
    let mut story = loaded();
    written(&mut story);
    story.read(Hook::ClearRelocateAdd, None, [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None));
    // A clear although nobody saw that the object goes.
    story.load_target(0x2000);
    story.verdicts();
    story.read(Hook::ClearRelocateAdd, None, [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None));
    assert_eq!(story.findings(), []);
}

#[test]
fn what_stays_when_klp_module_coming_fails_is_of_a_failed_load() {
    let mut story = loaded();
    written(&mut story);
    story.read(Hook::KlpModuleComing, Some(-19), story.values(), story.values());
    assert_eq!(story.verdicts(), both(Verdict::Stale, Some(Reason::FailedLoad)));
}

#[test]
fn an_object_on_its_way_out_needs_nothing_any_more() {
    let mut story = loaded();
    story.load_target(0x1000);
    story.verdicts();
    story.hook(Hook::KlpModuleGoing, Phase::Enter, None);
    story.read(Hook::Demand, None, [0, 0], story.values());
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None));
    assert_eq!(story.findings(), []);
}

#[test]
fn to_write_of_an_object_that_is_there_is_to_enable_the_patch() {
    for (ret, verdict, reason) in
        [(0, Verdict::Missing, None), (-8, Verdict::Pending, Some(Reason::NotEnabled))]
    {
        let mut story = Story::new(true);
        story.metadata(Story::patch_loaded());
        story.base = 0x1000;
        story.module(ModuleAction::Present, "tmod", Some(story.base), false);
        story.symbols();
        let bytes = if ret == 0 { story.values() } else { [0, 0] };
        story.read(Hook::ApplyRelocateAdd, Some(ret), bytes, [0, 0]);
        // The object is there anew, at another address; of this load nothing was seen written.
        story.module(ModuleAction::Present, "tmod", Some(0x5000), false);
        story.base = 0x5000;
        story.symbols();
        story.verdicts();
        story.read(Hook::Demand, None, [0, 0], [0, 0]);
        assert_eq!(story.verdicts(), both(verdict, reason), "returned {ret}");
    }
}
