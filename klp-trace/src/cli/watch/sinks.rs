//! Where `watch` writes: lines for people or a journal to `--output`, and a journal beside it.

use super::{Args, Format};
use crate::cli::Failure;
use crate::output::journal::JournalSink;
use crate::output::text::{Text, TextSink};
use crate::session::Sinks;

/// What the arguments ask for; nothing is opened yet.
pub(super) fn open(args: &Args) -> Result<Sinks<'static>, Failure> {
    let filter = args.filter.filter(args.format() == Format::Ndjson)?;
    let mut sinks = Sinks::new(args.redact.redact_addresses);
    let (beside, main) = args.journal.options(args.format(), args.output.output.as_ref())?;
    if let Some(options) = beside {
        sinks = sinks.and(JournalSink::new(options));
    }
    if let Some(options) = main {
        return Ok(sinks.and(JournalSink::new(options)));
    }
    let text = Text::new(args.look.style(&args.output), filter);
    let text = text.verbose(args.verbose).quiet(args.look.quiet);
    Ok(sinks.and(TextSink::new(text, args.output.output.clone())))
}
