//! `core` and `compiler_builtins` for `bpfel-unknown-none`, built by plain rustc.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

use super::rustc::{Rustc, output};

/// The target of the programs.
pub const TARGET: &str = "bpfel-unknown-none";

/// What compiler_builtins' build script would decide for this target.
const BUILTINS_CFG: [&str; 10] = [
    "feature=\"compiler-builtins\"",
    "feature=\"rustc-dep-of-std\"",
    "feature=\"unstable-intrinsics\"",
    "feature=\"mem\"",
    "feature=\"mem-unaligned\"",
    "f16_enabled",
    "f128_enabled",
    "intrinsics_enabled",
    "arch_enabled",
    "optimizations_enabled",
];

/// Builds the sysroot once for a compiler; its bytes do not depend on where the sources lie.
pub fn build(rustc: &Rustc, library: &Path, tools: &Path) -> anyhow::Result<PathBuf> {
    let root = tools.join(format!("sysroot-{}-{}", rustc.version, rustc.commit));
    let lib = root.join("lib/rustlib").join(TARGET).join("lib");
    let done = lib.join("done");
    if done.exists() {
        return Ok(root);
    }
    eprintln!("ebpf: building core for {TARGET} with rustc {} (about 20 s, once)", rustc.version);
    if root.exists() {
        fs::remove_dir_all(&root).with_context(|| format!("remove {}", root.display()))?;
    }
    fs::create_dir_all(&lib).with_context(|| format!("create {}", lib.display()))?;

    output(&mut compile(rustc, library, &root, &lib, "core", "core/src/lib.rs"))?;
    let source = "compiler-builtins/compiler-builtins/src/lib.rs";
    let mut builtins = compile(rustc, library, &root, &lib, "compiler_builtins", source);
    builtins.arg("--extern").arg(format!("core={}", lib.join("libcore-bpf.rlib").display()));
    for cfg in BUILTINS_CFG {
        builtins.args(["--cfg", cfg]);
    }
    output(&mut builtins)?;
    fs::write(&done, "").with_context(|| format!("write {}", done.display()))?;
    Ok(root)
}

fn compile(rustc: &Rustc, library: &Path, root: &Path, lib: &Path, name: &str, path: &str) -> Command {
    let mut command = rustc.command("rustc");
    command
        .env("RUSTC_BOOTSTRAP", "1") // core uses unstable features
        .args(["--crate-name", name])
        .arg(library.join(path))
        .args(["--edition=2024", "--crate-type=rlib", "--target", TARGET])
        .args(["-Copt-level=3", "-Ccodegen-units=1", "-Cembed-bitcode=no"])
        .args(["-Cmetadata=bpf-sysroot", "-Cextra-filename=-bpf"])
        .args(["-Zforce-unstable-if-unmarked", "--cap-lints=allow"])
        .arg(format!("--remap-path-prefix={}=/rust/library", library.display()))
        .arg("--sysroot")
        .arg(root)
        .arg("--out-dir")
        .arg(lib);
    command
}
