//! The pinned compiler.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail, ensure};

/// Variables through which the environment, or the cargo that runs this xtask, would change the build.
const FOREIGN: [&str; 12] = [
    "CARGO",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

/// The compiler that `klp-trace-ebpf/rust-toolchain.toml` pins.
pub struct Rustc {
    /// Its release, such as `1.95.0`
    pub version: String,
    /// The first digits of its commit
    pub commit: String,
    /// Its own sysroot
    pub sysroot: PathBuf,
}

impl Rustc {
    /// Finds it; rustup installs it when it is not there.
    pub fn pinned(crate_dir: &Path) -> anyhow::Result<Self> {
        let version = channel(&crate_dir.join("rust-toolchain.toml"))?;
        let mut rustc = Self { version, commit: String::new(), sysroot: PathBuf::new() };
        let verbose = output(rustc.command("rustc").arg("-vV"))?;
        let field = |name: &str| verbose.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
        let found = field("release:").context("`rustc -vV` names no release")?;
        ensure!(
            found == rustc.version,
            "the eBPF object needs rustc {}, found {found}: run `rustup toolchain install {}`",
            rustc.version,
            rustc.version
        );
        let commit = field("commit-hash:").unwrap_or("unknown");
        commit.get(..12).unwrap_or(commit).clone_into(&mut rustc.commit);
        rustc.sysroot = PathBuf::from(output(rustc.command("rustc").args(["--print", "sysroot"]))?.trim());
        Ok(rustc)
    }

    /// A command of the pinned toolchain (`rustc`, `cargo`), free of the environment's build flags.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("RUSTUP_TOOLCHAIN", &self.version);
        for name in FOREIGN {
            command.env_remove(name);
        }
        command
    }
}

/// Runs a command that prints its own progress and errors on stderr; gives its stdout.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let out = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?} failed: {}", out.status);
    }
    String::from_utf8(out.stdout).with_context(|| format!("{command:?} printed invalid UTF-8"))
}

fn channel(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let line = text.lines().find_map(|l| l.trim().strip_prefix("channel"));
    let version = line.and_then(|l| l.split('"').nth(1));
    Ok(version.with_context(|| format!("{}: no channel", file.display()))?.to_owned())
}
