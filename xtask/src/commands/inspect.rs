//! Stages of `cargo xtask test`: `klp-trace inspect` over every module of the Debian kernels that were fetched, and against
//! readelf over every fixture.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::testbed;

/// Reads every module, plain and compressed: none may fail, and none is a livepatch.
pub fn every_module() -> anyhow::Result<()> {
    // Built for the guests, and there since the stage before.
    let klp_trace = testbed::cache_dir().with_file_name("vm").join("klp-trace");
    let trees = kernel_trees();
    ensure!(!trees.is_empty(), "no kernel under {}", testbed::cache_dir().display());
    for tree in trees {
        let files = modules(&tree)?;
        let packed = files.iter().filter(|f| f.extension() != Some(OsStr::new("ko"))).count();
        let words = ["inspect", "--summary", "--format", "csv"];
        let rows = testbed::run_output(
            Command::new(&klp_trace).args(words).arg(&tree),
            "inspect a kernel's modules",
        )?;
        let rows: Vec<&str> = rows.lines().skip(1).collect();
        let other: Vec<_> = rows.iter().filter(|row| row.split(',').nth(3) != Some("no")).collect();
        ensure!(other.is_empty(), "called livepatches: {other:?}");
        ensure!(rows.len() == files.len(), "{} of {} modules in {}", rows.len(), files.len(), tree.display());
        println!("{} modules of {}, {packed} of them compressed", rows.len(), tree.display());
    }
    Ok(())
}

/// The test of klp-trace that holds inspect against readelf, over the fixtures that are built by now: where they are
/// promised, their absence fails it.
pub fn against_readelf() -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args([
        "test",
        "--quiet",
        "--package",
        "klp-trace",
        "--test",
        "inspect",
        "--",
        "agree_with_readelf",
    ]);
    command
        .current_dir(testbed::workspace())
        .env("KLP_TRACE_FIXTURES", testbed::cache_dir().join("fixtures"));
    ensure!(command.status().context("cannot start cargo")?.success(), "inspect and readelf differ");
    Ok(())
}

/// The folders of the kernels that were fetched.
pub fn kernel_trees() -> Vec<PathBuf> {
    let entries = fs::read_dir(testbed::cache_dir().join("kernels")).into_iter().flatten().flatten();
    let mut trees: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    trees.sort();
    trees
}

/// The module files in a folder and below.
pub fn modules(tree: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let (mut files, mut waiting) = (Vec::new(), vec![tree.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().context("an entry without a type")?.is_dir() {
                waiting.push(path);
            } else if [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().any(|end| name.ends_with(end)) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
