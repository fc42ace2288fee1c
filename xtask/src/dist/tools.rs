//! What makes and checks packages, of one version each, kept below `target/dist/tools` of this checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::testbed;

/// A program from crates.io.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its name there, and its program's.
    pub name: &'static str,
    /// The version that is used.
    pub version: &'static str,
}

/// Makes .deb.
pub const DEB: Tool = Tool { name: "cargo-deb", version: "3.8.0" };
/// Makes .rpm.
pub const RPM: Tool = Tool { name: "cargo-generate-rpm", version: "0.21.1" };
/// Writes the names of all crates into the program.
pub const AUDITABLE: Tool = Tool { name: "cargo-auditable", version: "0.7.7" };
/// Writes the SBOM.
pub const CYCLONEDX: Tool = Tool { name: "cargo-cyclonedx", version: "0.5.9" };

const ALL: [Tool; 4] = [DEB, RPM, AUDITABLE, CYCLONEDX];

/// Every one, installed if it is not there yet.
pub fn all() -> anyhow::Result<()> {
    ALL.iter().try_for_each(|tool| tool.program().map(drop))
}

impl Tool {
    /// Its program, installed if it is not there yet.
    pub fn program(self) -> anyhow::Result<PathBuf> {
        let root = place().join("tools").join(format!("{}-{}", self.name, self.version));
        let program = root.join("bin").join(self.name);
        if program.is_file() {
            return Ok(program);
        }
        let _lock = testbed::lock("packaging-tools")?;
        // Another may have installed it in the meantime.
        if program.is_file() {
            return Ok(program);
        }
        eprintln!("      installing {} {}", self.name, self.version);
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["install", "--quiet", "--locked", "--root"]).arg(&root);
        command.arg(format!("{}@{}", self.name, self.version));
        command.env("CARGO_TARGET_DIR", place().join("build-tools"));
        // They run for seconds: time for optimizing them would not come back.
        for (key, value) in [("LTO", "off"), ("OPT_LEVEL", "1"), ("CODEGEN_UNITS", "16"), ("DEBUG", "0")] {
            command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
        }
        testbed::run_output(&mut command, &format!("install {}", self.name))?;
        Ok(program)
    }
}

/// The folder of the Python programs in `packaging/requirements.txt`, installed if they are not there yet.
pub fn python() -> anyhow::Result<PathBuf> {
    let (venv, wanted) = (place().join("venv"), testbed::workspace().join("packaging/requirements.txt"));
    let (bin, stamp) = (venv.join("bin"), venv.join("requirements.txt"));
    let text = fs::read_to_string(&wanted).with_context(|| format!("cannot read {}", wanted.display()))?;
    if fs::read_to_string(&stamp).is_ok_and(|there| there == text) {
        return Ok(bin);
    }
    let _lock = testbed::lock("packaging-tools")?;
    if fs::read_to_string(&stamp).is_ok_and(|there| there == text) {
        return Ok(bin);
    }
    eprintln!("      installing ansible-lint and kubernetes-validate from PyPI");
    let _ = fs::remove_dir_all(&venv);
    testbed::run_output(Command::new("python3").args(["-m", "venv"]).arg(&venv), "make a venv")?;
    let mut pip = Command::new(bin.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "-r"])
        .arg(&wanted);
    testbed::run_output(&mut pip, "install what packaging/requirements.txt lists")?;
    fs::write(&stamp, text).context("cannot write a stamp")?;
    Ok(bin)
}

fn place() -> PathBuf {
    testbed::workspace().join("target/dist")
}

/// `path` as text, for arguments that are put together.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
