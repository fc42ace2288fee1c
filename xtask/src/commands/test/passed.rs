//! What has passed at this commit: so that a complete run, which takes hours, can go on where it was stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::testbed;

/// The names of what has passed, in a file of this commit.
#[derive(Debug)]
pub struct Passed {
    names: BTreeSet<String>,
    file: PathBuf,
}

impl Passed {
    /// What has passed at this commit, with a working tree as it is now: clean.
    ///
    /// # Errors
    /// Fails where git does, and where the working tree is not clean: what passed then is not what is there.
    pub fn at_this_commit() -> anyhow::Result<Self> {
        let changed = git(&["status", "--porcelain"])?;
        ensure!(
            changed.is_empty(),
            "--resume goes by the commit, and the working tree is not clean; commit or remove:\n{changed}"
        );
        let commit = git(&["rev-parse", "HEAD"])?;
        let folder = testbed::cache_dir().join("passed");
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self::read(folder.join(commit)))
    }

    fn read(file: PathBuf) -> Self {
        let text = fs::read_to_string(&file).unwrap_or_default();
        // A line that was cut short is none.
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        Self { names: whole.map(str::to_owned).collect(), file }
    }

    /// As if nothing had passed: everything is run anew.
    ///
    /// # Errors
    /// Fails where the file of an earlier run cannot be emptied.
    pub fn forget(mut self) -> anyhow::Result<Self> {
        self.names.clear();
        fs::write(&self.file, "").with_context(|| format!("cannot write {}", self.file.display()))?;
        Ok(self)
    }

    /// Whether this has passed.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// This has passed.
    ///
    /// # Errors
    /// Fails where the file cannot be written.
    pub fn add(&mut self, name: &str) -> anyhow::Result<()> {
        if self.names.insert(name.to_owned()) {
            let all: String = self.names.iter().flat_map(|name| [name.as_str(), "\n"]).collect();
            fs::write(&self.file, all).with_context(|| format!("cannot write {}", self.file.display()))?;
        }
        Ok(())
    }
}

fn git(words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(words).current_dir(testbed::workspace()).output().context("git")?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        words.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_known_to_the_next_run_and_half_a_line_is_not() {
        let folder = std::env::temp_dir().join(format!("klp-trace-passed-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("commit");
        let mut passed = Passed::read(file.clone());
        assert!(!passed.has("scenario reload on 6.1"));
        passed.add("scenario reload on 6.1").unwrap();
        passed.add("fuzzing").unwrap();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + "bench att").unwrap();
        let next = Passed::read(file);
        assert!(next.has("scenario reload on 6.1") && next.has("fuzzing"));
        assert!(!next.has("bench att") && !next.has("bench attach"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
