//! Ways in which a relocation goes wrong that no unload is needed for.

use super::{both, story::Story};
use crate::{
    journal::{
        Blocking, Body, Hindrance, Livepatch, Looked, Stall, Stalled, Standing, Transition, TransitionStep,
    },
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
    let looked = Some(Looked { read: 90, unread: 0, hindrance: None, missing: Vec::new() });
    Body::Stall(Stall { patch: Story::patch(), found: Stalled { waited_ns, tasks: 6, blocking, looked } })
}

/// What KLP010 says of a look that found `tasks`: message and action.
fn said_of_stall(tasks: bool, looked: Option<Looked>) -> (String, String) {
    let mut story = Story::new(true);
    story.load_patch();
    story.findings();
    let Body::Stall(mut stall) = stall(Some(10_000_000_000)) else { unreachable!() };
    stall.found.looked = looked;
    if !tasks {
        stall.found.blocking.clear();
        stall.found.tasks = 0;
    }
    story.feed(Body::Stall(stall));
    let finding = story.findings().remove(0);
    (finding.message, finding.action)
}

#[test]
fn a_look_that_could_not_be_taken_found_nothing_out() {
    let whole = Looked { read: 90, unread: 0, hindrance: None, missing: Vec::new() };
    assert!(said_of_stall(false, Some(whole.clone())).0.contains("no task that is left"));
    assert!(!said_of_stall(true, Some(whole.clone())).0.contains("could not"));
    let denied = Looked {
        read: 2,
        unread: 88,
        hindrance: Some(Hindrance::Denied),
        missing: vec!["CAP_DAC_READ_SEARCH".into()],
    };
    for hindrance in [Hindrance::Denied, Hindrance::Hidden, Hindrance::PidNamespace, Hindrance::NoProc] {
        let looked = Looked { hindrance: Some(hindrance), ..denied.clone() };
        let (message, action) = said_of_stall(false, Some(looked.clone()));
        assert!(message.contains("could not be seen") && !message.contains("no task"), "{message}");
        assert!(action.contains("klp-trace"), "{action}");
        let (message, _) = said_of_stall(true, Some(looked));
        assert!(message.contains("nfsd (pid 1") && message.contains("could not be seen"), "{message}");
    }
    let (message, action) = said_of_stall(false, Some(denied));
    assert!(message.contains("88 tasks") && message.contains("CAP_DAC_READ_SEARCH"), "{message}");
    assert!(action.starts_with("give klp-trace CAP_DAC_READ_SEARCH"), "{action}");
    // A recording of a version that did not tell how far it could look.
    let (message, _) = said_of_stall(false, None);
    assert!(message.contains("does not tell") && !message.contains("no task"), "{message}");
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
    story.feed(Body::Transition(Transition { patch: Some(Story::patch()), step, replace: None }));
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
