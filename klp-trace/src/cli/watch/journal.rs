//! Options of `watch` for how a journal is written.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;

use super::Format;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::Inputs;
use crate::cli::keys;
use crate::journal::files;
use crate::output::journal::{Options, Rotation, Sync};

/// The heading in the help.
const HEADING: &str = "Journal options (with --journal or --format ndjson)";

/// How a journal is written.
// A heading on each option: next_help_heading would go on to the options of whoever flattens this.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct JournalArgs {
    /// Keep a journal in FILE beside what is shown
    ///
    /// The options below are about this journal; where there is none, about the one that --format ndjson writes.
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub journal: Option<PathBuf>,

    /// Rotate: go on in another file once this one has SIZE bytes, such as 64M
    ///
    /// --journal klp.ndjson gives klp.000001.ndjson, klp.000002.ndjson, and so on; numbers go on where an earlier run
    /// left them. A file is as large as its last record makes it.
    #[arg(long, help_heading = HEADING, value_name = "SIZE", value_parser = args::size)]
    pub rotate_size: Option<u64>,

    /// Rotate: go on in another file, with the next record, once this one is so old, such as 24h
    #[arg(long, help_heading = HEADING, value_name = "TIME", value_parser = args::duration)]
    pub rotate_age: Option<Duration>,

    /// Delete the oldest files while all of them, and one more of --rotate-size, would take more than SIZE
    #[arg(long, help_heading = HEADING, value_name = "SIZE", value_parser = args::size, requires = "rotate_size")]
    pub rotate_keep: Option<u64>,

    /// Compress closed files: zstd
    #[arg(long, help_heading = HEADING, value_name = "HOW", value_enum)]
    pub compress: Option<Compress>,

    /// When records are made to survive a power cut: always, interval (each second), never
    #[arg(long, help_heading = HEADING, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    pub sync: Sync,

    /// Sign each file when it is closed, with this Ed25519 key (PKCS#8 PEM, readable by its owner alone)
    ///
    /// `openssl genpkey -algorithm ed25519 -out KEY` makes one. The signature of klp.ndjson is klp.ndjson.sig;
    /// `klp-trace verify-journal --public-key` checks it.
    #[arg(long, help_heading = HEADING, value_name = "KEY")]
    pub sign_key: Option<PathBuf>,

    /// Replace a journal that is there; without it, a file that is not empty is left as it is
    ///
    /// It is replaced once the first records are written. Rotated files have numbers of their own, and replace nothing.
    #[arg(long, help_heading = HEADING)]
    pub overwrite: bool,
}

/// How closed files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Compress {
    /// As `klp.000001.ndjson.zst`
    Zstd,
}

impl JournalArgs {
    /// The journal beside `--output`, and the one that goes there if that is its format; the key is read.
    pub(super) fn options(
        &self,
        format: Format,
        output: Option<&PathBuf>,
    ) -> Result<(Option<Options>, Option<Options>), Failure> {
        let main = || Options { output: output.cloned(), sync: self.sync, ..Options::default() };
        match (&self.journal, format) {
            // What is asked of a file is not asked of the copy that goes to a pipe.
            (Some(beside), Format::Ndjson) => Ok((Some(self.to(Some(beside))?), Some(main()))),
            (Some(beside), Format::Text) => Ok((Some(self.to(Some(beside))?), None)),
            (None, Format::Ndjson) => Ok((None, Some(self.to(output)?))),
            (None, Format::Text) => {
                self.refuse()?;
                Ok((None, None))
            }
        }
    }

    fn to(&self, output: Option<&PathBuf>) -> Result<Options, Failure> {
        let usage = |what: &str, hint: &str| Err(Failure::new(Exit::Usage, anyhow!("{what}")).hint(hint));
        let to_file = output.is_some_and(|path| path.as_os_str() != "-");
        let rotates = self.rotates();
        if !to_file && (rotates || self.sign_key.is_some() || self.overwrite) {
            return usage(
                "standard output is neither rotated, signed nor replaced",
                "name a file with --journal or --output",
            );
        }
        if self.compress.is_some() && !rotates {
            return usage(
                "--compress is for closed files, and without rotation there is none",
                "add --rotate-size 64M",
            );
        }
        if let (Some(size), Some(keep)) = (self.rotate_size, self.rotate_keep)
            && keep < size.saturating_mul(2)
        {
            return usage(
                "--rotate-keep leaves no room for a closed file",
                "make it at least twice --rotate-size",
            );
        }
        let rotation = rotates.then(|| Rotation {
            size: self.rotate_size,
            age: self.rotate_age,
            keep: self.rotate_keep,
            compress: self.compress.is_some(),
        });
        let signer = self.sign_key.as_deref().map(keys::signer).transpose()?;
        Ok(Options {
            output: output.cloned(),
            rotation,
            sync: self.sync,
            signer,
            overwrite: self.overwrite,
            on_close: None,
        })
    }

    fn rotates(&self) -> bool {
        self.rotate_size.is_some() || self.rotate_age.is_some()
    }

    /// Refuses to write to what is read: the journal, its signature, the files of a rotated one; and to `others`.
    pub(super) fn spare(
        &self,
        mut inputs: Inputs,
        output: Option<&PathBuf>,
        also: Option<&PathBuf>,
    ) -> Result<(), Failure> {
        let kept = self.journal.as_ref().or(output);
        if let (Some(kept), true) = (kept, self.rotates()) {
            inputs.spare_set(kept)?;
        }
        let signature = self.sign_key.as_ref().and(kept).map(|kept| files::signature_of(kept));
        let files = self.journal.iter().chain(&signature).chain(also).map(Some);
        inputs.spare([output].into_iter().chain(files))
    }

    /// For text there is nothing to rotate, sync or sign.
    fn refuse(&self) -> Result<(), Failure> {
        let given = self.rotates()
            || self.compress.is_some()
            || self.sign_key.is_some()
            || self.overwrite
            || self.sync != Sync::default();
        if !given {
            return Ok(());
        }
        let what = anyhow!("--rotate-…, --compress, --sync, --sign-key and --overwrite are for a journal");
        Err(Failure::new(Exit::Usage, what).hint("name one with --journal FILE, or add --format ndjson"))
    }
}
