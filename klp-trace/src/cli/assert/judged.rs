//! Sessions, each observed and then held against the policy.

use crate::{
    arch::Arch,
    cli::{
        Failure,
        args::{RedactArgs, not_redacted},
    },
    event::{Event, Origin},
    output::report::Session,
    policy::{Observed, Policy, judge},
    source::redacted::{NotRedacted, Redacted},
};

/// Observes one session after the other.
pub(in crate::cli) struct Judged {
    policy: Policy,
    current: Option<(Origin, Observed)>,
    sessions: Vec<Session>,
    redact: RedactArgs,
    redacted: Option<Redacted>,
    /// A session that should be redacted and cannot be.
    refused: Option<NotRedacted>,
}

impl Judged {
    pub(in crate::cli) fn new(policy: Policy, redact: RedactArgs) -> Self {
        Self { policy, current: None, sessions: Vec::new(), redact, redacted: None, refused: None }
    }

    /// A session begins; the one before it has ended.
    pub(in crate::cli) fn begin(&mut self, origin: &Origin) {
        self.end();
        self.redacted = Arch::from_uname(&origin.host.kernel.arch)
            .and_then(|arch| self.redact.redacted(arch, &origin.host.kernel.release));
        self.current = Some((origin.clone(), Observed::default()));
    }

    /// Takes an event of the session, as the verifier says it.
    pub(in crate::cli) fn take(&mut self, event: &Event) {
        let Some((_, seen)) = &mut self.current else { return };
        match &mut self.redacted {
            None => seen.take(event),
            Some(redacted) if self.refused.is_none() => {
                self.refused = redacted.take(event, &mut |event| seen.take(event)).err();
            }
            Some(_) => {}
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
    pub(in crate::cli) fn finish(mut self) -> Result<Vec<Session>, Failure> {
        if let Some(error) = self.refused {
            return Err(not_redacted(error));
        }
        self.end();
        Ok(self.sessions)
    }

    /// What was seen of the session that has not ended.
    pub(in crate::cli) fn seen(self) -> Observed {
        self.current.map(|(_, seen)| seen).unwrap_or_default()
    }
}
