//! `klp-trace doctor`: what this host allows, each lack with its remedy.

use std::path::Path;

use super::args::{OutputArgs, TextArgs};
use super::attach::Attach;
use super::exit::{self, Exit};
use super::failure::Failure;
use crate::output::sink::LineSink;

mod attach;
mod checks;
mod facts;
mod hooks;
pub(super) mod report;
mod text;
mod unit;

use attach::Attachment;
use facts::{Depth, Facts};

pub use report::{Check, Report, SCHEMA, Status};

const EXAMPLES: &str = "\
Examples:
  klp-trace doctor
      see what is missing, and how to get it
  klp-trace doctor --json | jq -r '.checks[] | select(.status == \"lack\") | .id'
      list what is missing, in a script

";

fn after_help() -> String {
    let codes = [Exit::Clean, Exit::Usage, Exit::Runtime, Exit::Precondition];
    format!(
        "{EXAMPLES}{}\nWith 4, at least one requirement is missing; with 0, none is.",
        exit::help_section(&codes)
    )
}

/// Checks whether klp-trace can watch this kernel, and names a remedy for everything that is missing
///
/// Changes nothing on the host. The probes are attached for a moment, where that is allowed, since only that proves
/// that they can be.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// What to write: text for people, or one JSON document
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// How to attach the probes: fentry, kprobe, or auto, as watch would
    #[arg(long, value_name = "HOW", value_enum, default_value_t, hide_possible_values = true)]
    pub attach: Attach,

    /// Only look; do not attach the probes
    #[arg(long, conflicts_with = "attach")]
    pub no_attach: bool,

    /// Where the result goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

/// What `doctor` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One document of the schema "klp-trace.doctor/1"
    Json,
}

/// What `watch` asks before it starts: privileges and settings, so that a lack is named rather than guessed from the
/// kernel's refusals. A failure has exit code 4 and names every lack.
pub fn preflight() -> Result<(), Failure> {
    judge(&Facts::gather(Path::new("/"), Depth::Settings))
}

/// What to do when the kernel has refused the probes although nothing is known to be missing.
pub fn refusal_hint() -> String {
    let facts = Facts::gather(Path::new("/"), Depth::Settings);
    format!("{} (more: klp-trace doctor)", hooks::refusal_remedy(&facts))
}

fn judge(facts: &Facts) -> Result<(), Failure> {
    let checks = checks::settings(facts);
    let lacks: Vec<&Check> = checks.iter().filter(|check| check.status == Status::Lack).collect();
    let Some(first) = lacks.first() else { return Ok(()) };
    let found: Vec<&str> = lacks.iter().map(|check| check.found.as_str()).collect();
    let error = anyhow::anyhow!("cannot watch this kernel: {}", found.join("; "));
    let remedy = first.remedy.as_deref().unwrap_or_default();
    Err(Failure::new(Exit::Precondition, error).hint(format!("{remedy} (more: klp-trace doctor)")))
}

/// Looks at everything; attaches the probes only where nothing is known to be missing.
fn examine(attach: Option<Attach>) -> Report {
    let mut facts = Facts::gather(Path::new("/"), Depth::Types);
    if let Some(how) = attach {
        facts.attachment = if Report::new(&facts).ready {
            Attachment::attempt(how)
        } else {
            Attachment::NotTried("something else is missing")
        };
    }
    Report::new(&facts)
}

/// Examines the host and writes the report.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let report = examine((!args.no_attach).then_some(args.attach));
    let json = args.json || args.format == Format::Json;
    let text = if json {
        serde_json::to_string_pretty(&report).map_err(anyhow::Error::from)?
    } else if args.look.quiet {
        text::render_quietly(&report, args.look.style(&args.output))
    } else {
        text::render(&report, args.look.style(&args.output))
    };
    write(args, text.trim_end())?;
    Ok(if report.ready { Exit::Clean } else { Exit::Precondition })
}

fn write(args: &Args, text: &str) -> Result<(), Failure> {
    if text.is_empty() && args.output.output.is_none() {
        return Ok(());
    }
    let written = LineSink::open_public(args.output.output.as_deref())
        .and_then(|mut sink| sink.line(text.as_bytes()).and_then(|()| sink.finish()));
    match written {
        Err(error) if !error.is_closed() => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
