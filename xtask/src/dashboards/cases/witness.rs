//! Hosts whose klp-trace does not see, does not answer, is gone, or keeps no evidence; and healthy ones.

use super::super::JOB;
use super::super::expr::{Foreign, foreign, of};
use super::super::metric::{Label, Metric};
use super::Case;
use super::host::{Host, ends, steady, then};

const HOST: &str = "a:11216";
const OTHER: &str = "b:11216";
const AT: [(&str, &str); 2] = [("job", JOB), ("instance", HOST)];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = sight();
    cases.extend(absence());
    cases.extend(evidence());
    cases
}

fn host() -> Host {
    Host::healthy(HOST)
}

fn sight() -> Vec<Case> {
    let looked = |values: &str| host().set(of(Metric::LastLookTimestampSeconds), values);
    vec![
        Case::new("a healthy host", [host()]).hours().fires(0, &[]).fires(60, &[]).fires(450, &[]),
        Case::new("a healthy host, all findings exported", [all_findings()]).hours().fires(450, &[]),
        Case::new("blind from the beginning", [Host::empty(JOB, HOST)
                .set(foreign(Foreign::Up), steady(1))
                .set(of(Metric::Up), steady(0))])
            .fires(4, &[])
            .fires(5, &["KlpTraceBlind"])
            .fires(30, &["KlpTraceBlind"])
            .says(6, "KlpTraceBlind", &AT,
                "klp-trace on a:11216 answers and knows nothing: what was wrong before may still be. Its /healthz, and systemctl status klp-trace, say why."),
        Case::new("the first look", [host().set(of(Metric::Up), then(0, 2, 1))]).fires(30, &[]),
        Case::new("no answer, of the only host", [host().down_from(30)])
            .fires(39, &[])
            .fires(41, &["KlpTraceDown"])
            .fires(48, &["KlpTraceDown", "KlpTraceNoData"])
            .says(41, "KlpTraceDown", &AT,
                "Prometheus gets no metrics of klp-trace from a:11216: nothing is known of its livepatches."),
        Case::new("somebody else answers", [Host::healthy(OTHER), Host::empty(JOB, HOST).set(foreign(Foreign::Up), steady(1))])
            .fires(9, &[])
            .fires(11, &["KlpTraceDown"]),
        Case::new("a target of another job that is down", [host(),
                Host::empty("node", "a:9100").set(foreign(Foreign::Up), steady(0))])
            .fires(30, &[]),
        Case::new("restarted, away for three minutes", [away(30, 3)]).fires(29, &[]).fires(34, &[]).fires(50, &[]),
        Case::new("looks that do not come", [looked("0+0x500")])
            .fires(46, &[])
            .fires(53, &["KlpTraceLookOverdue"])
            .says(55, "KlpTraceLookOverdue", &AT, "The last full look on a:11216 was 55m 0s ago."),
        Case::new("looks every 15 minutes, and a clock that is 30 s slow",
            [looked(&(0..30).map(|look| format!("{}+0x14", look * 900 - 30)).collect::<Vec<_>>().join(" "))])
            .hours().fires(60, &[]).fires(440, &[]),
    ]
}

/// A host whose klp-trace is started again: its counts begin anew.
fn away(from: u32, minutes: u32) -> Host {
    let back =
        |before: i64, after: i64| format!("{before}+0x{} stale _x{} {after}+0x400", from - 1, minutes - 1);
    host()
        .set(of(Metric::Up), back(1, 1))
        .set(foreign(Foreign::Up), format!("1+0x{} 0+0x{} 1+0x400", from - 1, minutes - 1))
        .made("KLP009", back(3, 0))
}

fn all_findings() -> Host {
    (1..=16).fold(host(), |host, number| {
        let id = format!("KLP{number:03}");
        host.set(of(Metric::Findings).is(Label::Finding, &id), steady(0)).made(&id, steady(0))
    })
}

