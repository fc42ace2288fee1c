//! What this machine must have, and how it gets it.

use std::path::Path;
use std::process::Command;

use anyhow::bail;

use super::{progress, run};

/// How to tell that something is there.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// A program of this name.
    Program(&'static str),
    /// A file at this path.
    File(&'static str),
}

/// Something the work needs.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    sign: Sign,
    /// The Debian package that holds it.
    package: &'static str,
}

/// A program, and the Debian package that has it.
pub const fn program(name: &'static str, package: &'static str) -> Need {
    Need { sign: Sign::Program(name), package }
}

/// To build klp-trace itself: libbpf-sys compiles libbpf against these.
pub const BUILD: &[Need] = &[
    program("cc", "gcc"),
    program("strip", "binutils"),
    program("make", "make"),
    program("pkg-config", "pkg-config"),
    Need { sign: Sign::File("/usr/include/libelf.h"), package: "libelf-dev" },
    Need { sign: Sign::File("/usr/include/zlib.h"), package: "zlib1g-dev" },
];

/// Independent readers of what klp-trace writes, for its tests.
pub const READERS: &[Need] =
    &[program("xmllint", "libxml2-utils"), program("prove", "perl"), program("jq", "jq")];

/// To run the kernel's own reader of KTAP.
pub const KUNIT: &[Need] = &[program("python3", "python3"), program("xz", "xz-utils"), program("tar", "tar")];

/// To unpack and run the kernel's livepatch selftests: their scripts want more than busybox has.
pub const SELFTESTS: &[Need] = &[
    program("bash", "bash"),
    program("awk", "mawk"),
    program("diff", "diffutils"),
    program("dmesg", "util-linux"),
    program("getconf", "libc-bin"),
    program("stat", "coreutils"),
    program("sysctl", "procps"),
    program("tar", "tar"),
    program("xz", "xz-utils"),
];

/// To fuzz: libFuzzer is C++.
pub const FUZZ: &[Need] = &[program("c++", "g++")];

/// To boot a kernel.
pub const VM: &[Need] = &[
    program("qemu-system-x86_64", "qemu-system-x86"),
    program("busybox", "busybox-static"),
    program("kmod", "kmod"),
    program("depmod", "kmod"),
    program("ldd", "libc-bin"),
    program("setpriv", "util-linux"),
    program("tar", "tar"),
];

/// To fetch and unpack Debian packages, and to build modules in a root made of them.
pub const PACKAGES: &[Need] = &[
    program("apt-get", "apt"),
    program("dpkg-deb", "dpkg"),
    program("unshare", "util-linux"),
    program("chroot", "coreutils"),
    Need { sign: Sign::File(super::apt::KEYRING), package: "debian-archive-keyring" },
];

/// To make packages.
pub const DIST: &[Need] = &[
    program("dpkg-shlibdeps", "dpkg-dev"),
    program("ldd", "libc-bin"),
    program("gzip", "gzip"),
    program("tar", "tar"),
    Need { sign: Sign::File("/usr/lib/x86_64-linux-gnu/libelf.a"), package: "libelf-dev" },
    Need { sign: Sign::File("/usr/lib/x86_64-linux-gnu/libz.a"), package: "zlib1g-dev" },
];

/// To make small Debian systems in folders.
pub const DEBIAN: &[Need] = &[program("mmdebstrap", "mmdebstrap"), program("cp", "coreutils")];

/// To run what packaging/requirements.txt lists.
pub const PYTHON: &[Need] = &[program("python3", "python3-venv")];

/// Sees to it that everything in `needs` is here: installs with apt-get when this is root on a machine that
/// has it, and otherwise fails with the list of what to install.
pub fn ensure(needs: &[Need]) -> anyhow::Result<()> {
    let missing = missing(needs);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if run::which("apt-get").is_none() {
        bail!(
            "these are missing (Debian's names): {list}\nThere is no apt-get here: install them with this system's package manager, then run the command again."
        );
    }
    if !is_root() {
        bail!(
            "these packages are missing: {list}\nInstall them as root, then run the command again:\n  apt-get install --no-install-recommends {list}"
        );
    }
    progress::note(&format!("installing {list}"));
    let retries = ["-o", "Acquire::Retries=4"];
    run::output(apt_get().args(retries).arg("update"), "read the package lists")?;
    let install = ["install", "-y", "--no-install-recommends"];
    run::output(apt_get().args(retries).args(install).args(&missing), &format!("install {list}"))?;
    let still = self::missing(needs);
    if !still.is_empty() {
        bail!("apt-get installed {list}, and yet this is missing: {}", still.join(" "));
    }
    Ok(())
}

/// Whether this process may chroot, mount and install.
pub fn is_root() -> bool {
    run::output(Command::new("id").arg("-u"), "ask for the user id").is_ok_and(|id| id.trim() == "0")
}

fn missing(needs: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<_> = needs
        .iter()
        .filter(|need| match need.sign {
            Sign::Program(name) => run::which(name).is_none(),
            Sign::File(path) => !Path::new(path).exists(),
        })
        .map(|need| need.package)
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C").arg("-q");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_once_by_its_package() {
        let needs = [
            program("no-such-program-a", "pkg-b"),
            program("no-such-program-b", "pkg-b"),
            Need { sign: Sign::File("/no/such/file"), package: "pkg-a" },
            program("sh", "dash"),
        ];
        assert_eq!(missing(&needs), ["pkg-a", "pkg-b"]);
    }
}
