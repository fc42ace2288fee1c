//! Where `watch` puts what it sees: lines for people or a journal, to standard output or a file.

use super::{Args, Format};
use crate::{
    arch::Arch,
    cli::{Exit, Failure, args::not_redacted},
    event::{Event, Origin},
    model::Severity,
    output::{
        escape::Escaped,
        filter::Filter,
        journal::JournalWriter,
        sink::{LineSink, SinkError},
        text::Text,
    },
    source::redacted::{NotRedacted, Redacted},
    verify::Outcome,
};
use std::io::Write as _;

/// The output of one run.
pub(super) struct Show {
    form: Form,
    redacted: Option<Redacted>,
    /// A session that should be redacted and cannot be.
    refused: Option<NotRedacted>,
    /// Nothing more can be written.
    broken: Option<SinkError>,
}

enum Form {
    Journal(Box<JournalWriter>),
    /// Lines wait here for the sink.
    Text(Box<Text>, Vec<String>, LineSink),
}

impl Show {
    /// Opens what the arguments ask for.
    pub(super) fn open(args: &Args, origin: Origin) -> Result<Self, Failure> {
        let filter = filter(args)?;
        let redacted = Arch::from_uname(&origin.host.kernel.arch)
            .and_then(|arch| args.redact.redacted(arch, &origin.host.kernel.release));
        let form = match args.format() {
            Format::Ndjson => {
                let options = args.journal.options(args.output.output.clone())?;
                Form::Journal(Box::new(JournalWriter::open(options, origin)?))
            }
            Format::Text => {
                args.journal.refuse()?;
                let mut text = Text::new(args.look.style(&args.output), filter)
                    .verbose(args.verbose)
                    .quiet(args.look.quiet);
                text.set_origin(&origin);
                let sink = LineSink::open(args.output.output.as_deref())?;
                Form::Text(Box::new(text), Vec::new(), sink)
            }
        };
        Ok(Self { form, redacted, refused: None, broken: None })
    }

    /// The events from here on come from another session.
    pub(super) fn set_origin(&mut self, origin: Origin) {
        match &mut self.form {
            Form::Journal(journal) => journal.set_origin(origin),
            Form::Text(text, ..) => text.set_origin(&origin),
        }
    }

    /// Shows an event, or what is left of it without addresses.
    pub(super) fn event(&mut self, event: &Event) {
        let Some(mut redacted) = self.redacted.take() else { return self.write(event) };
        if self.refused.is_none() {
            self.refused = redacted.take(event, &mut |event| self.write(event)).err();
        }
        self.redacted = Some(redacted);
    }

    fn write(&mut self, event: &Event) {
        if self.broken.is_some() {
            return;
        }
        let written = match &mut self.form {
            Form::Journal(journal) => journal.event(event),
            Form::Text(text, lines, sink) => {
                text.event(event, lines);
                write_lines(sink, lines)
            }
        };
        self.broken = written.err();
    }

    /// Writes out what is pending: after each batch of events.
    pub(super) fn flush(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let written = match &mut self.form {
            Form::Journal(journal) => journal.flush(),
            Form::Text(text, lines, sink) => {
                text.flush(lines);
                write_lines(sink, lines).and_then(|()| sink.flush())
            }
        };
        self.broken = written.err();
    }

    /// Whether nothing more can be written, because the reader went away or because it failed.
    pub(super) fn is_closed(&self) -> bool {
        self.broken.is_some() || self.refused.is_some()
    }

    /// Ends the output; the exit code says what was seen.
    pub(super) fn finish(
        mut self,
        outcome: &Outcome,
        damaged: bool,
        fail_on: Severity,
    ) -> Result<Exit, Failure> {
        if let Some(error) = self.refused {
            return Err(not_redacted(error));
        }
        let exit = judged(outcome, damaged, fail_on);
        self.flush();
        let ended = match (self.form, self.broken.take()) {
            (_, Some(error)) => Err(error),
            (Form::Journal(journal), None) => journal.finish().map(|problems| {
                for problem in problems {
                    let problem = Escaped::new(problem.as_bytes());
                    let _ = writeln!(std::io::stderr(), "klp-trace: {problem}");
                }
            }),
            (Form::Text(mut text, mut lines, mut sink), None) => {
                text.summary(exit.code(), exit.meaning(), &mut lines);
                write_lines(&mut sink, &mut lines).and_then(|()| sink.finish())
            }
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
pub(in crate::cli) fn judged(outcome: &Outcome, damaged: bool, fail_on: Severity) -> Exit {
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
