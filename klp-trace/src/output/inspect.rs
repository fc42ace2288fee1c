//! What `inspect` found in modules' files, as text, JSON or CSV.
//!
//! Relocations are written as they are read: nothing is made for each that outlives its line.

mod csv;
pub mod gate;
mod json;
mod text;

use std::path::Path;

use super::escape::escape;
use super::report::{Kind, Report};
use super::sink::{LineSink, SinkError};
use super::style::Style;
use super::wrap;
use crate::elf::klp::SymbolName;
use crate::elf::module::{BuiltBy, Module, Objects, Rela};
use crate::elf::names;
use crate::{check_host, late_cost, lint};

/// In which form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Paragraphs for people
    #[default]
    Text,
    /// One JSON object a file, each on a line of its own
    Json,
    /// One row a relocation, for spreadsheets
    Csv,
    /// SARIF 2.1.0
    Sarif,
    /// JUnit XML
    Junit,
    /// Annotations of GitHub Actions
    Github,
    /// Test Anything Protocol 14
    Tap,
    /// The kernel's Test Anything Protocol
    Ktap,
}

impl Format {
    /// The report format of assert's that this is: one report of all files, at the end.
    pub const fn report(self) -> Option<Kind> {
        match self {
            Self::Text | Self::Json | Self::Csv => None,
            Self::Sarif => Some(Kind::Sarif),
            Self::Junit => Some(Kind::Junit),
            Self::Github => Some(Kind::Github),
            Self::Tap => Some(Kind::Tap),
            Self::Ktap => Some(Kind::Ktap),
        }
    }
}

/// The JSON Schema of what is written of a file.
pub fn schema() -> serde_json::Value {
    json::schema()
}

/// The JSON Schema of what `--check-host` writes.
pub fn check_host_schema() -> serde_json::Value {
    json::check_host_schema()
}

/// How much is written of a livepatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line, record or row.
    Summary,
    /// Text: findings alone, and nothing of a file that has none.
    Wrong,
    /// Text: findings, and the sections without their relocations.
    Sections,
    /// Everything.
    Relocations,
}

/// A module's file with what is derived from all of it.
pub struct Inspected<'m, 'a> {
    /// The file.
    pub module: &'m Module<'a>,
    /// The module's name.
    pub name: Vec<u8>,
    /// Which tool built it; of livepatches.
    pub built_by: Option<BuiltBy<'a>>,
    /// What it patches; of livepatches whose file tells.
    pub objects: Option<Objects<'a>>,
    /// What lint says; of what has anything of a livepatch.
    pub lint: Option<&'m lint::Report>,
}

impl<'m, 'a> Inspected<'m, 'a> {
    /// Derives it.
    pub fn new(module: &'m Module<'a>, lint: Option<&'m lint::Report>) -> Self {
        let livepatch = module.is_livepatch();
        Self {
            module,
            name: module.name(),
            built_by: livepatch.then(|| module.built_by()),
            objects: if livepatch { module.objects() } else { None },
            lint,
        }
    }

    fn function_count(&self) -> Option<usize> {
        self.objects.as_ref().map(|objects| objects.list.iter().map(|o| o.functions.len()).sum())
    }

    fn machine(&self) -> &'static str {
        self.module.machine().name(self.module.is_big_endian())
    }
}

/// A relocation's symbol, as much as can be read.
enum Target<'a> {
    /// A livepatch symbol in its parts.
    Klp(SymbolName<'a>),
    /// A symbol that the kernel refuses here: its whole name.
    Odd(&'a [u8], &'static str),
    /// No symbol, or none with a name.
    Nameless(&'static str),
}

/// Why a relocation has no symbol.
const NO_SYMBOL: &str = "the symbol table has no such symbol";

/// What a relocation's symbol is, and why the kernel would refuse it.
fn target<'a>(module: &Module<'a>, rela: &Rela) -> Target<'a> {
    let Some(symbol) = module.symbol(rela.symbol) else {
        return Target::Nameless(NO_SYMBOL);
    };
    let Some(name) = symbol.name else { return Target::Nameless("the symbol's name cannot be read") };
    match symbol.klp_name() {
        Some(parts) if symbol.is_klp() => Target::Klp(parts),
        None if symbol.is_klp() => Target::Odd(name, "not named .klp.sym.<object>.<symbol>,<sympos>"),
        _ => Target::Odd(name, "not marked as a livepatch symbol (SHN_LIVEPATCH)"),
    }
}

/// How many files of each kind were seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Livepatches.
    pub livepatches: u64,
    /// Other modules.
    pub others: u64,
    /// Files that cannot be read as modules.
    pub unreadable: u64,
}

/// Writes the result.
pub struct Printer {
    sink: LineSink,
    format: Format,
    detail: Detail,
    style: Style,
    counts: Counts,
    gate: Option<gate::Gate>,
    /// Reports to files.
    reports: Vec<(Kind, LineSink)>,
}

impl Printer {
    /// Begins; CSV with its header.
    pub fn new(sink: LineSink, format: Format, detail: Detail, style: Style) -> Result<Self, SinkError> {
        let mut printer =
            Self { sink, format, detail, style, counts: Counts::default(), gate: None, reports: Vec::new() };
        if format == Format::Csv {
            csv::header(&mut printer.sink, detail == Detail::Summary)?;
        }
        Ok(printer)
    }

