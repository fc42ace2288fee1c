//! The queries of a dashboard, and what becomes of them when Grafana puts in what the reader has chosen.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use super::yaml::{Yaml, map, text};

/// A query, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The panel's title, a variable's or an annotation's name.
    pub of: String,
    /// PromQL, with Grafana's variables.
    pub expr: String,
}

impl Query {
    /// As Prometheus gets it, for a reader who has chosen all and looks at hours.
    pub fn asked(&self) -> String {
        self.expr.replace("$__rate_interval", "5m").replace("$job", ".+").replace("$instance", ".+")
    }
}

/// The panels of a dashboard, those of collapsed rows too; rows are none.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    let top = dashboard["panels"].as_array().into_iter().flatten();
    let all =
        top.flat_map(|panel| std::iter::once(panel).chain(panel["panels"].as_array().into_iter().flatten()));
    all.filter(|panel| panel["type"] != "row").collect()
}

/// Every query of it: panels, variables, annotations.
pub fn queries(dashboard: &Value) -> Vec<Query> {
    let query = |of: &Value, expr: &str| Query {
        of: of.as_str().unwrap_or_default().to_owned(),
        expr: expr.to_owned(),
    };
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        for target in panel["targets"].as_array().into_iter().flatten() {
            found.push(query(&panel["title"], target["expr"].as_str().unwrap_or_default()));
        }
    }
    for annotation in dashboard["annotations"]["list"].as_array().into_iter().flatten() {
        found.push(query(&annotation["name"], annotation["expr"].as_str().unwrap_or_default()));
    }
    for variable in dashboard["templating"]["list"].as_array().into_iter().flatten() {
        let asked = variable["query"]["query"].as_str().and_then(|asked| asked.strip_prefix("label_values("));
        if let Some((metric, _)) = asked.and_then(|asked| asked.rsplit_once(", ")) {
            found.push(query(&variable["name"], metric));
        }
    }
    found
}

/// The queries of all dashboards in a file of rules: a way to have promtool parse them.
pub fn as_rules(folder: &Path) -> anyhow::Result<String> {
    let mut rules = Vec::new();
    for file in ["host.json", "fleet.json"] {
        let path = folder.join("grafana").join(file);
        let read = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let dashboard =
            serde_json::from_str(&read).with_context(|| format!("{} is no JSON", path.display()))?;
        for query in queries(&dashboard) {
            let name = format!("query:{}", rules.len());
            rules.push(map([("record", text(name)), ("expr", text(query.asked()))]));
        }
    }
    Ok(map([("groups", Yaml::List(vec![map([("name", text("dashboards")), ("rules", Yaml::List(rules))])]))])
        .document())
}
