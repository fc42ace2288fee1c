//! `assert --from`: a journal judged, on any machine, without privilege.

use super::{Ran, judged::Judged};
use crate::{
    arch::Arch,
    cli::{Exit, Failure, args::RedactArgs},
    event::{Body, Event, Origin},
    policy::{Check, Policy, Rule, Status},
    source::recording::{RecordingError, replay},
    verify::Verifier,
};
use std::{ops::ControlFlow, path::Path};

pub(super) fn run(policy: Policy, journal: &Path, redact: RedactArgs) -> Result<Ran, Failure> {
    let (judged, damage) = observe(policy, journal, redact)?;
    let mut check = Check::new(Rule::Journal, "the journal is whole", Status::Pass);
    if !damage.is_empty() {
        check.status = Status::Unknown;
        check = check.what(damage.join("; ")).why("what is left of it was judged all the same");
    }
    Ok(Ran { sessions: judged.finish()?, run: vec![check], command: None })
}

/// Observes every session of a journal; what is damaged of it comes back too.
pub(in crate::cli) fn observe(
    policy: Policy,
    journal: &Path,
    redact: RedactArgs,
) -> Result<(Judged, Vec<String>), Failure> {
    let mut judged = Judged::new(policy, redact);
    let mut verifier: Option<Verifier> = None;
    let mut refused = None;
    let mut take = |origin: &Origin, event: Event| {
        if matches!(event.body, Body::Session(_)) || verifier.is_none() {
            if let Some(verifier) = &mut verifier {
                verifier.finish(&mut |event| judged.take(&event));
            }
            let Some(arch) = Arch::from_uname(&origin.host.kernel.arch) else {
                refused = Some(origin.host.kernel.arch.clone());
                return ControlFlow::Break(());
            };
            verifier = Some(Verifier::new(arch).on(&origin.host.kernel.release));
            judged.begin(origin);
        }
        if let Some(verifier) = &mut verifier {
            verifier.feed(event, &mut |event| judged.take(&event));
        }
        ControlFlow::Continue(())
    };
    let integrity = replay(journal, &mut take).map_err(|error| {
        let exit = match error {
            RecordingError::Open { .. } | RecordingError::NotAJournal { .. } => Exit::Usage,
            RecordingError::Read { .. } => Exit::Runtime,
        };
        Failure::new(exit, error).hint("name a file that `klp-trace watch --format ndjson` wrote")
    })?;
    if let Some(verifier) = &mut verifier {
        verifier.finish(&mut |event| judged.take(&event));
    }
    if let Some(arch) = refused {
        let what = anyhow::anyhow!("relocations of {arch} cannot be judged");
        return Err(Failure::new(Exit::Precondition, what));
    }
    let damage = if integrity.is_whole() { Vec::new() } else { crate::output::text::integrity(&integrity) };
    Ok((judged, damage))
}
