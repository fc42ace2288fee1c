//! Ways in which a relocation goes wrong that no unload is needed for.

use super::{both, story::Story};
use crate::{
    event::{Blocking, Body, Livepatch, Stall, Stalled, Standing, Transition, TransitionStep},
    model::{FindingId, Hook, Severity, Verdict},
};

fn listed(objects: &[&str]) -> Body {
    Body::Livepatch(Livepatch {
        patch: Story::patch(),
        standing: Standing::Enabling,
        sections: 1,
        unread: None,
        refcount: None,
        objects: Some(objects.iter().map(|name| (*name).into()).collect()),
    })
}

#[test]
fn gated_on_an_object_that_the_patch_does_not_list() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.feed(listed(&["other"]));
    assert_eq!(story.verifier.wants().len(), 1, "it is read to be judged anew");
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Orphaned, None));
    let findings = story.findings();
    assert_eq!((findings.len(), findings[0].id, findings[0].relocations), (1, FindingId::Klp007, 2));
    assert_eq!(story.verifier.outcome().worst, Some(Severity::Error));
    // The object's coming changes nothing.
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, crate::model::Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, crate::model::Phase::Exit, Some(0));
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), []);
    assert_eq!(story.findings(), []);
    // A value there is nobody's.
    story.read(Hook::Demand, None, [7, 0], [0, 0]);
    assert_eq!(story.verdicts(), [(0, Some(Verdict::Mismatch), None)]);
}

#[test]
fn gated_on_an_object_that_the_patch_lists() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.feed(listed(&["tmod", "other"]));
    assert_eq!(story.verifier.wants(), []);
    story.load_target(0x1000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    assert_eq!(story.findings(), []);
}

fn stall(waited_ns: Option<u64>) -> Body {
    let task = |pid| Blocking {
        pid,
        tgid: pid,
        comm: "nfsd".into(),
        patch_state: 0,
        stack: vec!["svc_recv+0x4d/0x90 [sunrpc]".to_owned(), "nfsd+0x1/0x2 [nfsd]".to_owned()],
    };
    let blocking = (1..=4).map(task).collect();
    Body::Stall(Stall { patch: Story::patch(), found: Stalled { waited_ns, tasks: 6, blocking } })
}

#[test]
fn a_transition_that_does_not_end_is_said_once() {
    let mut story = Story::new(true);
    story.load_patch();
    story.findings();
    story.feed(stall(Some(10_000_000_000)));
    let findings = story.findings();
    assert_eq!((findings.len(), findings[0].id), (1, FindingId::Klp010));
    assert_eq!(findings[0].severity, Severity::Warning);
    let message = &findings[0].message;
    for part in
        ["for 10 s", "nfsd (pid 1, patch_state 0) in svc_recv+0x4d/0x90 [sunrpc]; ", "pid 3", "; 3 more"]
    {
        assert!(message.contains(part), "{part}: {message}");
    }
    story.feed(stall(Some(20_000_000_000)));
    assert_eq!(story.findings(), []);
    // The next transition is another one.
    let step = TransitionStep::Complete;
    story.feed(Body::Transition(Transition { patch: Some(Story::patch()), step }));
    story.feed(stall(None));
    let findings = story.findings();
    assert_eq!(
        (findings.len(), findings[0].severity),
        (1, Severity::Info),
        "looked at once, it may be ending"
    );
}

#[test]
fn a_detached_patch_that_is_still_referenced_may_still_run() {
    for (refcount, severity) in [(0, Severity::Warning), (1, Severity::Error)] {
        let mut story = Story::new(true);
        story.load_patch();
        story.load_target(0x1000);
        story.feed(Body::Livepatch(Livepatch {
            patch: Story::patch(),
            standing: Standing::Detached,
            sections: 1,
            unread: None,
            refcount: Some(refcount),
            objects: None,
        }));
        let values = story.values();
        story.unload_target(values, false);
        let findings = story.findings();
        let klp004 = findings.iter().find(|finding| finding.id == FindingId::Klp004).unwrap();
        assert_eq!(klp004.severity, severity);
    }
}
