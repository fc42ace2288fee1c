//! `watch --from`: a journal judged anew, on any machine, without privilege.

use super::{Args, Format, show::Show};
use crate::cli::inputs::Inputs;
use crate::cli::replayed::{self, Sessions};
use crate::cli::{Exit, Failure};
use crate::event::{Event, Origin};
use std::path::Path;

/// One session of the recording after the other.
struct Shown<'a> {
    args: &'a Args,
    show: Option<Show>,
}

pub(super) fn run(args: &Args, journal: &Path) -> Result<Exit, Failure> {
    let inputs = Inputs::of(&args.journal.sign_key).journal(journal);
    args.journal.spare(inputs, args.output.output.as_ref(), None)?;
    let mut shown = Shown { args, show: None };
    let replayed = replayed::replay(journal, args.format() == Format::Ndjson, &mut shown)?;
    replayed.warn(journal);
    match shown.show {
        Some(show) => show.finish(&replayed.outcome, replayed.is_partial(), args.fail_on.into()),
        None => Ok(Exit::Inconclusive),
    }
}

impl Sessions for Shown<'_> {
    fn begin(&mut self, origin: &Origin) -> Result<(), Failure> {
        match &mut self.show {
            Some(show) => show.set_origin(origin.clone()),
            None => self.show = Some(Show::open(self.args, origin.clone())?),
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        if let Some(show) = &mut self.show {
            show.event(event);
        }
    }

    fn idle(&mut self) {
        if let Some(show) = &mut self.show {
            show.flush();
        }
    }

    fn is_closed(&self) -> bool {
        self.show.as_ref().is_some_and(Show::is_closed)
    }
}
