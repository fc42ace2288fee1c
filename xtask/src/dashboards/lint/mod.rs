//! What must hold of rules and dashboards, apart from what promtool checks.

mod alerts;
mod expressions;
mod grafana;
mod promql;
