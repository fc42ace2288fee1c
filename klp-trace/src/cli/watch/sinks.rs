//! Where `watch` writes: lines for people or a journal to `--output`, and a journal beside it.

use super::{Args, Format};
use crate::cli::{Exit, Failure};
use crate::output::filter::Filter;
use crate::output::journal::JournalSink;
use crate::output::text::{Text, TextSink};
use crate::session::Sinks;

/// What the arguments ask for; nothing is opened yet.
pub(super) fn open(args: &Args) -> Result<Sinks<'static>, Failure> {
    let filter = filter(args)?;
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

/// A journal is kept whole: a filter would make it useless as evidence.
fn filter(args: &Args) -> Result<Filter, Failure> {
    let Some(text) = &args.filter.filter else { return Ok(Filter::default()) };
    if args.format() == Format::Ndjson {
        let what = anyhow::anyhow!("--filter limits what is shown, and a journal is kept whole");
        return Err(Failure::new(Exit::Usage, what)
            .hint("filter when you read it: klp-trace watch --from JOURNAL --filter EXPR"));
    }
    text.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::new(error).context("--filter")))
}
