//! Selectors of PromQL. Names and labels come from closed lists: one that was renamed does not compile.

use std::fmt;

use super::metric::{Label, Metric};
use super::recordings::Recording;

/// Metrics of others that rules and dashboards use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// Prometheus: whether a target was scraped.
    Up,
    /// Prometheus: the alerts that are pending or firing.
    Alerts,
    /// node_exporter: a host.
    NodeUnameInfo,
    /// node_exporter: when a textfile was written.
    NodeTextfileMtimeSeconds,
}

impl Foreign {
    /// Every one.
    #[cfg(test)]
    pub const ALL: [Self; 4] = [Self::Up, Self::Alerts, Self::NodeUnameInfo, Self::NodeTextfileMtimeSeconds];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Alerts => "ALERTS",
            Self::NodeUnameInfo => "node_uname_info",
            Self::NodeTextfileMtimeSeconds => "node_textfile_mtime_seconds",
        }
    }

    /// Its labels, as far as they are used.
    #[cfg(test)]
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Up => &[],
            Self::Alerts => &["alertname", "alertstate", "severity"],
            Self::NodeUnameInfo => &["nodename"],
            Self::NodeTextfileMtimeSeconds => &["file"],
        }
    }
}

/// A metric's name with matchers.
#[derive(Debug, Clone)]
pub struct Selector {
    name: &'static str,
    matchers: Vec<String>,
}

/// All series of a metric of klp-trace.
pub fn of(metric: Metric) -> Selector {
    Selector { name: metric.name(), matchers: Vec::new() }
}

/// All series of a metric of others.
pub fn foreign(metric: Foreign) -> Selector {
    Selector { name: metric.name(), matchers: Vec::new() }
}

/// All series of a recording rule.
pub fn recorded(recording: Recording) -> Selector {
    Selector { name: recording.name(), matchers: Vec::new() }
}

impl Selector {
    /// Those whose label has this value.
    pub fn is(self, label: Label, value: &str) -> Self {
        self.has(label.name(), value)
    }

    /// Those whose label has one of these values.
    pub fn any(self, label: Label, values: &[&str]) -> Self {
        self.like(label.name(), &values.join("|"))
    }

    /// As [`Self::is`], with a label that Prometheus, others or a recording rule give.
    pub fn has(mut self, label: &str, value: &str) -> Self {
        self.matchers.push(format!("{label}=\"{value}\""));
        self
    }

    /// Those whose label's whole value the expression matches.
    pub fn like(mut self, label: &str, regex: &str) -> Self {
        self.matchers.push(format!("{label}=~\"{regex}\""));
        self
    }

    /// Those of the jobs and hosts that a dashboard's reader has chosen.
    pub fn chosen(self) -> Self {
        self.like("job", "$job").like("instance", "$instance")
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.matchers.is_empty() { Ok(()) } else { write!(f, "{{{}}}", self.matchers.join(", ")) }
    }
}
