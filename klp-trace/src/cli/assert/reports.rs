//! Where reports go: one to standard output or `--output`, more to the files of `--report`.

use super::Args;
use crate::{
    cli::{Exit, Failure, inputs::Inputs},
    output::{
        report::{Kind, Report, dressed},
        sink::LineSink,
        style::Style,
    },
};
use clap::ValueEnum as _;
use std::path::PathBuf;

/// A further report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Its format.
    pub kind: Kind,
    /// Its file.
    pub file: PathBuf,
}

/// Parses `junit=klp.xml`.
pub(in crate::cli) fn extra(text: &str) -> Result<Extra, String> {
    let (kind, file) = text.split_once('=').ok_or("write it as FORMAT=FILE, such as junit=klp.xml")?;
    let kind = Kind::from_str(kind, false).map_err(|_| {
        let names = Kind::value_variants().iter().filter_map(clap::ValueEnum::to_possible_value);
        let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
        format!("no such format: {kind}; there are {}", names.join(", "))
    })?;
    if file.is_empty() || file == "-" {
        return Err("name a file; --format says what goes to standard output".to_owned());
    }
    Ok(Extra { kind, file: file.into() })
}

/// The reports of one run. Their files are made before anything is done: a run whose result cannot be kept is not begun.
pub(super) struct Reports {
    to: Vec<(Kind, LineSink)>,
    show_addresses: bool,
    style: Style,
    quiet: bool,
}

impl Reports {
    pub(super) fn open(kind: Kind, args: &Args) -> Result<Self, Failure> {
        let named =
            args.report.iter().map(|extra| &extra.file).chain(&args.output.output).chain(&args.journal);
        let named: Vec<&PathBuf> = named.collect();
        for (number, file) in named.iter().enumerate() {
            if named.iter().skip(number + 1).any(|other| other == file) {
                let what = anyhow::anyhow!("{} is named twice", file.display());
                return Err(Failure::new(Exit::Usage, what).hint("give each report a file of its own"));
            }
        }
        let mut inputs = Inputs::of(args.policy.iter().chain(&args.watch.ko));
        if let Some(journal) = &args.from {
            inputs = inputs.journal(journal);
        }
        let files = args.report.iter().map(|extra| Some(&extra.file));
        inputs.spare(files.chain([args.output.output.as_ref()]).chain(args.journal.iter().map(Some)))?;
        let mut to = vec![(kind, LineSink::open(args.output.output.as_deref())?)];
        for extra in &args.report {
            to.push((extra.kind, LineSink::create(&extra.file)?));
        }
        let (style, quiet) = (args.look.style(&args.output), args.look.quiet);
        Ok(Self { to, style, quiet, show_addresses: args.show_addresses || args.redact.redact_addresses })
    }

    /// Writes every report. A reader that has gone is no failure.
    pub(super) fn write(&mut self, report: &Report) -> Result<(), Failure> {
        for (number, (kind, mut sink)) in self.to.drain(..).enumerate() {
            let mut text = kind.render(report, self.show_addresses);
            // The first one is the one that is shown.
            if kind == Kind::Text && number == 0 {
                if self.quiet && report.exit.0 == 0 {
                    continue;
                }
                text = dressed(&text, self.style, self.quiet);
            }
            let written = sink.line(text.trim_end_matches('\n').as_bytes()).and_then(|()| sink.finish());
            if let Err(error) = written
                && !error.is_closed()
            {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
