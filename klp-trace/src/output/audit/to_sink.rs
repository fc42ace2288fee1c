//! An audit's report on its way to standard output or a file: all of it at the end.

use super::Report;
use crate::journal::{Event, Origin};
use crate::output::event_sink::{Ended, EventSink};
use crate::output::filter::Filter;
use crate::output::sink::{LineSink, SinkError};
use crate::output::style::Style;
use crate::output::table;
use std::path::PathBuf;

/// What is written at the end.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Text for people, with every relocation named if `verbose`, and only what is wrong if `quiet`.
    Text {
        /// How it looks.
        style: Style,
        /// Each relocation is named.
        verbose: bool,
        /// Nothing, where nothing is wrong.
        quiet: bool,
    },
    /// A line for each relocation.
    Csv,
    /// One line.
    Summary,
}

/// Writes a report of the last session.
#[derive(Debug)]
pub struct ReportSink {
    form: Form,
    filter: Filter,
    report: Option<Report>,
    path: Option<PathBuf>,
    to: Option<LineSink>,
}

impl ReportSink {
    /// To the file if one is named, else to standard output, limited to what the filter lets through.
    pub fn new(form: Form, filter: Filter, path: Option<PathBuf>) -> Self {
        Self { form, filter, report: None, path, to: None }
    }
}

impl EventSink for ReportSink {
    fn begin(&mut self, origin: &Origin) -> Result<(), SinkError> {
        if let Some(report) = &mut self.report {
            report.begin(origin.clone());
            return Ok(());
        }
        self.to = Some(LineSink::open(self.path.as_deref())?);
        self.report = Some(Report::new(origin.clone(), std::mem::take(&mut self.filter)));
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        if let Some(report) = &mut self.report {
            report.event(event);
        }
        Ok(())
    }

    fn finish(&mut self, ended: Ended) -> Result<Vec<String>, SinkError> {
        let (Some(report), Some(mut to)) = (self.report.take(), self.to.take()) else {
            return Ok(Vec::new());
        };
        let Ended { code, meaning } = ended;
        let lines = match self.form {
            Form::Csv => {
                table::write(&mut to, |out| report.csv(out))?;
                Vec::new()
            }
            Form::Summary => vec![report.line(code, meaning)],
            Form::Text { quiet: true, .. } if code == 0 => Vec::new(),
            Form::Text { style, quiet: true, .. } => report.wrong(style, code, meaning),
            Form::Text { style, verbose, .. } => report.text(style, verbose, code, meaning),
        };
        lines.iter().try_for_each(|line| to.line(line.as_bytes()))?;
        to.finish()?;
        Ok(Vec::new())
    }
}
