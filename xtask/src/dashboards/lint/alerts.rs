//! Every finding has an alert or a reason why not; every alert has a page, a case in which it fires and one in which it does not.

use std::collections::BTreeSet;

use super::super::alerts::{Alert, alerts};
use super::super::findings::WITHOUT_ALERT;
use super::super::metric::Label;
use super::super::verdicts::{BAD, VERDICTS, WRONG};
use super::super::{cases, findings};
use crate::testbed;

fn repository(path: &str) -> std::path::PathBuf {
    testbed::workspace().join(path)
}

/// Findings that neither an alert nor an exception names, or both do.
fn unspoken(alerts: &[Alert], listed: &[String]) -> Vec<String> {
    let named: BTreeSet<&str> = alerts.iter().flat_map(|alert| alert.findings).copied().collect();
    let excepted: BTreeSet<&str> = WITHOUT_ALERT.iter().map(|(id, _)| *id).collect();
    listed
        .iter()
        .filter(|id| named.contains(id.as_str()) == excepted.contains(id.as_str()))
        .cloned()
        .collect()
}

#[test]
fn every_finding_is_named_by_an_alert_or_an_exception() {
    let listed: Vec<String> = findings().unwrap().into_iter().map(|finding| finding.id).collect();
    assert_eq!(unspoken(&alerts(), &listed), Vec::<String>::new());
    let pages = std::fs::read_dir(repository("docs/findings")).unwrap();
    let pages =
        pages.filter(|page| page.as_ref().unwrap().file_name().to_string_lossy().starts_with("KLP")).count();
    assert_eq!(listed.len(), pages, "the table and the pages of docs/findings");
    for id in alerts().iter().flat_map(|alert| alert.findings).chain(WITHOUT_ALERT.iter().map(|(id, _)| id)) {
        assert!(listed.iter().any(|listed| listed == id), "there is no finding {id}");
    }
}

#[test]
fn a_finding_that_is_new_or_loses_its_alert_is_noticed() {
    let mut listed: Vec<String> = findings().unwrap().into_iter().map(|finding| finding.id).collect();
    listed.push("KLP999".to_owned());
    let without: Vec<Alert> =
        alerts().into_iter().filter(|alert| alert.name != "KlpTraceFileDiffers").collect();
    assert_eq!(unspoken(&without, &listed), ["KLP011", "KLP999"]);
}

/// GitHub's anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn every_page_and_its_anchor_is_there() {
    for alert in alerts() {
        let (page, wanted) = alert.runbook.split_once('#').unwrap_or((alert.runbook, ""));
        let text = std::fs::read_to_string(repository(page)).unwrap_or_default();
        assert!(!text.is_empty(), "{}: there is no page {page}", alert.name);
        let headings =
            text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
        assert!(
            wanted.is_empty() || headings.map(anchor).any(|anchor| anchor == wanted),
            "{}: {page} has no heading #{wanted}",
            alert.name
        );
        assert_eq!(
            alert.runbook_url(),
            format!("https://github.com/klp-trace/klp-trace/blob/main/{}", alert.runbook)
        );
    }
}

#[test]
fn every_alert_has_cases_in_which_it_fires_and_does_not_and_its_words() {
    let files = cases::files();
    let cases: Vec<_> = files.iter().flat_map(|file| &file.cases).collect();
    for alert in alerts() {
        let fires = cases.iter().filter(|case| case.has(alert.name)).count();
        assert!(fires > 0, "{} never fires", alert.name);
        assert!(fires < cases.len(), "{} always fires", alert.name);
        assert!(cases.iter().any(|case| case.reads(alert.name)), "nobody reads what {} says", alert.name);
        assert!(
            alert.holds == 0 || cases.iter().any(|case| case.waits(alert.name)),
            "{} is not seen to wait before it fires",
            alert.name
        );
    }
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
}

#[test]
fn summaries_are_the_same_for_every_host_and_descriptions_name_it() {
    for alert in alerts() {
        assert!(alert.name.starts_with("KlpTrace"), "{}", alert.name);
        assert!(alert.summary.ends_with('.') && !alert.summary.contains("{{"), "{}", alert.name);
        let fleet = matches!(alert.name, "KlpTraceNoData" | "KlpTraceAbsent");
        assert!(alert.description.contains("$labels.instance") || fleet, "{}", alert.name);
    }
}

#[test]
fn the_verdicts_are_those_of_klp_trace() {
    let said = Label::Verdict.values();
    let words: BTreeSet<&str> = said.split('`').skip(1).step_by(2).collect();
    assert_eq!(words, VERDICTS.iter().map(|verdict| verdict.word).collect());
    let wrong = said.split("wrong: ").nth(1).and_then(|rest| rest.split(';').next()).unwrap();
    for verdict in &VERDICTS {
        assert_eq!(BAD.contains(&verdict.word), wrong.contains(verdict.word), "{}", verdict.word);
    }
    assert!(WRONG.iter().all(|verdict| BAD.contains(verdict)));
    // docs/verdicts.md has them worst first.
    let order = std::fs::read_to_string(repository("docs/verdicts.md")).unwrap().replace('\n', " ");
    let worst_first: Vec<&str> = VERDICTS.iter().rev().map(|verdict| verdict.word).collect();
    assert!(order.contains(&worst_first.join(", ")), "{worst_first:?}");
}
