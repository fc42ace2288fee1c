//! Lays out what each package holds, as files.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, ensure};

use super::contents::{self, COMPLETIONS, Entry, Format, How, MAN, PROGRAM};
use super::{Tree, links};
use crate::testbed;

/// Where the files of `format` are laid.
pub fn root(tree: &Tree, format: Format) -> PathBuf {
    tree.place().join("stage").join(format.name())
}

/// Lays out every format: `program` for the packages, `whole`, which needs no library, for the archive.
pub fn lay(tree: &Tree, program: &Path, whole: &Path) -> anyhow::Result<()> {
    let stage = tree.place().join("stage");
    let _ = fs::remove_dir_all(&stage);
    for format in Format::ALL {
        let root = root(tree, format);
        let program = if format == Format::Tar { whole } else { program };
        copy(program, &root.join(PROGRAM))?;
        made_by(program, format, &root)?;
        let entries = contents::entries(&tree.root, format)?;
        for entry in &entries {
            document(tree, entry, &entries, &root)?;
        }
        for file in contents::files(&root)? {
            settle(&file, &root, tree.epoch)?;
        }
    }
    let changelog = debian_changelog(tree)?;
    fs::write(tree.place().join("changelog"), changelog).context("cannot write Debian's changelog")
}

/// What the program writes itself: manual pages, completions.
fn made_by(program: &Path, format: Format, root: &Path) -> anyhow::Result<()> {
    let man = root.join(MAN);
    testbed::run_output(Command::new(program).args(["man", "--out"]).arg(&man), "write the manual pages")?;
    let pages = contents::files(&man)?;
    ensure!(pages.len() > 10, "klp-trace man wrote {} pages", pages.len());
    for page in pages {
        gzip(&page)?;
    }
    for (shell, path, _) in COMPLETIONS.iter().filter(|(.., formats)| formats.contains(&format)) {
        let purpose = format!("write the completions of {shell}");
        let script = testbed::run_output(Command::new(program).args(["completions", shell]), &purpose)?;
        write(&root.join(path), script.as_bytes())?;
    }
    Ok(())
}

fn document(tree: &Tree, entry: &Entry, all: &[Entry], root: &Path) -> anyhow::Result<()> {
    let (from, to) = (tree.root.join(&entry.from), root.join(&entry.to));
    match entry.how {
        How::Plain => copy(&from, &to),
        How::Markdown => {
            let text =
                fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
            write(&to, links::made_for(&text, entry, all).as_bytes())
        }
        How::Gzip => {
            let plain = to.with_extension("");
            copy(&from, &plain)?;
            gzip(&plain)
        }
    }
}

/// One mode for programs, one for all else, the commit's date for both.
fn settle(file: &Path, root: &Path, epoch: u64) -> anyhow::Result<()> {
    let mode = if file == root.join(PROGRAM) { 0o755 } else { 0o644 };
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).context("cannot set a mode")?;
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
    let open = File::options().append(true).open(file);
    open.and_then(|file| file.set_modified(date)).with_context(|| format!("cannot date {}", file.display()))
}

/// Debian's changelog, which says of each version of the package what changed: that is in klp-trace's own.
fn debian_changelog(tree: &Tree) -> anyhow::Result<String> {
    let date = format!("--date=@{}", tree.epoch);
    let date = testbed::run_output(
        Command::new("date").args(["--utc", "--rfc-email", &date]).env("LC_ALL", "C"),
        "write a date",
    )?;
    Ok(format!(
        "klp-trace ({}-1) unstable; urgency=medium\n\n  * See /usr/share/doc/klp-trace/changelog.gz.\n\n \
         -- {}  {}",
        tree.version,
        super::pack::MAINTAINER,
        date
    ))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    write(to, &fs::read(from).with_context(|| format!("cannot read {}", from.display()))?)
}

fn write(to: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = to.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

/// Compresses a file, without its name and date.
pub fn gzip(file: &Path) -> anyhow::Result<()> {
    testbed::run_output(Command::new("gzip").args(["-9nf"]).arg(file), "compress with gzip").map(drop)
}
