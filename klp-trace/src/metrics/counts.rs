//! What is counted event by event, for as long as the process runs.

use crate::journal::{Body, Event, LossCause, Origin};
use crate::model::{FindingId, Hook};
use crate::output::event_sink::{Ended, EventSink};
use crate::output::sink::SinkError;
use std::collections::BTreeMap;

/// Counts over all sessions of the process, and what the present session said of itself.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Findings made, by id.
    pub findings: BTreeMap<FindingId, u64>,
    /// Records known to be lost; a loss that cannot be counted adds 1.
    pub lost: BTreeMap<LossCause, u64>,
    /// Records taken from the ring buffer; the source counts them.
    pub records: u64,
    /// The hooks, and how each is attached; none: it is not.
    pub hooks: BTreeMap<Hook, Option<String>>,
    /// Whether the kernel clears; none before a session.
    pub clears: Option<bool>,
    /// Size of the ring buffer.
    pub ring_bytes: Option<u32>,
}

impl EventSink for Counts {
    fn begin(&mut self, _origin: &Origin) -> Result<(), SinkError> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        match &event.body {
            Body::Session(session) => {
                let hooks = session.hooks.iter().map(|hook| (hook.name, hook.mechanism.clone()));
                self.hooks = hooks.collect();
                (self.clears, self.ring_bytes) = (Some(session.clears), Some(session.ring_bytes));
            }
            Body::Finding(finding) => *self.findings.entry(finding.id).or_default() += 1,
            Body::EventsLost(lost) => {
                let all = self.lost.entry(lost.cause).or_default();
                *all = all.saturating_add(lost.count.max(1));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, _ended: Ended) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }
}
