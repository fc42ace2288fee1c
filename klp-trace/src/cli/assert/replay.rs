//! `assert --from`: a journal judged, on any machine, without privilege.

use super::{Ran, judged::Judged};
use crate::{
    cli::{Exit, Failure, args::RedactArgs, ending},
    policy::{Check, Policy, Rule, Status},
    session::{self, Replayed, Sinks},
};
use std::path::Path;

pub(super) fn run(policy: Policy, journal: &Path, redact: RedactArgs) -> Result<Ran, Failure> {
    let (judged, replayed) = judge(policy, journal, redact)?;
    let mut check = Check::new(Rule::Journal, "the journal is whole", Status::Pass);
    if replayed.is_partial() {
        check.status = Status::Unknown;
        check = check.what(replayed.warnings().join("; ")).why("what is left of it was judged all the same");
    }
    Ok(Ran { sessions: judged.sessions(), run: vec![check], command: None })
}

/// Observes the last session of a journal, and says what became of the journal.
pub(in crate::cli) fn observe(journal: &Path) -> Result<(Judged, Replayed), Failure> {
    judge(Policy::default(), journal, RedactArgs::default())
}

fn judge(policy: Policy, journal: &Path, redact: RedactArgs) -> Result<(Judged, Replayed), Failure> {
    let mut judged = Judged::new(policy);
    let mut sinks = Sinks::new(redact.redact_addresses).and(&mut judged);
    let replayed = session::replay(journal, false, &mut sinks)?;
    // What was observed has no end of its own to write: the report has.
    ending::finish(sinks, Exit::Clean)?;
    Ok((judged, replayed))
}
