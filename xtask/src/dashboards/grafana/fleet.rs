//! All hosts, for their owner: which are in trouble, which patch is where, who stalls, who is blind.

use serde_json::json;

use super::super::JOB;
use super::super::expr::{Foreign, Selector, foreign, of, recorded};
use super::super::findings::Finding;
use super::super::metric::{Label, Metric};
use super::super::recordings::Recording;
use super::layout::Row;
use super::panel::{Kind, Panel};
use super::{Dashboard, tables, words};

/// The dashboard's name.
pub(super) const TITLE: &str = "klp-trace / Fleet";

/// Panels that the linter's rules do not fit.
pub(super) const STATES_OVER_TIME: &str = "Hosts by worst state over time";
pub(super) const RELOCATIONS_OVER_TIME: &str = "Relocations by verdict over time";
pub(super) const COVERAGE: &str = "Coverage";

/// Series of the chosen hosts.
fn chosen(metric: Metric) -> Selector {
    of(metric).chosen()
}

fn states() -> Selector {
    recorded(Recording::WorstState).chosen()
}

pub(super) fn dashboard(findings: &[Finding]) -> Dashboard {
    Dashboard {
        uid: "klp-trace-fleet",
        title: TITLE,
        description: "Which hosts are in trouble with livepatches, which patch is where, and of whom nothing is known. Needs the recording rules of prometheus/rules.yml.",
        from: "now-24h",
        annotations: Vec::new(),
        rows: vec![
            Row { title: "How does the fleet stand?", collapsed: false, panels: overview() },
            Row { title: "Which hosts are in trouble?", collapsed: false, panels: trouble(findings) },
            Row { title: "Which patch is where?", collapsed: false, panels: rollout() },
            Row { title: "Who is not seen?", collapsed: false, panels: unseen() },
        ],
    }
}

fn overview() -> Vec<Panel> {
    let scraped = foreign(Foreign::Up).has("job", JOB).chosen();
    let wrong = format!("count({} >= 5) or vector(0) and on () {}", states(), answering());
    let unknown =
        format!("count({} < 0 or {} == 4) or vector(0) and on () {}", states(), states(), answering());
    vec![
        Panel::new(Kind::Stat, "Hosts that answer", "Hosts whose klp-trace answers, blind ones too.", "short", (4, 4))
            .query(format!("count({})", chosen(Metric::Up)), "hosts")
            .colours("blue", &[]),
        Panel::new(Kind::Stat, "Hosts with wrong relocations", "Hosts with a relocation that is mismatch, stale, orphaned or missing.", "short", (4, 4))
            .query(wrong, "hosts")
            .colours("green", &[(1.0, "red")]),
        Panel::new(Kind::Stat, "Hosts of which something is not known", "Blind, not answering, or with unknown relocations.", "short", (4, 4))
            .query(unknown, "hosts")
            .colours("green", &[(1.0, "purple")]),
        Panel::new(Kind::Stat, "Targets that answer", "Of the targets of the job klp-trace.", "percentunit", (4, 4))
            .query(format!("avg({scraped})"), "targets")
            .colours("red", &[(0.99, "yellow"), (1.0, "green")]),
        Panel::new(Kind::Stat, COVERAGE, "Hosts with klp-trace, of those that have node_exporter; no value where Prometheus does not scrape it.", "percentunit", (4, 4))
            .query(format!("count({}) / count({})", chosen(Metric::Up), foreign(Foreign::NodeUnameInfo)), "hosts")
            .colours("yellow", &[(0.99, "green")]),
        Panel::new(Kind::Stat, "Loads refused in 24 h", "Modules that livepatch refused to let load (KLP009).", "short", (4, 4))
            .query(format!("sum(increase({}[24h]))", of(Metric::FindingsTotal).is(Label::Finding, "KLP009").chosen()), "loads")
            .colours("green", &[(0.5, "red")]),
        words::coloured(
            Panel::new(Kind::Bars, "Hosts by worst state", "Each host counts once, by its worst relocation or by why nothing is known.", "short", (8, 9))
                .query(format!("sort_desc(count by (state) ({}))", states()), "{{state}}")
                .colours("text", &[]),
        ),
        words::coloured(
            Panel::new(Kind::Series, STATES_OVER_TIME, "From the recording rules: all hosts of the chosen jobs.", "short", (8, 9))
                .query(format!("sum by (state) ({})", recorded(Recording::HostsByState).like("job", "$job")), "{{state}}")
                .stacked(),
        ),
        words::coloured(
            Panel::new(Kind::Series, RELOCATIONS_OVER_TIME, "From the recording rules: all relocations of the chosen jobs.", "short", (8, 9))
                .query(format!("sum by (verdict) ({})", recorded(Recording::RelocationsByVerdict).like("job", "$job")), "{{verdict}}")
                .stacked(),
        ),
    ]
}

/// Something, where any host answers: a count of nothing is 0 then, and not known else.
fn answering() -> String {
    format!("count({}) > 0", chosen(Metric::Up))
}

