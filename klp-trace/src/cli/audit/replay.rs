//! `audit --from`: what a journal says stands at its end, on any machine, without privilege.

use super::{Args, Format, Show, show};
use crate::cli::inputs::Inputs;
use crate::cli::replayed::{self, Sessions};
use crate::cli::watch::show::judged;
use crate::cli::{Exit, Failure};
use crate::event::{Event, Origin};
use std::path::Path;

/// One session after the other.
struct Shown<'a> {
    args: &'a Args,
    show: Option<Show>,
}

pub(super) fn run(args: &Args, journal: &Path) -> Result<Exit, Failure> {
    Inputs::default().journal(journal).spare([args.output.output.as_ref()])?;
    let mut shown = Shown { args, show: None };
    let replayed = replayed::replay(journal, args.format() == Format::Json, &mut shown)?;
    replayed.warn(journal);
    let exit = judged(&replayed.outcome, replayed.is_partial(), args.fail_on.into());
    match shown.show {
        Some(show) => show.finish(exit),
        None => Ok(Exit::Inconclusive),
    }
}

impl Sessions for Shown<'_> {
    fn begin(&mut self, origin: &Origin) -> Result<(), Failure> {
        match &mut self.show {
            Some(show) => show.set_origin(origin.clone()),
            None => {
                self.show = Some(Show::open(self.args, origin.clone(), show::filter(self.args)?)?);
            }
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) {
        if let Some(show) = &mut self.show {
            show.event(event);
        }
    }

    fn is_closed(&self) -> bool {
        self.show.as_ref().is_some_and(Show::is_closed)
    }
}
