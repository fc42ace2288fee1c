//! What holds packages to what they promise.

mod crates;
mod examples;
mod install;
mod linters;
pub(super) mod listing;
mod unit;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::Tree;
use super::pack;
use crate::testbed::{Steps, debian};

pub use examples::check as examples;

/// Debian 12: the oldest that the packages are for.
const OLD: (&str, [&str; 5]) = ("bookworm", ["systemd", "man-db", "libelf1", "procps", "zlib1g"]);

/// Debian 13, with what checks packages.
const NEW: (&str, [&str; 9]) = (
    "trixie",
    ["systemd", "man-db", "libelf1t64", "procps", "zlib1g", "lintian", "rpmlint", "rpm", "mandoc"],
);

/// Checks the packages in `target/dist/out`.
pub fn all(tree: &Tree) -> anyhow::Result<()> {
    for path in [pack::deb_path(tree), pack::rpm_path(tree)] {
        ensure!(path.is_file(), "{} is not there: cargo xtask dist makes it", path.display());
    }
    let mut steps = Steps::new(9);
    let old = steps.step("a Debian 12", || debian::debian(OLD.0, &OLD.1))?;
    let new = steps.step("a Debian 13", || debian::debian(NEW.0, &NEW.1))?;
    let mut failed = Vec::new();
    let mut check = |what: &str, work: &dyn Fn() -> anyhow::Result<()>| {
        if let Err(error) = steps.step(what, work) {
            println!("FAILED {what}: {error:#}");
            failed.push(what.to_owned());
        }
    };
    check("what the packages hold", &|| listing::check(tree, &new));
    check("lintian, rpmlint, mandoc", &|| linters::check(tree, &new));
    check("the .deb installed, upgraded, removed, purged in Debian 12", &|| install::deb(tree, &old, true));
    check("the .deb in Debian 13", &|| install::deb(tree, &new, false));
    check("the .rpm installed and removed", &|| install::rpm(tree, &new));
    check("the crates as cargo packs them", &|| crates::check(tree));
    check("Kubernetes' manifests, the Ansible role", &examples);
    ensure!(failed.is_empty(), "failed: {}", failed.join("; "));
    Ok(())
}

/// Copies a package into a system, and gives its path there.
fn bring(package: &Path, system: &Path) -> anyhow::Result<String> {
    let name = package.file_name().context("a package has a name")?.to_string_lossy().into_owned();
    let there: PathBuf = system.join("tmp").join(&name);
    std::fs::copy(package, &there).with_context(|| format!("cannot copy {}", package.display()))?;
    Ok(format!("/tmp/{name}"))
}
