//! Each rule with a policy that is met and one that is not.

pub(crate) mod told;

use super::*;
use crate::{
    journal::{ModuleAction, TransitionStep, testing},
    model::Verdict,
};
use jiff::civil::{Date, date};
use told::Told;

const TODAY: Date = date(2026, 11, 24);

fn judged(policy: &str, told: &Told) -> Vec<Group> {
    judge(&Policy::parse(policy).unwrap(), &told.seen, TODAY)
}

fn status(policy: &str, told: &Told) -> Status {
    worst(&judged(policy, told))
}

/// The checks of a rule.
fn checks(policy: &str, told: &Told, rule: Rule) -> Vec<Check> {
    let groups = judged(policy, told);
    groups.into_iter().flat_map(|group| group.checks).filter(|check| check.rule == rule).collect()
}

fn only(policy: &str, told: &Told, rule: Rule) -> Check {
    let checks = checks(policy, told, rule);
    let [check] = <[Check; 1]>::try_from(checks).unwrap();
    check
}

fn refusal(policy: &str) -> String {
    Policy::parse(policy).unwrap_err().to_string()
}

#[test]
fn without_a_policy_all_must_be_well() {
    assert_eq!(status("", &Told::reload()), Status::Pass);
    assert_eq!(status("", &Told::stale()), Status::Fail);
    let mut lossy = Told::reload();
    lossy.lose(3);
    assert_eq!(status("", &lossy), Status::Unknown);
    let mut unread = Told::new();
    unread.load_patch();
    assert_eq!(status("", &unread), Status::Unknown, "two relocations of which nothing was said");
    assert_eq!(status("", &Told::new()), Status::Skip);
    assert_eq!(only("", &Told::new(), Rule::Verdicts).status, Status::Skip, "no livepatch is loaded");
}

#[test]
fn a_warning_counts_only_if_the_policy_says_so() {
    let mut told = Told::reload();
    let mut finding = testing::finding();
    finding.severity = crate::model::Severity::Warning;
    told.say(crate::journal::Body::Finding(finding));
    assert_eq!(status("", &told), Status::Pass);
    assert_eq!(status("[findings]\nfail-on = \"error\"", &told), Status::Pass);
    assert_eq!(status("[findings]\nfail-on = \"warning\"", &told), Status::Fail);
    assert_eq!(status("[findings]\nfail-on = \"info\"", &told), Status::Fail);
}

#[test]
fn allowances() {
    let allow = |rest: &str| format!("[[allow]]\nid = \"KLP001\"\nreason = \"known\"\n{rest}");
    let status = |rest: &str| status(&allow(rest), &Told::stale());
    assert_eq!(status(""), Status::Pass);
    assert_eq!(status("patch = \"lp_*\"\nobject = \"klp_target\""), Status::Pass);
    assert_eq!(status("patch = \"other\""), Status::Fail);
    assert_eq!(status("object = \"nfsd\""), Status::Fail);
    assert_eq!(status("expires = 2026-11-24"), Status::Pass, "the last day counts");
    assert_eq!(status("expires = 2026-11-23"), Status::Fail);
    let expired = checks(
        &allow("expires = 2026-11-23"),
        &Told::stale(),
        Rule::Finding(crate::model::FindingId::Klp001),
    );
    assert!(expired[0].what.contains("allowed it until 2026-11-23: known"), "{}", expired[0].what);
    let used = only(&allow(""), &Told::stale(), Rule::Allowance);
    assert_eq!(used.status, Status::Pass);
    let dusty = only(&allow(""), &Told::reload(), Rule::Allowance);
    assert_eq!((dusty.status, dusty.what.as_str()), (Status::Skip, "nothing needed it"));
    let passed = checks(&allow(""), &Told::stale(), Rule::Finding(crate::model::FindingId::Klp001));
    assert_eq!(passed[0].allowed.as_deref(), Some("known"));
    assert!(refusal("[[allow]]\nid = \"KLP001\"").contains("reason"));
    assert!(
        refusal(&allow("expires = \"2026-11-24\"")).contains("2027-03-31"),
        "{}",
        refusal(&allow("expires = \"2026-11-24\""))
    );
}

#[test]
fn a_bad_verdict_that_no_finding_speaks_of_is_not_let_pass() {
    let mut told = Told::new();
    told.load_patch();
    told.come(None, 1);
    told.go(Verdict::Stale);
    assert_eq!(status("", &told), Status::Fail);
    assert_eq!(status("[[allow]]\nid = \"KLP001\"\nreason = \"known\"", &told), Status::Fail);
}

