//! The rules of Grafana's dashboard-linter (grafana/dashboard-linter, docs/index.md; those for Loki do not apply), and some of our own.

use serde_json::{Value, json};

use super::super::grafana::dashboards;
use super::super::queries::{panels, queries};
use super::super::{findings, grafana};
use super::expressions;
use super::promql::{Token, tokens, used};

/// Grafana's units that are used; it has more.
const UNITS: [&str; 9] =
    ["none", "short", "s", "bytes", "percentunit", "cps", "reqps", "percent", "dateTimeFromNow"];

/// What a reader sees without queries.
const TYPES: [&str; 6] = ["stat", "table", "state-timeline", "timeseries", "bargauge", "text"];

fn ours() -> Vec<(String, Value)> {
    let findings = findings().unwrap();
    dashboards(&findings).into_iter().map(|(name, dashboard)| (name.to_owned(), dashboard)).collect()
}

/// What is wrong with a dashboard, rule by rule.
fn faults(dashboard: &Value) -> Vec<String> {
    let mut faults = variables(dashboard);
    let mut fault = |rule: &str, what: &Value, why: &str| faults.push(format!("{rule}: {what}: {why}"));
    if dashboard["editable"] != false {
        fault("uneditable-dashboard", &dashboard["title"], "it can be edited in place");
    }
    let excepted = |rule: &str, panel: &Value| {
        grafana::EXCEPTIONS.iter().any(|(of, title, _)| *of == rule && panel == title)
    };
    for panel in panels(dashboard) {
        let title = &panel["title"];
        for text in ["title", "description"] {
            if panel[text].as_str().unwrap_or_default().is_empty() {
                fault("panel-title-description-rule", title, &format!("no {text}"));
            }
        }
        if !TYPES.iter().any(|kind| panel["type"] == *kind) {
            fault("panel types", title, "a type that nobody knows");
        }
        if panel["type"] == "text" {
            continue;
        }
        if panel["datasource"]["uid"] != "${datasource}" {
            fault("panel-datasource-rule", title, "not the one that was chosen");
        }
        if !UNITS.iter().any(|unit| panel["fieldConfig"]["defaults"]["unit"] == *unit) {
            fault("panel-units-rule", title, "no unit");
        }
        let targets = panel["targets"].as_array().map_or(&[][..], Vec::as_slice);
        if targets.is_empty() {
            fault("panel-no-targets-rule", title, "no query");
        }
        for target in targets {
            let expr = target["expr"].as_str().unwrap_or_default();
            if target["datasource"]["uid"] != "${datasource}" {
                fault("panel-datasource-rule", title, "a query to another data source");
            }
            for wrong in expressions::faults(expr) {
                fault("target-counter-agg-rule, target-promql-rule", title, &wrong);
            }
            let all = used(expr).0;
            for (label, rule) in [("job", "target-job-rule"), ("instance", "target-instance-rule")] {
                let chosen = expr.matches(&format!("{label}=~\"${label}\"")).count();
                if chosen < all.len() && !excepted(rule, title) {
                    fault(rule, title, &format!("a metric without {label}=~\"${label}\""));
                }
            }
            let rated = all
                .iter()
                .filter(|used| matches!(used.over_range.as_deref(), Some("rate" | "irate")))
                .count();
            if rated > expr.matches("[$__rate_interval]").count() {
                fault("target-rate-interval-rule", title, "a rate over another range");
            }
        }
    }
    faults
}

/// The rules about variables.
fn variables(dashboard: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let list = dashboard["templating"]["list"].as_array().map_or(&[][..], Vec::as_slice);
    let named = |name: &str| list.iter().find(|variable| variable["name"] == name);
    let is = |variable: Option<&Value>, wanted: &[(&str, Value)]| {
        variable.is_some_and(|variable| wanted.iter().all(|(key, value)| variable[*key] == *value))
    };
    let source =
        [("type", json!("datasource")), ("query", json!("prometheus")), ("label", json!("Data source"))];
    if !is(named("datasource"), &source) {
        faults.push("template-datasource-rule".to_owned());
    }
    for (name, label, rule) in
        [("job", "Job", "template-job-rule"), ("instance", "Instance", "template-instance-rule")]
    {
        let wanted = [
            ("type", json!("query")),
            ("label", json!(label)),
            ("multi", json!(true)),
            ("allValue", json!(".+")),
            ("datasource", json!({"type": "prometheus", "uid": "${datasource}"})),
        ];
        if !is(named(name), &wanted) {
            faults.push(rule.to_owned());
        }
    }
    for variable in list.iter().filter(|variable| variable["type"] == "query") {
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        let name = variable["name"].as_str().unwrap_or_default();
        if !query.starts_with("label_values(") || !query.ends_with(&format!(", {name})")) {
            faults.push(format!("template-label-promql-rule: {query}"));
        }
        if variable["refresh"] != 2 {
            faults.push(format!("template-on-time-change-reload-rule: {name}"));
        }
    }
    faults
}

