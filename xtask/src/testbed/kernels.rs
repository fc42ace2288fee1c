//! Debian kernels: the newest of a series, downloaded and unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::apt::{self, Apt};
use super::{Kernel, Series, cache_dir, host, lock, progress, releases, run};

/// How many releases back to go when the newest listed one cannot be had.
const TRIES: usize = 3;

/// Views of the archive in which a series is looked for, in this order; the first that has it wins.
fn views(series: Series) -> &'static [(&'static str, &'static [&'static str])] {
    const MAIN: (&str, &[&str]) =
        ("main", &["bookworm", "bookworm-security", "trixie", "trixie-security", "trixie-backports"]);
    match series {
        Series::V6_1 => &[MAIN],
        Series::V6_12 => &[MAIN, ("bookworm-backports", &["bookworm-backports"])],
        Series::V7 => &[MAIN, ("forky", &["forky"]), ("sid", &["sid"])],
    }
}

/// The view that the build root's packages come from as well.
pub fn main_view(refresh: bool) -> anyhow::Result<Apt> {
    let (name, suites) = views(Series::V6_1).first().copied().unwrap_or_default();
    Apt::open(name, suites, refresh)
}

/// The newest kernel of `series`: from the cache, or downloaded.
pub fn kernel(series: Series, refresh: bool) -> anyhow::Result<Kernel> {
    let stamp = folder().join(format!("{series}.release"));
    if !refresh && let Some(kernel) = cached(series, &stamp) {
        return Ok(kernel);
    }
    host::ensure(host::PACKAGES)?;
    host::ensure(host::VM)?;
    let _lock = lock::take("kernels")?;
    if !refresh && let Some(kernel) = cached(series, &stamp) {
        return Ok(kernel);
    }
    for (view, suites) in views(series) {
        // Package lists from an earlier day name files that the archive has replaced since: with those, only
        // the newest is worth a try before they are fetched anew.
        let passes: &[(bool, usize)] = if refresh { &[(true, TRIES)] } else { &[(false, 1), (true, TRIES)] };
        for (anew, tries) in passes {
            let apt = Apt::open(view, suites, *anew)?;
            if let Some(release) = newest(&apt, series, *tries)? {
                let kernel = describe(series, &release)?;
                fs::write(&stamp, release).context("cannot write a stamp")?;
                return Ok(kernel);
            }
        }
    }
    bail!("no kernel of series {series} could be had from {}", list(views(series)))
}

/// Fetches the newest release of `series` that can be had, going at most `tries` back.
fn newest(apt: &Apt, series: Series, tries: usize) -> anyhow::Result<Option<String>> {
    let packages = apt.names(&format!("^linux-(.*{}|kbuild-.*)$", releases::FLAVOUR))?;
    for release in releases::newest_first(series, &packages).into_iter().take(tries) {
        match fetch(apt, &release, &packages) {
            Ok(()) => return Ok(Some(release)),
            Err(error) => progress::note(&format!("{error:#}")),
        }
    }
    Ok(None)
}

/// The packages with the headers of `release`, kept from when its kernel was fetched.
pub fn header_packages(release: &str) -> PathBuf {
    folder().join(release).join("headers")
}

fn folder() -> PathBuf {
    cache_dir().join("kernels")
}

fn cached(series: Series, stamp: &Path) -> Option<Kernel> {
    describe(series, fs::read_to_string(stamp).ok()?.trim()).ok()
}

fn fetch(apt: &Apt, release: &str, packages: &[String]) -> anyhow::Result<()> {
    let place = folder().join(release);
    if place.join("unpacked").exists() {
        return Ok(());
    }
    progress::note(&format!("downloading kernel {release}"));
    let _ = fs::remove_dir_all(&place);
    // 7.x splits the kernel: linux-image is then an empty package that depends on the others.
    let wanted: Vec<String> = ["image", "base", "binary", "modules"]
        .iter()
        .map(|part| format!("linux-{part}-{release}"))
        .filter(|package| packages.contains(package))
        .collect();
    let downloads = place.join("packages");
    apt::unpack(&apt.download(&wanted, &downloads)?, &place)?;
    fs::remove_dir_all(&downloads).context("cannot remove downloaded packages")?;
    let common = releases::without_flavour(release);
    // 6.1 shares one package of build tools among all its releases; later series have one a release.
    let series = common.split('.').take(2).collect::<Vec<_>>().join(".");
    let kbuild = [common, &series].map(|of| format!("linux-kbuild-{of}"));
    let kbuild = kbuild.into_iter().find(|package| packages.contains(package));
    let mut headers = vec![format!("linux-headers-{release}"), format!("linux-headers-{common}-common")];
    headers.push(kbuild.with_context(|| format!("the archive has no linux-kbuild for {release}"))?);
    apt.download(&headers, &header_packages(release))?;
    if place.join("usr/lib/modules").is_dir() && !place.join("lib").exists() {
        std::os::unix::fs::symlink("usr/lib", place.join("lib")).context("cannot link lib to usr/lib")?;
    }
    run::output(
        Command::new(run::which("depmod").unwrap_or_else(|| "depmod".into()))
            .arg("-b")
            .arg(&place)
            .arg(release),
        "list the modules' dependencies",
    )?;
    fs::write(place.join("unpacked"), "").context("cannot write a stamp")
}

fn image(place: &Path, release: &str) -> Option<PathBuf> {
    [place.join(format!("boot/vmlinuz-{release}")), place.join(format!("usr/lib/modules/{release}/vmlinuz"))]
        .into_iter()
        .find(|candidate| candidate.is_file())
}

fn describe(series: Series, release: &str) -> anyhow::Result<Kernel> {
    let place = folder().join(release);
    let image =
        image(&place, release).with_context(|| format!("no image of {release} in {}", place.display()))?;
    let modules = place.join("lib/modules").join(release);
    if !place.join("unpacked").exists() {
        bail!("{} was not unpacked to its end", place.display());
    }
    let headers = PathBuf::from(format!("/usr/src/linux-headers-{release}"));
    Ok(Kernel { series, release: release.to_owned(), image, modules, headers })
}

fn list(views: &[(&str, &[&str])]) -> String {
    views.iter().flat_map(|(_, suites)| suites.iter().copied()).collect::<Vec<_>>().join(", ")
}
