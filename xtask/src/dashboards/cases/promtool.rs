//! Cases as `promtool test rules` reads them.

use super::super::JOB;
use super::super::alerts::{Alert, alerts};
use super::super::expr::{Foreign, foreign};
use super::super::recordings::Recording;
use super::super::yaml::{Yaml, map, text, texts};
use super::{Case, File, Says};

/// A file of tests, without its head.
pub fn document(file: &File) -> Yaml {
    let alerts = alerts();
    let tests = file.cases.iter().map(|case| test(case, &alerts)).collect();
    map([
        ("rule_files", texts(&["../rules.yml"])),
        ("evaluation_interval", text(format!("{}m", file.every))),
        ("tests", Yaml::List(tests)),
    ])
}

fn test(case: &Case, alerts: &[Alert]) -> Yaml {
    let series = case.series.iter();
    let series = series.map(|(series, values)| map([("series", text(series)), ("values", text(values))]));
    let fires = case.fires.iter().map(|(at, fire)| firing(*at, fire, alerts));
    let worst = case.worst.iter().map(|(at, states)| recorded(*at, states));
    let mut entries = vec![
        ("name", text(case.name.as_str())),
        ("interval", text("1m")),
        ("input_series", Yaml::List(series.collect())),
    ];
    let expressions: Vec<Yaml> = fires.chain(worst).collect();
    if !expressions.is_empty() {
        entries.push(("promql_expr_test", Yaml::List(expressions)));
    }
    if !case.says.is_empty() {
        let says = case.says.iter().map(|says| said(says, alerts));
        entries.push(("alert_rule_test", Yaml::List(says.collect())));
    }
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// These alerts fire, each once, and no other does.
fn firing(at: u32, fire: &[&str], alerts: &[Alert]) -> Yaml {
    let all = foreign(Foreign::Alerts).has("alertstate", "firing");
    let samples = fire.iter().map(|name| {
        let severity = alerts.iter().find(|alert| alert.name == *name).map(|alert| alert.severity.word());
        let severity = severity.unwrap_or("there is no such alert");
        sample(&format!("{{alertname=\"{name}\", severity=\"{severity}\"}}"), 1)
    });
    expression(at, &format!("count by (alertname, severity) ({all})"), samples.collect())
}

fn recorded(at: u32, states: &[(&str, &str, i32)]) -> Yaml {
    let name = Recording::WorstState.name();
    let samples = states.iter().map(|(instance, state, rank)| {
        sample(&format!("{name}{{job=\"{JOB}\", instance=\"{instance}\", state=\"{state}\"}}"), *rank)
    });
    expression(at, name, samples.collect())
}

fn expression(at: u32, expr: &str, samples: Vec<Yaml>) -> Yaml {
    map([("expr", text(expr)), ("eval_time", text(format!("{at}m"))), ("exp_samples", Yaml::List(samples))])
}

fn sample(labels: &str, value: i32) -> Yaml {
    map([("labels", text(labels)), ("value", Yaml::Plain(value.to_string()))])
}

fn said(says: &Says, alerts: &[Alert]) -> Yaml {
    let alert = alerts.iter().find(|alert| alert.name == says.alert);
    let severity = alert.map_or("there is no such alert", |alert| alert.severity.word());
    let mut labels = vec![("severity".to_owned(), text(severity))];
    labels.extend(says.labels.iter().map(|(label, value)| ((*label).to_owned(), text(value))));
    let annotations = alert.map_or_else(|| text(""), |alert| alert.annotations(&says.description));
    map([
        ("eval_time", text(format!("{}m", says.at))),
        ("alertname", text(says.alert)),
        (
            "exp_alerts",
            Yaml::List(vec![map([("exp_labels", Yaml::Map(labels)), ("exp_annotations", annotations)])]),
        ),
    ])
}
