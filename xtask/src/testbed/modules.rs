//! The kernel package's modules that the guest may load, with what they depend on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::cpio::Archive;
use super::{Boot, run};

/// Files that depmod reads beside the modules themselves.
const LISTS: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];

/// Puts the modules `wanted` and their dependencies into the archive, lists them and `own` (guest path, path
/// here: modules that were added as files) in a modules.dep of the guest's, and nothing else.
pub fn add(
    archive: &mut Archive,
    boot: &Boot,
    wanted: &[&str],
    own: &[(PathBuf, PathBuf)],
) -> anyhow::Result<()> {
    let kernel = boot.kernel;
    let listed = |name: &str| fs::read_to_string(kernel.modules.join(name)).unwrap_or_default();
    let chosen = closure(&listed("modules.dep"), &listed("modules.builtin"), wanted)
        .with_context(|| format!("kernel {}", kernel.release))?;
    let guest = Path::new("/lib/modules").join(&kernel.release);
    let stage = boot.work.join("modules");
    let _ = fs::remove_dir_all(&stage);
    for path in chosen {
        let host = kernel.modules.join(&path);
        put(&stage, &guest.join(&path), &host)?;
        archive.file(guest.join(&path), &host, 0o644);
    }
    for (path, host) in own {
        put(&stage, path, host)?;
    }
    for list in LISTS.iter().filter(|list| kernel.modules.join(list).is_file()) {
        put(&stage, &guest.join(list), &kernel.modules.join(list))?;
    }
    run::output(
        Command::new(run::which("depmod").context("depmod is missing")?)
            .arg("-b")
            .arg(&stage)
            .arg(&kernel.release),
        "list the guest's modules",
    )?;
    let made = stage.join("lib/modules").join(&kernel.release);
    for entry in fs::read_dir(&made).with_context(|| format!("cannot list {}", made.display()))? {
        let path = entry?.path();
        if path.is_file() {
            archive.file(guest.join(path.file_name().unwrap_or_default()), &path, 0o644);
        }
    }
    Ok(())
}

/// Links `host` into the stage where the guest will have it.
fn put(stage: &Path, guest: &Path, host: &Path) -> anyhow::Result<()> {
    let at = stage.join(guest.strip_prefix("/").unwrap_or(guest));
    if let Some(above) = at.parent() {
        fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    }
    let host = host.canonicalize().with_context(|| format!("no file {}", host.display()))?;
    std::os::unix::fs::symlink(host, &at).with_context(|| format!("cannot link {}", at.display()))
}

/// Paths, below the modules' folder, of `wanted` and all that they depend on, by modules.dep; names built
/// into the kernel need none.
fn closure(dependencies: &str, builtin: &str, wanted: &[&str]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut chosen = BTreeSet::new();
    for name in wanted {
        let name = name.replace('-', "_");
        let line = dependencies
            .lines()
            .find(|line| line.split(':').next().is_some_and(|path| module_name(path) == name));
        match line {
            // modules.dep lists indirect dependencies too.
            Some(line) => {
                chosen.extend(line.split([':', ' ']).filter(|path| !path.is_empty()).map(PathBuf::from));
            }
            None if builtin.lines().any(|path| module_name(path) == name) => {}
            None => bail!("has no module {name}"),
        }
    }
    Ok(chosen)
}

/// `kernel/net/some-thing.ko.xz` is the module `some_thing`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "kernel/a/one.ko.xz: kernel/b/two-half.ko.xz kernel/c/three.ko.xz\n\
                       kernel/b/two-half.ko.xz: kernel/c/three.ko.xz\nkernel/c/three.ko.xz:\nkernel/d/four.ko:\n";

    #[test]
    fn dependencies_come_along_and_nothing_else() {
        let chosen = closure(DEP, "", &["two_half"]).unwrap();
        let expected = ["kernel/b/two-half.ko.xz", "kernel/c/three.ko.xz"].map(PathBuf::from);
        assert_eq!(chosen.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_builtin_needs_no_file_and_an_unknown_name_is_an_error() {
        assert!(closure(DEP, "kernel/e/five.ko\n", &["five"]).unwrap().is_empty());
        assert!(closure(DEP, "", &["five"]).unwrap_err().to_string().contains("five"));
    }
}
