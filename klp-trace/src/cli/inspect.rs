//! `klp-trace inspect`: everything about a livepatch's file, before it is loaded anywhere.

mod check_host;
mod late_cost;
mod lint;
mod object_files;
mod reports;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::args::{OutputArgs, TextArgs};
use super::assert::reports::{Extra, extra};
use super::exit::{self, Exit};
use super::failure::Failure;
use super::inputs::Inputs;
use crate::arch::Machine;
use crate::elf::module::Module;
use crate::elf::{names, open, tree};
use crate::output::escape::escape;
use crate::output::inspect::{Detail, Format, Printer};
use crate::output::sink::{LineSink, SinkError};

use lint::LintArgs;

const EXAMPLES: &str = "\
Examples:
  klp-trace inspect kpatch-veth.ko.xz
      what it patches, and every relocation that the kernel will write late
  klp-trace inspect --summary /var/lib/kpatch
      one line a livepatch, of a folder and all within it
  klp-trace inspect --format json lp.ko | jq -r '.sections[].relocs[] | [.object, .symbol] | @tsv'
      the symbols that it asks for
  klp-trace inspect --format csv --output relocs.csv lp.ko
      for a spreadsheet
  klp-trace inspect --object-file nfsd.ko --fail-on warning lp.ko
      in a build: exit 1 unless the file is clean, the symbols in the patched module's file too
  klp-trace inspect --strict --object-file nfsd.ko lp.ko
      the same, where what was not checked is no pass (exit 5)
  klp-trace inspect --check-host lp.ko
      before it is loaded here: would this kernel take it, and its modules after it? (exit 5: cannot be told)
  klp-trace inspect --late-cost lp.ko
      what patching modules late costs, and what the alternatives would have to carry

";

fn after_help() -> String {
    let codes =
        [Exit::Clean, Exit::Finding, Exit::Usage, Exit::Runtime, Exit::Precondition, Exit::Inconclusive];
    format!(
        "{EXAMPLES}{}\nA file that cannot be read is 3; the others are read all the same. 4 (no livepatching) comes from --check-host \
         alone, 5 from it and from --strict.",
        exit::help_section(&codes)
    )
}

/// Shows what a livepatch's file holds: patched functions, late relocations, builder; needs neither root nor livepatching
///
/// Reads modules of x86_64, ppc64le, s390x, aarch64 and loongarch64, plain or compressed (xz, zstd, gzip), on any machine.
/// Modules that are no livepatches are listed as such. In folders, files named .ko, .ko.xz, .ko.zst and .ko.gz are read;
/// symbolic links to folders are not followed. Names are escaped, whatever a file puts into them.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own on the command line")]
pub struct Args {
    /// Module files, or folders with modules in them
    #[arg(value_name = "FILE|DIR", required = true)]
    pub files: Vec<PathBuf>,

    /// What to write: text, json (one object a file), csv (one row a relocation), sarif, junit, github, tap, ktap
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,

    /// Write a report to a file too, such as sarif=lp.sarif or junit=lp.xml; may be repeated
    #[arg(long, value_name = "FORMAT=FILE", value_parser = extra)]
    pub report: Vec<Extra>,

    /// Findings that are let pass, each with its reason and a last day: a TOML file, see docs/policy.md
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Text: every single relocation too
    #[arg(short, long)]
    pub verbose: bool,

    /// One line, record or row a livepatch, without the single relocations
    #[arg(long)]
    pub summary: bool,

    /// Measure what late patching costs, instead: text or json (docs/late-cost.md)
    #[arg(long, conflicts_with = "summary")]
    pub late_cost: bool,

    /// Say whether this host would take it, instead: text or json (docs/inspect.md)
    #[arg(long, conflicts_with_all = ["summary", "late_cost"])]
    pub check_host: bool,

    /// What is asked of lint
    #[command(flatten)]
    pub lint: LintArgs,

