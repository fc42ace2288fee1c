use super::*;
use crate::journal::testing::{any, at, one_of_each, state};
use proptest::prelude::*;

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

/// The kinds that a filter lets through, of one event of each.
fn shown(text: &str) -> Vec<&'static str> {
    let filter = filter(text);
    one_of_each().iter().filter(|event| filter.matches(event)).map(|event| event.body.kind()).collect()
}

#[test]
fn nothing_asked_is_everything_shown() {
    assert!(filter("").is_empty() && filter("  \t ").is_empty());
    assert_eq!(shown("").len(), 16);
}

#[test]
fn a_term_shows_what_has_the_part_and_its_negation_the_rest() {
    let of_patch = [
        "patch_metadata",
        "hook",
        "reloc_state",
        "section_read",
        "transition",
        "finding",
        "finding_closed",
        "livepatch",
        "stall",
    ];
    assert_eq!(shown("patch=lp*"), of_patch);
    assert_eq!(shown("patch!=lp*").len(), 16 - of_patch.len());
    assert_eq!(shown("patch=lq*,x"), [""; 0]);
    let of_object = [
        "patch_metadata",
        "symbol_lookup",
        "module",
        "hook",
        "reloc_state",
        "section_read",
        "finding",
        "finding_closed",
    ];
    assert_eq!(shown("object=klp_target"), of_object);
    assert_eq!(shown("section=*.text kind!=hook").len(), 4);
    assert_eq!(shown("symbol=target_*"), ["symbol_lookup", "reloc_state", "finding"]);
    assert_eq!(shown("verdict=applied,stale"), ["reloc_state"]);
    assert_eq!(shown("verdict=stale"), [""; 0]);
    assert_eq!(shown("finding=KLP001"), ["finding", "finding_closed"]);
    assert_eq!(shown("finding=stale-*"), ["finding", "finding_closed"]);
    assert_eq!(shown("finding=klp009"), [""; 0]);
    assert_eq!(shown("severity=Error,warning"), ["finding", "finding_closed"]);
    assert_eq!(shown("severity=info"), [""; 0]);
    assert_eq!(shown("kind=session*"), ["session", "session_end"]);
    assert_eq!(shown("kind=section_state"), ["reloc_state"], "as journals call it");
    assert_eq!(shown("kind=reloc_state"), ["reloc_state"], "as journals of earlier versions do");
    assert_eq!(shown("kind!=section_state").len(), 15);
}

#[test]
fn terms_must_all_hold() {
    assert_eq!(shown("patch=lp_one kind=finding,hook"), ["hook", "finding"]);
    assert_eq!(shown("patch=lp_one patch!=*one"), [""; 0]);
}

#[test]
fn what_could_never_hold_is_refused_with_the_nearest() {
    let refusal = |text: &str| text.parse::<Filter>().unwrap_err().to_string();
    assert!(refusal("patches=lp").contains("did you mean patch?"));
    assert!(refusal("serverity=error").contains("did you mean severity?"));
    assert!(refusal("verdict=stail").contains("did you mean stale?"));
    assert!(refusal("finding=KLP01").contains("did you mean klp001?"));
    assert!(refusal("kind=reloc").contains("did you mean "));
    assert!(refusal("stale").contains("KEY=VALUE"));
    assert!(refusal("verdict=").contains("empty value") && refusal("patch=a,,b").contains("empty value"));
    assert!(refusal("verdict=x*").contains("applied, cleared"), "{}", refusal("verdict=x*"));
    assert!(refusal("=a").contains("the keys: patch, object,"));
}

#[test]
fn stars_stand_for_anything() {
    for (pattern, name) in [
        ("a", "a"),
        ("*", ""),
        ("*", "abc"),
        ("a*", "a"),
        ("*c", "abc"),
        ("a*c", "abc"),
        ("a**c", "ac"),
        ("*a*a*", "banana"),
        ("a*a", "aa"),
        ("*.text", ".klp.rela.x..text"),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in
        [("a", "ab"), ("", "a"), ("a*a", "a"), ("*b", "abc"), ("b*", "abc"), ("a*b*c", "acb"), ("A", "a")]
    {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

#[test]
fn a_listed_relocation_has_no_verdict_to_match() {
    let mut none = state(0, None, None, Verdict::Applied);
    none.verdict = None;
    let none = at(0, Body::RelocState(none));
    assert!(!filter("verdict=*").matches(&none));
    assert!(filter("verdict!=applied").matches(&none));
}

/// Matching by trying every split: slow and plainly right.
fn matches_slowly(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|at| matches_slowly(rest, &name[at..])),
        Some((first, rest)) => name.first() == Some(first) && matches_slowly(rest, &name[1..]),
    }
}

proptest! {
    #[test]
    fn patterns_match_as_their_definition_says(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        prop_assert_eq!(matches(&pattern, &name), matches_slowly(&chars(&pattern), &chars(&name)));
    }

    #[test]
    fn a_term_and_its_negation_share_out_all_events(
        event in any::event(),
        key in prop::sample::select(Key::ALL.as_slice()),
        word: prop::sample::Index,
    ) {
        let words = key.words();
        let word = if words.is_empty() { "*a*" } else { word.get(&words).as_str() };
        let (holds, fails) = (filter(&format!("{key}={word}")), filter(&format!("{key}!={word}")));
        prop_assert_ne!(holds.matches(&event), fails.matches(&event));
    }

    #[test]
    fn any_text_is_a_filter_or_an_error(text: String) {
        let _ = text.parse::<Filter>();
    }
}