#[test]
fn the_dashboards_keep_the_linters_rules() {
    for (name, dashboard) in ours() {
        assert_eq!(faults(&dashboard), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn a_dashboard_that_breaks_a_rule_is_noticed() {
    // In a path, `stat` is the first panel of that type.
    let expr = "/stat/targets/0/expr";
    let breaks = [
        ("uneditable", "/editable", json!(true)),
        ("template-datasource", "/templating/list/0/name", json!("source")),
        ("template-job", "/templating/list/1/allValue", json!(".*")),
        ("template-instance", "/templating/list/2/multi", json!(false)),
        ("template-label-promql", "/templating/list/1/query/query", json!("metrics")),
        ("template-on-time", "/templating/list/1/refresh", json!(1)),
        ("panel-title", "/stat/title", json!("")),
        ("panel-title", "/stat/description", json!(null)),
        ("panel-datasource", "/stat/datasource/uid", json!("prom")),
        ("panel-datasource", "/stat/targets/0/datasource/uid", json!("prom")),
        ("panel-units", "/stat/fieldConfig/defaults/unit", json!("")),
        ("panel-no-targets", "/stat/targets", json!([])),
        ("panel types", "/stat/type", json!("stats")),
        ("target-counter-agg", expr, json!(r#"klp_trace_records_total{job=~"$job", instance=~"$instance"}"#)),
        ("target-promql", expr, json!(r#"klp_trace_upp{job=~"$job", instance=~"$instance"}"#)),
        ("target-job", expr, json!(r#"klp_trace_up{instance=~"$instance"}"#)),
        ("target-instance", expr, json!(r#"klp_trace_up{job=~"$job"}"#)),
        (
            "target-rate-interval",
            expr,
            json!(r#"rate(klp_trace_records_total{job=~"$job", instance=~"$instance"}[5m])"#),
        ),
    ];
    for (rule, path, value) in breaks {
        for (name, mut dashboard) in ours() {
            let stat =
                dashboard["panels"].as_array().unwrap().iter().position(|panel| panel["type"] == "stat");
            let path = path.replace("/stat/", &format!("/panels/{}/", stat.unwrap()));
            *dashboard.pointer_mut(&path).unwrap() = value.clone();
            let faults = faults(&dashboard);
            assert!(
                !faults.is_empty() && faults.iter().all(|fault| fault.contains(rule)),
                "{name}, {rule}: {faults:?}"
            );
        }
    }
}

#[test]
fn panels_have_places_numbers_and_names_of_their_own() {
    for (name, dashboard) in ours() {
        let mut ids = std::collections::BTreeSet::new();
        let mut taken = std::collections::BTreeSet::new();
        for panel in panels(&dashboard) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {}", panel["id"]);
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{name}: {} at {x}, {y}", panel["title"]);
                }
            }
        }
        let titles: std::collections::BTreeSet<_> =
            panels(&dashboard).iter().map(|panel| panel["title"].to_string()).collect();
        assert_eq!(titles.len(), panels(&dashboard).len(), "{name}: two panels have the same title");
        assert!(queries(&dashboard).iter().all(|query| !query.expr.is_empty()), "{name}");
    }
}

#[test]
fn variables_are_those_that_there_are() {
    for (name, dashboard) in ours() {
        for query in queries(&dashboard) {
            let asked = query.asked();
            assert!(!asked.replace("$1", "").contains('$'), "{name}, {}: {asked}", query.of);
            assert!(
                tokens(&asked).iter().any(|token| matches!(token, Token::Name(_))),
                "{name}, {}",
                query.of
            );
            if !query.expr.contains("label_values") {
                assert_eq!(expressions::faults(&query.expr), Vec::<String>::new(), "{name}, {}", query.of);
            }
        }
    }
}

#[test]
fn an_exception_that_nothing_needs_is_noticed() {
    for (_, panel, reason) in grafana::EXCEPTIONS {
        assert!(
            ours().iter().any(|(_, dashboard)| panels(dashboard).iter().any(|one| one["title"] == panel)),
            "{panel}"
        );
        assert!(!reason.is_empty());
    }
}
