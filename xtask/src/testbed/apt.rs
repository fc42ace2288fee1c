//! Debian's archive through an apt configuration of our own: lists, cache and sources lie under the cache
//! folder, and the machine's own apt is only read, for its mirror. apt checks signatures and hashes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use super::{cache_dir, lock, mirror, progress, run};

/// Signs every suite used here.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Waits before a failed download is tried again.
const PAUSES: [u64; 2] = [5, 20];

/// A view of the archive: some of its suites.
#[derive(Debug)]
pub struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// The view `name` of `suites`; its package lists are fetched when they are not there yet or `refresh`
    /// asks for it.
    pub fn open(name: &str, suites: &[&str], refresh: bool) -> anyhow::Result<Self> {
        let apt = Self { folder: cache_dir().join("apt").join(name) };
        let stamp = apt.folder.join("updated");
        let _lock = lock::take("apt")?;
        if stamp.exists() && !refresh {
            return Ok(apt);
        }
        for folder in ["lists/partial", "cache/archives/partial", "empty"] {
            fs::create_dir_all(apt.folder.join(folder)).context("cannot lay out apt's folders")?;
        }
        let mirror = mirror::find()?;
        let sources: String = suites.iter().map(|suite| mirror.source(suite, KEYRING) + "\n").collect();
        fs::write(apt.folder.join("sources.list"), sources).context("cannot write apt's sources")?;
        // Nothing is installed as far as this apt knows: it resolves dependencies from nothing.
        fs::write(apt.folder.join("status"), "").context("cannot write dpkg's status")?;
        fs::write(apt.folder.join("apt.conf"), configuration(&apt.folder))
            .context("cannot write apt's configuration")?;
        progress::note(&format!("reading the package lists of {}", suites.join(", ")));
        patiently("fetch the package lists", || {
            run::output(
                apt.command("apt-get").args(["update", "--error-on=any"]),
                "fetch the package lists (is the mirror reachable?)",
            )
        })?;
        fs::write(&stamp, "").context("cannot write a stamp")?;
        Ok(apt)
    }

    /// The packages whose names match the regular expression `pattern`.
    pub fn names(&self, pattern: &str) -> anyhow::Result<Vec<String>> {
        let found = run::output(
            self.command("apt-cache").args(["search", "--names-only", pattern]),
            "search the package lists",
        )?;
        Ok(found.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
    }

    /// Downloads `packages` alone into `folder`.
    pub fn download(&self, packages: &[String], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        patiently("download", || {
            run::output(
                self.command("apt-get").arg("download").args(packages).current_dir(folder),
                &format!("download {}", packages.join(" ")),
            )
        })?;
        debs(folder)
    }

    /// Downloads `packages` and all that they depend on into `folder`.
    pub fn download_all(&self, packages: &[String], folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder.join("partial"))
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let archives = format!("Dir::Cache::archives={}", folder.display());
        patiently("download", || {
            run::output(
                self.command("apt-get")
                    .args(["install", "-y", "--download-only", "--no-install-recommends", "-o", &archives])
                    .args(packages),
                &format!("download {} and what they depend on", packages.join(" ")),
            )
        })?;
        debs(folder)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.folder.join("apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        command
    }
}

/// Unpacks packages into `root`, without running anything of theirs.
pub fn unpack(packages: &[PathBuf], root: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    for package in packages {
        run::output(
            Command::new("dpkg-deb").arg("-x").arg(package).arg(root),
            &format!("unpack {}", package.display()),
        )?;
    }
    Ok(())
}

/// The packages in `folder`.
pub fn debs(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        bail!("apt-get was content, and yet no package is in {}", folder.display());
    }
    Ok(found)
}

/// Tries `work` three times: mirrors and networks have bad moments.
fn patiently<T>(what: &str, work: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    for pause in PAUSES {
        match work() {
            Ok(done) => return Ok(done),
            Err(error) => progress::note(&format!("{error:#}\n      trying to {what} again in {pause} s")),
        }
        thread::sleep(Duration::from_secs(pause));
    }
    work()
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"Dir::State "{folder}";
Dir::State::lists "{folder}/lists";
Dir::State::status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Cache::archives "{folder}/cache/archives";
Dir::Cache::pkgcache "{folder}/cache/pkgcache.bin";
Dir::Cache::srcpkgcache "{folder}/cache/srcpkgcache.bin";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "{folder}/empty";
Dir::Etc::preferences "{folder}/preferences";
Dir::Etc::preferencesparts "{folder}/empty";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Architectures;
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Get::List-Cleanup "true";
Acquire::Languages "none";
Acquire::Retries "4";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
"#
    )
}
