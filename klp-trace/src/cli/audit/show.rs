//! Where an audit's result goes: a journal as it happens, or a report at the end.

use super::{Args, Format};
use crate::arch::Arch;
use crate::cli::args::not_redacted;
use crate::cli::{Exit, Failure};
use crate::event::{Event, Journal, Origin};
use crate::output::audit::Report;
use crate::output::filter::Filter;
use crate::output::sink::{LineSink, SinkError};
use crate::output::style::Style;
use crate::output::table;
use crate::source::redacted::{NotRedacted, Redacted};

/// The output of one audit.
pub(super) struct Show {
    form: Form,
    sink: LineSink,
    redacted: Option<Redacted>,
    /// A session that should be redacted and cannot be.
    refused: Option<NotRedacted>,
    /// Nothing more can be written.
    broken: Option<SinkError>,
}

enum Form {
    Journal(Box<Journal>),
    Report { report: Box<Report>, format: Format, style: Style, verbose: bool, quiet: bool },
}

impl Show {
    /// Opens what the arguments ask for.
    pub(super) fn open(args: &Args, origin: Origin, filter: Filter) -> Result<Self, Failure> {
        let redacted = Arch::from_uname(&origin.host.kernel.arch)
            .and_then(|arch| args.redact.redacted(arch, &origin.host.kernel.release));
        let form = match args.format() {
            Format::Json => Form::Journal(Box::new(Journal::new(origin))),
            format => Form::Report {
                report: Box::new(Report::new(origin, filter)),
                format,
                style: args.look.style(&args.output),
                verbose: args.verbose,
                quiet: args.look.quiet,
            },
        };
        let sink = match (&args.output.output, args.format()) {
            (Some(path), Format::Json) if path.as_os_str() != "-" => LineSink::journal(path, args.overwrite)?,
            (path, _) => LineSink::open(path.as_deref())?,
        };
        Ok(Self { form, sink, redacted, refused: None, broken: None })
    }

    /// Takes an event, or what is left of it without addresses.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(mut redacted) = self.redacted.take() else { return self.keep(event) };
        if self.refused.is_none() {
            self.refused = redacted.take(event, &mut |event| self.keep(event)).err();
        }
        self.redacted = Some(redacted);
    }

    fn keep(&mut self, event: &Event) {
        match &mut self.form {
            Form::Journal(journal) if self.broken.is_none() => {
                // No event lacks a JSON form; one that did would be missed by its number.
                if let Ok(line) = journal.line(event) {
                    self.broken = self.sink.line(line).err();
                }
            }
            Form::Journal(_) => {}
            Form::Report { report, .. } => report.event(event),
        }
    }

    /// The events from here on come from another session: what is told at the end is of the last one.
    pub(super) fn set_origin(&mut self, origin: Origin) {
        match &mut self.form {
            Form::Journal(journal) => journal.set_origin(origin),
            Form::Report { report, .. } => report.begin(origin),
        }
    }

    /// Whether nothing more can be written.
    pub(super) fn is_closed(&self) -> bool {
        self.broken.is_some() || self.refused.is_some()
    }

    /// Writes the report, and ends.
    pub(super) fn finish(mut self, exit: Exit) -> Result<Exit, Failure> {
        if let Some(error) = self.refused {
            return Err(not_redacted(error));
        }
        let lines = match &self.form {
            Form::Journal(_) => Vec::new(),
            Form::Report { report, format: Format::Csv, .. } => {
                self.broken = table::write(&mut self.sink, |out| report.csv(out)).err();
                Vec::new()
            }
            Form::Report { report, format: Format::Summary, .. } => {
                vec![report.line(exit.code(), exit.meaning())]
            }
            Form::Report { quiet: true, .. } if exit == Exit::Clean => Vec::new(),
            Form::Report { report, style, quiet: true, .. } => {
                report.wrong(*style, exit.code(), exit.meaning())
            }
            Form::Report { report, style, verbose, .. } => {
                report.text(*style, *verbose, exit.code(), exit.meaning())
            }
        };
        for line in lines {
            if self.broken.is_none() {
                self.broken = self.sink.line(line.as_bytes()).err();
            }
        }
        let ended = match self.broken.take() {
            Some(error) => Err(error),
            None => self.sink.finish(),
        };
        match ended {
            Err(error) if !error.is_closed() => Err(error.into()),
            _ => Ok(exit),
        }
    }
}

/// The filter; a journal is kept whole.
pub(super) fn filter(args: &Args) -> Result<Filter, Failure> {
    let Some(text) = &args.filter.filter else { return Ok(Filter::default()) };
    if args.format() == Format::Json {
        let what = anyhow::anyhow!("--filter limits what is shown, and a journal is kept whole");
        return Err(Failure::new(Exit::Usage, what)
            .hint("filter when you read it: klp-trace watch --from JOURNAL --filter EXPR"));
    }
    text.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::new(error).context("--filter")))
}
