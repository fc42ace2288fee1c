//! `klp-trace audit` beside the steps, and after them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::step;
use super::{FIXTURES, TOOL};
use crate::scenario::exchange::AuditBy;

/// The word of a scenario that has the patches' files put out of reach.
const WITHOUT_FILES: &str = "without-files";
/// Where they are meanwhile: on the fixtures' own file system, in no folder that klp-trace is told of.
const HIDDEN: &str = "/hidden-fixtures";

/// The words of the step that makes such an audit.
pub fn words(by: AuditBy) -> &'static str {
    match by {
        AuditBy::File => "",
        AuditBy::NoFile => WITHOUT_FILES,
        AuditBy::Kcore => "--memory kcore",
    }
}

/// Runs `klp-trace audit` with the words given, its journal written to `journal`; exit code, and what it said. Of the
/// words, `without-files` hides the patches' files from it. Without `--ko` among them it is told of all fixtures.
pub fn audit(words: &str, journal: &Path) -> anyhow::Result<(i32, String)> {
    let hidden = words.split_whitespace().any(|word| word == WITHOUT_FILES).then(Hidden::hide).transpose()?;
    let done = step::finish(&mut command(words, journal));
    drop(hidden);
    done
}

/// The same, not yet run.
pub fn command(words: &str, journal: &Path) -> Command {
    let words: Vec<&str> = words.split_whitespace().filter(|word| *word != WITHOUT_FILES).collect();
    let mut command = Command::new(TOOL);
    command.args(["audit", "--format", "json", "--overwrite", "--output"]).arg(journal);
    if !words.contains(&"--ko") {
        command.args(["--ko", FIXTURES]);
    }
    command.args(words);
    command
}

/// The livepatches' files, put away; back when this is dropped.
struct Hidden(Vec<(PathBuf, PathBuf)>);

impl Hidden {
    fn hide() -> anyhow::Result<Self> {
        fs::create_dir_all(HIDDEN).with_context(|| format!("cannot make {HIDDEN}"))?;
        let mut hidden = Self(Vec::new());
        for entry in fs::read_dir(FIXTURES).with_context(|| format!("cannot list {FIXTURES}"))? {
            let path = entry?.path();
            let Some(name) = path.file_name().filter(|name| name.to_string_lossy().starts_with("lp_")) else {
                continue;
            };
            let away = Path::new(HIDDEN).join(name);
            fs::rename(&path, &away).with_context(|| format!("cannot move {}", path.display()))?;
            hidden.0.push((path, away));
        }
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        for (path, away) in &self.0 {
            // A file that does not come back is missed by the next insmod.
            let _ = fs::rename(away, path);
        }
    }
}
