//! The build root: a small Debian 13, unpacked from packages, in which modules of every series are built.
//!
//! Nothing is installed in the usual sense: apt resolves what the compiler needs, checks and downloads it, and
//! the packages are unpacked without running their scripts, which takes seconds where debootstrap takes
//! minutes. It must be newer than Debian 12, whose C library 7.x's build tools do not run on.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::{Kernel, apt, cache_dir, host, kernels, lock, progress, run};

/// What kbuild runs, and the libraries of the kernel's own build tools (objtool, modpost, gendwarfksyms).
const PACKAGES: [&str; 14] = [
    "base-files",
    "bash",
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "gcc",
    "grep",
    "libdw1t64",
    "libelf1t64",
    "libssl3t64",
    "make",
    "mawk",
    "sed",
];

/// Links that these packages' scripts would have made: link, where to.
const LINKS: [(&str, &str); 2] = [("usr/bin/awk", "mawk"), ("usr/bin/sh", "dash")];

/// The root's path, with the compiler and the headers of `kernel` in it.
pub fn ready(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    let root = cache_dir().join("root");
    let (base, headers) = (root.join("base-complete"), root.join(format!("headers-{}", kernel.release)));
    if base.exists() && headers.exists() {
        return Ok(root);
    }
    host::ensure(host::PACKAGES)?;
    if !host::is_root() {
        bail!(
            "building modules needs root: it changes into a folder that holds a Debian 13 with the compiler"
        );
    }
    let _lock = lock::take("root")?;
    if !base.exists() {
        lay(&root)?;
        fs::write(&base, "").context("cannot write a stamp")?;
    }
    if !headers.exists() {
        progress::note(&format!("unpacking the headers of {}", kernel.release));
        apt::unpack(&apt::debs(&kernels::header_packages(&kernel.release))?, &root)?;
        fs::write(&headers, "").context("cannot write a stamp")?;
    }
    Ok(root)
}

/// A command that runs `program` inside `root`, in the folder `at` there, with /proc mounted.
///
/// The mount lives in a mount namespace of its own and so ends with the command, however that ends. objtool of
/// 7.x needs it.
pub fn command(root: &Path, at: &Path, program: &[&OsStr]) -> Command {
    // Where / is no mount point (a chroot), its propagation cannot be changed, and need not be.
    let script = r#"mount --make-rprivate / 2>/dev/null
mount -t proc proc "$1/proc" && exec chroot "$1" /bin/sh -c 'cd "$0" && exec "$@"' "${@:2}""#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "unchanged", "bash", "-c", script, "bash"]).arg(root).arg(at);
    command.args(program).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("HOME", "/root");
    command
}

fn lay(root: &Path) -> anyhow::Result<()> {
    progress::note("downloading a compiler and what it needs");
    if root.exists() {
        fs::remove_dir_all(root).with_context(|| format!("cannot remove {}", root.display()))?;
    }
    let downloads = cache_dir().join("root-packages");
    let packages: Vec<String> = PACKAGES.iter().map(|&package| package.to_owned()).collect();
    // Package lists from an earlier day name files that the archive has replaced since.
    let found = match kernels::main_view(false)?.download_all(&packages, &downloads) {
        Ok(found) => found,
        Err(_) => kernels::main_view(true)?.download_all(&packages, &downloads)?,
    };
    progress::note(&format!("unpacking {} packages", found.len()));
    // base-files first: it brings /bin, /lib, /lib64 and /sbin as the links that later packages write through.
    let (first, rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|package| {
        package.file_name().is_some_and(|name| name.to_string_lossy().starts_with("base-files_"))
    });
    apt::unpack(&first, root)?;
    for name in ["bin", "lib", "lib64", "sbin"] {
        if !root.join(name).exists() {
            fs::create_dir_all(root.join("usr").join(name)).context("cannot lay out the build root")?;
            symlink(format!("usr/{name}"), root.join(name)).context("cannot lay out the build root")?;
        }
    }
    apt::unpack(&rest, root)?;
    for (link, to) in LINKS {
        if root.join(link).symlink_metadata().is_err() {
            symlink(to, root.join(link)).with_context(|| format!("cannot link {link}"))?;
        }
    }
    for folder in ["proc", "tmp", "build"] {
        fs::create_dir_all(root.join(folder)).context("cannot lay out the build root")?;
    }
    fs::remove_dir_all(&downloads).context("cannot remove downloaded packages")?;
    let version = ["gcc", "--version"].map(OsStr::new);
    let said =
        run::output(&mut command(root, Path::new("/"), &version), "run the compiler in the build root")?;
    progress::note(&format!("the build root has {}", said.lines().next().unwrap_or("a compiler")));
    Ok(())
}
