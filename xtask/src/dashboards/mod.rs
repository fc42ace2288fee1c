//! Rules, their tests and dashboards, made from tables: `cargo xtask dashboards` writes them, `--check` compares.
//!
//! ```text
//! metric.rs (klp-trace's closed list) ── expr ─┬─ recordings ─┬─ rules ─── prometheus/rules.yml
//!                                              ├─ alerts ─────┘
//!                                              ├─ cases ──────────────── prometheus/tests/*.yml
//!                                              └─ grafana ────────────── grafana/*.json
//! ```

mod alertmanager;
mod alerts;
mod cases;
mod expr;
mod findings;
mod grafana;
#[cfg(test)]
mod lint;
pub mod queries;
mod recordings;
mod rules;
mod verdicts;
mod yaml;

// The list itself, not the crate: xtask builds before what klp-trace links to is installed. A metric that is renamed there does not
// compile here.
#[allow(dead_code, reason = "help and values are for the exposition and METRICS.md")]
#[path = "../../../klp-trace/src/metrics/metric.rs"]
mod metric;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::testbed;

/// The scrape job that rules and dashboards expect.
const JOB: &str = "klp-trace";

/// The first line of each YAML file.
const HEAD: &str = "# Made by `cargo xtask dashboards` from xtask/src/dashboards: change it there.\n";

/// A file, by its path below `dashboards/`.
#[derive(Debug)]
pub struct Made {
    /// Where it goes.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// The folder of the generated files.
pub fn folder() -> PathBuf {
    testbed::workspace().join("dashboards")
}

/// Every file.
pub fn files() -> anyhow::Result<Vec<Made>> {
    let yaml = |path: &str, notes: &str, document: yaml::Yaml| Made {
        path: path.into(),
        text: format!("{HEAD}{notes}{}", document.document()),
    };
    let mut made = vec![
        yaml("prometheus/rules.yml", "# Prometheus 2.42 or later (keep_firing_for).\n", rules::rules()),
        yaml(
            "alertmanager.example.yml",
            "# An example: put your own receivers' settings under their names.\n",
            alertmanager::example(),
        ),
    ];
    for file in cases::files() {
        made.push(yaml(&format!("prometheus/tests/{}", file.name), "", cases::document(&file)));
    }
    for (name, dashboard) in grafana::dashboards(&findings()?) {
        made.push(Made { path: format!("grafana/{name}").into(), text: format!("{dashboard:#}\n") });
    }
    made.push(yaml("grafana/.lint", "# For Grafana's dashboard-linter.\n", grafana::lint_exceptions()));
    Ok(made)
}

/// The findings, as docs/findings lists them.
fn findings() -> anyhow::Result<Vec<findings::Finding>> {
    let path = Path::new("docs/findings/README.md");
    let text = fs::read_to_string(testbed::workspace().join(path))
        .with_context(|| format!("cannot read {}", path.display()))?;
    findings::listed(&text)
}
