//! JUnit XML: a group a test suite; what is not met is a failure, what cannot be told an error.

use super::{Format, Report, Words, details};
use crate::policy::{Check, Status};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

pub(super) struct Junit;

impl Format for Junit {
    fn render(&self, report: &Report, words: Words) -> String {
        let mut document = quick_junit::Report::new("klp-trace");
        for (name, checks) in report.groups() {
            let mut suite = TestSuite::new(words.of(&name));
            suite.add_test_cases(checks.iter().map(|check| case(&name, check, words)));
            document.add_test_suite(suite);
        }
        // Writing to a String does not fail.
        without_skipped_total(document.to_string().unwrap_or_default())
    }
}

/// The root element without its `skipped`, which Jenkins' schema (junit-10.xsd) has for test suites alone.
fn without_skipped_total(text: String) -> String {
    let Some((before, rest)) = text.split_once("<testsuites ") else { return text };
    let Some((root, after)) = rest.split_once('>') else { return text };
    let attributes: Vec<&str> =
        root.split(' ').filter(|attribute| !attribute.starts_with("skipped=")).collect();
    format!("{before}<testsuites {}>{after}", attributes.join(" "))
}

fn case(group: &str, check: &Check, words: Words) -> TestCase {
    let mut status = match check.status {
        Status::Pass => TestCaseStatus::success(),
        Status::Skip => TestCaseStatus::skipped(),
        Status::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Status::Unknown => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let lines = details::lines(check, words, usize::MAX);
    if check.status != Status::Pass {
        status.set_message(if check.what.is_empty() { words.of(&check.name) } else { words.of(&check.what) });
    }
    if check.status > Status::Skip {
        status.set_type(check.rule.id()).set_description(lines.join("\n"));
    }
    let mut case = TestCase::new(words.of(&check.name), status);
    case.set_classname(format!("klp-trace.{}", words.of(group)));
    if check.status == Status::Pass && check.finding.is_some() {
        case.set_system_out(lines.join("\n"));
    }
    case
}
