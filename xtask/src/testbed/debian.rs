//! Small Debian systems in folders, with packages installed in them as on a host: their scripts have run.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::{apt, cache_dir, host, lock, mirror, progress, root, run};

/// A system of `suite` with `packages`; made when it is not there yet, or has others.
pub fn debian(suite: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = cache_dir().join("debian").join(suite);
    let stamp = folder.with_extension("packages");
    let wanted = packages.join(",");
    let complete = || fs::read_to_string(&stamp).is_ok_and(|there| there == wanted);
    if complete() {
        return Ok(folder);
    }
    host::ensure(host::PACKAGES)?;
    host::ensure(host::DEBIAN)?;
    if !host::is_root() {
        bail!("making a Debian system needs root");
    }
    let _lock = lock::take(&format!("debian-{suite}"))?;
    if complete() {
        return Ok(folder);
    }
    progress::note(&format!("making a Debian {suite} with {}", packages.join(" ")));
    let _ = fs::remove_dir_all(&folder);
    let parent = folder.parent().context("a folder has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let mut command = Command::new("mmdebstrap");
    command.args(["--quiet", "--variant=minbase"]).arg(format!("--include={wanted}")).arg(suite).arg(&folder);
    command.arg(mirror::find()?.source(suite, apt::KEYRING));
    run::output(&mut command, &format!("make a Debian {suite}"))?;
    fs::write(&stamp, wanted).context("cannot write a stamp")?;
    Ok(folder)
}

/// A copy of a system, to be changed, in `to`.
pub fn copy(system: &Path, to: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_dir_all(to);
    let parent = to.parent().context("a folder has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let mut command = Command::new("cp");
    run::output(command.args(["-a", "--reflink=auto"]).arg(system).arg(to), "copy a Debian system").map(drop)
}

/// A command inside a system, with /proc mounted.
pub fn inside(system: &Path, words: &[&str]) -> Command {
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    root::command(system, Path::new("/root"), &words)
}
