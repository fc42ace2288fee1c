//! A host's series, minute by minute, in promtool's notation.

use std::collections::BTreeMap;

use super::super::JOB;
use super::super::expr::{Foreign, Selector, foreign, of};
use super::super::metric::{Label, Metric};
use super::super::verdicts::VERDICTS;

/// How many minutes a series goes on.
const MINUTES: u32 = 500;

/// The same value all the time.
pub fn steady(value: i64) -> String {
    format!("{value}+0x{MINUTES}")
}

/// One value up to a minute, and another from then on.
pub fn then(first: i64, until: u32, second: i64) -> String {
    format!("{first}+0x{} {second}+0x{MINUTES}", until - 1)
}

/// A value up to a minute, and nothing from then on.
pub fn ends(value: i64, until: u32) -> String {
    format!("{value}+0x{} stale", until - 1)
}

/// The series of one host.
#[derive(Debug, Clone)]
pub struct Host {
    job: &'static str,
    instance: &'static str,
    series: BTreeMap<String, String>,
}

impl Host {
    /// One of which nothing is exported.
    pub fn empty(job: &'static str, instance: &'static str) -> Self {
        Self { job, instance, series: BTreeMap::new() }
    }

    /// One with a patch of 16 relocations, all applied, looked at each minute.
    pub fn healthy(instance: &'static str) -> Self {
        let host = Self::empty(JOB, instance)
            .set(foreign(Foreign::Up), steady(1))
            .set(of(Metric::Up), steady(1))
            .set(of(Metric::KernelClears), steady(1))
            .set(of(Metric::PatchesUnread), steady(0))
            .set(of(Metric::SeriesOmitted), steady(0))
            .set(of(Metric::PatchTransitionSeconds).is(Label::Patch, "lp_one"), steady(0))
            .set(of(Metric::LookIntervalSeconds), steady(900))
            .set(of(Metric::LastLookTimestampSeconds), format!("0+60x{MINUTES}"))
            .set(of(Metric::JournalWritable), steady(1))
            .set(of(Metric::JournalWriteErrorsTotal), steady(0))
            .witness("file")
            .bad(0);
        VERDICTS
            .iter()
            .fold(host, |host, verdict| host.relocations(verdict.word, 0))
            .relocations("applied", 16)
    }

    /// These values of a series, in place of others.
    pub fn set(mut self, selector: Selector, values: impl Into<String>) -> Self {
        let selector = selector.has("job", self.job).has("instance", self.instance);
        self.series.insert(selector.to_string(), values.into());
        self
    }

    /// How many relocations have this verdict, all the time.
    pub fn relocations(self, verdict: &str, count: i64) -> Self {
        self.verdict(verdict, steady(count))
    }

    /// The same, minute by minute.
    pub fn verdict(self, verdict: &str, values: impl Into<String>) -> Self {
        self.set(of(Metric::Relocations).is(Label::Verdict, verdict), values)
    }

    /// How many relocations of the patch against klp_target are bad.
    pub fn bad(self, count: i64) -> Self {
        let those = of(Metric::ObjectRelocationsBad).is(Label::Patch, "lp_one");
        self.set(those.is(Label::Object, "klp_target"), steady(count))
    }

    /// What the patch's verdicts rest on.
    pub fn witness(mut self, elf: &str) -> Self {
        self.series.retain(|series, _| !series.starts_with(Metric::PatchInfo.name()));
        let patch = of(Metric::PatchInfo).is(Label::Patch, "lp_one").is(Label::BuildId, "0123abcd");
        self.set(patch.is(Label::Elf, elf), steady(1))
    }

    /// Whether the kernel clears.
    pub fn clears(self, clears: bool) -> Self {
        self.set(of(Metric::KernelClears), steady(i64::from(clears)))
    }

    /// A finding that holds all the time.
    pub fn finding(self, id: &str) -> Self {
        self.set(of(Metric::Findings).is(Label::Finding, id), steady(1))
    }

    /// How often a finding was made.
    pub fn made(self, id: &str, values: impl Into<String>) -> Self {
        self.set(of(Metric::FindingsTotal).is(Label::Finding, id), values)
    }

    /// From this minute on klp-trace answers, and knows nothing.
    pub fn blind_from(self, minute: u32) -> Self {
        self.ending(minute, |series| series.starts_with("klp_trace_")).set(of(Metric::Up), then(1, minute, 0))
    }

    /// From this minute on it does not answer.
    pub fn down_from(self, minute: u32) -> Self {
        self.ending(minute, |series| series.starts_with("klp_trace_"))
            .set(foreign(Foreign::Up), then(1, minute, 0))
    }

    /// From this minute on it is no target any more.
    pub fn gone_from(self, minute: u32) -> Self {
        self.ending(minute, |_| true)
    }

    /// All series of it.
    pub fn series(self) -> impl Iterator<Item = (String, String)> {
        self.series.into_iter()
    }

    /// Each of these series ends at this minute; all are steady, or grow by what they grow a minute.
    fn ending(mut self, minute: u32, which: impl Fn(&str) -> bool) -> Self {
        let all = format!("x{MINUTES}");
        for (series, values) in &mut self.series {
            if which(series) {
                *values = values.replace(&all, &format!("x{} stale", minute - 1));
            }
        }
        self
    }
}
