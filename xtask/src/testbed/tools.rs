//! Debian packages unpacked beside the build root: programs for guests that this machine need not have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::{GuestFile, apt, cache_dir, host, kernels, lock, progress, run};

/// The loader that starts an unpacked program with its own libraries.
const LOADER: &str = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

/// A program of Debian 13 for a guest, with all it needs.
#[derive(Debug)]
pub struct Tool {
    /// What goes into the guest.
    pub files: Vec<GuestFile>,
    /// How it is started there.
    pub command: Vec<String>,
    /// Where the package, and all it depends on, is unpacked on this machine.
    pub root: PathBuf,
}

/// `program` (a path in the package `package`), downloaded when it is not there yet.
pub fn tool(package: &str, program: &str) -> anyhow::Result<Tool> {
    let root = unpacked(package, Extent::WithDependencies)?;
    let at = |path: &str| root.join(path.trim_start_matches('/'));
    let (loader, binary) = (at(LOADER), at(program));
    let libraries = at("usr/lib/x86_64-linux-gnu");
    let mut list = Command::new(&loader);
    list.arg("--library-path").arg(&libraries).arg("--list").arg(&binary);
    let listed = run::output(&mut list, &format!("list the libraries of {program}"))?;
    let guest = Path::new("/opt").join(package);
    let file = |guest: PathBuf, host: PathBuf| GuestFile { guest, host, mode: 0o755 };
    let name = Path::new(program).file_name().context("no program")?;
    let mut files = vec![file(guest.join("ld.so"), loader), file(guest.join("bin").join(name), binary)];
    for line in listed.lines() {
        let Some((library, rest)) = line.trim().split_once(" => ") else { continue };
        // The loader itself, by its own path, where the guest has another.
        if library.starts_with('/') {
            continue;
        }
        let Some(path) = rest.split_whitespace().next().filter(|path| path.starts_with('/')) else {
            bail!("{package}: {library} is missing: {rest}");
        };
        files.push(file(guest.join("lib").join(library), PathBuf::from(path)));
    }
    let text = |path: PathBuf| path.display().to_string();
    let command = vec![
        text(guest.join("ld.so")),
        "--library-path".to_owned(),
        text(guest.join("lib")),
        text(guest.join("bin").join(name)),
    ];
    Ok(Tool { files, command, root })
}

/// How much of the archive is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The package, and all that it depends on.
    WithDependencies,
    /// The package, whose files are read and not run.
    Alone,
}

/// Where `package` is unpacked; downloaded when it is not there yet.
pub fn unpacked(package: &str, extent: Extent) -> anyhow::Result<PathBuf> {
    let root = cache_dir().join("tools").join(package);
    let stamp = root.join("complete");
    if stamp.exists() {
        return Ok(root);
    }
    host::ensure(host::PACKAGES)?;
    let _lock = lock::take(package)?;
    // Another may have unpacked it in the meantime.
    if stamp.exists() {
        return Ok(root);
    }
    progress::note(&match extent {
        Extent::WithDependencies => format!("downloading {package} and what it needs"),
        Extent::Alone => format!("downloading {package}"),
    });
    let downloads = cache_dir().join(format!("{package}-packages"));
    let wanted = [package.to_owned()];
    // Package lists from an earlier day name files that the archive has replaced since.
    let download = |refresh| {
        let apt = kernels::main_view(refresh)?;
        match extent {
            Extent::WithDependencies => apt.download_all(&wanted, &downloads),
            Extent::Alone => apt.download(&wanted, &downloads),
        }
    };
    let found = download(false).or_else(|_| download(true))?;
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    apt::unpack(&found, &root)?;
    fs::remove_dir_all(&downloads).context("cannot remove downloaded packages")?;
    fs::write(&stamp, "").context("cannot write a stamp")?;
    Ok(root)
}
