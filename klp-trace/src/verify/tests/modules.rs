//! Modules that come and go: which of them concern a patch, and what has to be read then.

use super::{
    both,
    story::{PATCH, Story},
};
use crate::{
    journal::{Body, ModuleAction, ModuleEvent, ObjectRef},
    model::{Address, Hook, Phase, Reason, Verdict},
};

fn another() -> ObjectRef {
    ObjectRef { name: "other".into(), address: Some(Address(0x7000)), load: None }
}

fn loaded() -> Story {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    assert_eq!(story.verifier.wants(), []);
    story
}

#[test]
fn what_was_seen_written_needs_no_other_look() {
    let mut story = loaded();
    story.load_target(0x1000);
    assert_eq!(story.verifier.wants(), []);
}

#[test]
fn an_object_that_no_section_waits_for_changes_nothing() {
    let mut story = loaded();
    story.module_hook(Hook::KlpModuleComing, Phase::Enter, None, another());
    story.module_hook(Hook::KlpModuleComing, Phase::Exit, Some(0), another());
    assert_eq!(story.verifier.wants(), [], "tmod has not come");
    story.load_target(0x1000);
    story.module_hook(Hook::KlpModuleGoing, Phase::Enter, None, another());
    story.module_hook(Hook::KlpModuleGoing, Phase::Exit, None, another());
    assert_eq!(story.verifier.wants(), [], "tmod has not gone");
    story.module(ModuleAction::Present, "other", Some(0x7000), false);
    assert_eq!(story.verifier.wants(), []);
}

#[test]
fn of_a_patch_that_is_not_enabled_nothing_is_written_when_its_object_comes() {
    let mut story = Story::new(true);
    story.metadata(Story::patch_loaded());
    story.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.verifier.wants(), []);
}

#[test]
fn an_object_that_is_found_there_or_gone_has_its_sections_read_once() {
    let mut story = loaded();
    story.base = 0x1000;
    for (action, address, bytes, verdict) in [
        (ModuleAction::Present, Some(0x1000), story.values(), Verdict::Applied),
        (ModuleAction::Absent, None, [0, 0], Verdict::Cleared),
    ] {
        story.module(action, "tmod", address, false);
        assert_eq!(story.verifier.wants().len(), 1, "{action:?}");
        story.symbols();
        story.read(Hook::Demand, None, bytes, story.values());
        assert_eq!(story.verdicts(), both(verdict, None));
        story.module(action, "tmod", address, false);
        assert_eq!(story.verifier.wants(), [], "{action:?} as before");
    }
}

#[test]
fn a_livepatch_is_known_by_its_address() {
    let mut story = loaded();
    story.module(ModuleAction::Freed, "lp", Some(PATCH), false);
    let told = |body: &Body| matches!(body, Body::Module(ModuleEvent { livepatch: true, .. }));
    assert!(story.said.last().is_some_and(told));
    assert!(!story.verifier.knows(Address(PATCH)));
}

#[test]
fn a_livepatch_that_is_not_found_is_known_by_its_name() {
    let mut story = loaded();
    story.module(ModuleAction::Absent, "other", None, true);
    assert!(story.verifier.knows(Address(PATCH)));
    story.module(ModuleAction::Absent, "lp", None, true);
    assert!(!story.verifier.knows(Address(PATCH)));
}

#[test]
fn a_livepatch_is_no_object_that_was_refused() {
    let mut story = loaded();
    let patch = ObjectRef { name: "lp".into(), address: Some(Address(PATCH)), load: None };
    story.module_hook(Hook::KlpModuleComing, Phase::Enter, None, patch.clone());
    story.module_hook(Hook::KlpModuleComing, Phase::Exit, Some(-22), patch);
    assert_eq!(story.findings(), []);
}

#[test]
fn where_modules_keep_coming_and_going_nothing_can_be_told_of_what_they_concern() {
    for (name, livepatch, concerned) in
        [("lp", true, true), ("lp2", true, false), ("tmod", false, true), ("other", false, false)]
    {
        let mut story = loaded();
        story.load_target(0x1000);
        story.verdicts();
        story.module(ModuleAction::Unsettled, name, None, livepatch);
        let unknown = if concerned { both(Verdict::Unknown, Some(Reason::Unsettled)) } else { Vec::new() };
        assert_eq!(story.verdicts(), unknown, "{name}");
    }
}
