//! Alerts about klp-trace itself: whoever does not see, does not answer, is not there, or keeps no evidence.

use super::super::JOB;
use super::super::expr::{Foreign, foreign, of};
use super::super::metric::{Label, Metric};
use super::{Alert, Severity};

/// The host's name in `instance`: what stands before the port.
fn by_host(expr: &str) -> String {
    format!(r#"label_replace({expr}, "host", "$1", "instance", "(.+?)(?::[0-9]+)?")"#)
}

pub(super) fn alerts() -> Vec<Alert> {
    let sees = of(Metric::Up);
    let scraped = foreign(Foreign::Up).has("job", JOB);
    let errors = of(Metric::JournalWriteErrorsTotal);
    vec![
        Alert {
            name: "KlpTraceBlind",
            severity: Severity::Warning,
            holds: 5,
            keeps: 0,
            expr: format!("{sees} == 0"),
            summary: "klp-trace runs and does not see.",
            description: "klp-trace on {{ $labels.instance }} answers and knows nothing: what was wrong before may still be. Its /healthz, and systemctl status klp-trace, say why.".to_owned(),
            runbook: "docs/serve.md#what-is-known-and-what-is-not",
            findings: &[],
        },
        Alert {
            name: "KlpTraceDown",
            severity: Severity::Warning,
            holds: 10,
            keeps: 0,
            // Also where something else answers at that port.
            expr: format!("{scraped} unless on (job, instance) {sees}"),
            summary: "klp-trace does not answer.",
            description: "Prometheus gets no metrics of klp-trace from {{ $labels.instance }}: nothing is known of its livepatches.".to_owned(),
            runbook: "docs/serve.md#what-is-known-and-what-is-not",
            findings: &[],
        },
        Alert {
            name: "KlpTraceVanished",
            severity: Severity::Info,
            holds: 15,
            keeps: 0,
            expr: format!(
                "max by (job, instance) (last_over_time({sees}[1d]))\nunless on (job, instance) ({sees} or {scraped})"
            ),
            summary: "A host that had klp-trace is not watched any more.",
            description: "{{ $labels.instance }} had klp-trace within the last day, and is no target any more or has lost its textfile.".to_owned(),
            runbook: "docs/serve.md#what-is-known-and-what-is-not",
            findings: &[],
        },
        Alert {
            name: "KlpTraceNoData",
            severity: Severity::Warning,
            holds: 15,
            keeps: 0,
            expr: format!("absent({sees})"),
            summary: "Prometheus has no metrics of klp-trace at all.",
            description: "No host tells anything: no alert about livepatches can fire. Is the scrape job there?".to_owned(),
            runbook: "dashboards/README.md",
            findings: &[],
        },
        Alert {
            name: "KlpTraceAbsent",
            severity: Severity::Info,
            holds: 60,
            keeps: 0,
            expr: format!(
                "count by (host, nodename) ({})\nunless on (host) {}",
                by_host(&foreign(Foreign::NodeUnameInfo).to_string()),
                by_host(&format!("({sees} or {scraped})"))
            ),
            summary: "A host has node_exporter and no klp-trace.",
            description: "Nothing is known of the livepatches of {{ $labels.nodename }}.".to_owned(),
            runbook: "docs/serve.md#install-enable-look",
            findings: &[],
        },
        Alert {
            name: "KlpTraceLookOverdue",
            severity: Severity::Warning,
            holds: 5,
            keeps: 0,
            // A minute for clocks that differ.
            expr: format!(
                "time() - {} > 3 * {} + 60",
                of(Metric::LastLookTimestampSeconds),
                of(Metric::LookIntervalSeconds)
            ),
            summary: "klp-trace has not read everything for three intervals.",
            description: "The last full look on {{ $labels.instance }} was {{ $value | humanizeDuration }} ago.".to_owned(),
            runbook: "docs/serve.md#what-is-known-and-what-is-not",
            findings: &[],
        },
        Alert {
            name: "KlpTraceEventsLost",
            severity: Severity::Info,
            holds: 0,
            keeps: 0,
            expr: format!("sum without (cause) (increase({}[15m])) > 0", of(Metric::EventsLostTotal)),
            summary: "Records of the probes were lost.",
            description: "klp-trace on {{ $labels.instance }} lost records within 15 minutes and read everything again; klp_trace_events_lost_total has the cause.".to_owned(),
            runbook: "docs/findings/KLP013.md",
            findings: &["KLP013"],
        },
        Alert {
            name: "KlpTraceEventsLostOften",
            severity: Severity::Warning,
            holds: 0,
            keeps: 0,
            expr: format!(
                "increase({}[1d]) > 5",
                of(Metric::FindingsTotal).is(Label::Finding, "KLP013")
            ),
            summary: "Records of the probes are lost again and again.",
            description: "klp-trace on {{ $labels.instance }} has lost records more than five times within a day; the page of the finding has what helps, cause by cause.".to_owned(),
            runbook: "docs/findings/KLP013.md",
            findings: &["KLP013"],
        },
        Alert {
            name: "KlpTraceJournalNotWritten",
            severity: Severity::Warning,
            holds: 5,
            keeps: 0,
            expr: format!("{} == 0\nor increase({errors}[15m]) > 0", of(Metric::JournalWritable)),
            summary: "The journal of klp-trace is not written.",
            description: "Evidence of {{ $labels.instance }} is not kept; the verdicts are not affected. Is the disk full?".to_owned(),
            runbook: "docs/serve.md#when-the-journal-cannot-be-written",
            findings: &[],
        },
        Alert {
            name: "KlpTraceSeriesOmitted",
            severity: Severity::Info,
            holds: 60,
            keeps: 0,
            expr: format!("{} > 0", of(Metric::SeriesOmitted)),
            summary: "Not every patch and object of a host is listed.",
            description: "{{ $value }} series of {{ $labels.instance }} are left out, the worst ones being kept; its totals lack nothing.".to_owned(),
            runbook: "dashboards/METRICS.md",
            findings: &[],
        },
        Alert {
            name: "KlpTraceTextfileStale",
            severity: Severity::Warning,
            holds: 5,
            keeps: 0,
            expr: format!(
                "time() - {} > 300",
                foreign(Foreign::NodeTextfileMtimeSeconds).like("file", r".*klp-trace[^/]*\\.prom")
            ),
            summary: "The textfile of klp-trace is not written any more.",
            description: "{{ $labels.file }} on {{ $labels.instance }} is {{ $value | humanizeDuration }} old: what it says is not known to hold.".to_owned(),
            runbook: "docs/serve.md#the-configuration",
            findings: &[],
        },
    ]
}
