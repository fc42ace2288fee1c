//! Sessions, each observed and then held against the policy.

use crate::{
    journal::{Event, Origin},
    output::{
        event_sink::{Ended, EventSink},
        report::Session,
        sink::SinkError,
    },
    policy::{Observed, Policy, judge},
};

/// Observes one session after the other.
pub(in crate::cli) struct Judged {
    policy: Policy,
    current: Option<(Origin, Observed)>,
    sessions: Vec<Session>,
}

impl Judged {
    pub(in crate::cli) fn new(policy: Policy) -> Self {
        Self { policy, current: None, sessions: Vec::new() }
    }

    fn end(&mut self) {
        let Some((origin, seen)) = self.current.take() else { return };
        let last = seen.span().map_or(0, |(_, last)| last);
        // The day of the session's end, so that a journal is judged the same next year.
        let today = jiff::tz::Offset::UTC.to_datetime(origin.clock.time(last).0).date();
        let time = |mono_ns| origin.clock.time(mono_ns).to_string();
        self.sessions.push(Session {
            host: origin.host.name.clone(),
            kernel: format!("{} {}", origin.host.kernel.release, origin.host.kernel.arch),
            tool: origin.tool.version.clone(),
            times: seen.span().map(|(first, last)| (time(first), time(last))),
            groups: judge(&self.policy, &seen, today),
        });
    }

    /// The sessions, judged.
    pub(in crate::cli) fn sessions(mut self) -> Vec<Session> {
        self.end();
        self.sessions
    }

    /// What was seen of the session that has not ended.
    pub(in crate::cli) fn seen(self) -> Observed {
        self.current.map(|(_, seen)| seen).unwrap_or_default()
    }
}

impl EventSink for Judged {
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        self.end();
        self.current = Some((origin.clone(), Observed::default()));
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        if let Some((_, seen)) = &mut self.current {
            seen.take(event);
        }
        Ok(())
    }

    fn finish(&mut self, _ended: Ended) -> Result<Vec<String>, SinkError> {
        Ok(Vec::new())
    }
}
