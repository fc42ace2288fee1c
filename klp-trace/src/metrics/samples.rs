//! From what is known to samples, metric by metric.

use super::caps::{self, Listed};
use super::metric::Metric;
use super::snapshot::{Moment, PatchState, State, count};
use crate::journal::{ElfWitness, LossCause};
use crate::model::escape::escape;
use crate::model::{FindingId, Verdict};
use std::time::Duration;

/// One sample: the values of its labels in the metric's order, and its own.
pub(super) type Sample = (Vec<String>, f64);

/// All that there is to be said at a moment.
pub(super) struct Samples<'a> {
    moment: &'a Moment,
    state: Option<&'a State>,
    listed: Option<Listed<'a>>,
}

impl<'a> Samples<'a> {
    pub(super) fn of(moment: &'a Moment) -> Self {
        let state = moment.sight().ok();
        Self { moment, state, listed: state.map(caps::listed) }
    }

    /// The samples of one metric; none where it is not known.
    pub(super) fn get(&self, metric: Metric) -> Vec<Sample> {
        let snapshot = &*self.moment.snapshot;
        let (counts, looks, journal) = (&snapshot.counts, &snapshot.looks, snapshot.journal.as_ref());
        let process = self.moment.process.as_ref();
        match metric {
            Metric::BuildInfo => {
                let of = [env!("CARGO_PKG_VERSION"), env!("KLP_TRACE_BUILT_FROM")];
                vec![(of.map(str::to_owned).into(), 1.0)]
            }
            Metric::KernelInfo => {
                let text = |text: &str| escape(text.as_bytes()).into_owned();
                vec![(vec![text(&snapshot.kernel.release), text(&snapshot.kernel.arch)], 1.0)]
            }
            Metric::KernelClears => maybe(counts.clears.map(flag)),
            Metric::Up => one(flag(self.state.is_some())),
            Metric::Relocations => self.state.map(relocations).unwrap_or_default(),
            Metric::ObjectRelocationsBad => {
                self.objects(|bad, unknown| (bad > 0 || unknown == 0).then_some(bad))
            }
            Metric::ObjectRelocationsUnknown => self.objects(|_, unknown| Some(unknown)),
            Metric::PatchInfo => self.patch_infos(),
            Metric::PatchEnabled => self.patches(|_, patch| patch.enabled.map(flag)),
            Metric::PatchRelocations => {
                self.patches(|unread, patch| (!unread).then(|| number(patch.relocations())))
            }
            Metric::PatchTransitionSeconds => {
                self.patches(|_, patch| patch.enabled.map(|_| seconds(patch.transition.unwrap_or_default())))
            }
            Metric::PatchesUnread => maybe(self.state.map(|state| number(state.unread.len() as u64))),
            Metric::Findings => self.state.map(findings).unwrap_or_default(),
            Metric::FindingsTotal => labelled(
                FindingId::ALL
                    .iter()
                    .map(|id| (id.to_string(), counts.findings.get(id).copied().unwrap_or(0))),
            ),
            Metric::HookInfo => {
                let hook = |(hook, mechanism): (&crate::model::Hook, &Option<String>)| {
                    let mechanism = mechanism.as_deref().unwrap_or("none");
                    (vec![hook.to_string(), mechanism.to_owned()], 1.0)
                };
                counts.hooks.iter().map(hook).collect()
            }
            Metric::RecordsTotal => one(number(counts.records)),
            Metric::EventsLostTotal => labelled(
                LossCause::ALL
                    .iter()
                    .map(|cause| (cause.word().to_owned(), counts.lost.get(cause).copied().unwrap_or(0))),
            ),
            Metric::RingBytes => maybe(counts.ring_bytes.map(f64::from)),
            Metric::LastLookTimestampSeconds => maybe(looks.last.map(seconds)),
            Metric::LastRecordTimestampSeconds => maybe(looks.last_record.map(seconds)),
            Metric::LookIntervalSeconds => one(seconds(looks.interval)),
            Metric::LookDurationSeconds => maybe(looks.last.map(|_| seconds(looks.took))),
            Metric::JournalWritable => maybe(journal.map(|journal| flag(journal.writable))),
            Metric::JournalBytes => maybe(journal.map(|journal| number(journal.bytes))),
            Metric::JournalOldestTimestampSeconds => {
                maybe(journal.and_then(|journal| journal.oldest).map(seconds))
            }
            Metric::JournalSeq => maybe(journal.map(|journal| number(journal.seq))),
            Metric::JournalRecordsTotal => maybe(journal.map(|journal| number(journal.records))),
            Metric::JournalWriteErrorsTotal => maybe(journal.map(|journal| number(journal.errors))),
            Metric::JournalRecordsUnwrittenTotal => maybe(journal.map(|journal| number(journal.unwritten))),
            Metric::JournalFilesDeletedTotal => maybe(journal.map(|journal| number(journal.deleted))),
            Metric::HttpRequestsTotal => self.moment.requests.map_or_else(Vec::new, |requests| {
                labelled(["200", "4xx", "5xx"].map(str::to_owned).into_iter().zip(requests))
            }),
            Metric::SeriesOmitted => maybe(self.listed.as_ref().map(|listed| number(listed.omitted as u64))),
            Metric::ProcessCpuSecondsTotal => maybe(process.map(|process| seconds(process.cpu))),
            Metric::ProcessResidentMemoryBytes => maybe(process.map(|process| number(process.resident))),
            Metric::ProcessStartTimeSeconds => maybe(process.map(|process| seconds(process.started))),
            Metric::ProcessOpenFds => maybe(process.map(|process| number(process.open_fds))),
            Metric::ProcessMaxFds => maybe(process.and_then(|process| process.max_fds).map(number)),
            Metric::ProcessThreads => maybe(process.map(|process| number(process.threads))),
        }
    }

