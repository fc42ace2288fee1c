//! One host, at 3 a.m.: is it livepatch, and what do I do.

use serde_json::json;

use super::super::expr::{Foreign, Selector, foreign, of};
use super::super::findings::Finding;
use super::super::metric::{Label, Metric};
use super::super::recordings::worst;
use super::super::verdicts::BAD;
use super::layout::Row;
use super::panel::{Kind, Panel};
use super::{Dashboard, refusals, tables, words};

/// Series of the chosen hosts.
fn chosen(metric: Metric) -> Selector {
    of(metric).chosen()
}

pub(super) fn dashboard(findings: &[Finding]) -> Dashboard {
    Dashboard {
        uid: "klp-trace-host",
        title: "klp-trace / Host",
        description: "How the livepatch relocations of a host stand, as klp-trace has read them in the kernel's memory: is it livepatch, and what to do.",
        from: "now-6h",
        annotations: vec![refusals()],
        rows: vec![
            Row { title: "Is it livepatch, and what do I do?", collapsed: false, panels: first(findings) },
            Row { title: "Which relocations, since when?", collapsed: false, panels: relocations() },
            Row { title: "Which livepatches are loaded?", collapsed: false, panels: patches() },
            Row { title: "Does klp-trace see everything?", collapsed: false, panels: sight() },
            Row { title: "Is evidence kept?", collapsed: false, panels: journal() },
            Row { title: "klp-trace's own process", collapsed: true, panels: process() },
        ],
    }
}