    /// Where the result goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

impl Args {
    /// The format asked for, by whichever option.
    pub fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    /// How much text there is.
    fn detail(&self) -> Detail {
        match (self.summary, self.look.quiet, self.verbose) {
            (true, ..) => Detail::Summary,
            (_, true, _) => Detail::Wrong,
            (.., true) => Detail::Relocations,
            _ => Detail::Sections,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    if (args.late_cost || args.check_host) && args.format() == Format::Csv {
        let option = if args.late_cost { "--late-cost" } else { "--check-host" };
        let error = anyhow::anyhow!("{option} has no csv form");
        return Err(Failure::new(Exit::Usage, error).hint("take --format json"));
    }
    let outputs = args.report.iter().map(|extra| Some(&extra.file)).chain([args.output.output.as_ref()]);
    Inputs::of(args.files.iter().chain(&args.lint.object_file).chain(&args.policy)).spare(outputs)?;
    let named = object_files::read(&args.lint.object_file)?;
    let mut args = args.clone();
    let (gate, reports) = reports::open(&mut args)?;
    let sink = LineSink::open_public(args.output.output.as_deref())?;
    let printer = Printer::new(sink, args.format(), args.detail(), args.look.style(&args.output))
        .map(|printer| printer.judging(gate, reports));
    let mut exit = Exit::Clean;
    match printer.and_then(|printer| inspect(&args, &named, printer, &mut exit)) {
        // Whoever closed it (`| head`) has what was wanted; what was not looked at for that is not clean.
        Err(error) if error.is_closed() => Ok(exit.worse(Exit::Inconclusive)),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(exit),
    }
}

/// Looks at all files; `exit` is the worst so far, also where it breaks off.
fn inspect(
    args: &Args,
    object_files: &object_files::Named,
    mut printer: Printer,
    exit: &mut Exit,
) -> Result<(), SinkError> {
    let mut machines = Vec::new();
    for named in &args.files {
        if !named.is_dir() {
            *exit = exit.worse(file(args, &mut printer, &mut machines, named)?);
            continue;
        }
        let found = tree::modules(named);
        let nothing = found.files.is_empty() && found.failed.is_empty();
        for path in &found.files {
            *exit = exit.worse(file(args, &mut printer, &mut machines, path)?);
        }
        for (path, why) in &found.failed {
            *exit = exit.worse(complain(
                &mut printer,
                path,
                &format!("{}: {}", names::path(path), escape(why.as_bytes())),
            )?);
        }
        if nothing {
            let why = "no module file in this folder (.ko, .ko.xz, .ko.zst, .ko.gz)";
            *exit = exit.worse(complain(&mut printer, named, &format!("{}: {why}", names::path(named)))?);
        }
    }
    for (path, machine) in object_files::unused(object_files, &machines) {
        printer.flush()?;
        let of = |machine: &Machine| machine.name(*machine == Machine::S390x);
        let patches: Vec<&str> = machines.iter().map(of).collect();
        say(&format!(
            "{}: a module for {}, given by --object-file for patches for {}",
            names::path(path),
            of(machine),
            patches.join(", ")
        ));
        *exit = exit.worse(Exit::Usage);
    }
    if args.lint.strict && printer.counts().livepatches == 0 {
        let what = "no livepatch among the files, and --strict wants one";
        printer.unmet("there is a livepatch", what);
        say(what);
        *exit = exit.worse(Exit::Finding);
    }
    printer.finish((exit.code(), exit.meaning()))?;
    Ok(())
}

fn file(
    args: &Args,
    printer: &mut Printer,
    machines: &mut Vec<Machine>,
    path: &Path,
) -> Result<Exit, SinkError> {
    let contents = match open::module(path) {
        Ok(contents) => contents,
        Err(error) => return complain(printer, path, &error.to_string()),
    };
    let module = match Module::parse(&contents.bytes, path, contents.decompressed) {
        Ok(module) => module,
        Err(error) => return complain(printer, path, &error.to_string()),
    };
    if module.is_livepatch() && !machines.contains(&module.machine()) {
        machines.push(module.machine());
    }
    let objects = if module.is_livepatch() { module.objects() } else { None };
    if args.late_cost && module.is_livepatch() {
        return match late_cost::measure(&module, objects.as_ref(), &args.lint) {
            Ok(report) => printer.late_cost(path, &report).map(|()| Exit::Clean),
            Err(error) => complain(printer, path, &error.to_string()),
        };
    }
    if args.check_host && module.is_livepatch() {
        return match check_host::ask(&module, objects.as_ref(), &args.lint, &check_host::Where::here()) {
            Ok(report) => {
                printer.check_host(path, &report)?;
                Ok(check_host::exit(&report, &args.lint))
            }
            Err(error) => complain(printer, path, &error.to_string()),
        };
    }
    match lint::check(&module, objects.as_ref(), &args.lint) {
        Ok(mut report) => {
            if let Some(report) = &mut report {
                printer.allow(&module, report);
                printer.linted(&module, report);
            }
            printer.module(&module, report.as_ref())?;
            Ok(report.map_or(Exit::Clean, |report| args.lint.exit(&report)))
        }
        Err(error) => complain(printer, path, &error.to_string()),
    }
}

/// Says on standard error what cannot be read, and goes on.
fn complain(printer: &mut Printer, path: &Path, why: &str) -> Result<Exit, SinkError> {
    printer.unreadable(path, why)?;
    printer.flush()?;
    say(why);
    Ok(Exit::Runtime)
}

/// Says something on standard error.
fn say(what: &str) {
    // With standard error gone, the exit code says it still.
    let _ = writeln!(std::io::stderr(), "klp-trace: {what}");
}
