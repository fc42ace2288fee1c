//! Every verdict on kernels of both kinds: exactly one alert for each that is bad, and none for the good ones.

use super::super::verdicts::VERDICTS;
use super::Case;
use super::host::Host;

const HOST: &str = "a:11216";

/// The alert for a verdict, and after how many minutes it fires.
fn alert(verdict: &str, clears: bool) -> Option<(&'static str, u32)> {
    match verdict {
        "mismatch" | "missing" => Some(("KlpTraceRelocationsWrong", 2)),
        "orphaned" => Some(("KlpTraceOrphaned", 10)),
        "stale" if clears => Some(("KlpTraceStale", 2)),
        "stale" => Some(("KlpTraceReloadWillBeRefused", 2)),
        "unknown" => Some(("KlpTraceUnknown", 30)),
        _ => None,
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for verdict in &VERDICTS {
        for clears in [false, true] {
            let kind = if clears { "clears" } else { "does not clear" };
            let host =
                Host::healthy(HOST).clears(clears).relocations("applied", 0).relocations(verdict.word, 7);
            let case = Case::new(format!("{} on a kernel that {kind}", verdict.word), [host])
                .worst(2, &[(HOST, verdict.word, verdict.rank)]);
            cases.push(match alert(verdict.word, clears) {
                Some((alert, holds)) => {
                    case.fires(holds - 1, &[]).fires(holds, &[alert]).fires(holds + 3, &[alert])
                }
                None => case.fires(35, &[]),
            });
        }
    }
    cases.extend(stale());
    cases.extend(several());
    cases
}

/// Stale relocations of each kind: what the findings say of them counts for more than what the kernel does in general.
fn stale() -> Vec<Case> {
    const KINDS: [(&[&str], &str); 8] = [
        (&["KLP001"], "KlpTraceReloadWillBeRefused"),
        (&["KLP002"], "KlpTraceReloadWillBeRefused"),
        (&["KLP003"], "KlpTraceReloadWillBeRefused"),
        (&["KLP004"], "KlpTraceStale"),
        (&["KLP001", "KLP004"], "KlpTraceReloadWillBeRefused"),
        (&["KLP016"], "KlpTraceSymbolModuleGone"),
        (&["KLP004", "KLP016"], "KlpTraceSymbolModuleGone"),
        (&["KLP003", "KLP004"], "KlpTraceReloadWillBeRefused"),
    ];
    let case = |(findings, alert): (&[&str], &'static str), clears: bool| {
        let kind = if clears { "clears" } else { "does not clear" };
        let host = Host::healthy(HOST).clears(clears).relocations("stale", 7);
        let host = findings.iter().fold(host, |host, id| host.finding(id));
        let name = format!("stale with {} on a kernel that {kind}", findings.join(" and "));
        Case::new(name, [host]).fires(1, &[]).fires(2, &[alert]).fires(6, &[alert])
    };
    KINDS.into_iter().flat_map(|kind| [case(kind, false), case(kind, true)]).collect()
}

/// More than one verdict, more than one host.
fn several() -> Vec<Case> {
    let all = ["KlpTraceOrphaned", "KlpTraceRelocationsWrong", "KlpTraceStale", "KlpTraceUnknown"];
    let every = VERDICTS.iter().fold(Host::healthy(HOST), |host, verdict| host.relocations(verdict.word, 3));
    let predicted = Host::healthy(HOST).relocations("stale", 7).finding("KLP001").finding("KLP016");
    let unloaded =
        VERDICTS.iter().fold(Host::healthy("c:11216"), |host, verdict| host.relocations(verdict.word, 0));
    let bad = Host::healthy("b:11216").relocations("mismatch", 2).relocations("stale", 1);
    // As on 6.12 when a patch wrote into its own relocation: the clear stopped at it, and nothing is stale.
    let stopped = Host::healthy(HOST).relocations("cleared", 3).relocations("mismatch", 1).finding("KLP002");
    vec![
        Case::new("a clear that stopped at a wrong value", [stopped])
            .fires(5, &["KlpTraceRelocationsWrong", "KlpTraceReloadWillBeRefused"]),
        Case::new("every verdict at once", [every]).fires(35, &all).worst(35, &[(HOST, "mismatch", 8)]),
        Case::new("stale of two kinds: the page is not held back by the ticket", [predicted])
            .fires(35, &["KlpTraceReloadWillBeRefused", "KlpTraceSymbolModuleGone"]),
        Case::new("hosts beside one another", [Host::healthy(HOST), bad, unloaded])
            .fires(35, &["KlpTraceRelocationsWrong", "KlpTraceStale"])
            .worst(35, &[(HOST, "applied", 1), ("b:11216", "mismatch", 8), ("c:11216", "none", 0)]),
    ]
}
