//! What an earlier load left, looked at for the first time after a later load was refused elsewhere.

use super::story::Story;
use crate::{
    journal::{Body, Transition, TransitionStep},
    model::{FindingId, Hook, Reason, Verdict},
};

type Judged = (Option<Verdict>, Option<Reason>);

/// The kernel has a load at 0x9000 on record; memory holds `bytes`. The verdicts, and the findings' ids.
fn first_look(bytes: [u64; 2]) -> (Vec<Judged>, Vec<FindingId>) {
    let mut story = Story::new(false);
    story.metadata(Story::patch_loaded());
    story.feed(Body::Transition(Transition {
        patch: Some(Story::patch()),
        step: TransitionStep::Patching,
        replace: None,
    }));
    story.base = 0x9000;
    story.read(Hook::Demand, None, bytes, story.values());
    let verdicts =
        story.verdicts().into_iter().take(2).map(|(_, verdict, reason)| (verdict, reason)).collect();
    (verdicts, story.findings().iter().map(|finding| finding.id).collect())
}

const STALE: Judged = (Some(Verdict::Stale), None);
const MISMATCH: Judged = (Some(Verdict::Mismatch), None);

#[test]
fn values_that_are_off_by_the_same_pages_are_an_earlier_loads() {
    assert_eq!(first_look([0x2010, 0x2020]), (vec![STALE, STALE], vec![FindingId::Klp001]));
}

#[test]
fn so_is_the_only_value_there() {
    assert_eq!(first_look([0x2010, 0]).0[0], STALE);
    // What else is there is as recorded: the object did not move.
    assert_eq!(first_look([0x2010, 0x9020]).0, [MISMATCH, STALE]);
}

#[test]
fn anything_else_is_somebody_elses() {
    assert_eq!(first_look([0x2010, 0x3020]).0, [MISMATCH, MISMATCH], "not the same pages");
    assert_eq!(first_look([0x2018, 0x2028]).0, [MISMATCH, MISMATCH], "not whole pages");
    assert_eq!(first_look([0x2010, 0x2028]).0, [MISMATCH, MISMATCH], "two, and one is no page off");
    assert_eq!(first_look([0x2018, 0]).0[0], MISMATCH);
}

#[test]
fn what_a_tool_that_was_there_knows_is_not_guessed() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    story.verdicts();
    // Both were seen stale; now both are off by a page from that.
    story.read(Hook::Demand, None, [old[0] + 0x1000, old[1] + 0x1000], [0x9010, 0x9020]);
    let verdicts: Vec<_> = story.verdicts().into_iter().map(|(_, verdict, _)| verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::Mismatch); 2]);
}

#[test]
fn a_value_where_zero_was_seen_without_its_object_is_no_earlier_loads() {
    let mut story = Story::new(false);
    story.load_patch();
    story.verdicts();
    story.read(Hook::Demand, None, [0x2010, 0x2020], [0x9010, 0x9020]);
    let verdicts: Vec<_> = story.verdicts().into_iter().map(|(_, verdict, _)| verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::Mismatch); 2]);
}
