//! How the sessions of a command end: the exit code, and the end of its outputs.

use super::args::FailArgs;
use super::exit::Exit;
use super::failure::Failure;
use crate::model::Severity;
use crate::output::escape::Escaped;
use crate::output::event_sink::Ended;
use crate::session::Sinks;
use crate::verify::Outcome;
use std::io::Write as _;

/// Which findings make a command fail: those of this severity or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FailFrom {
    /// That held at any time.
    Ever(Severity),
    /// That hold at the end.
    Open(Severity),
}

impl From<&FailArgs> for FailFrom {
    fn from(args: &FailArgs) -> Self {
        let from = args.fail_on.into();
        if args.fail_on_open { Self::Open(from) } else { Self::Ever(from) }
    }
}

/// The exit code of what was seen.
pub(super) fn judged(outcome: &Outcome, damaged: bool, fail_on: FailFrom) -> Exit {
    let (worst, from) = match fail_on {
        FailFrom::Ever(from) => (outcome.worst, from),
        FailFrom::Open(from) => (outcome.open, from),
    };
    let finding = worst.is_some_and(|worst| worst >= from);
    let inconclusive = outcome.unknown > 0 || outcome.losses > 0 || damaged;
    Exit::worst([
        if finding { Exit::Finding } else { Exit::Clean },
        if inconclusive { Exit::Inconclusive } else { Exit::Clean },
    ])
}

/// Ends the outputs with that code. What could not be done beside the writing is said on standard error.
pub(super) fn finish(sinks: Sinks, exit: Exit) -> Result<Exit, Failure> {
    let ended = |exit: Exit| Ended { code: exit.code(), meaning: exit.meaning() };
    for problem in sinks.finish(ended(exit), ended(Exit::Runtime))? {
        let problem = Escaped::new(problem.as_bytes());
        let _ = writeln!(std::io::stderr(), "klp-trace: {problem}");
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_verdicts() {
        let exit = |worst, unknown, losses, fail_on| {
            let outcome = Outcome { worst, unknown, losses, ..Outcome::default() };
            judged(&outcome, false, FailFrom::Ever(fail_on))
        };
        assert_eq!(exit(None, 0, 0, Severity::Error), Exit::Clean);
        assert_eq!(exit(Some(Severity::Error), 0, 0, Severity::Error), Exit::Finding);
        assert_eq!(exit(Some(Severity::Error), 3, 1, Severity::Error), Exit::Finding);
        assert_eq!(exit(Some(Severity::Warning), 0, 0, Severity::Error), Exit::Clean);
        assert_eq!(exit(Some(Severity::Warning), 0, 0, Severity::Warning), Exit::Finding);
        assert_eq!(exit(Some(Severity::Warning), 0, 2, Severity::Error), Exit::Inconclusive);
        assert_eq!(exit(None, 1, 0, Severity::Error), Exit::Inconclusive);
        assert_eq!(judged(&Outcome::default(), true, FailFrom::Ever(Severity::Error)), Exit::Inconclusive);
        let over = Outcome { worst: Some(Severity::Error), open: Some(Severity::Info), ..Outcome::default() };
        assert_eq!(judged(&over, false, FailFrom::Ever(Severity::Error)), Exit::Finding);
        assert_eq!(judged(&over, false, FailFrom::Open(Severity::Error)), Exit::Clean);
        assert_eq!(judged(&over, false, FailFrom::Open(Severity::Info)), Exit::Finding);
    }
}
