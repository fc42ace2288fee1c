//! bpf-linker, built against the pinned rustc's own libLLVM.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::rustc::{Rustc, output};

/// Other versions give other bytes.
const VERSION: &str = "0.13.0";

/// Builds it once for a compiler (about a minute; needs crates.io).
pub fn build(rustc: &Rustc, tools: &Path) -> anyhow::Result<PathBuf> {
    let home = tools.join(format!("bpf-linker-{VERSION}-rustc-{}-{}", rustc.version, rustc.commit));
    let linker = home.join("bin/bpf-linker");
    if linker.exists() {
        return Ok(linker);
    }
    eprintln!("ebpf: building bpf-linker {VERSION} (about a minute, once)");
    let prefix = home.join("llvm");
    link_llvm(rustc, &prefix.join("lib"))?;
    // Installed beside its place and renamed: an interrupted run leaves nothing that looks finished.
    let (partial, build) = (home.join("partial"), home.join("build"));
    output(
        rustc
            .command("cargo")
            .args(["install", "--quiet", "--locked", "bpf-linker", "--version", VERSION])
            .args(["--no-default-features", "--features", "llvm-22", "--root"])
            .arg(&partial)
            .env("LLVM_PREFIX", &prefix)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_STRIP", "true"),
    )
    .context("bpf-linker does not build; it needs gcc, and crates.io or a filled cargo cache")?;
    fs::create_dir_all(home.join("bin"))?;
    fs::rename(partial.join("bin/bpf-linker"), &linker).with_context(|| format!("{}", linker.display()))?;
    for folder in [partial, build] {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    Ok(linker)
}

/// Makes `lib/libLLVM.so` a link to the compiler's library, as llvm-sys looks for it.
fn link_llvm(rustc: &Rustc, lib: &Path) -> anyhow::Result<()> {
    let from = rustc.sysroot.join("lib");
    let entries = fs::read_dir(&from).with_context(|| format!("read {}", from.display()))?;
    let names = entries.filter_map(Result::ok).map(|e| e.file_name());
    let name =
        names.into_iter().find(|n| n.to_str().is_some_and(|n| n.starts_with("libLLVM.so."))).with_context(
            || format!("{} holds no libLLVM.so.*: rustc was not installed by rustup", from.display()),
        )?;
    fs::create_dir_all(lib).with_context(|| format!("create {}", lib.display()))?;
    let target = from.join(&name);
    for link in [lib.join("libLLVM.so"), lib.join(&name)] {
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link).with_context(|| format!("remove {}", link.display()))?;
        }
        symlink(&target, &link).with_context(|| format!("link {}", link.display()))?;
    }
    Ok(())
}
