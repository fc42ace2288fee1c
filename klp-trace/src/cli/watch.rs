//! `klp-trace watch`: every livepatch relocation as it happens, or as it happened.

mod journal;
mod live;
mod replay;
mod sinks;

use std::path::PathBuf;
use std::time::Duration;

use super::args::{self, FailArgs, FilterArgs, OutputArgs, RedactArgs, TextArgs};
use super::attach::AttachArgs;
use super::exit::{self, Exit};
use super::failure::Failure;
use super::inputs::Inputs;

const EXAMPLES: &str = "\
Examples:
  klp-trace watch
      show what happens from now on, until Ctrl-C
  klp-trace watch --journal /var/log/klp.ndjson
      keep a journal beside it
  klp-trace watch -q --journal /var/log/klp/klp.ndjson --rotate-size 64M --rotate-keep 1G --compress zstd
      keep a journal in files klp.000001.ndjson, klp.000002.ndjson, … that never take more than 1 GiB
  klp-trace watch --from /var/log/klp.ndjson --filter 'verdict=stale,mismatch'
      judge a journal again, on any machine, without root
  klp-trace watch --duration 2m --ready-file /run/ready --fail-on warning
      in a script: wait for the file, do what is to be observed, take the exit code

";

fn after_help() -> String {
    let codes = [
        Exit::Clean,
        Exit::Finding,
        Exit::Usage,
        Exit::Runtime,
        Exit::Precondition,
        Exit::Inconclusive,
        Exit::Interrupted,
    ];
    format!(
        "{EXAMPLES}{}\nSIGINT and SIGTERM are the normal end: the code is the verdict's.",
        exit::help_section(&codes)
    )
}

/// Watches livepatch relocations as they are written and cleared, and says which are wrong
///
/// Attaches to the kernel first, then looks at the livepatches that are loaded already, then reports every change:
/// a relocation applied, cleared, stale, missing or wrong, each with the bytes found and the bytes expected.
/// A summary follows at the end. `klp-trace doctor` says what this needs.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// What to write: text for people, or the journal, one JSON record a line
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,

    /// Short for --format ndjson
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Where the result goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// Judge a recorded journal instead of this kernel; needs no privilege
    ///
    /// JOURNAL is a file, plain or compressed (.zst); a folder of such files; the name that --journal or --output had when it was
    /// rotated; or - for standard input.
    #[arg(long, value_name = "JOURNAL")]
    pub from: Option<PathBuf>,

    /// How a journal is written
    #[command(flatten)]
    pub journal: journal::JournalArgs,

    /// Whether addresses are shown
    #[command(flatten)]
    pub redact: RedactArgs,

    /// What is shown
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Which findings make the exit code 1
    #[command(flatten)]
    pub fail: FailArgs,

    /// Stop after this time, such as 10s or 2m
    #[arg(long, value_name = "TIME", value_parser = args::duration, conflicts_with = "from")]
    pub duration: Option<Duration>,

    /// Create FILE once every probe is attached and the first look is done
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub ready_file: Option<PathBuf>,

    /// How to attach
    #[command(flatten)]
    pub watch: AttachArgs,

    /// How many livepatch relocation sections the eBPF programs keep, to read each again at the moment its object goes
    ///
    /// Where more are loaded, that is reported, and the others are read a moment later.
    #[arg(long, value_name = "N", default_value_t = crate::probe::MAX_SECTIONS)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1 << 20), conflicts_with = "from")]
    pub max_sections: u32,

    /// Show the eBPF programs' own diagnostics on standard error
    #[arg(long, conflicts_with = "from")]
    pub bpf_log: bool,

    /// Show every event and every relocation, not only what is news
    #[arg(short, long)]
    pub verbose: bool,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

impl Args {
    /// The format asked for, by whichever option.
    pub fn format(&self) -> Format {
        if self.json { Format::Ndjson } else { self.format }
    }

    /// Whether one of the outputs is a journal.
    fn keeps_a_journal(&self) -> bool {
        self.format() == Format::Ndjson || self.journal.journal.is_some()
    }

    /// Refuses outputs that are inputs, or one another.
    fn spare(&self, inputs: Inputs) -> Result<(), Failure> {
        self.journal.spare(inputs, self.output.output.as_ref(), self.ready_file.as_ref())
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(journal) = &args.from {
        return replay::run(args, journal);
    }
    super::doctor::preflight()?;
    live::run(args)
}

/// What `watch` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// The journal: one JSON record a line
    Ndjson,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::FailOn;
    use crate::cli::attach::Attach;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        let command = Args::augment_args(clap::Command::new("watch")).no_binary_name(true);
        Args::from_arg_matches(&command.try_get_matches_from(line)?)
    }

    #[test]
    fn nothing_given_is_text_from_the_live_kernel() {
        let args = parse(&[]).unwrap();
        assert_eq!(args.format(), Format::Text);
        assert_eq!(
            (args.watch.attach, args.fail.fail_on, args.watch.ring_size),
            (Attach::Auto, FailOn::Error, 4 << 20)
        );
        assert!(args.from.is_none() && args.output.output.is_none() && args.watch.ko.is_empty());
    }

    #[test]
    fn everything_given() {
        let args = parse(&[
            "--json",
            "--output",
            "j",
            "--filter",
            "patch=lp*",
            "--ready-file",
            "r",
            "--duration",
            "2m",
            "--attach",
            "kprobe",
            "--ring-size",
            "4k",
            "--ko",
            "a.ko",
            "--ko",
            "dir",
            "--bpf-log",
            "--fail-on",
            "info",
            "--color",
            "never",
            "--ascii",
        ])
        .unwrap();
        assert_eq!(args.format(), Format::Ndjson);
        assert_eq!(args.watch.ring_size, 4096);
        assert_eq!(args.duration, Some(Duration::from_mins(2)));
        assert_eq!(args.watch.ko.len(), 2);
        assert!(args.bpf_log && args.look.look.ascii);
    }

    #[test]
    fn a_journal_is_not_a_kernel() {
        assert!(parse(&["--from", "j", "--filter", "verdict=stale", "--fail-on", "warning"]).is_ok());
        for live in [
            ["--attach", "kprobe"],
            ["--ring-size", "4k"],
            ["--ko", "x"],
            ["--duration", "1s"],
            ["--ready-file", "r"],
        ] {
            assert!(parse(&["--from", "j", live[0], live[1]]).is_err(), "{live:?}");
        }
        assert!(parse(&["--json", "--format", "text"]).is_err());
    }
}