fn absence() -> Vec<Case> {
    let node = |instance| Host::empty("node", instance).set(foreign(Foreign::Up), steady(1));
    let named = |instance, name: &str| {
        node(instance).set(foreign(Foreign::NodeUnameInfo).has("nodename", name), steady(1))
    };
    let textfile = |written: &str| {
        named("a:9100", "a").set(of(Metric::Up), steady(1)).set(
            foreign(Foreign::NodeTextfileMtimeSeconds)
                .has("file", "/var/lib/prometheus/node-exporter/klp-trace.prom"),
            written,
        )
    };
    vec![
        Case::new("a host that is no target any more", [host().gone_from(30), Host::healthy(OTHER)])
            .fires(29, &[])
            .fires(44, &[])
            .fires(46, &["KlpTraceVanished"])
            .says(46, "KlpTraceVanished", &AT,
                "a:11216 had klp-trace within the last day, and is no target any more or has lost its textfile."),
        Case::new("a host that is no target any more while it is wrong",
            [host().relocations("mismatch", 1).gone_from(30), Host::healthy(OTHER)])
            .fires(29, &["KlpTraceRelocationsWrong"])
            .fires(44, &["KlpTraceRelocationsWrong"])
            .fires(46, &["KlpTraceVanished"]),
        Case::new("the only host is gone", [host().gone_from(30)])
            .fires(47, &["KlpTraceNoData", "KlpTraceVanished"]),
        Case::new("nobody at all", [node("a:9100")])
            .fires(14, &[])
            .fires(16, &["KlpTraceNoData"])
            .says(16, "KlpTraceNoData", &[],
                "No host tells anything: no alert about livepatches can fire. Is the scrape job there?"),
        Case::new("hosts with and without klp-trace", [host(), named("a:9100", "a"), named("c:9100", "c")])
            .hours()
            .fires(50, &[])
            .fires(70, &["KlpTraceAbsent"])
            .says(70, "KlpTraceAbsent", &[("host", "c"), ("nodename", "c")],
                "Nothing is known of the livepatches of c."),
        Case::new("a host of node_exporter whose klp-trace does not answer", [host().down_from(1), named("a:9100", "a"), Host::healthy(OTHER)])
            .hours().fires(90, &["KlpTraceDown"]),
        Case::new("a textfile", [textfile("0+60x500")]).hours().fires(400, &[]),
        Case::new("a textfile that is not written any more", [textfile("0+0x500")])
            .fires(9, &[])
            .fires(12, &["KlpTraceTextfileStale"])
            .says(15, "KlpTraceTextfileStale",
                &[("job", "node"), ("instance", "a:9100"), ("file", "/var/lib/prometheus/node-exporter/klp-trace.prom")],
                "/var/lib/prometheus/node-exporter/klp-trace.prom on a:9100 is 15m 0s old: what it says is not known to hold."),
        Case::new("a textfile that is gone", [textfile("0+60x500").set(of(Metric::Up), ends(1, 30)), Host::healthy(OTHER)])
            .fires(47, &["KlpTraceVanished"]),
    ]
}

fn evidence() -> Vec<Case> {
    let lost = |values: &str| host().set(of(Metric::EventsLostTotal).is(Label::Cause, "ring-full"), values);
    let errors = |values: String| host().set(of(Metric::JournalWriteErrorsTotal), values);
    vec![
        Case::new("records that were lost once", [lost("0+0x9 1000+0x400")])
            .fires(9, &[])
            .fires(11, &["KlpTraceEventsLost"])
            .fires(40, &[])
            .says(11, "KlpTraceEventsLost", &AT,
                "klp-trace on a:11216 lost records within 15 minutes and read everything again; klp_trace_events_lost_total has the cause."),
        Case::new("a count that begins anew with klp-trace", [lost("1000+0x9 0+0x400")]).fires(11, &[]).fires(30, &[]),
        Case::new("records that are lost every five minutes", [host().made("KLP013", &*(0..8).map(|n| format!("{n}+0x4")).collect::<Vec<_>>().join(" "))])
            .fires(20, &[])
            .fires(38, &["KlpTraceEventsLostOften"])
            .says(38, "KlpTraceEventsLostOften", &[("job", JOB), ("instance", HOST), ("finding", "KLP013")],
                "klp-trace on a:11216 has lost records more than five times within a day; the page of the finding has what helps, cause by cause."),
        Case::new("a journal that cannot be written", [host().set(of(Metric::JournalWritable), steady(0))])
            .fires(4, &[])
            .fires(6, &["KlpTraceJournalNotWritten"])
            .says(6, "KlpTraceJournalNotWritten", &AT,
                "Evidence of a:11216 is not kept; the verdicts are not affected. Is the disk full?"),
        Case::new("a journal that could not be written once", [errors(then(0, 10, 1))])
            .fires(9, &[])
            .fires(17, &["KlpTraceJournalNotWritten"])
            .fires(40, &[]),
        Case::new("no journal", [errors("_x500".to_owned()).set(of(Metric::JournalWritable), "_x500")])
            .fires(30, &[]),
        Case::new("more patches than are listed", [host().set(of(Metric::SeriesOmitted), steady(12))])
            .hours()
            .fires(50, &[])
            .fires(70, &["KlpTraceSeriesOmitted"])
            .says(70, "KlpTraceSeriesOmitted", &AT,
                "12 series of a:11216 are left out, the worst ones being kept; its totals lack nothing."),
    ]
}
