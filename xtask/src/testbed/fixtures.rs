//! Builds the modules of `tests/fixtures/` and gives the livepatches among them their klp relocations.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::{Kernel, cache_dir, lock, progress, root, run, workspace};
use crate::klp;

/// Files that kbuild reads.
const SOURCES: [&str; 3] = ["c", "h", "Kbuild"];

/// Modules whose marked symbols stay as the compiler left them: what a build without the conversion step makes.
const UNCONVERTED: [&str; 1] = ["lp_raw.ko"];

/// The folder of the `.ko` files built for `kernel`; built when the sources, the kernel or the rewriter have
/// changed since they last were.
pub fn fixtures(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    let folder = built(kernel)?;
    derive(&folder)?;
    Ok(folder)
}

/// Modules that no compiler makes, of those that one made: `lp_bad` is `lp_one` with a value where its first livepatch relocation
/// is to be written.
fn derive(folder: &Path) -> anyhow::Result<()> {
    let bad = folder.join("lp_bad.ko");
    if bad.is_file() {
        return Ok(());
    }
    let from = folder.join("lp_one.ko");
    let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
    let bytes = klp::with_value(&klp::renamed(&bytes, "lp_one", "lp_bad")?, 0x5a)?;
    let fresh = folder.join("lp_bad.fresh");
    fs::write(&fresh, bytes).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, &bad).with_context(|| format!("cannot make {}", bad.display()))
}

fn built(kernel: &Kernel) -> anyhow::Result<PathBuf> {
    let sources = sources(&workspace().join("tests/fixtures"))?;
    let kept = cache_dir().join("fixtures").join(&kernel.release);
    let folder = kept.join(key(&sources, &kernel.release));
    if folder.is_dir() {
        return Ok(folder);
    }
    let root = root::ready(kernel)?;
    let _lock = lock::take(&format!("fixtures-{}", kernel.series))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    progress::note(&format!("building the fixtures for {}", kernel.release));
    let inside = Path::new("/build").join(&kernel.release);
    let build = root.join("build").join(&kernel.release);
    let _ = fs::remove_dir_all(&build);
    fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
    for (name, bytes) in &sources {
        fs::write(build.join(name), bytes).with_context(|| format!("cannot write {name}"))?;
    }
    make(&root, kernel, &inside)?;
    // Under another name until complete: a folder of that name is a finished one.
    let fresh = kept.join("fresh");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    convert(&build, &fresh)?;
    fs::rename(&fresh, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// The folder of the modules built for `kernel` of the C files in `sources`, each of which is one; `name` tells such folders
/// apart.
pub fn modules_of(kernel: &Kernel, sources: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let root = root::ready(kernel)?;
    let _lock = lock::take(&format!("{name}-{}", kernel.series))?;
    progress::note(&format!("building {name} for {}", kernel.release));
    let at = Path::new("/build").join(format!("{}-{name}", kernel.release));
    let build = root.join(at.strip_prefix("/").unwrap_or(&at));
    let _ = fs::remove_dir_all(&build);
    fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
    let mut kbuild = String::new();
    for (file, bytes) in self::sources(sources)? {
        if let Some(module) = file.strip_suffix(".c") {
            let _ = writeln!(kbuild, "obj-m += {module}.o");
        }
        if file != "Kbuild" {
            fs::write(build.join(&file), bytes).with_context(|| format!("cannot write {file}"))?;
        }
    }
    fs::write(build.join("Kbuild"), kbuild).context("cannot write Kbuild")?;
    make(&root, kernel, &at)?;
    let folder = cache_dir().join(name).join(format!("modules-{}", kernel.release));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for entry in fs::read_dir(&build).with_context(|| format!("cannot list {}", build.display()))? {
        let path = entry?.path();
        if let (Some(name), true) = (path.file_name(), path.extension().is_some_and(|end| end == "ko")) {
            fs::copy(&path, folder.join(name)).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(folder)
}

fn make(root: &Path, kernel: &Kernel, at: &Path) -> anyhow::Result<()> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let words = [
        "make".to_owned(),
        format!("-j{jobs}"),
        "-C".to_owned(),
        kernel.headers.display().to_string(),
        format!("M={}", at.display()),
        // The marked symbols are undefined, and meant to be.
        "KBUILD_MODPOST_WARN=1".to_owned(),
        // 6.1's headers name a compiler of Debian 12.
        "CC=gcc".to_owned(),
        // No debugging information, and so no BTF made of it, which would take pahole.
        "KCFLAGS=-g0".to_owned(),
        "CONFIG_DEBUG_INFO_BTF_MODULES=".to_owned(),
        "modules".to_owned(),
    ];
    let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
    let purpose = format!("build the fixtures for {}", kernel.release);
    run::output(&mut root::command(root, at, &words), &purpose).map(|_| ())
}

/// Rewrites every module in `from` that has marked symbols; all of them end up in `to`.
fn convert(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut count = 0;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|ext| ext == "ko")) else {
            continue;
        };
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let converted = if UNCONVERTED.iter().any(|raw| name == *raw) {
            None
        } else {
            klp::convert(&bytes).with_context(|| format!("cannot convert {}", path.display()))?
        };
        fs::write(to.join(name), converted.unwrap_or(bytes))
            .with_context(|| format!("cannot write {}", to.join(name).display()))?;
        count += 1;
    }
    if count == 0 {
        bail!("make was content, and yet no module is in {}", from.display());
    }
    Ok(())
}

fn sources(folder: &Path) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else { continue };
        if SOURCES.contains(&name.rsplit('.').next().unwrap_or(name)) {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            found.push((name.to_owned(), bytes));
        }
    }
    found.sort();
    Ok(found)
}

/// A cache's key, no more: nobody gains by making two sets of sources agree in it.
fn key(sources: &[(String, Vec<u8>)], release: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (sources, release, klp::SOURCES).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_changes_with_anything_that_makes_a_module_differ() {
        let sources = |text: &str| vec![("a.c".to_owned(), text.as_bytes().to_vec())];
        let one = key(&sources("int a;"), "6.1.0");
        assert_eq!(one, key(&sources("int a;"), "6.1.0"));
        assert_ne!(one, key(&sources("int b;"), "6.1.0"));
        assert_ne!(one, key(&sources("int a;"), "6.1.1"));
    }

    #[test]
    fn every_fixture_source_is_read_and_nothing_else() {
        let names: Vec<_> =
            sources(&workspace().join("tests/fixtures")).unwrap().into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"Kbuild".to_owned()) && names.contains(&"lp_one.c".to_owned()), "{names:?}");
        assert!(!names.iter().any(|name| name.contains("README") || name.contains("kpatch")), "{names:?}");
    }
}
