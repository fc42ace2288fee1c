//! `klp-trace policy`: policies checked, and begun.

use std::path::PathBuf;

use super::args::OutputArgs;
use super::assert::{live, policy_file};
use super::attach::AttachArgs;
use super::exit::{self, Exit};
use super::failure::Failure;
use super::inputs::Inputs;
use crate::journal::Derived;
use crate::output::sink::LineSink;

const EXAMPLES: &str = "\
Examples:
  klp-trace policy check klp.toml
      can klp-trace assert use it?
  klp-trace policy init --output klp.toml
      begin one with what this host shows now
  klp-trace policy init --from klp.ndjson
      begin one with what the last session of a journal shows

";

fn after_help() -> String {
    let codes = [Exit::Clean, Exit::Usage, Exit::Runtime, Exit::Precondition, Exit::Inconclusive];
    format!("{EXAMPLES}{}", exit::help_section(&codes))
}

/// Checks a policy for `klp-trace assert`, or writes one from what there is
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with a policy.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Says whether a policy can be used and what is in it, or where and why it cannot
    Check {
        /// The policy
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Writes a policy that demands what there is now: patches, objects, numbers of relocations
    ///
    /// Of bad and unknown verdicts it demands none, whatever there is: read it before you use it.
    Init {
        /// Take a recorded journal instead of this kernel; needs no privilege
        ///
        /// JOURNAL is a file, plain or compressed (.zst); a folder of such files; the name that --journal or --output had when it was
        /// rotated; or - for standard input.
        #[arg(long, value_name = "JOURNAL")]
        from: Option<PathBuf>,

        /// Where the policy goes
        #[command(flatten)]
        output: OutputArgs,

        /// How to watch this kernel
        #[command(flatten)]
        watch: AttachArgs,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.action {
        Action::Check { file } => {
            let policy = policy_file::read(Some(file))?;
            let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
            let name = crate::elf::names::path(file);
            super::print_text(format!("{name}: a policy: {}", policy.summary(today)).as_bytes())
        }
        Action::Init { from, output, watch } => {
            let mut inputs = Inputs::of(&watch.ko);
            if let Some(journal) = from {
                inputs = inputs.journal(journal);
            }
            inputs.spare([output.output.as_ref()])?;
            let (seen, source) = match from {
                Some(journal) => {
                    let (judged, replayed) = super::assert::observe(journal)?;
                    super::replayed::warn(journal, &replayed);
                    (judged.seen(), Derived::of(&replayed.integrity))
                }
                None => (live::look(watch)?, None),
            };
            let text = crate::policy::init(&seen, source.as_ref());
            let mut sink = LineSink::open_public(output.output.as_deref())?;
            let written = sink.line(text.trim_end().as_bytes()).and_then(|()| sink.finish());
            match written {
                Err(error) if !error.is_closed() => Err(error.into()),
                _ if source.is_some() => Ok(Exit::Inconclusive),
                _ => Ok(Exit::Clean),
            }
        }
    }
}