fn trouble(findings: &[Finding]) -> Vec<Panel> {
    let firing =
        foreign(Foreign::Alerts).like("alertname", "KlpTrace.+").has("alertstate", "firing").chosen();
    vec![
        tables::columns(
            Panel::new(Kind::Table, "Hosts in trouble", "The worst 50; the instance leads to its dashboard.", "none", (12, 10))
                .query(format!("topk(50, {} >= 4)", states()), "")
                .field("Instance", &[("links", tables::host_dashboard())])
                .field("Worst state", &[("mappings", json!([words::state_words()])), ("custom.cellOptions", tables::coloured_cell())])
                .field("Rank", &[("custom.width", json!(70))]),
            &[("job", "Job"), ("instance", "Instance"), ("state", "Worst state"), ("Value", "Rank")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Findings that hold", "On how many hosts; the id leads to its page.", "short", (12, 10))
                .query(format!(r#"sort_desc(count by (finding, meaning) (label_replace({} > 0, "meaning", "$1", "finding", "(.+)")))"#, chosen(Metric::Findings)), "")
                .field("Finding", &[("links", tables::finding_page()), ("custom.width", json!(100))])
                .field("Says", &[("mappings", json!([words::meanings(findings)]))])
                .field("Hosts", &[("custom.width", json!(80))]),
            &[("finding", "Finding"), ("meaning", "Says"), ("Value", "Hosts")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Alerts that fire", "By name and severity.", "short", (8, 8))
                .query(format!("sort_desc(count by (alertname, severity) ({firing}))"), ""),
            &[("alertname", "Alert"), ("severity", "Severity"), ("Value", "Hosts")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Transitions under way", "The longest 20: who stalls.", "s", (8, 8))
                .query(format!("topk(20, {} > 0)", chosen(Metric::PatchTransitionSeconds)), "")
                .field("Instance", &[("links", tables::host_dashboard())])
                .field("For", &[("custom.cellOptions", tables::coloured_cell())])
                .colours("green", &[(60.0, "yellow"), (600.0, "red")]),
            &[("job", "Job"), ("instance", "Instance"), ("patch", "Patch"), ("Value", "For")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Where loads were refused in 24 h", "Hosts on which livepatch refused to let a module load.", "short", (8, 8))
                .query(format!("topk(50, increase({}[24h]) > 0)", of(Metric::FindingsTotal).is(Label::Finding, "KLP009").chosen()), "")
                .field("Instance", &[("links", tables::host_dashboard())]),
            &[("job", "Job"), ("instance", "Instance"), ("Value", "Loads")],
        ),
    ]
}

fn rollout() -> Vec<Panel> {
    vec![
        tables::columns(
            Panel::new(
                Kind::Table,
                "Hosts by livepatch",
                "Two build-ids of a patch: a rollout that is half-way.",
                "short",
                (12, 9),
            )
            .query(format!("sort_desc(count by (patch, build_id) ({}))", chosen(Metric::PatchInfo)), "")
            .field("Build-id", &[("custom.width", json!(340))]),
            &[("patch", "Patch"), ("build_id", "Build-id"), ("Value", "Hosts")],
        ),
        tables::columns(
            Panel::new(
                Kind::Table,
                "Hosts by kernel",
                "Where a kernel does not clear, a module that was unloaded is refused when it comes back.",
                "short",
                (12, 9),
            )
            .query(format!("sort_desc(count by (release, arch) ({}))", chosen(Metric::KernelInfo)), "")
            .query(
                format!(
                    "count by (release, arch) ({} and on (job, instance) {} == 1)",
                    chosen(Metric::KernelInfo),
                    chosen(Metric::KernelClears)
                ),
                "",
            ),
            &[
                ("release", "Release"),
                ("arch", "Architecture"),
                ("Value #A", "Hosts"),
                ("Value #B", "Hosts that clear"),
            ],
        ),
        Panel::new(Kind::Bars, "Patches by witness", "What their verdicts rest on.", "short", (12, 6))
            .query(format!("count by (elf) ({})", chosen(Metric::PatchInfo)), "{{elf}}")
            .field("differs", &[("color", json!({"mode": "fixed", "fixedColor": "red"}))])
            .field("memory", &[("color", json!({"mode": "fixed", "fixedColor": "yellow"}))])
            .field("file", &[("color", json!({"mode": "fixed", "fixedColor": "green"}))])
            .colours("blue", &[]),
        tables::columns(
            Panel::new(Kind::Table, "Hosts by version of klp-trace", "What answers.", "short", (12, 6))
                .query(format!("count by (version, revision) ({})", chosen(Metric::BuildInfo)), ""),
            &[("version", "Version"), ("revision", "Built from"), ("Value", "Hosts")],
        ),
    ]
}

fn unseen() -> Vec<Panel> {
    let overdue = format!(
        "time() - {} > 3 * {} + 60",
        chosen(Metric::LastLookTimestampSeconds),
        chosen(Metric::LookIntervalSeconds)
    );
    vec![
        tables::columns(
            Panel::new(
                Kind::Table,
                "Blind, or without an answer",
                "Nothing is known of their livepatches now.",
                "none",
                (8, 8),
            )
            .query(format!("{} < 0", states()), "")
            .field("Instance", &[("links", tables::host_dashboard())])
            .field(
                "State",
                &[
                    ("mappings", json!([words::state_words()])),
                    ("custom.cellOptions", tables::coloured_cell()),
                ],
            ),
            &[("job", "Job"), ("instance", "Instance"), ("state", "State"), ("Value", "Rank")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Looks overdue", "Nothing was read for three intervals.", "s", (8, 8))
                .query(format!("topk(50, {overdue})"), "")
                .field("Instance", &[("links", tables::host_dashboard())]),
            &[("job", "Job"), ("instance", "Instance"), ("Value", "Last look")],
        ),
        tables::columns(
            Panel::new(
                Kind::Table,
                "Evidence is not kept",
                "Hosts whose journal is not written.",
                "none",
                (8, 8),
            )
            .query(format!("{} == 0", chosen(Metric::JournalWritable)), "")
            .field("Instance", &[("links", tables::host_dashboard())])
            .field(
                "Journal",
                &[
                    ("mappings", json!([words::flag(("written", "green"), ("not written", "red"))])),
                    ("custom.cellOptions", tables::coloured_cell()),
                ],
            ),
            &[("job", "Job"), ("instance", "Instance"), ("Value", "Journal")],
        ),
    ]
}