#[test]
fn denials_win() {
    let allow = "[[allow]]\nid = \"KLP001\"\nreason = \"known\"\n";
    assert_eq!(
        status(&format!("{allow}[[deny]]\npatch = \"lp_*\"\nreason = \"new rule\""), &Told::stale()),
        Status::Fail
    );
    assert_eq!(status(&format!("{allow}[[deny]]\nobject = \"nfsd\""), &Told::stale()), Status::Pass);
    let mut told = Told::reload();
    let mut finding = testing::finding();
    finding.severity = crate::model::Severity::Info;
    told.say(crate::journal::Body::Finding(finding));
    assert_eq!(status("[[deny]]\nid = \"KLP001\"", &told), Status::Fail, "whatever the severity");
    assert_eq!(status("[[deny]]\nid = \"KLP006\"", &told), Status::Pass);
}

#[test]
fn states_of_patches() {
    let patch = |state: &str, told: &Told| {
        only(&format!("[[patch]]\nname = \"lp_one\"\nstate = \"{state}\""), told, Rule::Patch).status
    };
    let all = |told: &Told| ["enabled", "disabled", "loaded", "absent"].map(|state| patch(state, told));
    let (pass, fail, unknown) = (Status::Pass, Status::Fail, Status::Unknown);
    let mut told = Told::reload();
    assert_eq!(all(&told), [pass, fail, pass, fail]);
    told.transition(TransitionStep::Unpatching);
    assert_eq!(all(&told), [unknown, unknown, pass, fail]);
    told.transition(TransitionStep::Complete);
    assert_eq!(all(&told), [fail, pass, pass, fail]);
    told.module(ModuleAction::Freed, "lp_one", true);
    assert_eq!(all(&told), [fail, fail, fail, pass]);
    assert_eq!(all(&Told::new()), [fail, fail, fail, pass], "never heard of");
}

#[test]
fn states_of_objects() {
    let object = |name: &str, state: &str, told: &Told| {
        only(&format!("[[object]]\nname = \"{name}\"\nstate = \"{state}\""), told, Rule::Object).status
    };
    assert_eq!(object("klp_target", "loaded", &Told::reload()), Status::Pass);
    assert_eq!(object("klp_target", "absent", &Told::reload()), Status::Fail);
    assert_eq!(object("klp_target", "absent", &Told::stale()), Status::Pass);
    assert_eq!(object("klp_target", "loaded", &Told::stale()), Status::Fail);
    assert_eq!(object("nfsd", "absent", &Told::reload()), Status::Unknown, "nobody looked");
    assert_eq!(object("vmlinux", "loaded", &Told::new()), Status::Pass);
}

#[test]
fn counts() {
    let count =
        |that: &str, told: &Told| only(&format!("[[count]]\nthat = [\"{that}\"]"), told, Rule::Count).status;
    let told = Told::reload();
    assert_eq!(count("applied == 2", &told), Status::Pass);
    assert_eq!(count("applied == 12", &told), Status::Fail);
    assert_eq!(count("stale == 0", &told), Status::Pass);
    assert_eq!(count("stale == 0", &Told::stale()), Status::Fail);
    assert_eq!(count("applied in 1..3", &told), Status::Pass);
    assert_eq!(count("applied in 3..4", &told), Status::Fail);
    assert_eq!(count("total == 2", &told), Status::Pass);
    let of = |rule: &str| {
        only(&format!("[[count]]\n{rule}\nthat = [\"applied == 2\"]"), &told, Rule::Count).status
    };
    assert_eq!(of("patch = \"lp_*\""), Status::Pass);
    assert_eq!(of("object = \"nfsd\""), Status::Fail);
    let mut unread = Told::new();
    unread.load_patch();
    assert_eq!(count("applied == 2", &unread), Status::Unknown);
    assert_eq!(count("applied == 3", &unread), Status::Fail, "there are but two");
    assert_eq!(count("unknown == 2", &unread), Status::Pass);
}

#[test]
fn orders() {
    let order = |text: &str, told: &Told| only(&format!("order = [\"{text}\"]"), told, Rule::Order);
    let whole = "object klp_target: coming, apply, going, clear, coming, apply";
    assert_eq!(order(whole, &Told::reload()).status, Status::Pass);
    let never = order(whole, &Told::stale());
    assert_eq!(never.status, Status::Fail);
    assert_eq!(never.difference.unwrap().1, "coming, apply, going");
    assert_eq!(order("patch lp_one: loaded, patching, complete", &Told::reload()).status, Status::Pass);
    assert_eq!(order("patch lp_one: loaded, ..., detached", &Told::reload()).status, Status::Fail);
    let mut lossy = Told::reload();
    lossy.lose(1);
    assert_eq!(order(whole, &lossy).status, Status::Unknown, "what was lost may have been a step");
}

