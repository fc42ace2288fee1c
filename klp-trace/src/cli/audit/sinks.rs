//! Where an audit's result goes: a report or a journal to `--output`, and a journal beside it.

use super::{Args, Format};
use crate::cli::inputs::Inputs;
use crate::cli::{Exit, Failure};
use crate::output::audit::{Form, ReportSink};
use crate::output::journal::{JournalSink, Options};
use crate::session::Sinks;
use std::path::PathBuf;

/// What the arguments ask for; nothing is opened yet.
pub(super) fn open(args: &Args) -> Result<Sinks<'static>, Failure> {
    let filter = args.filter.filter(args.format() == Format::Json)?;
    let output = args.output.output.clone();
    let journal = |output: Option<PathBuf>, overwrite| {
        JournalSink::new(Options { output, overwrite, ..Options::default() })
    };
    let mut sinks = Sinks::new(args.redact.redact_addresses);
    if let Some(beside) = &args.journal {
        sinks = sinks.and(journal(Some(beside.clone()), args.overwrite));
    }
    let form = match args.format() {
        Format::Json => return Ok(sinks.and(journal(output, args.overwrite && args.journal.is_none()))),
        Format::Csv => Form::Csv,
        Format::Summary => Form::Summary,
        Format::Text => {
            Form::Text { style: args.look.style(&args.output), verbose: args.verbose, quiet: args.look.quiet }
        }
    };
    Ok(sinks.and(ReportSink::new(form, filter, output)))
}

/// Refuses outputs that are inputs, or one another; and to replace what is no journal.
pub(super) fn spare(args: &Args, mut inputs: Inputs) -> Result<(), Failure> {
    if args.overwrite && args.journal.is_none() && args.format() != Format::Json {
        let what = anyhow::anyhow!("--overwrite is for a journal");
        return Err(
            Failure::new(Exit::Usage, what).hint("name one with --journal FILE, or add --format json")
        );
    }
    inputs.spare([args.output.output.as_ref()].into_iter().chain(args.journal.iter().map(Some)))
}
