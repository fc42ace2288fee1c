//! The verdict of an audit, for `status`.

use super::line::Status;
use crate::cli::audit;
use crate::cli::ending::{FailFrom, judged};
use crate::cli::exit::Exit;
use crate::journal::Body;
use crate::model::Severity;

/// Audits this kernel. What does not allow it leaves the status unverified.
pub(super) fn judge(mut status: Status) -> Status {
    let mut findings = Vec::new();
    let audited = audit::observe(&mut |event| match &event.body {
        Body::Finding(finding) if finding.severity >= Severity::Warning => findings.push(finding.clone()),
        Body::FindingClosed(closed) => findings.retain(|finding| !closed.ends(finding)),
        Body::SessionEnd(end) => status.relocations.clone_from(&end.verdicts),
        _ => {}
    });
    let outcome = match audited {
        Ok(outcome) => outcome,
        Err(failure) => return status.unverified(failure.in_short()),
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    match judged(&outcome, false, FailFrom::Open(Severity::Warning)) {
        Exit::Clean => status.clean(),
        Exit::Finding => status.finding(&findings),
        _ if outcome.unknown > 0 => status.unverified(format!(
            "{} of its relocations cannot be judged; klp-trace audit says why",
            outcome.unknown
        )),
        _ => status.unverified("something changed while it was looked at; try again".to_owned()),
    }
}