#[test]
fn limits() {
    let limit = |text: &str, told: &Told| only(&format!("[limits]\n{text}"), told, Rule::Limit);
    let told = Told::reload();
    assert_eq!(limit("longest-apply = \"80us\"", &told).status, Status::Pass);
    let slow = limit("longest-apply = \"79us\"", &told);
    assert_eq!(
        (slow.status, slow.what.as_str()),
        (Status::Fail, "80.0 us for .klp.rela.klp_target..text of patch lp_one")
    );
    assert_eq!(limit("longest-transition = \"2ms\"", &told).status, Status::Pass);
    assert_eq!(limit("longest-transition = \"1ms\"", &told).status, Status::Fail);
    assert_eq!(limit("longest-apply = \"1ms\"", &Told::new()).status, Status::Skip);
    let mut under_way = Told::reload();
    under_way.transition(TransitionStep::Unpatching);
    under_way.wait(3_000_000);
    under_way.lose(1);
    assert_eq!(limit("longest-transition = \"2ms\"", &under_way).status, Status::Fail);
    assert_eq!(limit("longest-transition = \"1s\"", &under_way).status, Status::Unknown);
}

#[test]
fn tolerated_loss_and_unknowns() {
    let mut lossy = Told::reload();
    lossy.lose(3);
    assert_eq!(status("[limits]\nloss = 3", &lossy), Status::Pass);
    assert_eq!(status("[limits]\nloss = 2", &lossy), Status::Unknown);
    lossy.lose(0);
    assert_eq!(status("[limits]\nloss = 100", &lossy), Status::Unknown, "how many cannot be known");
    let mut unread = Told::new();
    unread.load_patch();
    assert_eq!(status("[limits]\nunknown = 2", &unread), Status::Pass);
    assert_eq!(status("[limits]\nunknown = 1", &unread), Status::Unknown);
}

#[test]
fn what_is_not_understood_is_refused_with_the_nearest_word() {
    let refused = |text: &str, words: &[&str]| {
        let refusal = refusal(text);
        assert!(words.iter().all(|word| refusal.contains(word)), "{refusal}");
    };
    refused(
        "\n[limits]\nlongest-aply = \"1s\"",
        &["line 3, column 1", "\"longest-aply\"", "did you mean longest-apply?"],
    );
    refused("[[alow]]", &["did you mean allow?"]);
    refused("[[deny]]\nid = \"KLP13\"", &["line 2, column 6", "did you mean KLP013?"]);
    refused("[[patch]]\nname = \"a\"\nstate = \"enable\"", &["did you mean enabled?"]);
    refused("[[count]]\nthat = [\"aplied == 1\"]", &["did you mean applied?"]);
    refused("order = [\"object o: aply\"]", &["did you mean apply?"]);
    refused("schema = \"klp-trace.policy/2\"", &["klp-trace.policy/1"]);
    refused("[limits]\nloss = -1", &["line 2"]);
    refused("[limits", &["line 1"]);
    assert!(Policy::parse("schema = \"klp-trace.policy/1\"").is_ok());
}

/// Policies that are taken, and that are refused though they are TOML; one at least of each for every rule.
pub(super) fn samples() -> (&'static [&'static str], &'static [&'static str]) {
    (
        &[
            "",
            "schema = \"klp-trace.policy/1\"",
            "[findings]\nfail-on = \"warning\"",
            "[[allow]]\nid = \"KLP001\"\npatch = \"lp_*\"\nobject = \"nfsd\"\nreason = \"r\"\nexpires = 2027-02-28",
            "[[deny]]\nid = \"KLP006\"\npatch = \"a\"\nobject = \"b\"\nreason = \"r\"",
            "[[deny]]",
            "[[patch]]\nname = \"a\"\nstate = \"disabled\"",
            "[[object]]\nname = \"a\"\nstate = \"absent\"",
            "[[count]]\npatch = \"a\"\nobject = \"b\"\nthat = [\"applied == 12\", \"pending in 0..4\", \"total  !=  3\"]",
            "order = [\"object nfsd: coming, apply , ...\", \"patch a: ...\", \"patch a: loaded\"]",
            "[limits]\nlongest-apply = \"10ms\"\nlongest-transition = \"30s\"\nloss = 0\nunknown = 5",
        ],
        &[
            "schema = \"klp-trace.policy/2\"",
            "unheard = 1",
            "[findings]\nfail-on = \"fatal\"",
            "[findings]\nfail = \"error\"",
            "[[allow]]\nid = \"KLP001\"",
            "[[allow]]\nreason = \"r\"",
            "[[allow]]\nid = \"KLP999\"\nreason = \"r\"",
            "[[allow]]\nid = \"KLP001\"\nreason = \"r\"\nexpires = 2027-02-28T10:00:00Z",
            "[[deny]]\nid = \"klp006\"",
            "[[patch]]\nname = \"a\"\nstate = \"on\"",
            "[[patch]]\nstate = \"enabled\"",
            "[[object]]\nname = \"a\"\nstate = \"enabled\"",
            "[[object]]\nname = \"a\"",
            "[[count]]\npatch = \"a\"",
            "[[count]]\nthat = [\"applied = 12\"]",
            "[[count]]\nthat = [\"lost == 12\"]",
            "order = [\"object nfsd: loaded\"]",
            "order = [\"patch a: coming\"]",
            "order = [\"nfsd: coming\"]",
            "order = [\"object nfsd\"]",
            "[limits]\nlongest-apply = \"0s\"",
            "[limits]\nlongest-transition = 3",
            "[limits]\nloss = -1",
            "[limits]\nunknown = \"1\"",
        ],
    )
}

