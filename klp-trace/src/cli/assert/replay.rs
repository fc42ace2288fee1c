//! `assert --from`: a journal judged, on any machine, without privilege.

use super::{Ran, judged::Judged};
use crate::{
    cli::{
        Failure,
        args::RedactArgs,
        replayed::{self, Replayed, Sessions},
    },
    event::{Event, Origin},
    policy::{Check, Policy, Rule, Status},
};
use std::path::Path;

pub(super) fn run(policy: Policy, journal: &Path, redact: RedactArgs) -> Result<Ran, Failure> {
    let mut judged = Judged::new(policy, redact);
    let replayed = replayed::replay(journal, false, &mut judged)?;
    let mut check = Check::new(Rule::Journal, "the journal is whole", Status::Pass);
    if replayed.is_partial() {
        check.status = Status::Unknown;
        check = check.what(replayed.warnings().join("; ")).why("what is left of it was judged all the same");
    }
    Ok(Ran { sessions: judged.finish()?, run: vec![check], command: None })
}

/// Observes the last session of a journal, and says what became of the journal.
pub(in crate::cli) fn observe(journal: &Path) -> Result<(Judged, Replayed), Failure> {
    let mut judged = Judged::new(Policy::default(), RedactArgs::default());
    let replayed = replayed::replay(journal, false, &mut judged)?;
    Ok((judged, replayed))
}

impl Sessions for Judged {
    fn begin(&mut self, origin: &Origin) -> Result<(), Failure> {
        Judged::begin(self, origin);
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        self.take(event);
    }
}
