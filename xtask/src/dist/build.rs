//! The program as packages have it: the same bytes from the same commit, wherever it is built.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::Tree;
use super::tools::{AUDITABLE, text};
use crate::testbed;

/// Where Debian's libelf-dev and zlib1g-dev have their archives.
const ARCHIVES: &str = "/usr/lib/x86_64-linux-gnu";

/// With what libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// Those of the host: libelf, zlib, the C library.
    Shared,
    /// All in it.
    Static,
}

/// Builds the program out of `tree`; a copy of it is kept under a name of its own.
pub fn program(tree: &Tree, linked: Linked) -> anyhow::Result<PathBuf> {
    let target = tree.place().join("build");
    let cargo_home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cargo"),
    };
    let mut command = Command::new(AUDITABLE.program()?);
    command.args([
        "auditable",
        "rustc",
        "--quiet",
        "--locked",
        "--profile",
        "dist",
        "--package",
        "klp-trace",
    ]);
    command.args(["--bin", "klp-trace"]);
    if linked == Linked::Static {
        // The last step alone differs, so that crates are built once. musl would need a libelf that builds with it.
        command.args(["--features", "static", "--", "-C", "target-feature=+crt-static"]);
    }
    command.current_dir(&tree.root);
    for (key, value) in environment(&tree.root, &cargo_home) {
        command.env(key, value);
    }
    command.env("CARGO_TARGET_DIR", &target);
    command.env("SOURCE_DATE_EPOCH", tree.epoch.to_string()).env("KLP_TRACE_COMMIT", &tree.commit);
    testbed::run_output(&mut command, "build klp-trace")?;
    let (built, kept) = (target.join("dist/klp-trace"), tree.place().join(format!("klp-trace-{linked:?}")));
    fs::copy(&built, &kept).with_context(|| format!("cannot copy {}", built.display()))?;
    let bytes = fs::read(&kept).with_context(|| format!("cannot read {}", kept.display()))?;
    for folder in [&tree.root, &cargo_home] {
        ensure!(!holds(&bytes, &text(folder)), "the program has the path {} in it", folder.display());
    }
    Ok(kept)
}

/// What keeps the folders of the build out of the program.
fn environment(root: &Path, cargo_home: &Path) -> [(&'static str, String); 2] {
    let places = [(root, "/usr/src/klp-trace"), (cargo_home, "/usr/src/cargo")];
    let map = |option: &str| places.map(|(from, to)| format!("{option}={}={to}", text(from))).join(" ");
    [
        ("RUSTFLAGS", format!("{} -L native={ARCHIVES}", map("--remap-path-prefix"))),
        ("CFLAGS", format!("-g0 {}", map("-ffile-prefix-map"))),
    ]
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_of_the_build_are_mapped_for_rust_and_c() {
        let [(_, rust), (_, c)] = environment(Path::new("/a/b"), Path::new("/home/.cargo"));
        assert!(
            rust.contains("--remap-path-prefix=/a/b=/usr/src/klp-trace --remap-path-prefix=/home/.cargo=")
        );
        assert!(c.contains("-ffile-prefix-map=/a/b=/usr/src/klp-trace"), "{c}");
        assert!(holds(b"xx/a/bxx", "/a/b") && !holds(b"xx", "/a/b"));
    }
}
