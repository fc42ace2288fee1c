//! Findings that do not hold any more: what ends each, that it is said, and that nothing else ends it.

use super::story::{PATCH, Story};
use crate::{
    journal::{
        Body, Elf, EventsLost, FindingClosed, Livepatch, LossCause, ModuleAction, ModuleEvent, ModuleUsage,
        ObjectRef, SectionRef, Stall, Stalled, Standing, TransitionStep,
    },
    model::{Address, FindingEnd, FindingId, Hook, Phase, Severity},
};

type Ended = (FindingId, FindingEnd);

/// The findings that were closed since the last call.
fn closed(story: &mut Story) -> Vec<FindingClosed> {
    story.findings();
    let closed = story.said.extract_if(.., |body| matches!(body, Body::FindingClosed(_)));
    let of = |body| if let Body::FindingClosed(closed) = body { Some(closed) } else { None };
    closed.filter_map(of).collect()
}

fn ended(story: &mut Story) -> Vec<Ended> {
    closed(story).into_iter().map(|closed| (closed.id, closed.end)).collect()
}

fn made(story: &mut Story) -> Vec<FindingId> {
    story.findings().iter().map(|finding| finding.id).collect()
}

fn open(story: &Story) -> Vec<FindingId> {
    story.verifier.end(crate::journal::EndReason::Complete).open.into_keys().collect()
}

/// A patch whose object was unloaded on a kernel that never clears.
fn stale() -> Story {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    assert_eq!(made(&mut story), [FindingId::Klp001]);
    assert_eq!(open(&story), [FindingId::Klp001]);
    assert_eq!(ended(&mut story), []);
    story
}

fn listed(objects: &[&str]) -> Body {
    Body::Livepatch(Livepatch {
        patch: Story::patch(),
        standing: Standing::Enabled,
        sections: 1,
        unread: None,
        refcount: Some(1),
        objects: Some(objects.iter().map(|object| (*object).into()).collect()),
    })
}

fn patch_goes(story: &mut Story) {
    let patch = ObjectRef { name: "lp".into(), address: Some(Address(PATCH)), load: None };
    story.module_hook(Hook::KlpModuleGoing, Phase::Exit, None, patch);
    story.module(ModuleAction::Freed, "lp", Some(PATCH), true);
}

#[test]
fn it_says_since_when_it_held_and_of_what() {
    let mut story = stale();
    story.now = 9_000_000_000;
    patch_goes(&mut story);
    let [closed] = closed(&mut story).try_into().unwrap();
    assert_eq!((closed.id, closed.end, closed.opened_ns), (FindingId::Klp001, FindingEnd::PatchRemoved, 0));
    assert_eq!(closed.patch.unwrap().name, "lp".into());
    assert_eq!(closed.object.unwrap().name, "tmod".into());
    assert_eq!(open(&story), []);
    let outcome = story.verifier.outcome();
    assert_eq!((outcome.worst, outcome.open), (Some(Severity::Error), None), "it was, and is not");
}

#[test]
fn values_that_were_cleared_since_end_it_and_values_that_changed_do_not() {
    let mut story = stale();
    let old = story.values();
    story.read(Hook::Demand, None, [0, old[1]], old);
    assert_eq!(ended(&mut story), [], "one is left");
    story.read(Hook::Demand, None, [0, 0x4242], old);
    assert_eq!(ended(&mut story), [], "it holds something still");
    story.read(Hook::Demand, None, [0, 0], old);
    let ends = ended(&mut story);
    assert!(ends.contains(&(FindingId::Klp001, FindingEnd::Cleared)), "{ends:?}");
    assert_eq!(open(&story), []);
    // So again, of the same load of the object and of another: said again.
    story.read(Hook::Demand, None, old, old);
    assert_eq!(made(&mut story), [FindingId::Klp001]);
    story.read(Hook::Demand, None, [0, 0], old);
    ended(&mut story);
    assert_eq!(open(&story), []);
    story.load_target(0x2000);
    let old = story.values();
    story.unload_target(old, false);
    assert_eq!(made(&mut story), [FindingId::Klp001]);
    assert_eq!(open(&story), [FindingId::Klp001]);
}

#[test]
fn an_object_that_is_back_with_right_values_ends_it() {
    let mut story = stale();
    // Another architecture's kernel writes over what is stale.
    story.load_target(0x2000);
    assert_eq!(ended(&mut story), [(FindingId::Klp001, FindingEnd::Written)]);
}

