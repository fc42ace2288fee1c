//! `klp-trace tui`: the live picture of a host, or that of a recording.
//!
//! Three threads: one reads keys, one collects (the kernel's events, or a recording's), this one draws. Collecting takes
//! the picture's lock for each batch and never waits for the terminal: a frame is made under the lock and written after.

mod live;
mod replay;
mod run;
mod spool;
mod terminal;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::anyhow;

use super::args::{FailArgs, FilterArgs, LookArgs};
use super::attach::AttachArgs;
use super::exit::{self, Exit};
use super::failure::Failure;
use crate::output::style::ColorWhen;
use crate::tui::config::Config;
use crate::tui::picture::Picture;
use crate::tui::replay::Recorded;
use crate::tui::state::{Source, State};
use crate::tui::theme::{Palette, Theme};

const EXAMPLES: &str = "\
Examples:
  klp-trace tui
      look at this host: what is applied, what is stale, what just happened, what to do
  klp-trace tui --demo
      look at a recording that comes with klp-trace, anywhere, without root
  klp-trace tui --from /var/log/klp.ndjson
      look at a recorded journal; [ and ] move in it by events, { and } by news
  klp-trace tui --filter 'patch=lp* verdict=stale,mismatch' --palette colour-blind

";

fn after_help() -> String {
    let codes =
        [Exit::Clean, Exit::Finding, Exit::Usage, Exit::Runtime, Exit::Precondition, Exit::Inconclusive];
    format!(
        "{EXAMPLES}{}\nq, SIGINT and SIGTERM are the normal end: the code is the verdict's. ? shows the keys.",
        exit::help_section(&codes)
    )
}

/// Shows a live picture of the host: patches, objects, sections, relocations, findings, events
///
/// Needs a terminal of at least 80x24. Without one, `klp-trace watch` tells events as lines, and `klp-trace audit` what
/// is loaded now.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// Show a recorded journal instead of this kernel; needs no privilege
    ///
    /// JOURNAL is a file, plain or compressed (.zst); a folder of such files; or the name that --journal or --output had when it was
    /// rotated. It is not standard input, which the keys come from.
    #[arg(long, value_name = "JOURNAL")]
    pub from: Option<PathBuf>,

    /// Show the recording that comes with klp-trace: a stale relocation on a 6.1 kernel
    #[arg(long, conflicts_with_all = ["from", "ko", "attach", "ring_size"])]
    pub demo: bool,

    /// What is shown
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Which findings make the exit code 1
    #[command(flatten)]
    pub fail: FailArgs,

    /// How to attach
    #[command(flatten)]
    pub watch: AttachArgs,

    /// Colours: default, colour-blind, mono; a verdict has its symbol and its word in each
    #[arg(long, value_name = "PALETTE", value_enum, hide_possible_values = true)]
    pub palette: Option<Palette>,

    /// Read this configuration instead of ~/.config/klp-trace/config.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// How text looks
    #[command(flatten)]
    pub look: LookArgs,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let config = super::config::load(args.config.as_deref())?;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !on_terminal || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        let what = anyhow!("klp-trace tui draws on a terminal, and this is none");
        return Err(Failure::new(Exit::Usage, what)
            .hint("klp-trace watch tells events as lines, klp-trace audit what is loaded now"));
    }
    let recorded = match (&args.from, args.demo) {
        (Some(path), _) if path.as_os_str() == "-" => {
            let what = anyhow!("the keys come from standard input, so a journal cannot");
            return Err(Failure::new(Exit::Usage, what).hint("name a file: klp-trace tui --from FILE"));
        }
        (Some(path), _) => Some(Recorded::Files(path.clone())),
        (None, true) => Some(Recorded::Demo),
        (None, false) => None,
    };
    if let Some(recorded) = recorded {
        return replay::run(args, config, recorded);
    }
    super::doctor::preflight()?;
    live::run(args, config)
}

/// What is chosen at the start: by the arguments, else by the configuration.
fn state(args: &Args, config: Config, source: Source, picture: &Picture) -> Result<State, Failure> {
    let size = terminal::size();
    let mut state = State::new(source, size);
    state.keymap = config.keymap;
    let colourless = match args.look.color {
        ColorWhen::Always => false,
        ColorWhen::Never => true,
        ColorWhen::Auto => std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
    };
    let palette = args.palette.or(config.palette).unwrap_or_default();
    state.theme = Theme {
        palette: if colourless { Palette::Mono } else { palette },
        ascii: args.look.ascii || config.ascii || !crate::output::style::unicode_here(),
    };
    if let Some(text) = &args.filter.filter {
        state
            .set_filter(text, picture)
            .map_err(|error| Failure::new(Exit::Usage, anyhow!("--filter: {error}")))?;
    }
    state.sync(picture);
    Ok(state)
}