    /// Writes one module.
    pub fn module(&mut self, module: &Module<'_>, lint: Option<&lint::Report>) -> Result<(), SinkError> {
        let found = Inspected::new(module, lint);
        let kind = if module.is_livepatch() { &mut self.counts.livepatches } else { &mut self.counts.others };
        *kind += 1;
        let summary = self.detail == Detail::Summary;
        match self.format {
            Format::Text if summary => text::summary(&mut self.sink, self.style, &found),
            Format::Text if self.detail == Detail::Wrong => text::wrong(&mut self.sink, self.style, &found),
            Format::Text => {
                let relocations = self.detail == Detail::Relocations;
                text::whole(&mut self.sink, self.style, &found, relocations)
            }
            Format::Json => json::record(&mut self.sink, &found, summary),
            Format::Csv if summary => csv::summary(&mut self.sink, &found),
            Format::Csv => csv::rows(&mut self.sink, &found),
            // They are reported at the end.
            Format::Sarif | Format::Junit | Format::Github | Format::Tap | Format::Ktap => Ok(()),
        }
    }

    /// Writes what late patching costs; of CSV there is none.
    pub fn late_cost(&mut self, path: &Path, report: &late_cost::Report) -> Result<(), SinkError> {
        self.report(path, report, &super::late_cost::render(report, self.style))
    }

    /// Writes whether this host would take the patch; of CSV there is none.
    pub fn check_host(&mut self, path: &Path, report: &check_host::Report) -> Result<(), SinkError> {
        if let Some(gate) = &mut self.gate {
            gate.host(path, report);
        }
        self.report(path, report, &super::check_host::render(report, self.style))
    }

    fn report(&mut self, path: &Path, report: &impl serde::Serialize, text: &str) -> Result<(), SinkError> {
        self.counts.livepatches += 1;
        if self.format.report().is_some() {
            return Ok(());
        }
        if self.format == Format::Json {
            return json::report(&mut self.sink, path, report);
        }
        self.sink.line(names::path(path).as_bytes())?;
        wrap::text(text, self.style.width).lines().try_for_each(|line| self.sink.line(line.as_bytes()))
    }

    /// Counts a file that cannot be read; JSON says so in a record of its own, the others leave it to standard error.
    pub fn unreadable(&mut self, path: &Path, why: &str) -> Result<(), SinkError> {
        self.counts.unreadable += 1;
        if let Some(gate) = &mut self.gate {
            gate.unreadable(path, why);
        }
        if self.format == Format::Json { json::unreadable(&mut self.sink, path, why) } else { Ok(()) }
    }

    /// Writes what is pending, so that what goes to standard error stands after it.
    pub fn flush(&mut self) -> Result<(), SinkError> {
        self.sink.flush()
    }

    /// How many files of each kind were seen so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Holds what is found against a policy, and reports it to files too.
    #[must_use]
    pub fn judging(self, gate: gate::Gate, reports: Vec<(Kind, LineSink)>) -> Self {
        Self { gate: Some(gate), reports, ..self }
    }

    /// Takes a demand on all files that is not met.
    pub fn unmet(&mut self, name: &str, what: &str) {
        if let Some(gate) = &mut self.gate {
            gate.unmet(name, what);
        }
    }

    /// Lets pass what the policy allows.
    pub fn allow(&mut self, module: &Module<'_>, report: &mut lint::Report) {
        if let Some(gate) = &mut self.gate {
            gate.apply(&names::display(&module.name()), report);
        }
    }

    /// Takes what lint says of a file into the reports.
    pub fn linted(&mut self, module: &Module<'_>, report: &lint::Report) {
        if let Some(gate) = &mut self.gate {
            gate.lint(module.path(), &names::display(&module.name()), report);
        }
    }

    /// The reports of all files.
    fn reported(&mut self, exit: (u8, &'static str)) -> Result<(), SinkError> {
        let Some(report) = self.gate.take().map(|gate| gate.report(exit)) else { return Ok(()) };
        if let Some(kind) = self.format.report() {
            self.sink.line(text_of(kind, &report).as_bytes())?;
        }
        for (kind, mut sink) in self.reports.drain(..) {
            sink.line(text_of(kind, &report).as_bytes())?;
            sink.finish()?;
        }
        Ok(())
    }

    /// Ends; text of several files with their number.
    pub fn finish(mut self, exit: (u8, &'static str)) -> Result<Counts, SinkError> {
        self.reported(exit)?;
        let Counts { livepatches, others, unreadable } = self.counts;
        let files = livepatches + others + unreadable;
        // A summary without a line would be nothing at all.
        let silent = self.detail == Detail::Summary && files > livepatches;
        if self.format == Format::Text && self.detail != Detail::Wrong && (files > 1 || silent) {
            text::totals(&mut self.sink, self.counts)?;
        }
        self.sink.finish()?;
        Ok(self.counts)
    }
}

fn text_of(kind: Kind, report: &Report) -> String {
    kind.render(report, false).trim_end_matches('\n').to_owned()
}

/// The type's name, or `type N` where the machine's loader has no such type, as in the journal.
fn type_name(module: &Module<'_>, rtype: u32) -> std::borrow::Cow<'static, str> {
    module.reloc_type(rtype).map_or_else(|| format!("type {rtype}").into(), |t| t.name.into())
}

/// "1 file", "2 files".
fn count(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}
