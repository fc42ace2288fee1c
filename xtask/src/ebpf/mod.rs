//! The reproducible build of the eBPF object.
//!
//! The bytes depend on the sources, on the pinned rustc and on the pinned bpf-linker, and on nothing else: not on
//! the checkout's path, the target folder, `CARGO_HOME` or the environment's flags.
//!
//! 1. `core` for `bpfel-unknown-none` is built by plain rustc from its sources ([`sources`], [`sysroot`]): no nightly,
//!    no `-Zbuild-std`, no network.
//! 2. bpf-linker is built against that rustc's own libLLVM ([`linker`]): the same LLVM writes and reads the bitcode.
//! 3. The crate is built with every path remapped ([`object`]), then DWARF is dropped and BTF kept ([`strip`]).

mod linker;
mod object;
mod rustc;
mod sources;
mod strip;
mod sysroot;

use std::path::PathBuf;

pub use object::build;

/// The committed object.
pub fn object_file() -> PathBuf {
    crate_dir().join("bpf/klp-trace.bpf.o")
}

/// The crate of the programs.
fn crate_dir() -> PathBuf {
    workspace().join("klp-trace-ebpf")
}

/// The root of the checkout that this xtask was built from.
fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// Everything the build makes but the object itself: `<target>/ebpf-tools`.
fn tools_dir() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    // rustc and cargo run in other folders: a relative path would mean another place there.
    std::path::absolute(&target).unwrap_or(target).join("ebpf-tools")
}
