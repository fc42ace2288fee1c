//! The packages, out of what was laid.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use sha2::{Digest as _, Sha256};

use super::contents::{self, CONFIG, DOC, Format, PROGRAM};
use super::tools::{self, text};
use super::{Tree, stage};
use crate::testbed;

/// Whom the packages name; as in klp-trace/Cargo.toml.
pub const MAINTAINER: &str = "The klp-trace developers <klp-trace@users.noreply.github.com>";

/// The list of what was made, with the hash of each.
pub const SUMS: &str = "SHA256SUMS";

/// Makes them all in `target/dist/out`.
pub fn all(tree: &Tree) -> anyhow::Result<()> {
    let out = tree.out();
    let _ = fs::remove_dir_all(&out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    deb(tree, &deb_path(tree), 1)?;
    rpm(tree)?;
    tar(tree)?;
    sbom(tree)?;
    let sums = sums(&out)?.join("\n") + "\n";
    fs::write(out.join(SUMS), sums).context("cannot write the hashes")
}

/// Where the .deb is.
pub fn deb_path(tree: &Tree) -> PathBuf {
    tree.out().join(format!("klp-trace_{}-1_amd64.deb", tree.version))
}

/// Where the .rpm is.
pub fn rpm_path(tree: &Tree) -> PathBuf {
    tree.out().join(format!("klp-trace-{}-1.x86_64.rpm", tree.version))
}

/// Makes a .deb of what was laid, in that revision.
pub fn deb(tree: &Tree, to: &Path, revision: u32) -> anyhow::Result<()> {
    let mut command = Command::new(tools::DEB.program()?);
    command
        .args(["--quiet", "--package", "klp-trace", "--no-build", "--no-strip", "--locked", "--output"])
        .arg(to);
    command.args(["--deb-revision", &revision.to_string()]);
    // The description is looked for from the folder that it runs in, all else from that of Cargo.toml.
    run(tree, &tree.root.join("klp-trace"), &mut command, "make the .deb")?;
    ensure!(to.is_file(), "cargo deb was content, and yet {} is not there", to.display());
    Ok(())
}

fn rpm(tree: &Tree) -> anyhow::Result<()> {
    let list = tree.place().join("rpm.toml");
    fs::write(&list, rpm_assets(tree)?).with_context(|| format!("cannot write {}", list.display()))?;
    let mut command = Command::new(tools::RPM.program()?);
    command.args(["generate-rpm", "--package", "klp-trace", "--auto-req", "builtin"]);
    command.args(["--payload-compress", "zstd", "--metadata-overwrite"]).arg(&list);
    command.arg("--output").arg(rpm_path(tree));
    run(tree, &tree.root, &mut command, "make the .rpm")
}

/// The .rpm's files, as cargo-generate-rpm has them in Cargo.toml.
fn rpm_assets(tree: &Tree) -> anyhow::Result<String> {
    let root = stage::root(tree, Format::Rpm);
    let mut list = "assets = [\n".to_owned();
    for file in contents::files(&root)? {
        let path = file.strip_prefix(&root)?.display().to_string();
        let mode = if path == PROGRAM { "755" } else { "644" };
        let doc = path.starts_with(DOC) || path.starts_with("usr/share/man/");
        let config = if path == CONFIG { ", config = \"noreplace\"" } else { "" };
        let source = file.display();
        writeln!(
            list,
            "  {{ source = '{source}', dest = '/{path}', mode = '{mode}', doc = {doc}{config} }},"
        )?;
    }
    list.push_str("]\n");
    Ok(list)
}

/// The archive of the program that needs no library, with all that the packages hold.
fn tar(tree: &Tree) -> anyhow::Result<()> {
    let name = format!("klp-trace-{}-x86_64-linux-static", tree.version);
    let archive = tree.out().join(format!("{name}.tar"));
    let mut command = Command::new("tar");
    command.args(["--create", "--format=ustar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    command.arg("--mode=u+rwX,go+rX,go-w").arg(format!("--mtime=@{}", tree.epoch));
    command.arg(format!("--transform=s,^\\.,{name},")).arg("--file").arg(&archive);
    command.arg("--directory").arg(stage::root(tree, Format::Tar)).arg(".");
    run(tree, &tree.root, &mut command, "make the archive")?;
    stage::gzip(&archive)
}

/// What the program is made of: `CycloneDX`, of what is linked for `x86_64`.
fn sbom(tree: &Tree) -> anyhow::Result<()> {
    let mut command = Command::new(tools::CYCLONEDX.program()?);
    command.args(["cyclonedx", "--quiet", "--format", "json", "--target", "x86_64-unknown-linux-gnu"]);
    command.arg("--manifest-path").arg(tree.root.join("klp-trace/Cargo.toml"));
    command.args(["--no-build-deps", "--spec-version", "1.5", "--override-filename", "klp-trace.cdx"]);
    run(tree, &tree.root, &mut command, "write the SBOM")?;
    // One is written beside each Cargo.toml of the workspace.
    let (wanted, other) =
        (tree.root.join("klp-trace/klp-trace.cdx.json"), tree.root.join("xtask/klp-trace.cdx.json"));
    let text = fs::read_to_string(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    for written in [wanted, other] {
        let _ = fs::remove_file(written);
    }
    let text = without_places(&text, &tree.root)?;
    let to = tree.out().join(format!("klp-trace_{}.cdx.json", tree.version));
    fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))
}

/// The SBOM without what differs from build to build: its serial number, its date, the folder.
fn without_places(text: &str, root: &Path) -> anyhow::Result<String> {
    let text = text.replace(&text_of_url(root), "file:///usr/src/klp-trace");
    let mut sbom: serde_json::Value = serde_json::from_str(&text).context("the SBOM is no JSON")?;
    let top = sbom.as_object_mut().context("the SBOM is no object")?;
    top.remove("serialNumber");
    if let Some(metadata) = top.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.remove("timestamp");
    }
    Ok(format!("{sbom:#}\n"))
}

fn text_of_url(root: &Path) -> String {
    format!("file://{}", text(root))
}

/// Runs it in that folder, with the commit's date as the time.
fn run(tree: &Tree, folder: &Path, command: &mut Command, purpose: &str) -> anyhow::Result<()> {
    command.current_dir(folder).env("SOURCE_DATE_EPOCH", tree.epoch.to_string());
    command.env("CARGO_TARGET_DIR", tree.root.join("target")).env("LC_ALL", "C");
    testbed::run_output(command, purpose).map(drop)
}

/// The line of each file in `folder`, as sha256sum writes it.
pub fn sums(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    for file in contents::files(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != SUMS {
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let mut line = String::new();
            for byte in Sha256::digest(&bytes) {
                write!(line, "{byte:02x}")?;
            }
            lines.push(format!("{line}  {name}"));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sbom_says_nothing_of_the_build() {
        let text = r#"{"serialNumber":"urn:1","metadata":{"timestamp":"t","component":{"bom-ref":"path+file:///a/b/klp-trace#0.1.0"}}}"#;
        let plain = without_places(text, Path::new("/a/b")).unwrap();
        assert!(plain.contains("path+file:///usr/src/klp-trace/klp-trace#0.1.0"), "{plain}");
        assert!(!plain.contains("urn:1") && !plain.contains("timestamp"), "{plain}");
    }
}
