//! A checkout that packages are made of.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::{build, pack, stage, tools};
use crate::testbed::{self, Steps, host};

/// The file in `target/dist` that says of which commit the packages are.
const MADE_OF: &str = "made-of";

/// A checkout, and the commit that it is at.
#[derive(Debug)]
pub struct Tree {
    /// Where it is.
    pub root: PathBuf,
    /// The commit, and whether something differs from it, as `klp-trace --version` says it.
    pub commit: String,
    /// When the commit was made, in seconds since 1970: the date of all that is in the packages.
    pub epoch: u64,
    /// The version of klp-trace.
    pub version: String,
}

impl Tree {
    /// The checkout that this xtask was built from.
    pub fn this() -> anyhow::Result<Self> {
        Self::at(testbed::workspace())
    }

    /// The checkout in `root`.
    pub fn at(root: PathBuf) -> anyhow::Result<Self> {
        let hash = git(&root, &["rev-parse", "--verify", "HEAD"])?;
        let epoch =
            git(&root, &["log", "-1", "--format=%ct"])?.parse().context("git's date of the commit")?;
        let changed = !git(&root, &["status", "--porcelain"])?.is_empty();
        let commit = if changed { format!("{hash} and local changes") } else { hash };
        let version = version(&root)?;
        Ok(Self { root, commit, epoch, version })
    }

    /// Whether something differs from the commit.
    pub fn changed(&self) -> bool {
        self.commit.contains(' ')
    }

    /// Where everything of the packages is laid: `target/dist`, whatever `CARGO_TARGET_DIR` says, since Cargo.toml names it.
    pub fn place(&self) -> PathBuf {
        self.root.join("target/dist")
    }

    /// Where the finished packages are.
    pub fn out(&self) -> PathBuf {
        self.place().join("out")
    }

    /// The checkout as it was when the packages that are there were made, whatever has been committed since.
    pub fn made_of() -> anyhow::Result<Self> {
        let mut tree = Self::this()?;
        let path = tree.place().join(MADE_OF);
        let text =
            std::fs::read_to_string(&path).context("no packages are there: cargo xtask dist makes them")?;
        let (commit, epoch) = text.trim_end().split_once('\n').with_context(|| path.display().to_string())?;
        commit.clone_into(&mut tree.commit);
        tree.epoch = epoch.parse().with_context(|| path.display().to_string())?;
        Ok(tree)
    }

    /// Makes all packages; of `given`, or else of the program that it builds, twice: with the host's libraries, and without any.
    pub fn made(&self, given: Option<&Path>) -> anyhow::Result<()> {
        let mut steps = Steps::new(5);
        steps.step("tools", || {
            host::ensure(host::BUILD)?;
            host::ensure(host::DIST)?;
            tools::all()
        })?;
        let built = |linked| given.map_or_else(|| build::program(self, linked), |given| Ok(given.to_owned()));
        let program = steps.step("the program", || built(build::Linked::Shared))?;
        let whole = steps.step("the program, linked statically", || built(build::Linked::Static))?;
        steps.step("manual pages, completions, documents", || stage::lay(self, &program, &whole))?;
        steps.step("packages", || pack::all(self))?;
        let made_of = format!("{}\n{}\n", self.commit, self.epoch);
        std::fs::write(self.place().join(MADE_OF), made_of)
            .context("cannot write what the packages are made of")?;
        for line in pack::sums(&self.out())? {
            println!("{line}");
        }
        println!("in {}", self.out().display());
        Ok(())
    }
}

/// What git answers in `root`.
pub fn git(root: &Path, words: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    let said = testbed::run_output(
        command.args(words).current_dir(root),
        &format!("ask git for {}", words.join(" ")),
    )?;
    Ok(said.trim().to_owned())
}

/// The version in the workspace's Cargo.toml.
fn version(root: &Path) -> anyhow::Result<String> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
    let version = table.get("workspace").and_then(|it| it.get("package")).and_then(|it| it.get("version"));
    let version = version.and_then(toml::Value::as_str).context("Cargo.toml gives no version")?;
    ensure!(!version.contains('-'), "{version}: dpkg and rpm order pre-releases otherwise");
    Ok(version.to_owned())
}
