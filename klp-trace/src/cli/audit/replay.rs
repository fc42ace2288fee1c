//! `audit --from`: what a journal says stands at its end, on any machine, without privilege.

use super::{Args, Format, sinks};
use crate::cli::ending::{FailFrom, finish, judged};
use crate::cli::inputs::Inputs;
use crate::cli::{Exit, Failure, replayed};
use crate::session;
use std::path::Path;

pub(super) fn run(args: &Args, journal: &Path) -> Result<Exit, Failure> {
    sinks::spare(args, Inputs::default().journal(journal))?;
    let mut sinks = sinks::open(args)?;
    let derives = args.format() == Format::Json || args.journal.is_some();
    let replay = session::replay(journal, derives, &mut sinks)?;
    replayed::warn(journal, &replay);
    if replay.sessions == 0 {
        return Ok(Exit::Inconclusive);
    }
    finish(sinks, judged(&replay.outcome, replay.is_partial(), FailFrom::Open(args.fail_on.into())))
}
