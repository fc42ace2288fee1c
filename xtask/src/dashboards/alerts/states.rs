//! Alerts about livepatches: wrong relocations, refused loads, what will be refused.

use super::super::expr::of;
use super::super::metric::{Label, Metric};
use super::super::verdicts::WRONG;
use super::{Alert, Severity, over};

/// What to type on the host.
const AUDIT: &str = "On the host, klp-trace audit names them and what to do.";

fn relocations(verdict: &str) -> String {
    format!("{} > 0", of(Metric::Relocations).is(Label::Verdict, verdict))
}

fn holds(findings: &[&str]) -> String {
    format!("{} > 0", over("finding", &of(Metric::Findings).any(Label::Finding, findings)))
}

fn made(finding: &str, window: &str) -> String {
    format!("increase({}[{window}]) > 0", of(Metric::FindingsTotal).is(Label::Finding, finding))
}

/// The hosts whose next load of a patched module will be refused: findings say so; or the kernel never clears, and no finding says that
/// its stale relocations are of another kind.
fn refusal() -> String {
    format!(
        "{foretold}\nor on (job, instance) (\n  {stale} > 0\n  and on (job, instance) {clears} == 0\n  unless on (job, instance) {other}\n)",
        foretold = holds(&["KLP001", "KLP002", "KLP003"]),
        stale = over("verdict", &of(Metric::Relocations).is(Label::Verdict, "stale")),
        clears = of(Metric::KernelClears),
        other = holds(&["KLP004", "KLP016"]),
    )
}

/// The objects of the host with relocations that are not right, by patch.
fn objects() -> String {
    format!(
        r#"{{{{ range query (printf "{}{{job=%q,instance=%q}} > 0" $labels.job $labels.instance) | sortByLabel "patch" }}}} {{{{ .Labels.patch }}}} against {{{{ .Labels.object }}}}: {{{{ .Value }}}}.{{{{ end }}}}"#,
        of(Metric::ObjectRelocationsBad)
    )
}

