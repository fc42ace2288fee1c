//! The crate of the programs to the object's bytes.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    crate_dir, linker,
    rustc::{Rustc, output},
    sources, strip,
    sysroot::{self, TARGET},
    tools_dir, workspace,
};

/// Builds the object and gives its bytes.
pub fn build() -> anyhow::Result<Vec<u8>> {
    let (crate_dir, tools) = (crate_dir(), tools_dir());
    fs::create_dir_all(&tools).with_context(|| format!("create {}", tools.display()))?;
    let rustc = Rustc::pinned(&crate_dir)?;
    let library = sources::library(&rustc, &crate_dir, &tools)?;
    let sysroot = sysroot::build(&rustc, &library, &tools)?;
    let linker = linker::build(&rustc, &tools)?;

    // The registry's folders must be there to be remapped: with an empty CARGO_HOME they appear here.
    output(rustc.command("cargo").current_dir(&crate_dir).args(["fetch", "--quiet", "--locked"]))?;

    let out = tools.join("object");
    output(
        rustc
            .command("cargo")
            .current_dir(&crate_dir)
            .args(["build", "--quiet", "--locked", "--release", "--bins", "--features", "programs"])
            .args(["--target", TARGET, "--target-dir"])
            .arg(&out)
            .env("RUSTC_BOOTSTRAP", "1") // aya-ebpf: feature(asm_experimental_arch)
            .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &linker)
            .env("CARGO_ENCODED_RUSTFLAGS", flags(&sysroot)?.join("\x1f")),
    )?;
    let built = out.join(TARGET).join("release/klp-trace-ebpf");
    strip::strip(&fs::read(&built).with_context(|| format!("read {}", built.display()))?)
}

/// Flags of every crate of the build. The remapped paths are all that differs between two machines.
fn flags(sysroot: &Path) -> anyhow::Result<Vec<String>> {
    let mut flags = vec![
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        format!("--sysroot={}", sysroot.display()),
        remap(&workspace(), "/src"),
        remap(sysroot, "/sysroot"),
    ];
    let registry = cargo_home().join("registry/src");
    for index in fs::read_dir(&registry).with_context(|| format!("read {}", registry.display()))? {
        flags.push(remap(&index?.path(), "/registry"));
    }
    Ok(flags)
}

fn remap(from: &Path, to: &str) -> String {
    format!("--remap-path-prefix={}={to}", from.display())
}

fn cargo_home() -> PathBuf {
    env::var_os("CARGO_HOME")
        .map_or_else(|| PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo"), PathBuf::from)
}
