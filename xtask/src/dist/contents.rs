//! What the packages hold: the one table from which all of them are laid out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A kind of package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Debian and its kin.
    Deb,
    /// Fedora and its kin.
    Rpm,
    /// A folder to copy from, with the program that needs no library.
    Tar,
}

impl Format {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Deb, Self::Rpm, Self::Tar];

    /// The name of its folder below `target/dist/stage`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Tar => "tar",
        }
    }
}

/// How a file comes into the package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As it is.
    Plain,
    /// Its links are made those of the package.
    Markdown,
    /// By `gzip -9n`.
    Gzip,
}

/// A row of the table: what lies at `from` in the repository, a file or all below a folder, comes to `to`.
#[derive(Debug)]
struct Row {
    from: &'static str,
    /// A folder where `from` is one; of the file, its whole path.
    to: &'static str,
    /// Of a folder: only files that end so; all, if it is empty.
    ends: &'static str,
    how: How,
    formats: &'static [Format],
}

const fn row(from: &'static str, to: &'static str, how: How) -> Row {
    Row { from, to, ends: "", how, formats: &Format::ALL }
}

const fn only(formats: &'static [Format], from: &'static str, to: &'static str, how: How) -> Row {
    Row { from, to, ends: "", how, formats }
}

const fn ending(ends: &'static str, from: &'static str, to: &'static str, how: How) -> Row {
    Row { from, to, ends, how, formats: &Format::ALL }
}

/// Where documents are.
pub const DOC: &str = "usr/share/doc/klp-trace";
/// The unit's path.
pub const UNIT: &str = "usr/lib/systemd/system/klp-trace.service";
/// The path of the unit with which systemd listens.
pub const SOCKET: &str = "usr/lib/systemd/system/klp-trace.socket";
/// The path of what `journalctl -x` shows.
pub const CATALOG: &str = "usr/lib/systemd/catalog/klp-trace.catalog";
/// The configuration's path.
pub const CONFIG: &str = "etc/klp-trace/serve.toml";
/// The program's path.
pub const PROGRAM: &str = "usr/bin/klp-trace";
/// The folder of manual pages.
pub const MAN: &str = "usr/share/man/man1";

/// Shells, and where each looks for completions.
pub const COMPLETIONS: [(&str, &str, &[Format]); 4] = [
    ("bash", "usr/share/bash-completion/completions/klp-trace", &Format::ALL),
    ("fish", "usr/share/fish/vendor_completions.d/klp-trace.fish", &Format::ALL),
    ("zsh", "usr/share/zsh/vendor-completions/_klp-trace", &[Format::Deb]),
    ("zsh", "usr/share/zsh/site-functions/_klp-trace", &[Format::Rpm, Format::Tar]),
];

const ROWS: [Row; 19] = [
    row("packaging/systemd/klp-trace.service", UNIT, How::Plain),
    row("packaging/systemd/klp-trace.socket", SOCKET, How::Plain),
    row("packaging/systemd/klp-trace.catalog", CATALOG, How::Plain),
    row("packaging/systemd/serve.toml", CONFIG, How::Plain),
    row(
        "packaging/systemd/stall-tasks.conf",
        "usr/share/doc/klp-trace/examples/systemd/stall-tasks.conf",
        How::Plain,
    ),
    row(
        "packaging/systemd/no-network.conf",
        "usr/share/doc/klp-trace/examples/systemd/no-network.conf",
        How::Plain,
    ),
    only(
        &[Format::Deb],
        "packaging/debian/lintian-overrides",
        "usr/share/lintian/overrides/klp-trace",
        How::Plain,
    ),
    only(&[Format::Rpm, Format::Tar], "LICENSE-MIT", "usr/share/licenses/klp-trace/LICENSE-MIT", How::Plain),
    only(
        &[Format::Rpm, Format::Tar],
        "LICENSE-APACHE",
        "usr/share/licenses/klp-trace/LICENSE-APACHE",
        How::Plain,
    ),
    only(&[Format::Deb], "CHANGELOG.md", "usr/share/doc/klp-trace/changelog.gz", How::Gzip),
    only(&[Format::Rpm, Format::Tar], "CHANGELOG.md", "usr/share/doc/klp-trace/CHANGELOG.md", How::Markdown),
    row("README.md", "usr/share/doc/klp-trace/README.md", How::Markdown),
    ending(".md", "docs", "usr/share/doc/klp-trace/docs", How::Markdown),
    ending(".json", "docs/schema", "usr/share/doc/klp-trace/docs/schema", How::Plain),
    ending(".md", "dashboards", "usr/share/doc/klp-trace/dashboards", How::Markdown),
    ending(".json", "dashboards/grafana", "usr/share/klp-trace/grafana", How::Plain),
    row("dashboards/prometheus/rules.yml", "usr/share/klp-trace/prometheus/rules.yml", How::Plain),
    row(
        "dashboards/alertmanager.example.yml",
        "usr/share/doc/klp-trace/examples/alertmanager.yml",
        How::Plain,
    ),
    row("examples", "usr/share/doc/klp-trace/examples", How::Plain),
];

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is in the repository.
    pub from: PathBuf,
    /// Its path in the package, without the first slash.
    pub to: String,
    /// How it gets there.
    pub how: How,
}

/// The files of the repository, below `root`, that a package of `format` holds. A row without a file is an error.
pub fn entries(root: &Path, format: Format) -> anyhow::Result<Vec<Entry>> {
    let mut all = Vec::new();
    for row in ROWS.iter().filter(|row| row.formats.contains(&format)) {
        let path = root.join(row.from);
        let before = all.len();
        if path.is_dir() {
            for file in files(&path)? {
                let below = file.strip_prefix(&path)?.to_string_lossy().into_owned();
                if below.ends_with(row.ends) {
                    all.push(entry(root, &file, format!("{}/{below}", row.to), row.how)?);
                }
            }
        } else if path.is_file() {
            all.push(entry(root, &path, row.to.to_owned(), row.how)?);
        }
        ensure!(all.len() > before, "nothing is at {}", path.display());
    }
    all.sort_by(|a, b| a.to.cmp(&b.to));
    if let Some([one, _]) = all.array_windows().find(|[a, b]| a.to == b.to) {
        anyhow::bail!("{} is laid twice", one.to);
    }
    Ok(all)
}

fn entry(root: &Path, file: &Path, to: String, how: How) -> anyhow::Result<Entry> {
    // A folder of examples has documents too.
    let how = if file.extension().is_some_and(|extension| extension == "md") && how == How::Plain {
        How::Markdown
    } else {
        how
    };
    Ok(Entry { from: file.strip_prefix(root)?.to_owned(), to, how })
}

/// The files below `folder`, sorted.
pub fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
