//! The crates, as cargo packs them: what they are made of is in them, so that `cargo install` could be offered.

use std::process::Command;

use crate::dist::Tree;
use crate::testbed;

/// Packs both, and builds each from its archive.
pub fn check(tree: &Tree) -> anyhow::Result<()> {
    let cargo = || Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let place = tree.place().join("crates");
    let mut programs = cargo();
    programs.args(["package", "--quiet", "--locked", "--allow-dirty", "--manifest-path"]);
    programs.arg(tree.root.join("klp-trace-ebpf/Cargo.toml")).env("CARGO_TARGET_DIR", place.join("ebpf"));
    testbed::run_output(programs.current_dir(&tree.root), "pack klp-trace-ebpf")?;
    // klp-trace-ebpf is on no registry: the one that was just packed stands in for it.
    let mut unpack = Command::new("tar");
    let archive = place.join("ebpf/package/klp-trace-ebpf-0.1.0.crate");
    testbed::run_output(unpack.arg("-xzf").arg(archive).arg("-C").arg(&place), "unpack klp-trace-ebpf")?;
    let patch =
        format!("patch.crates-io.klp-trace-ebpf.path=\"{}\"", place.join("klp-trace-ebpf-0.1.0").display());
    let mut program = cargo();
    program.args(["package", "--quiet", "--allow-dirty", "--package", "klp-trace", "--config"]).arg(patch);
    program.env("CARGO_TARGET_DIR", place.join("klp-trace")).env("CARGO_PROFILE_DEV_DEBUG", "0");
    testbed::run_output(program.current_dir(&tree.root), "pack klp-trace").map(drop)
}