#[test]
fn one_that_is_back_with_wrong_values_is_superseded() {
    let mut story = stale();
    story.base = 0x2000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(0), [0x6666, story.values()[1]], story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(0));
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(made(&mut story), [FindingId::Klp006]);
    assert_eq!(ended(&mut story), [(FindingId::Klp001, FindingEnd::Superseded)]);
    assert_eq!(open(&story), [FindingId::Klp006]);
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(ended(&mut story), [(FindingId::Klp006, FindingEnd::Written)]);
}

#[test]
fn what_cannot_be_told_has_not_ended() {
    let mut story = stale();
    let lost = EventsLost { hook: Hook::ApplyRelocateAdd, cause: LossCause::RingFull, count: 1 };
    story.feed(Body::EventsLost(lost));
    assert_eq!(ended(&mut story), []);
    assert_eq!(open(&story), [FindingId::Klp001, FindingId::Klp013]);
    // Other evidence of the patch, and its metadata once more.
    story.feed(listed(&["tmod"]));
    story.metadata(Story::patch_loaded());
    assert_eq!(ended(&mut story), [], "nothing has been read");
    let old = story.values();
    story.read(Hook::Demand, None, old, old);
    assert_eq!(ended(&mut story), [(FindingId::Klp013, FindingEnd::ReadAgain)]);
    assert_eq!(open(&story), [FindingId::Klp001]);
}

#[test]
fn said_again_it_holds_since_it_was_said_first() {
    let mut story = stale();
    let old = story.values();
    story.now = 5;
    story.feed(Body::EventsLost(EventsLost {
        hook: Hook::ApplyRelocateAdd,
        cause: LossCause::RingFull,
        count: 1,
    }));
    story.read(Hook::Demand, None, old, old);
    story.now = 9;
    patch_goes(&mut story);
    let since: Vec<_> = closed(&mut story).into_iter().map(|closed| (closed.id, closed.opened_ns)).collect();
    assert_eq!(since, [(FindingId::Klp013, 5), (FindingId::Klp001, 0)]);
}

#[test]
fn relocations_that_are_missing_are_not_when_written_or_when_the_object_goes() {
    for unloaded in [false, true] {
        let mut story = Story::new(true);
        story.load_patch();
        story.base = 0x1000;
        story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
        story.symbols();
        story.read(Hook::Demand, None, [0, 0], [0, 0]);
        assert_eq!(made(&mut story), [FindingId::Klp005]);
        let end = if unloaded {
            story.unload_target([0, 0], true);
            FindingEnd::ObjectUnloaded
        } else {
            story.read(Hook::Demand, None, story.values(), story.values());
            FindingEnd::Written
        };
        assert_eq!(ended(&mut story), [(FindingId::Klp005, end)]);
    }
}

#[test]
fn a_refused_load_is_over_when_the_object_has_loaded() {
    let mut story = stale();
    let old = story.values();
    story.base = 0x9000;
    for now in [5, 9] {
        story.now = now;
        story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        story.symbols();
        story.read(Hook::ApplyRelocateAdd, Some(-8), old, story.values());
        story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
        story.read(Hook::KlpCleanupModulePatchesLimited, Some(-8), old, story.values());
        story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
        let [again] = story.findings().try_into().unwrap();
        assert_eq!((again.id, again.opened_ns), (FindingId::Klp009, 5), "said again, it is the same");
    }
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    assert_eq!(ended(&mut story), [], "coming is not there");
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(ended(&mut story).len(), 1, "KLP001 alone");
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    story.module(ModuleAction::Loaded, "tmod", Some(0x9000), false);
    let ends = ended(&mut story);
    assert!(ends.contains(&(FindingId::Klp009, FindingEnd::ObjectLoaded)), "{ends:?}");
}

#[test]
fn a_stall_ends_with_the_transition_and_may_come_again() {
    let stall = |story: &mut Story| {
        let found = Stalled { waited_ns: Some(1), tasks: 1, blocking: vec![], looked: None };
        story.feed(Body::Stall(Stall { patch: Story::patch(), found }));
        assert_eq!(made(story), [FindingId::Klp010]);
    };
    for step in [TransitionStep::Complete, TransitionStep::Unpatching] {
        let mut story = Story::new(true);
        story.load_patch();
        stall(&mut story);
        assert_eq!(ended(&mut story), []);
        story.step(step);
        assert_eq!(ended(&mut story), [(FindingId::Klp010, FindingEnd::TransitionWentOn)]);
        stall(&mut story);
        assert_eq!(open(&story), [FindingId::Klp010]);
    }
}

