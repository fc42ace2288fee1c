//! Recording rules: what dashboards would otherwise sum up over every host each time.

use super::JOB;
use super::expr::{Foreign, Selector, foreign, of};
use super::metric::{Label, Metric};
use super::verdicts::{OTHERS, VERDICTS};

/// A recording rule; names are level:metric:operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// The worst verdict of each host, or why there is none.
    WorstState,
    /// Hosts by it.
    HostsByState,
    /// Relocations by verdict.
    RelocationsByVerdict,
    /// Hosts that have relocations of a verdict.
    HostsByVerdict,
    /// Hosts by kernel.
    HostsByRelease,
    /// Hosts on which a finding holds.
    HostsByFinding,
}

impl Recording {
    /// Every rule, in the order in which they are evaluated.
    pub const ALL: [Self; 6] = [
        Self::WorstState,
        Self::HostsByState,
        Self::RelocationsByVerdict,
        Self::HostsByVerdict,
        Self::HostsByRelease,
        Self::HostsByFinding,
    ];

    /// What it records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WorstState => "instance_state:klp_trace_relocations:worst",
            Self::HostsByState => "job_state:klp_trace_hosts:count",
            Self::RelocationsByVerdict => "job_verdict:klp_trace_relocations:sum",
            Self::HostsByVerdict => "job_verdict:klp_trace_hosts:count",
            Self::HostsByRelease => "job_release:klp_trace_hosts:count",
            Self::HostsByFinding => "job_finding:klp_trace_hosts:count",
        }
    }

    /// Its labels beside `job`.
    #[cfg(test)]
    pub const fn labels(self) -> &'static [&'static str] {
        match self {
            Self::WorstState => &["instance", "state"],
            Self::HostsByState => &["state"],
            Self::RelocationsByVerdict | Self::HostsByVerdict => &["verdict"],
            Self::HostsByRelease => &["release"],
            Self::HostsByFinding => &["finding"],
        }
    }

    /// What is recorded.
    pub fn expr(self) -> String {
        let relocations = of(Metric::Relocations);
        match self {
            Self::WorstState => worst(|selector| selector),
            Self::HostsByState => format!("count by (job, state) ({})", Self::WorstState.name()),
            Self::RelocationsByVerdict => format!("sum by (job, verdict) ({relocations})"),
            Self::HostsByVerdict => format!("count by (job, verdict) ({relocations} > 0)"),
            Self::HostsByRelease => format!("count by (job, release) ({})", of(Metric::KernelInfo)),
            Self::HostsByFinding => format!("count by (job, finding) ({} > 0)", of(Metric::Findings)),
        }
    }
}

/// One series a host, of those that `chosen` leaves: its rank as the value, its word in the label `state`.
pub fn worst(chosen: impl Fn(Selector) -> Selector) -> String {
    let ranks: Vec<String> = VERDICTS
        .iter()
        .map(|verdict| {
            let those = chosen(of(Metric::Relocations).is(Label::Verdict, verdict.word));
            format!("({those} > 0) * 0 + {}", verdict.rank)
        })
        .collect();
    let sees = chosen(of(Metric::Up));
    let scraped = chosen(foreign(Foreign::Up).has("job", JOB));
    let [none, blind, down] = OTHERS.map(|state| state.word);
    let ranks = ranks.join("\n      or ");
    format!(
        r#"max without (verdict) (
  label_replace(
    topk without (verdict) (1,
      {ranks}
    ),
    "state", "$1", "verdict", "(.+)"
  )
)
or on (job, instance) label_replace({sees} == 1, "state", "{none}", "", "") - 1
or on (job, instance) label_replace({sees} == 0, "state", "{blind}", "", "") - 1
or on (job, instance) label_replace(({scraped} unless on (job, instance) {sees}) * 0 - 2, "state", "{down}", "", "")"#
    )
}
