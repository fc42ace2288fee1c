use super::*;
use crate::journal::testing::{at, one_of_each, origin, patch, state};
use crate::journal::{Body, Livepatch, ModuleAction, ModuleEvent, PatchRef, Standing};
use crate::model::{Bytes, Hook, Reason, Verdict};
use crate::output::style::Style;

fn report(filter: &str, bodies: Vec<Body>) -> Report {
    let mut report = Report::new(origin(), filter.parse().unwrap());
    for body in bodies {
        report.event(&at(5_000_000_000, body));
    }
    report
}

/// A session, a patch with one section of three relocations: applied, stale, never read; and one without any.
fn story() -> Vec<Body> {
    let of_kind =
        |kind: &str| one_of_each().into_iter().map(|event| event.body).find(|body| body.kind() == kind);
    let Some(Body::PatchMetadata(mut metadata)) = of_kind("patch_metadata") else { panic!("a sample") };
    metadata.total = 3;
    let mut stale = state(1, Some(Hook::Demand), None, Verdict::Stale);
    stale.expected = Some(Bytes::new([0; 8], 4));
    let bare = Livepatch {
        patch: PatchRef { name: "=bare".into(), address: crate::model::Address(7), load: 0 },
        standing: Standing::Detached,
        sections: 0,
        unread: None,
        refcount: None,
        objects: None,
    };
    vec![
        of_kind("session").unwrap(),
        Body::PatchMetadata(metadata),
        of_kind("livepatch").unwrap(),
        Body::Livepatch(bare),
        Body::RelocState(state(0, Some(Hook::Demand), None, Verdict::Applied)),
        Body::RelocState(stale),
        of_kind("finding").unwrap(),
    ]
}

fn text(report: &Report) -> String {
    report.text(Style::PLAIN, false, 1, "a finding at or above --fail-on").join("\n")
}

fn csv(report: &Report) -> String {
    let mut out = ::csv::Writer::from_writer(Vec::new());
    report.csv(&mut out).unwrap();
    String::from_utf8(out.into_inner().unwrap()).unwrap()
}

#[test]
fn names_do_no_harm_in_a_spreadsheet() {
    let mut odd = state(0, None, None, Verdict::Unknown);
    (odd.reloc.symbol, odd.reloc.rtype) = ("=1+1".into(), "a,\"b\"".into());
    let mut bodies = story();
    bodies.push(Body::RelocState(odd));
    let csv = csv(&report("", bodies));
    assert!(csv.contains(",\"a,\"\"b\"\"\",'=1+1,"), "{csv}");
}

#[test]
fn the_report_is_as_it_always_was() {
    crate::journal::testing::golden("output/audit/golden.txt", &(text(&report("", story())) + "\n"));
    crate::journal::testing::golden("output/audit/golden.csv", &csv(&report("", story())));
}

#[test]
fn a_patch_without_relocations_is_never_called_good() {
    let text = text(&report("", story()));
    let bare = text.split("=bare").nth(1).unwrap();
    assert!(bare.contains("no klp relocations: nothing to check"), "{text}");
    assert!(!bare.split("\n\n").next().unwrap().contains("applied"), "{text}");
}

#[test]
fn what_was_never_read_is_unknown() {
    let totals = report("", story()).totals();
    let expected = BTreeMap::from([(Verdict::Applied, 1), (Verdict::Stale, 1), (Verdict::Unknown, 1)]);
    assert_eq!(totals, expected);
}

#[test]
fn the_filter_hides_and_does_not_judge() {
    let all = report("", story());
    let some = report("verdict=applied", story());
    assert_eq!(all.totals(), some.totals());
    assert_eq!((csv(&all).lines().count(), csv(&some).lines().count()), (4, 2));
    let shown = text(&some);
    assert!(!shown.contains("stale [1]") && shown.contains("1 finding hidden by the filter"), "{shown}");
}

#[test]
fn no_livepatch_is_said_plainly() {
    let none = report("", vec![]);
    assert!(none.line(0, "clean").contains("no livepatch is loaded, nothing to audit; exit 0: clean"));
    assert!(text(&none).contains("nothing to audit: no livepatch is loaded"));
    assert_eq!(csv(&none).lines().count(), 1, "the headings");
}

#[test]
fn an_unsettled_object_is_named_and_its_reason_given_once() {
    let mut bodies = story();
    bodies.retain(|body| !matches!(body, Body::RelocState(_) | Body::Finding(_)));
    for index in 0..3 {
        let mut unknown = state(index, None, None, Verdict::Unknown);
        (unknown.reason, unknown.witnesses) = (Some(Reason::Unsettled), None);
        bodies.push(Body::RelocState(unknown));
    }
    bodies.push(Body::Module(ModuleEvent::new(ModuleAction::Unsettled, "klp_target".into(), None, false)));
    let text = text(&report("", bodies));
    assert!(text.contains("kept coming and going"), "{text}");
    assert_eq!(text.matches("unsettled").count(), 1, "{text}");
    assert_eq!(patch().name, "lp_one".into());
}
