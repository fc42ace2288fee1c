//! `watch --from`: a journal judged anew, on any machine, without privilege.

use super::{Args, sinks};
use crate::cli::ending::{finish, judged};
use crate::cli::inputs::Inputs;
use crate::cli::{Exit, Failure, replayed};
use crate::session;
use std::path::Path;

pub(super) fn run(args: &Args, journal: &Path) -> Result<Exit, Failure> {
    args.spare(Inputs::of(&args.journal.sign_key).journal(journal))?;
    let mut sinks = sinks::open(args)?;
    let replay = session::replay(journal, args.keeps_a_journal(), &mut sinks)?;
    replayed::warn(journal, &replay);
    if replay.sessions == 0 {
        return Ok(Exit::Inconclusive);
    }
    finish(sinks, judged(&replay.outcome, replay.is_partial(), (&args.fail).into()))
}
