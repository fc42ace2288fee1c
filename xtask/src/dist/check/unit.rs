//! The unit, as systemd judges it where the package is installed.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::dist::contents::{DOC, UNIT};
use crate::testbed::{self, debian};

/// The exposure that systemd-analyze may find, in tenths of its 0 to 10: of the unit as it is, which must bind a port.
const EXPOSURE: &str = "--threshold=23";

/// And of the unit without any network.
const WITHOUT_NETWORK: &str = "--threshold=20";

/// Runs systemd-analyze verify and security in `system`.
pub fn check(system: &Path) -> anyhow::Result<()> {
    let unit = format!("/{UNIT}");
    let words = ["systemd-analyze", "verify", "--man=yes", "--recursive-errors=no", &unit];
    testbed::run_output(&mut debian::inside(system, &words), "pass systemd-analyze verify")?;
    secure(system, EXPOSURE, &unit)?;
    // What the drop-in makes of it: systemd-analyze looks at one file alone.
    let read = |path: &str| {
        fs::read_to_string(system.join(path))
            .with_context(|| format!("cannot read {path} in {}", system.display()))
    };
    let drop_in = read(&format!("{DOC}/examples/systemd/no-network.conf"))?;
    let whole = format!("{}\n{drop_in}", read(UNIT)?);
    fs::create_dir_all(system.join("tmp/without"))
        .and_then(|()| fs::write(system.join("tmp/without/klp-trace.service"), whole))
        .context("cannot write a unit")?;
    secure(system, WITHOUT_NETWORK, "/tmp/without/klp-trace.service")
}

fn secure(system: &Path, threshold: &str, unit: &str) -> anyhow::Result<()> {
    let words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", threshold, unit];
    let said = testbed::run_output(&mut debian::inside(system, &words), "pass systemd-analyze security")?;
    println!("{}", said.lines().last().unwrap_or_default().trim());
    Ok(())
}