#[test]
fn a_file_that_agrees_ends_the_doubt() {
    let mut story = Story::new(true);
    story.metadata(Elf::Differs { path: "lp.ko".into(), difference: "entry 1".into() });
    assert_eq!(made(&mut story), [FindingId::Klp011]);
    story.metadata(Story::patch_loaded());
    assert_eq!(ended(&mut story), [(FindingId::Klp011, FindingEnd::FileAgrees)]);
}

#[test]
fn an_orphan_that_is_listed_is_none() {
    let mut story = Story::new(true);
    story.load_patch();
    story.feed(listed(&["other"]));
    story.base = 0x1000;
    story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(made(&mut story), [FindingId::Klp007]);
    assert_eq!(ended(&mut story), []);
    story.feed(listed(&["other", "tmod"]));
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(ended(&mut story), [(FindingId::Klp007, FindingEnd::ObjectListed)]);
}

const THIRD: u64 = 0xffff_ffff_c0a0_0000;

fn third() -> ObjectRef {
    ObjectRef { name: "third".into(), address: Some(Address(THIRD)), load: None }
}

fn kept(story: &mut Story, holders: &[&str]) {
    let holders: Vec<_> = holders.iter().map(|holder| (*holder).into()).collect();
    let usage =
        Some(ModuleUsage { refcount: Some(i64::from(!holders.is_empty())), permanent: false, holders });
    let event = ModuleEvent::new(ModuleAction::Present, "third".into(), Some(Address(THIRD)), false);
    story.feed(Body::Module(ModuleEvent { usage, ..event }));
}

/// A patch that calls a function of `third`, which nothing keeps loaded.
fn foretold() -> Story {
    let mut story = Story::new(true);
    let section = SectionRef { index: 9, name: ".klp.rela.tmod..text".into() };
    story.module(ModuleAction::Loaded, "lp", Some(PATCH), true);
    story.another_of(&section, "tmod", &[".klp.sym.third.far,0"], 1, false);
    story.module(ModuleAction::Present, "third", Some(THIRD), false);
    story.step(TransitionStep::Patching);
    story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
    story.symbol(third(), "far", THIRD + 0x40);
    let read = story.section_read(section, Hook::ApplyRelocateAdd, Some(0), &[(THIRD + 0x40, THIRD + 0x40)]);
    story.feed(Body::SectionRead(read));
    kept(&mut story, &[]);
    assert_eq!(made(&mut story), [FindingId::Klp016]);
    assert_eq!(ended(&mut story), []);
    story
}

#[test]
fn what_is_foretold_ends_when_it_happens_and_when_it_cannot_any_more() {
    let mut story = foretold();
    kept(&mut story, &["tmod"]);
    assert_eq!(ended(&mut story), [(FindingId::Klp016, FindingEnd::SymbolModuleHeld)]);
    kept(&mut story, &[]);
    assert_eq!(made(&mut story), [FindingId::Klp016], "it is so again");

    story.module_hook(Hook::KlpModuleGoing, Phase::Exit, None, third());
    let [closed] = closed(&mut story).try_into().unwrap();
    assert_eq!((closed.severity, closed.end), (Severity::Info, FindingEnd::SymbolModuleGone));
    assert_eq!(open(&story), [FindingId::Klp016], "and now it holds");
    assert_eq!(story.verifier.outcome().open, Some(Severity::Error));

    let mut story = foretold();
    story.step(TransitionStep::Unpatching);
    story.step(TransitionStep::Complete);
    story.step(TransitionStep::Detached);
    assert_eq!(ended(&mut story), [(FindingId::Klp016, FindingEnd::PatchDetached)]);
}

#[test]
fn more_findings_than_are_kept_are_counted_and_not_forgotten() {
    let mut story = Story::new(true);
    for number in 0..5000 {
        let object = ObjectRef { name: format!("m{number}").into(), address: None, load: None };
        story.module_hook(Hook::KlpModuleComing, Phase::Enter, None, object.clone());
        story.module_hook(Hook::KlpModuleComing, Phase::Exit, Some(-22), object);
    }
    story.findings();
    let end = story.verifier.end(crate::journal::EndReason::Complete);
    assert_eq!(end.open, end.findings);
    assert_eq!(end.open.get(&FindingId::Klp009), Some(&5000));
}