#[test]
fn the_policy_that_init_writes_is_met_by_what_it_was_written_from() {
    let told = Told::reload();
    let text = init(&told.seen, None);
    let statuses: Vec<_> =
        judged(&text, &told).into_iter().flat_map(|group| group.checks).map(|check| check.status).collect();
    assert!(statuses.iter().all(|status| *status == Status::Pass), "{text}");
    assert!(text.contains("\"applied == 2\""), "{text}");
    assert_eq!(status(&text, &Told::stale()), Status::Fail, "and not by another");
}

#[test]
fn a_livepatch_is_a_patch_and_no_object_too() {
    use crate::journal::{Body, HookEvent};
    use crate::model::{Hook, Phase};
    // The kernel asks klp_module_coming() about every module, before it is known that this one is a livepatch.
    let mut told = Told::new();
    for (phase, ret) in [(Phase::Enter, None), (Phase::Exit, Some(0))] {
        let mut object = testing::object();
        object.name = "lp_one".into();
        let hook = Hook::KlpModuleComing;
        let object = Some(object);
        told.say(Body::Hook(HookEvent { hook, phase, ret, cpu: 0, patch: None, object, section: None }));
    }
    told.load_patch();
    told.come(None, 1);
    let text = init(&told.seen, None);
    assert!(text.contains("[[patch]]\nname = \"lp_one\""), "{text}");
    assert!(text.contains("[[object]]\nname = \"klp_target\""), "{text}");
    assert_eq!(text.matches("[[object]]").count(), 1, "{text}");
}

#[test]
fn equal_names_are_told_apart() {
    let mut told = Told::stale();
    told.say(crate::journal::Body::Finding(testing::finding()));
    let groups = judged("", &told);
    let mut names: Vec<_> = groups[0].checks.iter().map(|check| &check.name).collect();
    assert!(names.iter().any(|name| name.ends_with("(2)")));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), groups[0].checks.len());
}

#[test]
fn a_finding_lists_what_it_covers() {
    use crate::model::FindingId;
    let listed = |id: FindingId, relocations: u32, first: u32| -> Vec<u32> {
        let mut told = Told::new();
        told.load_patch();
        told.come(None, 1);
        told.go(Verdict::Stale);
        let first = Some(testing::reloc(first).into());
        told.say(crate::journal::Body::Finding(crate::journal::Finding {
            id,
            relocations,
            first,
            ..testing::finding()
        }));
        let checks = checks("", &told, Rule::Finding(id));
        checks[0].states.iter().map(|state| state.reloc.index).collect()
    };
    assert_eq!(listed(FindingId::Klp001, 2, 0), [0, 1]);
    // The one over which the load was refused, of two that hold values.
    assert_eq!(listed(FindingId::Klp009, 1, 1), [1]);
    // Of zeroed ones, where none is.
    assert!(listed(FindingId::Klp005, 2, 0).is_empty());
}

#[test]
fn findings_without_number_take_no_memory_without_number() {
    use crate::model::{FindingId, Severity};
    let mut told = Told::new();
    for _ in 0..10_000 {
        told.say(crate::journal::Body::Finding(testing::finding()));
    }
    let id = testing::finding().id;
    let made = checks("", &told, Rule::Finding(id));
    assert_eq!(made.len(), 4096 + 1);
    let last = made.last().unwrap();
    assert!(last.name.ends_with(": 5904 more"), "{}", last.name);
    assert_eq!((last.status, last.severity), (Status::Fail, Severity::Error));
    assert_eq!(checks("", &told, Rule::Finding(FindingId::Klp002)).len(), 1, "of which there is none");
}
