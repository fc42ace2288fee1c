//! `klp-trace verify-journal`: whether a journal is as it was written.

pub(super) mod json;
mod report;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::args::{OutputArgs, TextArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::Inputs;
use super::keys;
use crate::journal::chain::Hash;
use crate::journal::check::FileCheck;
use crate::journal::files;
use crate::journal::recording::{self, RecordingError};
use crate::journal::signature::{SIGNATURE_BYTES, Verifier};
use crate::output::sink::LineSink;
use report::{Report, Signed};

const AFTER_HELP: &str = "\
Examples:
  klp-trace verify-journal klp.ndjson
      one file
  klp-trace verify-journal /var/log/klp/klp.*.ndjson*
      a rotated journal: its files in the order of their names
  klp-trace verify-journal /var/log/klp
      every journal of a folder
  klp-trace verify-journal --public-key klp.pub klp.ndjson
      and whether the holder of the key wrote it
  klp-trace verify-journal --expect-hash $(cat klp.hash) klp.ndjson
      and whether it ends as it did when its last hash was kept

Exit codes:
    0  clean
    1  damaged: a line is altered, missing, out of order, there twice or torn; a wrong signature, or last hash
    2  wrong usage, or not a journal
    3  failed while running
    5  inconclusive: the end is missing, a signature is, or it was made of a journal that is not whole
If several apply, the first of 2, 3, 1, 5, 0.

Clean is: every record is as it was written, and the last one is a session_end. Its end is missing where klp-trace was \
killed or the file was cut off; a signature, where --public-key asks for one.

Whoever can rewrite a record can make its chain anew. Without a signature, or the last hash kept elsewhere, a whole \
journal was not damaged by accident; whether it was forged, the chain does not show.";

/// Checks journals by their hash chains and names the first line that is not as it was written
///
/// Each line carries its own hash, the hash of the line before, a number and a time; each file of a rotated journal names the last hash
/// of the file before. What is altered, missing, out of order, there twice or torn is told by its file and line.
/// Nothing is judged: `klp-trace watch --from` does that.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Journals, in the order in which they were written
    ///
    /// Each is a file, plain or compressed (.zst); a folder of such files; the name that --journal or --output had when it was rotated;
    /// or - for standard input.
    #[arg(value_name = "FILE|DIR", required = true)]
    pub files: Vec<PathBuf>,

    /// Check each file's signature (FILE.sig) with this Ed25519 public key (PEM)
    #[arg(long, value_name = "KEY")]
    pub public_key: Option<PathBuf>,

    /// Check that the last hash is this one, which was kept elsewhere: nothing was added, cut off or made anew
    #[arg(long, value_name = "HASH", value_parser = hash)]
    pub expect_hash: Option<Hash>,

    /// Name every damage, not only the first of each file
    #[arg(short, long)]
    pub verbose: bool,

    /// What to write: text for people, or one JSON object
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,

    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// Where the result goes
    #[command(flatten)]
    pub output: OutputArgs,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

/// What `verify-journal` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut inputs = Inputs::of(&args.public_key);
    for journal in &args.files {
        inputs = inputs.journal(journal);
    }
    inputs.spare([args.output.output.as_ref()])?;
    let report = check(args)?;
    let json = args.json || args.format == Format::Json;
    let mut sink = LineSink::open(args.output.output.as_deref())?;
    let text = if json { report.json() } else { args.look.style(&args.output).wrap_text(&report.text()) };
    if !json && args.look.quiet && report.exit() == Exit::Clean {
        return Ok(Exit::Clean);
    }
    let written = sink.line(text.as_bytes()).and_then(|()| sink.finish());
    match written {
        Err(error) if !error.is_closed() => Err(error.into()),
        _ => Ok(report.exit()),
    }
}

fn check(args: &Args) -> Result<Report, Failure> {
    let mut paths = Vec::new();
    for named in &args.files {
        let files = files::expand(named).map_err(|source| {
            let from = named.display().to_string();
            Failure::from(RecordingError::Open { from, source })
        })?;
        paths.extend(files);
    }
    let key = args.public_key.as_deref().map(keys::verifier).transpose()?;
    let named: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
    let integrity = recording::check(&named, None)?;
    let signed = paths.iter().zip(&integrity.files);
    let signed = signed.map(|(path, file)| key.as_ref().map(|key| signature(key, path, file))).collect();
    let expected = args.expect_hash;
    let key = key.map(|key| key.fingerprint());
    Ok(Report { paths, integrity, signed, key, expected, verbose: args.verbose })
}

/// Whether the file beside the journal is its signature.
fn signature(key: &Verifier, journal: &Path, check: &FileCheck) -> Signed {
    let path = files::signature_of(journal);
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(SIGNATURE_BYTES as u64 + 1).read_to_end(&mut bytes));
    match read {
        Err(_) => Signed::Not,
        Ok(_) if key.is_signed(&check.heads, &bytes) => Signed::Right,
        Ok(_) => Signed::Wrong,
    }
}

fn hash(text: &str) -> Result<Hash, String> {
    let digits = text.trim();
    serde_json::from_value(digits.into())
        .map_err(|_| "give the 64 lower-case hex digits of a SHA-256".to_owned())
}

#[cfg(test)]
mod tests;
