//! Expressions use metrics that there are, with labels that they have, and counters only by how they grow.

use std::collections::BTreeMap;

use super::super::alerts::alerts;
use super::super::expr::Foreign;
use super::super::metric::{Kind, Label, Metric};
use super::super::recordings::Recording;
use super::promql::used;

/// Labels that Prometheus gives to what it scrapes, and those that the rules themselves make.
const GIVEN: [&str; 2] = ["job", "instance"];
const MADE: [&str; 3] = ["state", "host", "meaning"];

/// Every metric by name: its labels, and whether it is a counter.
fn known() -> BTreeMap<&'static str, (Vec<&'static str>, bool)> {
    let own = Metric::ALL.iter().map(|metric| {
        let labels = metric.labels().iter().map(|label| label.name()).chain(GIVEN).collect();
        (metric.name(), (labels, metric.kind() == Kind::Counter))
    });
    let others = Foreign::ALL.into_iter();
    let others =
        others.map(|metric| (metric.name(), (metric.labels().iter().copied().chain(GIVEN).collect(), false)));
    let recorded = Recording::ALL.into_iter();
    let recorded =
        recorded.map(|rule| (rule.name(), (rule.labels().iter().copied().chain(["job"]).collect(), false)));
    own.chain(others).chain(recorded).collect()
}

/// What is wrong with an expression.
pub fn faults(expr: &str) -> Vec<String> {
    let known = known();
    let (metrics, grouped) = used(expr);
    let mut faults = Vec::new();
    for used in &metrics {
        let Some((labels, counter)) = known.get(used.metric.as_str()) else {
            faults.push(format!("there is no metric {}", used.metric));
            continue;
        };
        for label in used.labels.iter().filter(|label| !labels.contains(&label.as_str())) {
            faults.push(format!("{} has no label {label}", used.metric));
        }
        let grows = matches!(used.over_range.as_deref(), Some("rate" | "irate" | "increase"));
        if *counter != grows {
            let kind = if *counter {
                "a counter and not under rate or increase"
            } else {
                "a gauge under rate or increase"
            };
            faults.push(format!("{} is {kind}", used.metric));
        }
    }
    if metrics.is_empty() {
        faults.push("no metric is used".to_owned());
    }
    let labels: Vec<&str> = Label::ALL.iter().map(|label| label.name()).chain(GIVEN).chain(MADE).collect();
    let foreign: Vec<&str> = Foreign::ALL.iter().flat_map(|metric| metric.labels()).copied().collect();
    for label in
        grouped.iter().filter(|label| !labels.contains(&label.as_str()) && !foreign.contains(&label.as_str()))
    {
        faults.push(format!("there is no label {label}"));
    }
    faults
}

#[test]
fn alerts_and_recording_rules_use_what_there_is() {
    let rules = Recording::ALL.into_iter().map(|rule| (rule.name(), rule.expr()));
    let alerts = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    for (name, expr) in rules.chain(alerts) {
        assert_eq!(faults(&expr), Vec::<String>::new(), "{name}: {expr}");
    }
}

#[test]
fn a_wrong_name_label_or_use_is_noticed() {
    for (expr, fault) in [
        ("klp_trace_relocation > 0", "there is no metric klp_trace_relocation"),
        ("klp_trace_relocations{patch=\"a\"} > 0", "klp_trace_relocations has no label patch"),
        (
            "klp_trace_findings_total > 0",
            "klp_trace_findings_total is a counter and not under rate or increase",
        ),
        (
            "max_over_time(klp_trace_findings_total[5m])",
            "klp_trace_findings_total is a counter and not under rate or increase",
        ),
        ("rate(klp_trace_findings[5m])", "klp_trace_findings is a gauge under rate or increase"),
        ("sum by (verdikt) (klp_trace_relocations)", "there is no label verdikt"),
        (
            "job_verdict:klp_trace_hosts:count{instance=\"a\"}",
            "job_verdict:klp_trace_hosts:count has no label instance",
        ),
        ("vector(1)", "no metric is used"),
    ] {
        assert_eq!(faults(expr), [fault], "{expr}");
    }
}
