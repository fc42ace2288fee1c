//! The alerts: what a person is told, how urgently, and which page says what to do.
//!
//! What klp-trace does not know it does not export: while `klp_trace_up` is 0 every state is absent. An alert about states ends then,
//! which must not read as good: the pages of the night are kept for longer than it takes the alerts about blindness to fire.

mod states;
mod witness;

use super::expr::Selector;
use super::yaml::{Yaml, text};

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody is woken.
    Critical,
    /// Somebody looks by day.
    Warning,
    /// Worth knowing.
    Info,
}

impl Severity {
    /// The label's value.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }
}

/// An alert.
#[derive(Debug, Clone)]
pub struct Alert {
    /// `KlpTrace` and what is wrong.
    pub name: &'static str,
    /// Its severity.
    pub severity: Severity,
    /// For how many minutes it must be so.
    pub holds: u32,
    /// For how many minutes it goes on when the expression gives nothing more.
    pub keeps: u32,
    /// PromQL.
    pub expr: String,
    /// One sentence, the same for every host.
    pub summary: &'static str,
    /// What is wrong where, and what to do: a template of Prometheus.
    pub description: String,
    /// The page that says what to do: a path in the repository, maybe with an anchor.
    pub runbook: &'static str,
    /// The findings that it is about.
    pub findings: &'static [&'static str],
}

/// Every alert.
pub fn alerts() -> Vec<Alert> {
    states::alerts().into_iter().chain(witness::alerts()).collect()
}

impl Alert {
    /// Where its page is read.
    pub fn runbook_url(&self) -> String {
        format!("{}/blob/main/{}", env!("CARGO_PKG_REPOSITORY"), self.runbook)
    }

    /// Its annotations, with this description.
    pub fn annotations(&self, description: &str) -> Yaml {
        let mut all = vec![
            ("summary".to_owned(), text(self.summary)),
            ("description".to_owned(), text(description)),
            ("runbook_url".to_owned(), text(self.runbook_url())),
        ];
        if !self.findings.is_empty() {
            all.push(("findings".to_owned(), text(self.findings.join(" "))));
        }
        Yaml::Map(all)
    }
}

/// The samples of one series for each host, whatever `label` says.
fn over(label: &str, selector: &Selector) -> String {
    format!("sum without ({label}) ({selector})")
}
