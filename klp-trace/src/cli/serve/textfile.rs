//! The metrics in a file for node_exporter's textfile collector: written beside it, then renamed, so that no half of it is read.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::metrics::Exposition;
use crate::output::escape::Escaped;

/// node_exporter is another user, and nothing in it is secret.
const MODE: u32 = 0o644;

/// The file, and when it is next written.
pub(super) struct Textfile {
    file: PathBuf,
    interval: Duration,
    next: Instant,
    /// That it cannot be written was said.
    said: bool,
}

impl Textfile {
    pub(super) fn new(file: &Path, interval: Duration) -> Self {
        Self { file: file.to_owned(), interval, next: Instant::now(), said: false }
    }

    /// Writes it, if it is time to. What fails is said once, until it succeeds again: its age tells it too.
    pub(super) fn keep(&mut self, metrics: &Exposition) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.interval;
        self.write(metrics);
    }

    /// Writes it now.
    pub(super) fn write(&mut self, metrics: &Exposition) {
        let written = metrics.text().map_err(anyhow::Error::new).and_then(|text| replace(&self.file, &text));
        match written {
            Ok(()) => self.said = false,
            Err(error) if !self.said => {
                self.said = true;
                let error = format!("{error:#}");
                let _ = writeln!(std::io::stderr(), "klp-trace: {}", Escaped::new(error.as_bytes()));
            }
            Err(_) => {}
        }
    }
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let what = || format!("cannot write the textfile {}", path.display());
    let folder = path.parent().unwrap_or(Path::new("/"));
    // Without .prom at its end node_exporter does not take the half of it for a file.
    let mut beside = tempfile::Builder::new().prefix(".klp-trace.").tempfile_in(folder).with_context(what)?;
    beside.write_all(text.as_bytes()).with_context(what)?;
    beside.as_file().set_permissions(Permissions::from_mode(MODE)).with_context(what)?;
    beside.persist(path).with_context(what)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_whole_readable_by_others_and_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("klp-trace.prom");
        for text in ["one\n", "two\n"] {
            replace(&path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let error = replace(Path::new("/no/such/klp.prom"), "x").unwrap_err();
        assert!(
            format!("{error:#}").contains("cannot write the textfile /no/such/klp.prom: No such file"),
            "{error:#}"
        );
    }
}
