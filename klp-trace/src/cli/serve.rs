//! `klp-trace serve`: attached for months, it tells Prometheus how the livepatch relocations stand.

mod config;
mod facts;
mod http;
mod kept;
mod notify;
mod run;
mod shelf;
mod textfile;

use std::path::{Path, PathBuf};

use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;
use crate::elf::names;

pub use config::{SCHEMA, schema};

/// Where the configuration is, unless another one is named.
const DEFAULT: &str = "/etc/klp-trace/serve.toml";

const EXAMPLES: &str = "\
Examples:
  klp-trace serve
      as /etc/klp-trace/serve.toml says, or by the defaults: metrics at http://127.0.0.1:11216/metrics
  klp-trace serve --check-config
      can that file be used? what does it say?
  curl -s http://127.0.0.1:11216/metrics | grep klp_trace_relocations
      how the relocations stand

";

fn after_help() -> String {
    let codes = [Exit::Clean, Exit::Usage, Exit::Runtime, Exit::Precondition];
    format!(
        "{EXAMPLES}{}\nSIGINT and SIGTERM are the normal end: 0, whatever was found; the metrics and the journal say that. \
         SIGHUP reads the configuration again and rotates the journal.",
        exit::help_section(&codes)
    )
}

/// Watches livepatch relocations for as long as the host runs, and serves metrics for Prometheus
///
/// Attaches as klp-trace watch does, looks at all that is loaded, judges every change, and reads everything again every 15
/// minutes and after any loss. What it knows is told over HTTP on this host alone, and in a file for node_exporter; a journal
/// can be kept beside it. docs/serve.md explains the configuration.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// The configuration; without it /etc/klp-trace/serve.toml, if it is there
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Only say whether the configuration can be used, and what it says
    #[arg(long)]
    pub check_config: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let source = Source::of(args);
    let config = source.read()?;
    if args.check_config {
        return print_text(config.told(&source.told()).as_bytes());
    }
    run::run(&source, config)
}

/// Where the configuration comes from.
struct Source {
    path: PathBuf,
    /// It was named, and must be there.
    named: bool,
}

impl Source {
    fn of(args: &Args) -> Self {
        match &args.config {
            Some(path) => Self { path: path.clone(), named: true },
            None => Self { path: Path::new(DEFAULT).to_owned(), named: false },
        }
    }

    fn read(&self) -> Result<config::Config, Failure> {
        config::load(&self.path, self.named)
    }

    fn told(&self) -> String {
        let name = names::path(&self.path);
        if self.named || self.path.exists() { name } else { format!("{name} is not there: the defaults") }
    }
}
