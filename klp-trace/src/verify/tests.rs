//! Whole stories, told as sources tell them.

mod asked;
mod ended;
mod heard;
mod in_file;
mod left;
mod lost;
mod matrix;
mod misplaced;
mod modules;
mod moved;
mod named;
mod needed;
mod rewritten;
mod rounds;
mod story;
mod surroundings;
mod suspects;
mod third;
mod vmlinux;
mod witnesses;

use super::Verifier;
use crate::{
    arch::Arch,
    journal::{
        AddressLookup, Body, Elf, EventsLost, LossCause, ModuleAction, Nearest, PatchMetadata, SectionRead,
        SectionRef, Transition, TransitionStep,
    },
    model::{Address, FindingId, Hook, Phase, Reason, Severity, Verdict},
};
use story::{PATCH, Story};

fn both(verdict: Verdict, reason: Option<Reason>) -> Vec<(u32, Option<Verdict>, Option<Reason>)> {
    vec![(0, Some(verdict), reason), (1, Some(verdict), reason)]
}

#[test]
fn a_kernel_that_clears() {
    let mut story = Story::new(true);
    story.load_patch();
    let mut first = both(Verdict::Pending, None);
    first.push((2, None, None));
    assert_eq!(story.verdicts(), first, "NONE is listed once, without a verdict");
    story.load_target(0x1000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    story.unload_target([0, 0], true);
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None), "once, though read twice");
    story.load_target(0x2000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    assert_eq!(story.findings(), []);
    assert_eq!(story.verifier.outcome(), super::Outcome::default());
}

#[test]
fn a_kernel_that_never_clears_refuses_the_reload() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    let old = story.values();
    story.unload_target(old, false);
    assert_eq!(story.verdicts(), both(Verdict::Stale, None));
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!((finding.id, finding.severity, finding.relocations), (FindingId::Klp001, Severity::Error, 2));
    assert!(finding.message.contains("next load of tmod will be refused"), "{}", finding.message);

    story.base = 0x9000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), old, story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
    story.read(Hook::KlpCleanupModulePatchesLimited, Some(-8), old, story.values());
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
    assert_eq!(story.verdicts(), [], "still stale: nothing new");
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp009);
    assert!(finding.why.contains("stale target of patch lp from the previous load"), "{}", finding.why);
    assert_eq!(finding.first.unwrap().index, 0);
}

#[test]
fn a_failed_load_leaves_its_values() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.base = 0x1000;
    for attempt in 0..2 {
        story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        story.symbols();
        let ret = if attempt == 0 { 0 } else { -8 };
        story.read(Hook::ApplyRelocateAdd, Some(ret), story.values(), story.values());
        story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(ret));
        story.read(Hook::KlpCleanupModulePatchesLimited, Some(-19), story.values(), story.values());
        story.hook(Hook::KlpModuleComing, Phase::Exit, Some(if attempt == 0 { -19 } else { -8 }));
    }
    let states = story.verdicts();
    assert_eq!(states.get(..2), Some(&both(Verdict::Applied, None)[..]));
    assert_eq!(story.verifier.totals().get(&Verdict::Stale), Some(&2));
    let ids: Vec<_> = story.findings().iter().map(|finding| (finding.id, finding.why.clone())).collect();
    assert_eq!(
        ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [FindingId::Klp003, FindingId::Klp009, FindingId::Klp009]
    );
    assert!(ids[2].1.contains("stale target of patch lp from a load that failed"), "{}", ids[2].1);
}

#[test]
fn a_partial_clear() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.findings();
    story.unload_target([0, story.values()[1]], true);
    assert_eq!(
        story.verdicts().split_off(5),
        [(0, Some(Verdict::Cleared), None), (1, Some(Verdict::Stale), None)]
    );
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!((finding.id, finding.relocations), (FindingId::Klp002, 1));
}

#[test]
fn lost_records_make_everything_unknown_until_it_is_read_again() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    story.feed(Body::EventsLost(EventsLost {
        hook: Hook::ApplyRelocateAdd,
        cause: LossCause::RingFull,
        count: 3,
    }));
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::EventsLost)));
    assert_eq!(story.findings()[0].id, FindingId::Klp013);
    assert_eq!(story.verifier.wants().len(), 1);
    story.feed(Body::EventsLost(EventsLost {
        hook: Hook::ApplyRelocateAdd,
        cause: LossCause::RingFull,
        count: 2,
    }));
    assert_eq!(story.findings(), [], "said once until settled");
    story.symbols();
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    assert_eq!((story.verifier.wants().len(), story.verifier.outcome().lost), (0, 5));
    assert_eq!(story.verifier.outcome().unknown, 0);
}

