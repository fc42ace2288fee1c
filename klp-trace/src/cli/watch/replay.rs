//! `watch --from`: a journal judged anew, on any machine, without privilege.

use super::{Args, show::Show};
use crate::{
    arch::Arch,
    cli::{Exit, Failure},
    event::{Body, EndReason, Event, Origin},
    source::recording::{RecordingError, replay},
    verify::{Outcome, Verifier},
};
use std::{io::Write as _, ops::ControlFlow, os::unix::fs::MetadataExt as _, path::Path};

/// One session of the recording after the other; each begins with nothing known.
struct Sessions<'a> {
    args: &'a Args,
    show: Option<Show>,
    verifier: Option<Verifier>,
    mono_ns: u64,
    outcomes: Vec<Outcome>,
    failure: Option<Failure>,
}

pub(super) fn run(args: &Args, journal: &Path) -> Result<Exit, Failure> {
    if args.output.output.as_deref().is_some_and(|output| same_file(output, journal)) {
        let what = anyhow::anyhow!("--output would replace the journal that --from reads");
        return Err(Failure::new(Exit::Usage, what).hint("name another file for the result"));
    }
    let mut sessions =
        Sessions { args, show: None, verifier: None, mono_ns: 0, outcomes: Vec::new(), failure: None };
    let integrity = replay(journal, &mut |origin, event| sessions.take(origin, event)).map_err(|error| {
        let exit = match error {
            RecordingError::Open { .. } | RecordingError::NotAJournal { .. } => Exit::Usage,
            RecordingError::Read { .. } => Exit::Runtime,
        };
        Failure::new(exit, error).hint("name a file that `klp-trace watch --format ndjson` wrote")
    })?;
    sessions.end();
    if let Some(failure) = sessions.failure {
        return Err(failure);
    }
    let outcome = sessions.outcomes.into_iter().fold(Outcome::default(), merge);
    // Said whatever the filter and the format: the verdicts are those of what is left of the journal.
    let name = crate::elf::names::path(journal);
    for line in crate::output::text::integrity(&integrity) {
        let _ = writeln!(std::io::stderr(), "klp-trace: {name}: {line}");
    }
    match sessions.show {
        Some(show) => show.finish(&outcome, !integrity.is_whole(), args.fail_on.into()),
        None => Ok(Exit::Inconclusive),
    }
}

/// Whether two paths lead to one file, by whatever name.
fn same_file(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((id(a), id(b)), (Ok(a), Ok(b)) if a == b)
}

impl Sessions<'_> {
    fn take(&mut self, origin: &Origin, event: Event) -> ControlFlow<()> {
        if matches!(event.body, Body::Session(_)) || self.verifier.is_none() {
            self.end();
            let Some(arch) = Arch::from_uname(&origin.host.kernel.arch) else {
                let what = anyhow::anyhow!("relocations of {} cannot be judged", origin.host.kernel.arch);
                self.failure = Some(Failure::new(Exit::Precondition, what));
                return ControlFlow::Break(());
            };
            self.verifier = Some(Verifier::new(arch).on(&origin.host.kernel.release));
            match &mut self.show {
                Some(show) => show.set_origin(origin.clone()),
                None => match Show::open(self.args, origin.clone()) {
                    Ok(show) => self.show = Some(show),
                    Err(failure) => {
                        self.failure = Some(failure);
                        return ControlFlow::Break(());
                    }
                },
            }
        }
        self.mono_ns = event.mono_ns;
        if let (Some(verifier), Some(show)) = (&mut self.verifier, &mut self.show) {
            verifier.feed(event, &mut |event| show.event(&event));
            if show.is_closed() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self) {
        let (Some(mut verifier), Some(show)) = (self.verifier.take(), &mut self.show) else { return };
        verifier.finish(&mut |event| show.event(&event));
        let body = Body::SessionEnd(verifier.end(EndReason::EndOfRecording));
        show.event(&Event { mono_ns: self.mono_ns, task: None, body });
        self.outcomes.push(verifier.outcome());
    }
}

fn merge(a: Outcome, b: Outcome) -> Outcome {
    Outcome {
        worst: a.worst.max(b.worst),
        bad: a.bad + b.bad,
        unknown: a.unknown + b.unknown,
        lost: a.lost.saturating_add(b.lost),
        losses: a.losses + b.losses,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_every_name() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, other] = ["file", "link", "other"].map(|name| folder.path().join(name));
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(same_file(&file, &link) && same_file(&file, &folder.path().join("./file")));
        assert!(!same_file(&file, &other), "what does not exist yet is no other's file");
        std::fs::write(&other, "x").unwrap();
        assert!(!same_file(&file, &other));
    }
}
