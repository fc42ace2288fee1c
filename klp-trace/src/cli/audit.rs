//! `klp-trace audit`: the state of every livepatch relocation now, without having traced anything.

mod reader;
mod replay;
mod sinks;

use std::path::{Path, PathBuf};

use super::args::{self, FailOn, FilterArgs, OutputArgs, RedactArgs, TextArgs};
use super::ending::{FailFrom, finish, judged};
use super::exit::{self, Exit};
use super::failure::Failure;
use super::inputs::Inputs;
use crate::arch::Arch;
use crate::journal::{Body, EndReason, Event, Session};
use crate::kernel::kallsyms;
use crate::kernel::modules::Modules;
use crate::kernel::patch_file::Finder;
use crate::kernel::sysfs::Sysfs;
use crate::session::{Sinks, host, origin};
use crate::source::audit::Audit;
use crate::source::live::{Parts, Reader, now};
use crate::verify::Outcome;
use reader::{Opened, Which};

/// Bytes of the ring buffer where none is asked for.
const RING: u32 = 4 << 20;

const EXAMPLES: &str = "\
Examples:
  klp-trace audit
      what every loaded livepatch's relocations hold now, and what is wrong
  klp-trace audit --format summary
      the same in one line, for a log
  klp-trace audit --format csv --output audit.csv
      a line for each relocation
  klp-trace audit --journal audit.ndjson; klp-trace watch --from audit.ndjson
      keep the evidence too, and judge it again on another machine
  klp-trace audit --from klp.ndjson
      what a journal says stands at its end
  klp-trace audit --memory kcore --filter 'verdict=stale,mismatch'
      read memory through /proc/kcore, show what is wrong alone

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
        "{EXAMPLES}{}\nA host on which no livepatch is loaded is clean: there is nothing to audit.",
        exit::help_section(&codes)
    )
}

/// Verifies what every livepatch relocation holds now, without having watched it
///
/// Reads the relocations of each loaded livepatch (enabled, disabled or replaced) from kernel memory, looks up their
/// symbols independently, and holds them against the patch's file: what is applied, cleared, stale, missing or wrong,
/// and what each verdict rests on. Nothing is written; no lock is held: what changes meanwhile is read again.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// Judge a recorded journal instead of this kernel: what it says stands at its end; needs no privilege
    ///
    /// JOURNAL is a file, plain or compressed (.zst); a folder of such files; the name that --journal or --output had when it was
    /// rotated; or - for standard input.
    #[arg(long, value_name = "JOURNAL", conflicts_with_all = ["memory", "ko", "ring_size"])]
    pub from: Option<PathBuf>,

    /// How to read kernel memory: bpf, kcore (/proc/kcore), or auto, which takes kcore where BPF is not available
    #[arg(long, value_name = "HOW", value_enum, default_value_t, hide_possible_values = true)]
    pub memory: Memory,

    /// What to write: text, json (the journal's records, one a line), csv, or summary (one line)
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Where the result goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// Whether addresses are shown
    #[command(flatten)]
    pub redact: RedactArgs,

    /// What is shown
    #[command(flatten)]
    pub filter: FilterArgs,

    /// Exit with 1 when there is a finding of this severity or worse: info, warning, error
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,

    /// Look for the livepatches' files here too: a .ko (plain, .xz, .zst, .gz) or a folder; may be repeated
    ///
    /// Without it, /lib/modules/RELEASE and kpatch's folders are searched. A file is used only if it matches the
    /// loaded module; without one, the kernel's own copy of the relocations stands in for it, a weaker witness.
    #[arg(long, value_name = "FILE|DIR")]
    pub ko: Vec<PathBuf>,

    /// Size of the buffer between kernel and klp-trace, a power of two from 4k
    #[arg(long, value_name = "BYTES", value_parser = args::ring_size, default_value = "4M")]
    pub ring_size: u32,

    /// Keep the evidence too: a journal in FILE, to be judged again with --from
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Replace a journal that is there; without it, a file that is not empty is left as it is
    #[arg(long)]
    pub overwrite: bool,

    /// Name every relocation in the text, not only what needs a look
    #[arg(short, long)]
    pub verbose: bool,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

impl Args {
    /// The format asked for, by whichever option.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// How kernel memory is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Memory {
    /// BPF, else /proc/kcore
    #[default]
    Auto,
    /// eBPF programs: needs `CAP_BPF` and `CAP_PERFMON`
    Bpf,
    /// /proc/kcore: needs root and `CAP_SYS_RAWIO`
    Kcore,
}

/// What `audit` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// The journal: one JSON record a line
    #[value(alias = "ndjson")]
    Json,
    /// A line for each relocation
    Csv,
    /// One line
    Summary,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if let Some(journal) = &args.from {
        return replay::run(args, journal);
    }
    sinks::spare(args, Inputs::of(&args.ko))?;
    let root = Path::new("/");
    let (host, arch) = host()?;
    let mut sinks = sinks::open(args)?;
    let modules = Modules::read(root).map_err(anyhow::Error::new)?;
    if modules.livepatches().next().is_none() {
        has_livepatching(root)?;
        sinks.begin(&origin(&host))?;
        return nothing(args, sinks, arch);
    }
    addresses_shown()?;
    sinks.begin(&origin(&host))?;
    let finder = Finder::new(root, &host.release, args.ko.clone());
    let Opened { session, reader, watched } = reader::open(args, arch)?;
    let root = root.to_owned();
    let exit = match reader {
        Which::Bpf(probes) => {
            let parts = Parts { reader: *probes, arch, root, finder };
            conclude(args, &mut sinks, Audit::new(parts, watched), session)
        }
        Which::Kcore(kcore) => {
            let parts = Parts { reader: *kcore, arch, root, finder };
            conclude(args, &mut sinks, Audit::new(parts, watched), session)
        }
    }?;
    finish(sinks, exit)
}

