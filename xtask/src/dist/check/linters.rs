//! What others say of the packages: lintian, rpmlint, mandoc.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::bring;
use crate::dist::contents::{self, Format, MAN};
use crate::dist::{Tree, pack, stage};
use crate::testbed::{self, debian};

/// Runs them in `system`, which has them; each, whatever the others say.
pub fn check(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let results = [lintian(tree, system), rpmlint(tree, system), manuals(tree, system)];
    let failed: Vec<String> =
        results.into_iter().filter_map(|result| result.err().map(|error| format!("{error:#}"))).collect();
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

fn lintian(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let deb = bring(&pack::deb_path(tree), system)?;
    let mut words = vec!["lintian", "--allow-root", "--profile", "debian", "--tag-display-limit", "0"];
    words.extend(["--fail-on", "error,warning", &deb]);
    let said = testbed::run_output(&mut debian::inside(system, &words), "pass lintian")?;
    println!("lintian: {}", if said.trim().is_empty() { "nothing" } else { said.trim() });
    Ok(())
}

fn rpmlint(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let rpm = bring(&pack::rpm_path(tree), system)?;
    let rules = bring(&tree.root.join("packaging/rpm/rpmlint.toml"), system)?;
    let words = ["rpmlint", "--config", &rules, "--strict", &rpm];
    let said = testbed::run_output(&mut debian::inside(system, &words), "pass rpmlint")?;
    println!("rpmlint: {}", said.lines().last().unwrap_or_default());
    Ok(())
}

/// Manual pages as mandoc reads them.
fn manuals(tree: &Tree, system: &Path) -> anyhow::Result<()> {
    let pages = contents::files(&stage::root(tree, Format::Deb).join(MAN))?;
    let mut names = Vec::new();
    for page in &pages {
        // mandoc reads what is compressed only where man would find it.
        let mut command = Command::new("gzip");
        let text = testbed::run_output(command.args(["-dc"]).arg(page), "read a manual page")?;
        let name = page.file_stem().context("a page has a name")?.to_string_lossy().into_owned();
        fs::write(system.join("tmp").join(&name), text).context("cannot write a manual page")?;
        names.push(format!("/tmp/{name}"));
    }
    let mut words = vec!["mandoc", "-T", "lint", "-W", "warning"];
    words.extend(names.iter().map(String::as_str));
    testbed::run_output(&mut debian::inside(system, &words), "pass mandoc -T lint")?;
    ensure!(pages.len() > 10, "there are {} manual pages", pages.len());
    println!("mandoc: {} pages without a warning", pages.len());
    Ok(())
}
