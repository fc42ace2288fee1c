//! `klp-trace assert`: a command run under watch, or a journal, held against a policy.

mod command;
pub(super) mod judged;
pub(super) mod live;
pub(super) mod policy_file;
mod replay;
pub(super) mod reports;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::args::{self, FailOn, OutputArgs, RedactArgs, TextArgs};
use super::attach::AttachArgs;
use super::exit::{self, Exit};
use super::failure::Failure;
use crate::output::report::{Command, Kind, Report, Session};
use crate::policy::{Check, Group, Rule, Status};
use reports::{Extra, Reports};

const EXAMPLES: &str = "\
Examples:
  klp-trace assert -- sh -c 'rmmod nfsd; modprobe nfsd'
      is every livepatch relocation right after nfsd was loaded again?
  klp-trace assert --policy klp.toml
      is this host, now, as the policy demands?
  klp-trace assert --report junit=klp.xml --report sarif=klp.sarif -- ./tests/reload.sh
      text for the log, and two reports for the CI system
  klp-trace assert --from klp.ndjson --format ktap
      judge a journal, on any machine, without root

";

fn after_help() -> String {
    format!(
        "{EXAMPLES}{}\nCOMMAND's standard output goes to standard error, so that a report may go to standard output.\n\
         Without --policy: no finding of severity error, no record lost, no verdict unknown.",
        exit::help_section(&Exit::PRECEDENCE)
    )
}

/// Runs a command under watch, or replays a journal, and judges what became of the livepatch relocations
///
/// Attaches to the kernel, looks at every loaded livepatch, runs COMMAND, waits until livepatch has come to rest, looks
/// at everything again, and holds what was seen against a policy. The report says of each demand whether it was met;
/// the exit code tells a finding, a run that proves nothing, and a COMMAND that failed apart.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// What must be so: a TOML file, see docs/policy.md
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Judge a recorded journal instead of this kernel; needs no privilege
    ///
    /// JOURNAL is a file, plain or compressed (.zst); a folder of such files; the name that --journal or --output had when it was
    /// rotated; or - for standard input.
    #[arg(long, value_name = "JOURNAL", conflicts_with = "command")]
    pub from: Option<PathBuf>,

    /// How long to wait after COMMAND until livepatch has come to rest, such as 10s or 2m
    #[arg(long, value_name = "TIME", value_parser = args::duration, default_value = "30s", conflicts_with = "from")]
    pub timeout: Duration,

    /// The report's format: text, ktap, tap, junit, github, sarif, json
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, hide_possible_values = true)]
    pub format: Kind,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Where the report goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// Write a report in another format to a file too, such as junit=klp.xml; may be repeated
    #[arg(long, value_name = "FORMAT=FILE", value_parser = reports::extra)]
    pub report: Vec<Extra>,

    /// Show kernel addresses, which defeat KASLR, in junit, github and sarif too
    #[arg(long, conflicts_with = "redact_addresses")]
    pub show_addresses: bool,

    /// Whether addresses are shown
    #[command(flatten)]
    pub redact: RedactArgs,

    /// Which findings fail
    #[command(flatten)]
    pub fail: FailArgs,

    /// Keep the evidence too: a journal, to be judged again with --from
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub journal: Option<PathBuf>,

    /// Replace a journal that is there; without it, a file that is not empty is left as it is
    #[arg(long, requires = "journal")]
    pub overwrite: bool,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,

    /// How to watch this kernel
    #[command(flatten)]
    pub watch: AttachArgs,

    /// The command to run while watching, and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Which findings fail, beside what the policy says.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FailArgs {
    /// Fail on a finding of this severity or worse, whatever the policy says: info, warning, error
    #[arg(long, value_name = "SEVERITY", value_enum, hide_possible_values = true)]
    pub fail_on: Option<FailOn>,

    /// Fail only on findings that still hold at the end, not on those that are over by then, whatever the policy says
    #[arg(long)]
    pub fail_on_open: bool,
}

/// What is to be reported of a run.
pub(super) struct Ran {
    pub sessions: Vec<Session>,
    /// The command, the settling, the journal.
    pub run: Vec<Check>,
    pub command: Option<Command>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut policy = policy_file::read(args.policy.as_deref())?;
    if let Some(fail_on) = args.fail.fail_on {
        policy.findings.fail_on = Some(fail_on.into());
    }
    let kind = if args.json { Kind::Json } else { args.format };
    policy.findings.fail_on_open |= args.fail.fail_on_open;
    let source = policy.source.take();
    let mut reports = Reports::open(kind, args)?;
    let ran = match &args.from {
        Some(journal) => replay::run(policy, journal, args.redact),
        None => live::run(args, policy),
    };
    let mut ran = match ran {
        Err(failure) if failure.exit() == Exit::Precondition => {
            // A CI system reads the report: it shall find a test that was skipped, not none.
            // That it cannot be written is the lesser failure.
            let _ = reports.write(&skipped(&failure));
            return Err(failure);
        }
        other => other?,
    };
    if let Some(source) = source {
        let check =
            Check::new(Rule::Journal, "the policy was made of a journal that is whole", Status::Unknown);
        ran.run.push(check.what(source.told()).why("what was missing in it, the policy does not demand"));
    }
    let run = Group::new("run", ran.run);
    let exit = ended(ran.sessions.iter().flat_map(|session| &session.groups).chain([&run]));
    let report = Report {
        exit: (exit.code(), exit.meaning()),
        policy: args.policy.as_ref().map(|path| crate::elf::names::path(path)),
        sessions: ran.sessions,
        run,
        command: ran.command,
    };
    reports.write(&report)?;
    Ok(exit)
}

pub(super) use replay::observe;

/// The exit code of what became of every demand.
fn ended<'a>(groups: impl Iterator<Item = &'a Group>) -> Exit {
    Exit::worst(groups.flat_map(|group| &group.checks).map(|check| match (check.status, check.rule) {
        (Status::Fail, Rule::Command) => Exit::CommandFailed,
        (Status::Fail, _) => Exit::Finding,
        (Status::Unknown, _) => Exit::Inconclusive,
        (Status::Pass | Status::Skip, _) => Exit::Clean,
    }))
}

fn skipped(failure: &Failure) -> Report {
    let why = failure.to_string().lines().next().unwrap_or_default().replacen("klp-trace: ", "", 1);
    let check = Check::new(Rule::Settled, "this kernel can be watched", Status::Skip).what(why);
    Report {
        exit: (failure.exit().code(), failure.exit().meaning()),
        policy: None,
        sessions: Vec::new(),
        run: Group::new("run", vec![check]),
        command: None,
    }
}

#[cfg(test)]
mod tests;