/// Audits this kernel for another command, which takes the events; the end is a `SessionEnd`.
pub(super) fn observe(say: &mut dyn FnMut(&Event)) -> Result<Outcome, Failure> {
    let root = Path::new("/");
    let (host, arch) = host()?;
    addresses_shown()?;
    let look = TextArgs { quiet: true, ..TextArgs::default() };
    let args = Args { ring_size: RING, look, ..Args::default() };
    let finder = Finder::new(root, &host.release, Vec::new());
    let Opened { session, reader, watched } = reader::open(&args, arch)?;
    let root = root.to_owned();
    match reader {
        Which::Bpf(probes) => {
            let parts = Parts { reader: *probes, arch, root, finder };
            audited(Audit::new(parts, watched), session, say)
        }
        Which::Kcore(kcore) => {
            let parts = Parts { reader: *kcore, arch, root, finder };
            audited(Audit::new(parts, watched), session, say)
        }
    }
}

fn audited<R: Reader>(
    mut audit: Audit<R>,
    session: Session,
    say: &mut dyn FnMut(&Event),
) -> Result<Outcome, Failure> {
    audit.run(session, &mut |event| say(&event)).map_err(anyhow::Error::new)?;
    let end = audit.verifier().end(EndReason::Complete);
    say(&Event { mono_ns: now(), task: None, body: Body::SessionEnd(end) });
    Ok(audit.verifier().outcome())
}

/// Audits, and says with which code it ends.
fn conclude<R: Reader>(
    args: &Args,
    sinks: &mut Sinks,
    audit: Audit<R>,
    session: Session,
) -> Result<Exit, Failure> {
    let outcome = audited(audit, session, &mut |event| sinks.event(event))?;
    Ok(judged(&outcome, false, FailFrom::Open(args.fail_on.into())))
}

/// No livepatch is loaded: said, and clean.
fn nothing(args: &Args, mut sinks: Sinks, arch: Arch) -> Result<Exit, Failure> {
    let mut verifier = crate::verify::Verifier::new(arch);
    let session = reader::session(args, Vec::new(), false, crate::journal::Memory::default());
    let event = |body| Event { mono_ns: now(), task: None, body };
    verifier.feed(event(Body::Session(session)), &mut |event| sinks.event(&event));
    sinks.event(&event(Body::SessionEnd(verifier.end(EndReason::Complete))));
    finish(sinks, Exit::Clean)
}

fn has_livepatching(root: &Path) -> Result<(), Failure> {
    if Sysfs::new(root).has_livepatch() {
        return Ok(());
    }
    let what = anyhow::anyhow!("this kernel has no livepatching: /sys/kernel/livepatch is not there");
    Err(Failure::new(Exit::Precondition, what)
        .hint("mount sysfs at /sys, or boot a kernel with CONFIG_LIVEPATCH=y (more: klp-trace doctor)"))
}

/// Without addresses nothing can be found, whichever way memory is read.
fn addresses_shown() -> Result<(), Failure> {
    kallsyms::check(Path::new(kallsyms::PATH)).map_err(|error| {
        Failure::new(Exit::Precondition, anyhow::Error::new(error).context("cannot audit this kernel")).hint(
            "run it as root with CAP_SYSLOG, and with kernel.kptr_restrict below 2 (more: klp-trace doctor)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, FromArgMatches as _};

    fn parse(line: &[&str]) -> Result<Args, clap::Error> {
        let command = Args::augment_args(clap::Command::new("audit")).no_binary_name(true);
        Args::from_arg_matches(&command.try_get_matches_from(line)?)
    }

    #[test]
    fn options() {
        let args = parse(&[]).unwrap();
        assert_eq!((args.memory, args.format(), args.fail_on), (Memory::Auto, Format::Text, FailOn::Error));
        let args = parse(&["--json", "--memory", "kcore", "--ko", "a.ko", "--ko", "dir"]).unwrap();
        assert_eq!((args.memory, args.format(), args.ko.len()), (Memory::Kcore, Format::Json, 2));
        assert_eq!(parse(&["--format", "ndjson"]).unwrap().format(), Format::Json);
        assert!(parse(&["--json", "--format", "csv"]).is_err());
        assert!(parse(&["--memory", "mmap"]).is_err());
    }

    #[test]
    fn a_journal_is_not_filtered() {
        let filter = |line: &[&str]| {
            let args = parse(line).unwrap();
            args.filter.filter(args.format() == Format::Json)
        };
        let failure = filter(&["--json", "--filter", "patch=lp*"]).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(filter(&["--filter", "patch=lp*"]).is_ok());
        let failure = filter(&["--filter", "ptch=lp*"]).unwrap_err();
        assert!(failure.to_string().contains("did you mean patch"), "{failure}");
    }
}
