//! The dashboards: `host.json` for whoever is woken, `fleet.json` for whoever owns the hosts.

mod fleet;
mod host;
mod layout;
mod panel;
mod tables;
mod words;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::JOB;
use super::expr::of;
use super::findings::Finding;
use super::metric::{Label, Metric};
use super::yaml::{Yaml, map, text};
use layout::Row;

/// What a dashboard is, beside its rows.
struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    from: &'static str,
    rows: Vec<Row>,
    annotations: Vec<Value>,
}

/// The dashboards by file name, as Grafana imports and provisions them.
pub fn dashboards(findings: &[Finding]) -> [(&'static str, Value); 2] {
    [("host.json", host::dashboard(findings).json()), ("fleet.json", fleet::dashboard(findings).json())]
}

/// Where the rules of Grafana's dashboard-linter are not kept: rule, panel, and why.
pub const EXCEPTIONS: [(&str, &str, &str); 4] = [
    (
        "target-instance-rule",
        fleet::STATES_OVER_TIME,
        "what a recording rule counts over the hosts of a job has no instance",
    ),
    (
        "target-instance-rule",
        fleet::RELOCATIONS_OVER_TIME,
        "what a recording rule sums up over the hosts of a job has no instance",
    ),
    ("target-instance-rule", fleet::COVERAGE, "the instances of node_exporter are not those of klp-trace"),
    ("target-job-rule", fleet::COVERAGE, "the job of node_exporter is not that of klp-trace"),
];

/// The same as the file in which the linter looks for them.
pub fn lint_exceptions() -> Yaml {
    let rule = |rule: &str| {
        let those = EXCEPTIONS.iter().filter(|(of, _, _)| *of == rule);
        let entry = |(_, panel, reason): &(&str, &str, &str)| {
            map([("dashboard", text(fleet::TITLE)), ("panel", text(*panel)), ("reason", text(*reason))])
        };
        (rule.to_owned(), map([("entries", Yaml::List(those.map(entry).collect()))]))
    };
    let rules: BTreeSet<&str> = EXCEPTIONS.iter().map(|(rule, _, _)| *rule).collect();
    map([("exclusions", Yaml::Map(rules.into_iter().map(rule).collect()))])
}

/// The schema of Grafana 12; earlier ones are migrated by newer Grafanas, later ones are not known to older.
const SCHEMA_VERSION: u32 = 41;

impl Dashboard {
    fn json(self) -> Value {
        let link = json!({
            "type": "dashboards", "title": "klp-trace", "tags": [JOB], "asDropdown": true, "icon": "external link",
            "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": "", "url": ""
        });
        let docs = json!({
            "type": "link", "title": "Findings", "tags": [], "asDropdown": false, "icon": "doc", "includeVars": false,
            "keepTime": false, "targetBlank": true, "tooltip": "What each finding means, and what to do",
            "url": words::page("docs/findings/README.md")
        });
        json!({
            "annotations": {"list": self.annotations},
            "description": format!("{} Made by cargo xtask dashboards from xtask/src/dashboards.", self.description),
            "editable": false,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": null,
            "links": [link, docs],
            "panels": layout::panels(self.rows),
            "refresh": "1m",
            "schemaVersion": SCHEMA_VERSION,
            "tags": [JOB, "livepatch"],
            "templating": {"list": variables()},
            "time": {"from": self.from, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": ""
        })
    }
}

/// What the reader chooses: the data source, jobs, hosts. Hosts that are blind can be chosen too.
fn variables() -> Vec<Value> {
    let query = |name: &str, label: &str, metric: String| {
        let query = format!("label_values({metric}, {name})");
        json!({
            "allValue": ".+", "current": {}, "datasource": panel::datasource(), "definition": query, "hide": 0,
            "includeAll": true, "label": label, "multi": true, "name": name, "options": [],
            "query": {"query": query, "refId": format!("Variable{label}")},
            "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 1, "type": "query"
        })
    };
    let known = of(Metric::BuildInfo);
    vec![
        json!({
            "current": {}, "hide": 0, "includeAll": false, "label": "Data source", "multi": false, "name": "datasource",
            "options": [], "query": "prometheus", "refresh": 1, "regex": "", "skipUrlSync": false, "type": "datasource"
        }),
        query("job", "Job", known.to_string()),
        query("instance", "Instance", known.like("job", "$job").to_string()),
    ]
}

/// A mark in every graph where livepatch refused to let a module load.
fn refusals() -> Value {
    let made = of(Metric::FindingsTotal).is(Label::Finding, "KLP009").chosen();
    json!({
        "datasource": panel::datasource(), "enable": true, "expr": format!("increase({made}[$__rate_interval]) > 0"),
        "iconColor": "red", "name": "Module load refused (KLP009)", "step": "60s", "tagKeys": "instance",
        "textFormat": "livepatch refused to let a module load", "titleFormat": "KLP009"
    })
}
