//! `klp-trace status`: how livepatches stand, in one line: for a prompt, a login message, a ticket.

mod judge;
mod line;

use std::path::Path;

use super::args::LookArgs;
use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;
use crate::kernel::host::Host;
use crate::kernel::modules::Modules;
use crate::kernel::sysfs::Sysfs;
use crate::output::style::Style;
pub use line::{Patch, SCHEMA, State, Status, schema};

const EXAMPLES: &str = "\
Examples:
  klp-trace status
      as root: are all livepatch relocations where they should be? else: which livepatches are there?
  klp-trace status --no-fail
      for /etc/profile.d or a script of update-motd: the line alone, the exit code is always 0
  klp-trace status --json | jq -r .state
      clean, none, finding, unverified or unsupported, in a script

";

fn after_help() -> String {
    let codes =
        [Exit::Clean, Exit::Finding, Exit::Usage, Exit::Runtime, Exit::Precondition, Exit::Inconclusive];
    format!(
        "{EXAMPLES}{}\n0: verified clean, or no livepatch is loaded. 1: a finding (warning or error). 4: no livepatch support. \
         5: a livepatch is loaded and was not verified here, as always without privilege.",
        exit::help_section(&codes)
    )
}

/// Says in one line how the livepatches of this host stand, verified where it is allowed to
///
/// Without privilege, from sysfs: the patches, a transition under way, and that nothing was verified. With what
/// `klp-trace audit` needs (root), the verdict of an audit.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// Write one JSON document instead of a line
    #[arg(long)]
    pub json: bool,

    /// Do not verify, even where it is allowed: sysfs alone, at once
    #[arg(long)]
    pub no_verify: bool,

    /// Exit with 0 whatever the line says
    #[arg(long)]
    pub no_fail: bool,

    /// How text looks
    #[command(flatten)]
    pub look: LookArgs,
}

/// Looks, and prints the line.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let status = look(args.no_verify);
    let style = Style::for_stdout(args.look.color, args.look.ascii);
    let text = if args.json {
        serde_json::to_string(&status).map_err(anyhow::Error::from)?
    } else {
        status.line(style)
    };
    print_text(text.as_bytes())?;
    Ok(if args.no_fail { Exit::Clean } else { status.exit() })
}

/// How this host stands; never [`State::Clean`] or [`State::None`] for want of a look.
fn look(no_verify: bool) -> Status {
    let root = Path::new("/");
    let host = Host::read(root).name;
    let sysfs = Sysfs::new(root);
    let patches = sysfs.patches();
    let loaded = Modules::read(root);
    let mut status = Status::new(&host);
    let (patches, loaded) = match (patches, loaded) {
        (Ok(patches), Ok(loaded)) => (patches, loaded),
        (patches, loaded) => {
            let why = patches.err().map(|error| error.to_string());
            let why = why.or_else(|| loaded.err().map(|error| error.to_string()));
            return status.unverified(why.unwrap_or_default());
        }
    };
    status.patches = line::patches(&patches, &loaded);
    if status.patches.is_empty() {
        return if sysfs.has_livepatch() {
            status.none(root.join("proc/modules").exists())
        } else {
            status.unsupported()
        };
    }
    if no_verify {
        return status.unverified("--no-verify was given".to_owned());
    }
    judge::judge(status)
}
