//! Sessions, each observed and then held against the policy.

use crate::{
    event::{Event, Origin},
    output::report::Session,
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

    /// A session begins; the one before it has ended.
    pub(in crate::cli) fn begin(&mut self, origin: &Origin) {
        self.end();
        self.current = Some((origin.clone(), Observed::default()));
    }

    /// Takes an event of the session, as the verifier says it.
    pub(in crate::cli) fn take(&mut self, event: &Event) {
        if let Some((_, seen)) = &mut self.current {
            seen.take(event);
        }
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
    pub(in crate::cli) fn finish(mut self) -> Vec<Session> {
        self.end();
        self.sessions
    }

    /// What was seen of the session that has not ended.
    pub(in crate::cli) fn seen(self) -> Observed {
        self.current.map(|(_, seen)| seen).unwrap_or_default()
    }
}