pub(super) fn alerts() -> Vec<Alert> {
    let stale = relocations("stale");
    vec![
        Alert {
            name: "KlpTraceRelocationsWrong",
            severity: Severity::Critical,
            holds: 2,
            keeps: 15,
            expr: format!("{} > 0", over("verdict", &of(Metric::Relocations).any(Label::Verdict, &WRONG))),
            summary: "A livepatch that is active is not what its file says.",
            description: format!(
                "{{{{ $value }}}} relocations on {{{{ $labels.instance }}}} hold a wrong value or were never written: the fix may not be there, or code runs into a wrong place.{} {AUDIT}",
                objects()
            ),
            runbook: "docs/findings/KLP006.md",
            findings: &["KLP005", "KLP006"],
        },
        Alert {
            name: "KlpTraceSymbolModuleGone",
            severity: Severity::Critical,
            holds: 2,
            keeps: 15,
            expr: format!("{}\nand on (job, instance) {stale}", holds(&["KLP016"])),
            summary: "A livepatch points into a module that is gone.",
            description: format!(
                "Relocations on {{{{ $labels.instance }}}} point to where a symbol's module was, which is not loaded any more: their code may run into memory of somebody else.{} {AUDIT}",
                objects()
            ),
            runbook: "docs/findings/KLP016.md",
            findings: &["KLP016"],
        },
        Alert {
            name: "KlpTraceLoadRefused",
            severity: Severity::Critical,
            holds: 0,
            keeps: 0,
            // The gauge for as long as it lasts; the counter where it was over, or klp-trace restarted, between two scrapes.
            expr: format!(
                "{} > 0\nor {}",
                of(Metric::Findings).is(Label::Finding, "KLP009"),
                made("KLP009", "15m")
            ),
            summary: "Livepatch refused to let a module load.",
            description: "A module could not be loaded on {{ $labels.instance }}, and modprobe said no more than an errno. On the host, klp-trace audit and the journal name the patch and the relocation.".to_owned(),
            runbook: "docs/findings/KLP009.md",
            findings: &["KLP009"],
        },
        Alert {
            name: "KlpTraceReloadWillBeRefused",
            severity: Severity::Warning,
            holds: 2,
            keeps: 15,
            expr: refusal(),
            summary: "The next load of a patched module will be refused.",
            description: format!(
                "Relocations on {{{{ $labels.instance }}}} still hold values of a module that was unloaded: do not load it before its patch was disabled and removed.{} {AUDIT}",
                objects()
            ),
            runbook: "docs/findings/KLP001.md",
            findings: &["KLP001", "KLP002", "KLP003"],
        },
        Alert {
            name: "KlpTraceStale",
            severity: Severity::Warning,
            holds: 2,
            keeps: 15,
            expr: format!(
                "{stale}\nunless on (job, instance) (\n  {}\n)\nunless on (job, instance) {}",
                refusal().replace('\n', "\n  "),
                holds(&["KLP016"])
            ),
            summary: "A livepatch holds values of a module that is gone.",
            description: format!(
                "{{{{ $value }}}} relocations on {{{{ $labels.instance }}}} are stale: of a patch that was disabled or replaced, or though this kernel clears.{} {AUDIT}",
                objects()
            ),
            runbook: "docs/findings/KLP004.md",
            findings: &["KLP004"],
        },
        Alert {
            name: "KlpTraceOrphaned",
            severity: Severity::Warning,
            holds: 10,
            keeps: 15,
            expr: relocations("orphaned"),
            summary: "A livepatch has relocations that the kernel will never write.",
            description: format!(
                "{{{{ $value }}}} relocations on {{{{ $labels.instance }}}} wait for an object that their patch does not list: rebuild the patch.{} {AUDIT}",
                objects()
            ),
            runbook: "docs/findings/KLP007.md",
            findings: &["KLP007"],
        },
        Alert {
            name: "KlpTraceUnknown",
            severity: Severity::Warning,
            holds: 30,
            keeps: 0,
            expr: relocations("unknown"),
            summary: "It cannot be told how relocations stand.",
            description: "{{ $value }} relocations on {{ $labels.instance }} have been unknown for half an hour. On the host, klp-trace audit gives the reason of each.".to_owned(),
            runbook: "docs/verdicts.md",
            findings: &[],
        },
        Alert {
            name: "KlpTracePatchUnread",
            severity: Severity::Warning,
            holds: 30,
            keeps: 0,
            expr: format!("{} > 0", of(Metric::PatchesUnread)),
            summary: "The sections of a livepatch cannot be read.",
            description: "Nothing is known of the relocations of {{ $value }} livepatches on {{ $labels.instance }}. On the host, klp-trace doctor says what the kernel refuses.".to_owned(),
            runbook: "docs/doctor.md",
            findings: &[],
        },
        Alert {
            name: "KlpTraceFileDiffers",
            severity: Severity::Warning,
            holds: 10,
            keeps: 0,
            expr: of(Metric::PatchInfo).is(Label::Elf, "differs").to_string(),
            summary: "The file of a livepatch is not what was loaded.",
            description: "The .ko of {{ $labels.patch }} on {{ $labels.instance }} is not what was loaded (build-id {{ $labels.build_id }}): no verdict rests on it. Put the file back, or name it under attach.ko in serve.toml.".to_owned(),
            runbook: "docs/findings/KLP011.md",
            findings: &["KLP011"],
        },
        Alert {
            name: "KlpTraceWitnessWeak",
            severity: Severity::Info,
            holds: 360,
            keeps: 0,
            expr: of(Metric::PatchInfo).is(Label::Elf, "memory").to_string(),
            summary: "The file of a livepatch is not there.",
            description: "The verdicts of {{ $labels.patch }} on {{ $labels.instance }} rest on the kernel's own copy of what was loaded, a weaker witness than its .ko.".to_owned(),
            runbook: "docs/serve.md#the-unit",
            findings: &[],
        },
        Alert {
            name: "KlpTraceUnsafeSection",
            severity: Severity::Warning,
            holds: 10,
            keeps: 0,
            expr: format!("{} > 0", of(Metric::Findings).is(Label::Finding, "KLP012")),
            summary: "A livepatch has relocations where the kernel cannot write them in time.",
            description: "A livepatch on {{ $labels.instance }} has relocations in .init, per-CPU or special sections. Before its object is loaded or unloaded, read what klp-trace audit says on the host.".to_owned(),
            runbook: "docs/findings/KLP012.md",
            findings: &["KLP012"],
        },
        Alert {
            name: "KlpTracePatchRefused",
            severity: Severity::Warning,
            holds: 0,
            keeps: 0,
            expr: format!(
                "{}\nunless on (job, instance) ({} > 0\n  or {})",
                made("KLP014", "15m"),
                of(Metric::Findings).is(Label::Finding, "KLP009"),
                made("KLP009", "15m")
            ),
            summary: "A livepatch needs a symbol that its object does not have.",
            description: "A livepatch was not enabled on {{ $labels.instance }}, for a symbol that is not there: it was built for another build of the object.".to_owned(),
            runbook: "docs/findings/KLP014.md",
            findings: &["KLP014"],
        },
        Alert {
            name: "KlpTraceTransitionStalled",
            severity: Severity::Warning,
            holds: 1,
            keeps: 0,
            expr: format!("{} > 600", of(Metric::PatchTransitionSeconds)),
            summary: "The transition of a livepatch does not end.",
            description: "{{ $labels.patch }} on {{ $labels.instance }} has been in transition for {{ $value | humanizeDuration }}; no other patch can be enabled or disabled meanwhile. On the host, klp-trace audit names the tasks that hold it up.".to_owned(),
            runbook: "docs/findings/KLP010.md",
            findings: &["KLP010"],
        },
        Alert {
            name: "KlpTraceSymbolModuleMayGo",
            severity: Severity::Info,
            holds: 60,
            keeps: 0,
            expr: format!("{}\nunless on (job, instance) {stale}", holds(&["KLP016"])),
            summary: "Nothing keeps a module that a livepatch points into.",
            description: "A livepatch on {{ $labels.instance }} uses a symbol of a module that may be unloaded at any time. Keep the module loaded; klp-trace audit names it.".to_owned(),
            runbook: "docs/findings/KLP016.md",
            findings: &["KLP016"],
        },
    ]
}