    fn objects(&self, value: impl Fn(u64, u64) -> Option<u64>) -> Vec<Sample> {
        let objects = self.listed.iter().flat_map(|listed| &listed.objects);
        let sample = |(patch, object, totals): &(&str, &str, &_)| {
            let unknown = count(totals, |verdict| verdict == Verdict::Unknown);
            let value = value(count(totals, Verdict::is_bad), unknown)?;
            Some((vec![(*patch).to_owned(), (*object).to_owned()], number(value)))
        };
        objects.filter_map(sample).collect()
    }

    fn patches(&self, value: impl Fn(bool, &PatchState) -> Option<f64>) -> Vec<Sample> {
        let patches = self.listed.iter().flat_map(|listed| &listed.patches);
        let unread = |patch: &str| self.state.is_some_and(|state| state.is_unread(patch));
        let sample = |(patch, state): &(&str, &PatchState)| {
            value(unread(patch), state).map(|value| (vec![(*patch).to_owned()], value))
        };
        patches.filter_map(sample).collect()
    }

    fn patch_infos(&self) -> Vec<Sample> {
        let patches = self.listed.iter().flat_map(|listed| &listed.patches);
        let sample = |(patch, state): &(&str, &PatchState)| {
            let elf = state.witness.map_or("none", ElfWitness::word);
            (vec![(*patch).to_owned(), state.build_id.clone().unwrap_or_default(), elf.to_owned()], 1.0)
        };
        patches.map(sample).collect()
    }
}

/// All eight, those that there are none of too.
fn relocations(state: &State) -> Vec<Sample> {
    let of = |verdict: &Verdict| (verdict.word().to_owned(), state.totals.get(verdict).copied().unwrap_or(0));
    labelled(Verdict::ALL.iter().map(of))
}

/// All ids, those of which none holds too.
fn findings(state: &State) -> Vec<Sample> {
    let of = |id: &FindingId| (id.to_string(), u64::from(state.open.get(id).copied().unwrap_or(0)));
    labelled(FindingId::ALL.iter().map(of))
}

fn labelled(values: impl Iterator<Item = (String, u64)>) -> Vec<Sample> {
    values.map(|(label, value)| (vec![label], number(value))).collect()
}

fn one(value: f64) -> Vec<Sample> {
    vec![(Vec::new(), value)]
}

fn maybe(value: Option<f64>) -> Vec<Sample> {
    value.map(one).unwrap_or_default()
}

fn flag(yes: bool) -> f64 {
    if yes { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "the format's numbers are doubles: exact up to 2^53")]
fn number(value: u64) -> f64 {
    value as f64
}

/// Milliseconds are enough, and read better than what is left of a double.
fn seconds(time: Duration) -> f64 {
    number(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)) / 1000.0
}
