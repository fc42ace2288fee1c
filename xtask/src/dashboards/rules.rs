//! `prometheus/rules.yml`.

use super::alerts::{Alert, alerts};
use super::recordings::Recording;
use super::yaml::{Yaml, map, text};

/// The whole file, without its head.
pub fn rules() -> Yaml {
    let recordings = Recording::ALL
        .into_iter()
        .map(|recording| map([("record", text(recording.name())), ("expr", text(recording.expr()))]));
    let group = |name: &str, rules: Vec<Yaml>| {
        map([("name", text(name)), ("interval", text("1m")), ("rules", Yaml::List(rules))])
    };
    map([(
        "groups",
        Yaml::List(vec![
            group("klp-trace.rules", recordings.collect()),
            group("klp-trace.alerts", alerts().iter().map(rule).collect()),
        ]),
    )])
}

fn rule(alert: &Alert) -> Yaml {
    let mut entries = vec![("alert", text(alert.name)), ("expr", text(alert.expr.as_str()))];
    if alert.holds > 0 {
        entries.push(("for", text(format!("{}m", alert.holds))));
    }
    if alert.keeps > 0 {
        entries.push(("keep_firing_for", text(format!("{}m", alert.keeps))));
    }
    entries.push(("labels", map([("severity", text(alert.severity.word()))])));
    entries.push(("annotations", alert.annotations(&alert.description)));
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
