//! Where `watch` puts what it sees: lines for people or a journal, to standard output or a file.

use super::{Args, Format};
use crate::{
    cli::{Exit, Failure},
    event::{Event, Journal, Origin},
    model::Severity,
    output::{
        filter::Filter,
        sink::{LineSink, SinkError},
        text::Text,
    },
    verify::Outcome,
};

/// The output of one run.
pub(super) struct Show {
    form: Form,
    sink: LineSink,
    /// Nothing more can be written.
    broken: Option<SinkError>,
}

enum Form {
    Journal(Box<Journal>),
    /// Lines wait here for the sink.
    Text(Box<Text>, Vec<String>),
}

impl Show {
    /// Opens what the arguments ask for.
    pub(super) fn open(args: &Args, origin: Origin) -> Result<Self, Failure> {
        let filter = filter(args)?;
        let form = match args.format() {
            Format::Ndjson => Form::Journal(Box::new(Journal::new(origin))),
            Format::Text => {
                let mut text = Text::new(args.look.style(&args.output), filter).verbose(args.verbose);
                text.set_origin(&origin);
                Form::Text(Box::new(text), Vec::new())
            }
        };
        let sink = LineSink::open(args.output.output.as_deref());
        let sink = sink.map_err(|error| Failure::new(Exit::Runtime, error))?;
        Ok(Self { form, sink, broken: None })
    }

    /// The events from here on come from another session.
    pub(super) fn set_origin(&mut self, origin: Origin) {
        match &mut self.form {
            Form::Journal(journal) => journal.set_origin(origin),
            Form::Text(text, _) => text.set_origin(&origin),
        }
    }

    /// Shows an event.
    pub(super) fn event(&mut self, event: &Event) {
        if self.broken.is_some() {
            return;
        }
        let written = match &mut self.form {
            Form::Journal(journal) => match journal.line(event) {
                Ok(line) => self.sink.line(line),
                // No event lacks a JSON form; one that did would be missed by its number.
                Err(_) => Ok(()),
            },
            Form::Text(text, lines) => {
                text.event(event, lines);
                write_lines(&mut self.sink, lines)
            }
        };
        self.broken = written.err();
    }

    /// Writes out what is pending: after each batch of events.
    pub(super) fn flush(&mut self) {
        if self.broken.is_some() {
            return;
        }
        if let Form::Text(text, lines) = &mut self.form {
            text.flush(lines);
            self.broken = write_lines(&mut self.sink, lines).err();
        }
        if self.broken.is_none() {
            self.broken = self.sink.flush().err();
        }
    }

    /// Whether nothing more can be written, because the reader went away or because it failed.
    pub(super) fn is_closed(&self) -> bool {
        self.broken.is_some()
    }

    /// Ends the output; the exit code says what was seen.
    pub(super) fn finish(
        mut self,
        outcome: &Outcome,
        damaged: bool,
        fail_on: Severity,
    ) -> Result<Exit, Failure> {
        let exit = judged(outcome, damaged, fail_on);
        self.flush();
        if let (Form::Text(text, lines), None) = (&mut self.form, &self.broken) {
            text.summary(exit.code(), exit.meaning(), lines);
            self.broken = write_lines(&mut self.sink, lines).err();
        }
        let ended = match self.broken.take() {
            Some(error) => Err(error),
            None => self.sink.finish(),
        };
        match ended {
            Err(error) if !error.is_closed() => Err(Failure::new(Exit::Runtime, error)),
            _ => Ok(exit),
        }
    }
}

fn write_lines(sink: &mut LineSink, lines: &mut Vec<String>) -> Result<(), SinkError> {
    lines.drain(..).try_for_each(|line| sink.line(line.as_bytes()))
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

/// The exit code of what was seen.
fn judged(outcome: &Outcome, damaged: bool, fail_on: Severity) -> Exit {
    let finding = outcome.worst.is_some_and(|worst| worst >= fail_on);
    let inconclusive = outcome.unknown > 0 || outcome.losses > 0 || damaged;
    Exit::worst([
        if finding { Exit::Finding } else { Exit::Clean },
        if inconclusive { Exit::Inconclusive } else { Exit::Clean },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_verdicts() {
        let exit = |worst, unknown, losses, fail_on| {
            judged(&Outcome { worst, unknown, losses, ..Outcome::default() }, false, fail_on)
        };
        assert_eq!(exit(None, 0, 0, Severity::Error), Exit::Clean);
        assert_eq!(exit(Some(Severity::Error), 0, 0, Severity::Error), Exit::Finding);
        assert_eq!(exit(Some(Severity::Error), 3, 1, Severity::Error), Exit::Finding);
        assert_eq!(exit(Some(Severity::Warning), 0, 0, Severity::Error), Exit::Clean);
        assert_eq!(exit(Some(Severity::Warning), 0, 0, Severity::Warning), Exit::Finding);
        assert_eq!(exit(Some(Severity::Warning), 0, 2, Severity::Error), Exit::Inconclusive);
        assert_eq!(exit(None, 1, 0, Severity::Error), Exit::Inconclusive);
        assert_eq!(judged(&Outcome::default(), true, Severity::Error), Exit::Inconclusive);
    }
}