fn first(findings: &[Finding]) -> Vec<Panel> {
    let now = "Absent while klp-trace is blind: what was wrong before may still be.";
    let what = format!(
        "1. **Worst state** is red or orange: it is livepatch. Each finding's id leads to its page.\n\
         2. On the host: `klp-trace audit` names each patch, object and relocation, and the commands that help; `klp-trace explain KLP001` prints a page.\n\
         3. **Worst state** is purple: nothing is known, which is not good news. `systemctl status klp-trace` and `klp-trace doctor` say why.\n\
         4. All green, and a patch with relocations is loaded: it is not livepatch.\n\n\
         A module that does not load is [KLP009]({}). [All findings]({}), [verdicts]({}).",
        words::page("docs/findings/KLP009.md"),
        words::page("docs/findings/README.md"),
        words::page("docs/verdicts.md"),
    );
    let bad = of(Metric::Relocations).any(Label::Verdict, &BAD).chosen();
    let unknown = of(Metric::Relocations).is(Label::Verdict, "unknown").chosen();
    let held =
        format!(r#"label_replace({} > 0, "meaning", "$1", "finding", "(.+)")"#, chosen(Metric::Findings));
    let firing =
        foreign(Foreign::Alerts).like("alertname", "KlpTrace.+").has("alertstate", "firing").chosen();
    vec![
        Panel::new(Kind::Stat, "Worst state", "The worst verdict of all relocations of the host, or why there is none.", "none", (6, 5))
            .query(worst(Selector::chosen), "{{instance}}")
            .mapped(words::ranks())
            .colours("purple", &[(0.0, "blue"), (1.0, "green"), (4.0, "purple"), (5.0, "red")]),
        Panel::new(Kind::Stat, "Does klp-trace see?", "Whether the hooks are attached and fire, and all that is known has been read. No value: it does not answer.", "none", (3, 5))
            .query(chosen(Metric::Up).to_string(), "{{instance}}")
            .mapped(words::flag(("sees", "green"), ("blind", "red")))
            .colours("red", &[(1.0, "green")]),
        Panel::new(Kind::Stat, "Wrong relocations", "Relocations that are mismatch, stale, missing or orphaned. Absent while klp-trace is blind.", "short", (3, 5))
            .query(format!("sum without (verdict) ({bad})"), "{{instance}}")
            .colours("green", &[(1.0, "red")]),
        Panel::new(Kind::Stat, "Unknown relocations", "Relocations of which nothing can be told. For a moment after a module came or went that is normal.", "short", (3, 5))
            .query(format!("{unknown}"), "{{instance}}")
            .colours("green", &[(1.0, "purple")]),
        Panel::new(Kind::Stat, "Since the last full look", "How long ago everything was read last. It is due each 15 minutes, unless serve.toml says otherwise.", "s", (3, 5))
            .query(format!("time() - {}", chosen(Metric::LastLookTimestampSeconds)), "{{instance}}")
            .colours("green", &[(1000.0, "yellow"), (2760.0, "red")]),
        Panel::new(Kind::Text, "What to do", "The first steps, in order.", "none", (6, 11)).text(what),
        tables::columns(
            Panel::new(Kind::Table, "Findings that hold", now, "short", (12, 6))
                .query(held, "")
                .field("Finding", &[("links", tables::finding_page()), ("custom.width", json!(100))])
                .field("Says", &[("mappings", json!([words::meanings(findings)]))])
                .field("How many", &[("custom.width", json!(100))]),
            &[("instance", "Instance"), ("finding", "Finding"), ("meaning", "Says"), ("Value", "How many")],
        ),
        tables::columns(
            Panel::new(Kind::Table, "Alerts that fire", "The alerts of prometheus/rules.yml that fire for this host.", "short", (6, 6))
                .query(format!("count by (instance, alertname, severity) ({firing})"), "")
                .field("Severity", &[
                    ("mappings", json!([words::values([
                        ("critical".to_owned(), "critical", "red"),
                        ("warning".to_owned(), "warning", "orange"),
                        ("info".to_owned(), "info", "blue"),
                    ])])),
                    ("custom.cellOptions", tables::coloured_cell()),
                    ("custom.width", json!(90)),
                ]),
            &[("alertname", "Alert"), ("severity", "Severity")],
        ),
    ]
}

fn relocations() -> Vec<Panel> {
    let bad = format!("{} > 0", chosen(Metric::ObjectRelocationsBad));
    let unknown = format!("{} > 0", chosen(Metric::ObjectRelocationsUnknown));
    vec![
        Panel::new(Kind::Timeline, "Worst state over time", "Since when it is as it is.", "none", (24, 5))
            .query(worst(Selector::chosen), "{{instance}}")
            .mapped(words::ranks())
            .colours("purple", &[(0.0, "blue"), (1.0, "green"), (4.0, "purple"), (5.0, "red")]),
        words::coloured(
            Panel::new(
                Kind::Series,
                "Relocations by verdict",
                "All relocations of all loaded livepatches; a gap: klp-trace was blind.",
                "short",
                (12, 8),
            )
            .query(format!("sum by (verdict) ({})", chosen(Metric::Relocations)), "{{verdict}}")
            .stacked(),
        ),
        tables::columns(
            Panel::new(
                Kind::Table,
                "Objects that are not as they should be",
                "Patches and the objects that their relocations wait for; the worst 96 where there are more.",
                "short",
                (12, 8),
            )
            .query(bad, "")
            .query(unknown, "")
            .field(
                "Wrong",
                &[
                    ("custom.cellOptions", tables::coloured_cell()),
                    ("color", json!({"mode": "fixed", "fixedColor": "red"})),
                ],
            )
            .field(
                "Unknown",
                &[
                    ("custom.cellOptions", tables::coloured_cell()),
                    ("color", json!({"mode": "fixed", "fixedColor": "purple"})),
                ],
            ),
            &[
                ("instance", "Instance"),
                ("patch", "Patch"),
                ("object", "Object"),
                ("Value #A", "Wrong"),
                ("Value #B", "Unknown"),
            ],
        ),
        Panel::new(
            Kind::Series,
            "Findings made",
            "New findings; KLP009 is a module that livepatch refused to let load.",
            "short",
            (24, 6),
        )
        .query(
            format!("sum by (finding) (increase({}[$__rate_interval])) > 0", chosen(Metric::FindingsTotal)),
            "{{finding}}",
        ),
    ]
}

fn patches() -> Vec<Panel> {
    vec![
        tables::columns(
            Panel::new(Kind::Table, "Livepatches", "Each loaded livepatch: what it was built as, what its verdicts rest on, how much there is to check.", "short", (16, 8))
                .query(chosen(Metric::PatchInfo).to_string(), "")
                .query(chosen(Metric::PatchEnabled).to_string(), "")
                .query(chosen(Metric::PatchRelocations).to_string(), "")
                .query(chosen(Metric::PatchTransitionSeconds).to_string(), "")
                .field("Build-id", &[("custom.width", json!(340))])
                .field("Witness", &[("mappings", json!([words::witnesses()])), ("custom.cellOptions", tables::coloured_cell())])
                .field("Enabled", &[("mappings", json!([words::flag(("enabled", "green"), ("not enabled", "yellow"))])), ("custom.cellOptions", tables::coloured_cell())])
                .field("In transition for", &[("unit", json!("s"))]),
            &[
                ("instance", "Instance"),
                ("patch", "Patch"),
                ("build_id", "Build-id"),
                ("elf", "Witness"),
                ("Value #B", "Enabled"),
                ("Value #C", "Relocations"),
                ("Value #D", "In transition for"),
                ("Value #A", "Loaded"),
            ],
        ),
        Panel::new(Kind::Series, "Transitions", "How long a patch has been in transition; after 10 minutes somebody should look which task holds it up.", "s", (8, 8))
            .query(format!("{} > 0", chosen(Metric::PatchTransitionSeconds)), "{{patch}} {{instance}}"),
    ]
}

fn sight() -> Vec<Panel> {
    let lost = format!(
        "sum by (instance, cause) (increase({}[$__rate_interval])) > 0",
        chosen(Metric::EventsLostTotal)
    );
    vec![
        tables::columns(
            Panel::new(Kind::Table, "Hooks", "The places in the kernel that are watched. One that is not attached: klp-trace doctor says what is not seen without it.", "short", (8, 8))
                .query(format!("count by (instance, hook, mechanism) ({})", chosen(Metric::HookInfo)), "")
                .field("Attached by", &[("mappings", json!([words::values([("none".to_owned(), "not attached", "yellow")])])), ("custom.cellOptions", json!({"type": "color-text"}))]),
            &[("instance", "Instance"), ("hook", "Hook"), ("mechanism", "Attached by"), ("Value", "Hosts")],
        ),
        Panel::new(Kind::Series, "Records taken", "Records from the ring buffer: modules that came and went, sections that were read.", "cps", (8, 8))
            .query(format!("sum by (instance) (rate({}[$__rate_interval]))", chosen(Metric::RecordsTotal)), "{{instance}}"),
        Panel::new(Kind::Series, "Records lost", "By cause; everything is read again after each loss. Empty is good, if klp-trace answers.", "short", (8, 8))
            .query(lost, "{{cause}} {{instance}}"),
        Panel::new(Kind::Series, "Time of a full look", "How long it took to read everything.", "s", (8, 6))
            .query(chosen(Metric::LookDurationSeconds).to_string(), "{{instance}}"),
        Panel::new(Kind::Stat, "Patches that cannot be read", "Livepatches whose sections the kernel refused to show.", "short", (4, 6))
            .query(chosen(Metric::PatchesUnread).to_string(), "{{instance}}")
            .colours("green", &[(1.0, "purple")]),
        Panel::new(Kind::Stat, "Series left out", "Patches and objects beyond those that are listed; the totals lack none.", "short", (4, 6))
            .query(chosen(Metric::SeriesOmitted).to_string(), "{{instance}}")
            .colours("green", &[(1.0, "yellow")]),
        Panel::new(Kind::Stat, "The kernel clears", "Whether this kernel clears relocations when their object goes. Where it does not, the object's next load is refused.", "none", (4, 6))
            .query(chosen(Metric::KernelClears).to_string(), "{{instance}}")
            .mapped(words::flag(("clears", "green"), ("does not clear", "yellow")))
            .colours("yellow", &[(1.0, "green")]),
        tables::columns(
            Panel::new(Kind::Table, "Kernel", "What runs.", "short", (4, 6))
                .query(format!("count by (release, arch) ({})", chosen(Metric::KernelInfo)), ""),
            &[("release", "Release"), ("arch", "Architecture"), ("Value", "Hosts")],
        ),
    ]
}

fn journal() -> Vec<Panel> {
    vec![
        Panel::new(
            Kind::Stat,
            "Journal",
            "Whether the journal is being written; no value where none is kept.",
            "none",
            (4, 6),
        )
        .query(chosen(Metric::JournalWritable).to_string(), "{{instance}}")
        .mapped(words::flag(("written", "green"), ("not written", "red")))
        .colours("red", &[(1.0, "green")]),
        Panel::new(
            Kind::Stat,
            "Reaches back for",
            "Since the oldest of the journal's files was written to.",
            "s",
            (4, 6),
        )
        .query(format!("time() - {}", chosen(Metric::JournalOldestTimestampSeconds)), "{{instance}}")
        .colours("blue", &[]),
        Panel::new(Kind::Series, "Size of the journal", "What its files take.", "bytes", (8, 6))
            .query(chosen(Metric::JournalBytes).to_string(), "{{instance}}"),
        Panel::new(
            Kind::Series,
            "Events that the journal lacks",
            "Since it could not be written; and how often that failed.",
            "short",
            (8, 6),
        )
        .query(
            format!("increase({}[$__rate_interval])", chosen(Metric::JournalRecordsUnwrittenTotal)),
            "lacking {{instance}}",
        )
        .query(
            format!("increase({}[$__rate_interval])", chosen(Metric::JournalWriteErrorsTotal)),
            "errors {{instance}}",
        ),
    ]
}

fn process() -> Vec<Panel> {
    vec![
        Panel::new(Kind::Series, "Memory", "Resident memory of klp-trace.", "bytes", (8, 7))
            .query(chosen(Metric::ProcessResidentMemoryBytes).to_string(), "{{instance}}"),
        Panel::new(Kind::Series, "Processor", "Of one processor.", "percentunit", (8, 7)).query(
            format!("rate({}[$__rate_interval])", chosen(Metric::ProcessCpuSecondsTotal)),
            "{{instance}}",
        ),
        Panel::new(Kind::Series, "Files and threads", "Open file descriptors and threads.", "short", (8, 7))
            .query(chosen(Metric::ProcessOpenFds).to_string(), "files {{instance}}")
            .query(chosen(Metric::ProcessThreads).to_string(), "threads {{instance}}"),
        Panel::new(Kind::Series, "Requests", "Answers over HTTP, by status.", "reqps", (12, 6)).query(
            format!(
                "sum by (instance, code) (rate({}[$__rate_interval]))",
                chosen(Metric::HttpRequestsTotal)
            ),
            "{{code}} {{instance}}",
        ),
        tables::columns(
            Panel::new(Kind::Table, "Version", "What answers, and what it was built from.", "short", (12, 6))
                .query(format!("count by (instance, version, revision) ({})", chosen(Metric::BuildInfo)), ""),
            &[
                ("instance", "Instance"),
                ("version", "Version"),
                ("revision", "Built from"),
                ("Value", "Hosts"),
            ],
        ),
    ]
}
