//! The command line: one file a command, each thin.
#![forbid(unsafe_code)]

pub mod args;
pub mod assert;
mod attach;
pub mod audit;
pub mod completions;
pub mod config;
pub mod doctor;
mod ending;
pub mod exit;
pub mod explain;
pub mod failure;
mod inputs;
pub mod inspect;
mod keys;
pub mod man;
pub mod policy;
mod replayed;
pub mod schema;
pub mod serve;
pub mod status;
mod suggest;
mod text_file;
pub mod tui;
pub mod verify_journal;
pub mod version;
pub mod watch;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Write as _;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::model::escape::{Escaped, escape};
use crate::output::sink::LineSink;

pub use exit::Exit;
pub use failure::Failure;

/// Verifies, on a running kernel, that every livepatch relocation holds the value that it should
///
/// A livepatch carries relocations that the kernel writes into the patch when the patched module appears, and that
/// must be cleared when it is unloaded. klp-trace watches each one as it happens, reads the bytes back from kernel memory,
/// and compares them with what the patch's file and the symbol table say they must be.
#[derive(Debug, Parser)]
#[command(name = "klp-trace", version, subcommand_required = true)]
#[command(after_long_help = exit::help_section(&Exit::PRECEDENCE))]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands. The doc comment of each one's `Args` is its help; one here would replace it.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "documented at their Args")]
pub enum Command {
    Tui(tui::Args),
    Watch(watch::Args),
    Audit(audit::Args),
    Serve(serve::Args),
    Status(status::Args),
    Assert(assert::Args),
    Policy(policy::Args),
    VerifyJournal(verify_journal::Args),
    Doctor(doctor::Args),
    #[command(visible_alias = "lint")]
    Inspect(inspect::Args),
    Explain(explain::Args),
    Config(config::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(hide = true)]
    Version(version::Args),
}

impl Command {
    /// Runs the command to its end.
    pub fn run(self) -> Result<Exit, Failure> {
        match self {
            Self::Tui(args) => tui::run(&args),
            Self::Watch(args) => watch::run(&args),
            Self::Audit(args) => audit::run(&args),
            Self::Serve(args) => serve::run(&args),
            Self::Status(args) => status::run(&args),
            Self::Assert(args) => assert::run(&args),
            Self::Policy(args) => policy::run(&args),
            Self::VerifyJournal(args) => verify_journal::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Inspect(args) => inspect::run(&args),
            Self::Explain(args) => explain::run(&args),
            Self::Config(args) => config::run(&args),
            Self::Schema(args) => schema::run(&args),
            Self::Completions(args) => completions::run(&args),
            Self::Man(args) => man::run(&args),
            Self::Version(args) => version::run(&args),
        }
    }
}

/// Parses the arguments, runs the command, and says on standard error what went wrong.
pub fn main() -> Exit {
    // A file size limit (ulimit -f) must end in a failed write, which is handled, not in a kill.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) if answer.kind() == ErrorKind::DisplayVersion && version::asked_in_full() => {
            return ended(version::run(&version::Args {}));
        }
        Err(mut answer) => {
            suggest::correct(&mut answer);
            return show_answer(&answer);
        }
    };
    ended(cli.command.run())
}

/// Says what went wrong.
fn ended(end: Result<Exit, Failure>) -> Exit {
    end.unwrap_or_else(|failure| {
        // With standard error gone there is nobody left to tell; the code says it still.
        let _ = writeln!(std::io::stderr(), "{failure}");
        failure.exit()
    })
}

/// Shows what clap has to say: help and version are answers (0), everything else is wrong usage (2).
fn show_answer(answer: &clap::Error) -> Exit {
    let code = if answer.use_stderr() { Exit::Usage } else { Exit::Clean };
    if code == Exit::Usage && std::env::args_os().any(|argument| is_odd(&argument)) {
        return show_escaped(answer);
    }
    match answer.print() {
        Err(error) if code == Exit::Clean && error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "klp-trace: cannot write standard output: {error}");
            Exit::Runtime
        }
        _ => code,
    }
}

/// Whether an argument has something that could drive a terminal.
fn is_odd(argument: &OsStr) -> bool {
    matches!(escape(argument.as_encoded_bytes()), Cow::Owned(_))
}

/// Shows what clap has to say of arguments that could drive the terminal: clap repeats them as they came, so it is asked of
/// the escaped ones.
fn show_escaped(answer: &clap::Error) -> Exit {
    let escaped = std::env::args_os().map(|argument| escape(argument.as_encoded_bytes()).into_owned());
    let printed = match Cli::try_parse_from(escaped) {
        Err(again) if again.use_stderr() => again.print(),
        _ => {
            let text = answer.render().to_string();
            let mut lines = text.lines().map(|line| Escaped::new(line.as_bytes()));
            lines.try_for_each(|line| writeln!(std::io::stderr(), "{line}"))
        }
    };
    // With standard error gone there is nobody left to tell; the code says it still.
    let _ = printed;
    Exit::Usage
}

/// Prints a finished text to standard output; a reader that has gone is a quiet end.
fn print_text(text: &[u8]) -> Result<Exit, Failure> {
    let mut sink = LineSink::stdout();
    let printed = sink.line(text.trim_ascii_end()).and_then(|()| sink.finish());
    match printed {
        Err(error) if !error.is_closed() => Err(error.into()),
        _ => Ok(Exit::Clean),
    }
}

/// The command line as clap sees it, for what is generated from it.
pub fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn wrong_usage_and_help_are_told_apart() {
        let usage = Cli::try_parse_from(["klp-trace", "--nonsense"]).expect_err("no such option");
        assert!(usage.use_stderr());
        let help = Cli::try_parse_from(["klp-trace", "--help"]).expect_err("help is an answer");
        assert!(!help.use_stderr());
        assert!(Cli::try_parse_from(["klp-trace"]).expect_err("a command is required").use_stderr());
    }

    #[test]
    fn every_command_says_what_it_is_for_and_how_it_exits() {
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no first sentence");
            let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("Examples:") && after.contains("Exit codes:"), "{name}: {after}");
        }
    }
}
