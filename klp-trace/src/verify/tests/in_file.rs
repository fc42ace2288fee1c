//! A load refused over a value that the patch's own file has.

use super::story::Story;
use crate::{
    journal::{Body, Finding, MetaEntry, PatchMetadata, Transition, TransitionStep},
    model::{Address, Bytes, FindingId, Hook, Phase, Verdict},
};

const IN_FILE: u64 = 0x5a;

/// A patch whose file has a value where its first relocation is to be written.
fn patch() -> Story {
    let mut story = Story::new(true);
    let entry = |index: u32, original: u64, symbol: &str| MetaEntry {
        index,
        file_index: None,
        offset: Address(u64::from(index) * 8),
        rtype: 1,
        addend: 0,
        symbol: symbol.into(),
        original: Bytes::new(original.to_le_bytes(), 8),
    };
    story.feed(Body::PatchMetadata(PatchMetadata {
        patch: Story::patch(),
        section: Story::section(),
        object: "tmod".into(),
        elf: Story::patch_loaded(),
        target: ".data".into(),
        writable: false,
        total: 2,
        entries: vec![entry(0, IN_FILE, ".klp.sym.tmod.a,0"), entry(1, 0, ".klp.sym.tmod.b,0")],
    }));
    story
}

fn refuse(story: &mut Story) {
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), [IN_FILE, 0], story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
}

fn one(story: &mut Story) -> Finding {
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp009);
    assert!(
        finding.why.contains("the patch's own file has a value where relocation 0 of"),
        "{}",
        finding.why
    );
    assert_eq!(finding.first.as_ref().unwrap().index, 0);
    finding
}

#[test]
fn an_object_that_comes_later_is_refused_and_nothing_was_stale() {
    let mut story = patch();
    story.read(Hook::ModuleLoad, None, [IN_FILE, 0], [0, 0]);
    story.feed(Body::Transition(Transition {
        patch: Some(Story::patch()),
        step: TransitionStep::Patching,
        replace: None,
    }));
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    refuse(&mut story);
    story.read(Hook::KlpCleanupModulePatchesLimited, None, [IN_FILE, 0], story.values());
    assert_eq!(story.findings(), [], "until klp_module_coming returns");
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
    let finding = one(&mut story);
    assert!(finding.message.contains("refused to let tmod load (error -8)"), "{}", finding.message);
    assert!(finding.action.contains("before it is rebuilt"), "{}", finding.action);
}

#[test]
fn a_patch_that_comes_later_is_itself_refused() {
    let mut story = patch();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    story.read(Hook::ModuleLoad, None, [IN_FILE, 0], [0, 0]);
    refuse(&mut story);
    let finding = one(&mut story);
    assert!(finding.message.contains("refused to enable patch lp (error -8)"), "{}", finding.message);
    assert!(finding.action.starts_with("rebuild lp"), "{}", finding.action);
}

#[test]
fn what_is_refused_without_a_value_in_the_way_has_another_cause() {
    let mut story = Story::new(true);
    story.load_patch();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), [0, 0], story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
    let [finding] = story.findings().try_into().unwrap();
    assert!(finding.why.contains("no stale target explains it"), "{}", finding.why);
}

#[test]
fn a_value_of_the_file_is_no_earlier_loads_however_far_off() {
    let mut story = patch();
    story.feed(Body::Transition(Transition {
        patch: Some(Story::patch()),
        step: TransitionStep::Patching,
        replace: None,
    }));
    // Whole pages from where the kernel has the symbol on record, and the only value there.
    story.base = 0x9000 + IN_FILE - 0x10;
    story.read(Hook::Demand, None, [IN_FILE, 0], story.values());
    let (_, verdict, _) = story.verdicts()[0];
    assert_ne!(verdict, Some(Verdict::Stale));
}