#[test]
fn a_patch_whose_loading_was_lost_is_unknown_until_it_is_read() {
    let mut story = Story::new(true);
    story.feed(Body::EventsLost(EventsLost { hook: Hook::ModuleLoad, cause: LossCause::RingFull, count: 3 }));
    story.metadata(Story::patch_loaded());
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    let mut states = both(Verdict::Unknown, Some(Reason::EventsLost));
    states.extend(both(Verdict::Pending, None));
    states.push((2, None, None));
    assert_eq!(story.verdicts(), states);
}

#[test]
fn an_incomplete_read_judges_nothing() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    let lost = SectionRead {
        patch: Story::patch(),
        section: Story::section(),
        object: Story::object(0x1000),
        read: Hook::ApplyRelocateAdd,
        ret: Some(0),
        total: 3,
        lost: 1,
        entries: vec![],
        rewrites: None,
    };
    story.feed(Body::SectionRead(lost));
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::EventsLost)));
    assert_eq!(story.verifier.wants().len(), 1);
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp013);
    assert!(finding.message.contains("apply_relocate_add"), "{}", finding.message);
}

#[test]
fn a_differing_file_proves_nothing() {
    let mut story = Story::new(true);
    story.metadata(Elf::Differs { path: "lp.ko".into(), difference: "entry 1: addend 4, loaded 0".into() });
    assert_eq!(story.findings()[0].id, FindingId::Klp011);
    story.load_target(0x1000);
    let mut states = both(Verdict::Unknown, Some(Reason::FileDiffers));
    states.push((2, None, None));
    assert_eq!(story.verdicts(), states);
    assert_eq!(story.findings(), [], "once a patch");
}

#[test]
fn a_file_that_differs_in_one_section_proves_nothing_of_another() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    // Its other section, read later, shows that the file is not what was loaded.
    let other = SectionRef { index: 8, name: ".klp.rela.tmod..text".into() };
    story.feed(Body::PatchMetadata(PatchMetadata {
        patch: Story::patch(),
        section: other,
        object: "tmod".into(),
        elf: Elf::Differs { path: "lp.ko".into(), difference: "an addend".into() },
        target: ".text".into(),
        writable: false,
        total: 0,
        entries: vec![],
    }));
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::FileDiffers)));
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(story.verdicts(), [], "nor when it is read again");
}

#[test]
fn a_wrong_value_is_named_with_what_it_points_to() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.feed(Body::AddressLookup(AddressLookup {
        address: Address(0xffff_ffff_8123_4567),
        nearest: Some(Nearest { object: "vmlinux".into(), symbol: "_printk".into(), offset: 7 }),
    }));
    story.findings();
    let right = story.values();
    story.read(Hook::Demand, None, [0xffff_ffff_8123_4567, right[1]], right);
    let finding = story.findings().remove(0);
    assert_eq!(finding.id, FindingId::Klp006);
    let said = "holds 67452381ffffffff, which points to vmlinux:_printk+0x7, and not 1010000000000000 (a)";
    assert!(finding.message.contains(said), "{}", finding.message);
}

#[test]
fn enabled_but_not_written() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.verifier.wants().len(), 1);
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
    assert_eq!(story.findings()[0].id, FindingId::Klp005);
    assert_eq!(story.verifier.outcome().bad, 2);
}

#[test]
fn what_was_never_read_is_unknown() {
    let mut story = Story::new(true);
    story.metadata(Story::patch_loaded());
    assert_eq!(story.verifier.totals().get(&Verdict::Unknown), Some(&3));
    assert_eq!(story.verifier.wants().len(), 1);
}

#[test]
fn a_patch_that_goes_leaves_no_state() {
    let mut story = Story::new(true);
    story.load_patch();
    assert_eq!(story.verifier.patches().count(), 1);
    story.module(ModuleAction::Freed, "lp", Some(PATCH), true);
    assert_eq!(story.verifier.patches().count(), 0);
    assert!(story.verifier.totals().is_empty());
    story.load_patch();
    assert_eq!(story.verifier.patches().next().unwrap().load, 2);
}

#[test]
fn what_was_left_before_the_first_look_is_found() {
    for (clears, step, id, severity, words) in [
        (false, TransitionStep::Patching, FindingId::Klp001, Severity::Error, "will be refused"),
        (true, TransitionStep::Patching, FindingId::Klp001, Severity::Error, "will be refused"),
        (true, TransitionStep::Detached, FindingId::Klp004, Severity::Warning, "which is not loaded"),
    ] {
        let mut story = Story::new(clears);
        story.metadata(Story::patch_loaded());
        story.feed(Body::Transition(Transition { patch: Some(Story::patch()), step, replace: None }));
        story.base = 0x1000;
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.verdicts().get(..2), Some(&both(Verdict::Stale, None)[..]));
        let [finding] = story.findings().try_into().unwrap();
        assert_eq!((finding.id, finding.severity, finding.relocations), (id, severity, 2));
        assert!(finding.message.ends_with(words), "{}", finding.message);
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.findings(), [], "said once");
    }
}

