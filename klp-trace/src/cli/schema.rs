//! `klp-trace schema`: JSON Schemas of what klp-trace writes and reads.

use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;
use super::{doctor, serve, status, verify_journal};
use crate::{journal, output, policy};

const EXAMPLES: &str = "\
Examples:
  klp-trace schema events > klp-trace.event-2.json
      the schema of one line of a journal
  klp-trace schema policy > klp-trace.policy-1.json
      for an editor that completes and checks TOML

";

/// Prints a JSON Schema (draft 2020-12), generated from the types that this klp-trace writes and reads
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}{}", exit::help_section(&[Exit::Clean, Exit::Usage, Exit::Runtime])))]
pub struct Args {
    /// Of what
    #[arg(value_name = "WHAT", value_enum)]
    pub what: What,
}

/// What there are schemas of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// One line of a journal (watch --format ndjson)
    Events,
    /// A policy (assert --policy), in the JSON form of its TOML
    Policy,
    /// One line of audit --json
    Audit,
    /// What assert --format json writes
    Assert,
    /// One line of inspect --json
    Inspect,
    /// One line of inspect --check-host --json
    CheckHost,
    /// What doctor --json writes
    Doctor,
    /// What status --json writes
    Status,
    /// A configuration of serve, in the JSON form of its TOML
    Serve,
    /// What verify-journal --json writes
    Verification,
}

/// Prints the schema to standard output.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let schema = match args.what {
        What::Events => journal::schema::events(),
        What::Policy => policy::schema(),
        What::Audit => journal::schema::audit(),
        What::Assert => output::report::schema(),
        What::Inspect => output::inspect::schema(),
        What::CheckHost => output::inspect::check_host_schema(),
        What::Status => status::schema(),
        What::Serve => serve::schema(),
        What::Doctor => doctor::report::schema(),
        What::Verification => verify_journal::json::schema(),
    };
    print_text(format!("{schema:#}").as_bytes())
}
