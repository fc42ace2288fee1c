//! The sources of `core`: from the committed archive, or from the toolchain's rust-src component for a compiler
//! that no archive is committed for.

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use lzma_rust2::XzReader;

use super::rustc::Rustc;

/// The folder that holds `core/src/lib.rs`, `compiler-builtins` and the rest.
pub fn library(rustc: &Rustc, crate_dir: &Path, tools: &Path) -> anyhow::Result<PathBuf> {
    let archive = crate_dir.join(format!("toolchain/rust-src-{}-core.tar.xz", rustc.version));
    if archive.exists() {
        return unpack(&archive, &tools.join(format!("rust-src-{}", rustc.version)));
    }
    let component = rustc.sysroot.join("lib/rustlib/src/rust/library");
    if component.join("core/src/lib.rs").exists() {
        return Ok(component);
    }
    bail!(
        "no sources of core for rustc {}: neither {} nor the rust-src component; run `rustup component add \
         rust-src --toolchain {}`",
        rustc.version,
        archive.display(),
        rustc.version
    )
}

fn unpack(archive: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    if !folder.exists() {
        // Unpacked beside its place and renamed: an interrupted run leaves nothing that looks finished.
        let partial = folder.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| format!("remove {}", partial.display()))?;
        }
        fs::create_dir_all(&partial).with_context(|| format!("create {}", partial.display()))?;
        let file = File::open(archive).with_context(|| format!("open {}", archive.display()))?;
        let mut tar = tar::Archive::new(XzReader::new(BufReader::new(file), true));
        tar.set_preserve_mtime(false);
        tar.unpack(&partial).with_context(|| format!("unpack {}", archive.display()))?;
        fs::rename(&partial, folder).with_context(|| format!("rename to {}", folder.display()))?;
    }
    [folder.join("library"), folder.to_owned()]
        .into_iter()
        .find(|p| p.join("core/src/lib.rs").exists())
        .with_context(|| format!("{} holds no core/src/lib.rs", archive.display()))
}