#[test]
fn what_is_read_only_after_the_unload_is_said_all_the_same() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.hook(Hook::KlpModuleGoing, Phase::Enter, None);
    story.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    assert_eq!(story.findings(), []);
    assert_eq!(story.verifier.wants().len(), 1, "judged present, and gone");
    story.read(Hook::Demand, None, old, old);
    assert_eq!(story.findings()[0].id, FindingId::Klp001);
}

/// What is left of patch lp after `steps` (its own, unless another's name is given) and the unload of its object.
fn left_after(steps: &[(Option<&'static str>, TransitionStep)]) -> crate::journal::Finding {
    let told = |(other, step): &(Option<&'static str>, TransitionStep)| {
        (other.map_or(Who::Own, Who::Other), *step, None)
    };
    left_after_told(&steps.iter().map(told).collect::<Vec<_>>())
}

/// Whose step it is.
#[derive(Clone, Copy)]
enum Who {
    Own,
    Other(&'static str),
    Unknown,
}

/// The same with steps of unknown patches too, and with what is known of `klp_patch.replace`.
fn left_after_told(steps: &[(Who, TransitionStep, Option<bool>)]) -> crate::journal::Finding {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    for (who, step, replace) in steps {
        let other =
            |name: &str| crate::journal::PatchRef { name: name.into(), address: Address(0x77), load: 0 };
        let patch = match who {
            Who::Own => Some(Story::patch()),
            Who::Other(name) => Some(other(name)),
            Who::Unknown => None,
        };
        story.feed(Body::Transition(Transition { patch, step: *step, replace: *replace }));
    }
    story.findings();
    story.unload_target(story.values(), false);
    let [finding] = story.findings().try_into().unwrap();
    finding
}

#[test]
fn a_detached_patch_keeps_its_values_and_is_told_by_how_it_was_detached() {
    use TransitionStep::{Complete, Detached, Forced, Patching, Unpatching};
    let new = Some("new");
    let replace = [(new, Patching), (new, Complete), (None, Detached)];
    let replace_forced = [(new, Patching), (new, Forced), (new, Complete), (None, Detached)];
    let another_forced = [
        (new, Forced),
        (new, Complete),
        (Some("newer"), Patching),
        (Some("newer"), Complete),
        (None, Detached),
    ];
    let disable = [(None, Unpatching), (None, Complete), (None, Detached)];
    let disable_forced = [(None, Unpatching), (None, Forced), (None, Complete), (None, Detached)];
    for (steps, severity, words) in [
        (&replace[..], Severity::Warning, "which was replaced by new,"),
        (&replace_forced[..], Severity::Error, "which was replaced by new,"),
        (&another_forced[..], Severity::Warning, "which was replaced by newer,"),
        (&disable[..], Severity::Warning, "which was disabled,"),
        (&disable_forced[..], Severity::Error, "which was disabled,"),
        (&[(None, Detached)][..], Severity::Warning, "which is disabled or was replaced,"),
    ] {
        let finding = left_after(steps);
        assert_eq!(
            (finding.id, finding.severity, finding.relocations),
            (FindingId::Klp004, severity, 2),
            "{words}"
        );
        assert!(finding.message.contains(words), "{}", finding.message);
        assert_eq!(finding.why.contains("forced"), severity == Severity::Error, "{}", finding.why);
    }
}

#[test]
fn a_forced_transition_marks_those_whom_it_takes_out_of_use_and_no_other() {
    use TransitionStep::{Complete, Detached, Forced, Patching, Unpatching};
    let (own, new, unknown) = (Who::Own, Who::Other("new"), Who::Unknown);
    let forced = |replace| [(new, Patching, replace), (new, Forced, replace), (new, Complete, replace)];
    let then_replaced = |steps: &[_]| {
        let mut steps = steps.to_vec();
        steps.push((own, Detached, None));
        left_after_told(&steps).severity
    };
    assert_eq!(then_replaced(&forced(Some(true))), Severity::Error);
    assert_eq!(then_replaced(&forced(Some(false))), Severity::Warning, "it replaces nobody");
    assert_eq!(then_replaced(&forced(None)), Severity::Error, "an older journal does not say");
    // A later forced transition of a patch that is not known takes nothing back.
    let mut steps = vec![(own, Unpatching, None), (own, Forced, None), (own, Complete, None)];
    steps.push((unknown, Forced, None));
    assert_eq!(then_replaced(&steps), Severity::Error);
}

/// The events said, as a journal keeps them, lead to the same conclusions.
#[test]
fn what_was_said_replays_to_the_same() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    let said = story.said.clone();
    let mut replay = Story { verifier: Verifier::new(Arch::X86_64), base: 0, now: 0, said: Vec::new() };
    for body in said.clone() {
        replay.feed(body);
    }
    assert_eq!(replay.said, said);
}
