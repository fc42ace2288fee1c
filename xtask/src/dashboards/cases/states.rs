//! Hosts whose livepatches are in a bad way, or were.

use super::super::expr::of;
use super::super::metric::{Label, Metric};
use super::super::verdicts::VERDICTS;
use super::Case;
use super::host::{Host, ends, steady, then};

const HOST: &str = "a:11216";

/// A host's labels.
const AT: [(&str, &str); 2] = [("job", super::super::JOB), ("instance", HOST)];

fn with<'a>(more: &[(&'static str, &'a str)]) -> Vec<(&'static str, &'a str)> {
    AT.iter().copied().chain(more.iter().copied()).collect()
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = relocations();
    cases.extend(loads());
    cases.extend(patches());
    cases
}

fn host() -> Host {
    Host::healthy(HOST)
}

fn relocations() -> Vec<Case> {
    const AUDIT: &str = "On the host, klp-trace audit names them and what to do.";
    const OBJECT: &str = " lp_one against klp_target: 7.";
    let bad = |verdict: &str| host().bad(7).relocations(verdict, 7);
    let said = |name: &str, host: Host, alert, at, labels: &[(&'static str, &str)], words: &str| {
        Case::new(name, [host])
            .says(at, alert, &with(labels), &format!("{words}{OBJECT} {AUDIT}"))
            .fires(at, &[alert])
    };
    let gone = format!("{OBJECT} {AUDIT}");
    vec![
        said("what a wrong relocation says", bad("mismatch"), "KlpTraceRelocationsWrong", 3, &[],
            "7 relocations on a:11216 hold a wrong value or were never written: the fix may not be there, or code runs into a wrong place."),
        said("what a reload that will be refused says", bad("stale").clears(false), "KlpTraceReloadWillBeRefused", 3, &[],
            "Relocations on a:11216 still hold values of a module that was unloaded: do not load it before its patch was disabled and removed."),
        said("what a stale relocation says", bad("stale"), "KlpTraceStale", 3, &[("verdict", "stale")],
            "7 relocations on a:11216 are stale: of a patch that was disabled or replaced, or though this kernel clears."),
        said("what an orphaned relocation says", bad("orphaned"), "KlpTraceOrphaned", 11, &[("verdict", "orphaned")],
            "7 relocations on a:11216 wait for an object that their patch does not list: rebuild the patch."),
        said("what a symbol's module that is gone says", bad("stale").finding("KLP016"), "KlpTraceSymbolModuleGone", 3, &[],
            "Relocations on a:11216 point to where a symbol's module was, which is not loaded any more: their code may run into memory of somebody else."),
        Case::new("what an unknown relocation says", [host().relocations("unknown", 3)])
            .says(31, "KlpTraceUnknown", &with(&[("verdict", "unknown")]),
                "3 relocations on a:11216 have been unknown for half an hour. On the host, klp-trace audit gives the reason of each."),
        Case::new("unknown for a moment, as after a module came or went", [host().verdict("unknown", then(5, 20, 0))])
            .fires(15, &[]).fires(40, &[]),
        Case::new("wrong for a minute", [host().verdict("mismatch", then(5, 1, 0))]).fires(10, &[]),
        Case::new("wrong, and then right", [host().verdict("missing", then(5, 20, 0))])
            .fires(19, &["KlpTraceRelocationsWrong"])
            .fires(30, &["KlpTraceRelocationsWrong"])
            .fires(40, &[]),
        Case::new("wrong, and then blind: what was wrong is not over before it is said that nothing is known",
            [bad("mismatch").blind_from(30)])
            .fires(29, &["KlpTraceRelocationsWrong"])
            .fires(34, &["KlpTraceRelocationsWrong"])
            .fires(36, &["KlpTraceBlind", "KlpTraceRelocationsWrong"])
            .fires(46, &["KlpTraceBlind"])
            .worst(46, &[(HOST, "blind", -1)]),
        Case::new("stale, and then no answer", [bad("stale").clears(false).down_from(30), Host::healthy("b:11216")])
            .fires(34, &["KlpTraceReloadWillBeRefused"])
            .fires(41, &["KlpTraceDown", "KlpTraceReloadWillBeRefused"])
            .fires(46, &["KlpTraceDown"])
            .worst(46, &[(HOST, "down", -2), ("b:11216", "applied", 1)]),
        Case::new("a module that may go", [host().finding("KLP016")])
            .hours()
            .fires(50, &[])
            .fires(70, &["KlpTraceSymbolModuleMayGo"])
            .says(70, "KlpTraceSymbolModuleMayGo", &AT,
                "A livepatch on a:11216 uses a symbol of a module that may be unloaded at any time. Keep the module loaded; klp-trace audit names it."),
        Case::new("it went", [host().relocations("stale", 7).finding("KLP016").bad(7)])
            .says(3, "KlpTraceSymbolModuleGone", &AT,
                &format!("Relocations on a:11216 point to where a symbol's module was, which is not loaded any more: their code may run into memory of somebody else.{gone}")),
        Case::new("findings of files alone", [host().finding("KLP008").finding("KLP015")]).fires(35, &[]),
        Case::new("no livepatch", [VERDICTS.iter().fold(host(), |host, verdict| host.relocations(verdict.word, 0))])
            .fires(35, &[]),
    ]
}

fn loads() -> Vec<Case> {
    let refused = |host: Host| host.made("KLP009", then(0, 10, 1));
    vec![
        Case::new("a load that was refused, for as long as it is", [refused(host()).set(
                of(Metric::Findings).is(Label::Finding, "KLP009"), "0+0x9 1+0x20 0+0x400")])
            .fires(9, &[])
            .fires(10, &["KlpTraceLoadRefused"])
            .fires(28, &["KlpTraceLoadRefused"])
            .fires(40, &[])
            .says(25, "KlpTraceLoadRefused", &with(&[("finding", "KLP009")]),
                "A module could not be loaded on a:11216, and modprobe said no more than an errno. On the host, klp-trace audit and the journal name the patch and the relocation."),
        Case::new("a load that was refused and then loaded, between two scrapes", [refused(host())])
            .fires(9, &[])
            .fires(12, &["KlpTraceLoadRefused"])
            .fires(40, &[]),
        Case::new("a load that was refused before the first scrape", [host().finding("KLP009").made("KLP009", steady(1))])
            .fires(0, &["KlpTraceLoadRefused"])
            .fires(30, &["KlpTraceLoadRefused"]),
        Case::new("a load that was refused long ago, seen by a Prometheus that is new", [host().made("KLP009", steady(3))])
            .fires(0, &[])
            .fires(40, &[]),
        Case::new("a load that was refused, and klp-trace was restarted", [host().made("KLP009", "0+0x9 1+0x1 0+0x400")])
            .fires(13, &["KlpTraceLoadRefused"])
            .fires(40, &[]),
        Case::new("a load that was refused while klp-trace was blind", [refused(host().blind_from(5))])
            .fires(12, &["KlpTraceBlind", "KlpTraceLoadRefused"]),
        Case::new("a livepatch whose symbol is not there", [host().made("KLP014", then(0, 10, 1))])
            .fires(9, &[])
            .fires(12, &["KlpTracePatchRefused"])
            .fires(40, &[])
            .says(12, "KlpTracePatchRefused", &with(&[("finding", "KLP014")]),
                "A livepatch was not enabled on a:11216, for a symbol that is not there: it was built for another build of the object."),
        Case::new("an object whose symbol is not there", [refused(host()).made("KLP014", then(0, 10, 1))])
            .fires(12, &["KlpTraceLoadRefused"]),
    ]
}

fn patches() -> Vec<Case> {
    let transition =
        |values: String| host().set(of(Metric::PatchTransitionSeconds).is(Label::Patch, "lp_one"), values);
    let patch = |elf| with(&[("patch", "lp_one"), ("build_id", "0123abcd"), ("elf", elf)]);
    vec![
        Case::new("a transition that does not end", [transition("0+60x500".to_owned())])
            .fires(11, &[])
            .fires(13, &["KlpTraceTransitionStalled"])
            .says(15, "KlpTraceTransitionStalled", &with(&[("patch", "lp_one")]),
                "lp_one on a:11216 has been in transition for 15m 0s; no other patch can be enabled or disabled meanwhile. On the host, klp-trace audit names the tasks that hold it up."),
        Case::new("a transition that ends", [transition("0+60x9 0+0x400".to_owned())]).fires(9, &[]).fires(30, &[]),
        Case::new("a file that is not what was loaded", [host().witness("differs")])
            .fires(9, &[])
            .fires(10, &["KlpTraceFileDiffers"])
            .says(11, "KlpTraceFileDiffers", &patch("differs"),
                "The .ko of lp_one on a:11216 is not what was loaded (build-id 0123abcd): no verdict rests on it. Put the file back, or name it under attach.ko in serve.toml."),
        Case::new("the same, and what comes of it", [host().witness("differs").relocations("unknown", 16)])
            .fires(40, &["KlpTraceFileDiffers", "KlpTraceUnknown"]),
        Case::new("a file that is not there", [host().witness("memory")])
            .hours()
            .fires(350, &[])
            .fires(370, &["KlpTraceWitnessWeak"])
            .says(370, "KlpTraceWitnessWeak", &patch("memory"),
                "The verdicts of lp_one on a:11216 rest on the kernel's own copy of what was loaded, a weaker witness than its .ko."),
        Case::new("a patch without livepatch relocations", [host().witness("none")]).fires(35, &[]),
        Case::new("a patch that cannot be read", [host().set(of(Metric::PatchesUnread), steady(1))])
            .fires(29, &[])
            .fires(31, &["KlpTracePatchUnread"])
            .says(31, "KlpTracePatchUnread", &AT,
                "Nothing is known of the relocations of 1 livepatches on a:11216. On the host, klp-trace doctor says what the kernel refuses."),
        Case::new("a patch that could not be read for a moment", [host().set(of(Metric::PatchesUnread), ends(1, 5))])
            .fires(40, &[]),
        Case::new("relocations in .init", [host().finding("KLP012")])
            .fires(9, &[])
            .fires(11, &["KlpTraceUnsafeSection"])
            .says(11, "KlpTraceUnsafeSection", &with(&[("finding", "KLP012")]),
                "A livepatch on a:11216 has relocations in .init, per-CPU or special sections. Before its object is loaded or unloaded, read what klp-trace audit says on the host."),
    ]
}
