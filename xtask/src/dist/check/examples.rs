//! The examples for other programs, as those programs judge them.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::dist::contents;
use crate::dist::tools;
use crate::testbed::{self, host};

/// The version of Kubernetes whose schemas are used.
const KUBERNETES: &str = "1.32";

/// kubernetes-validate, ansible-lint, ansible-playbook --syntax-check.
pub fn check() -> anyhow::Result<()> {
    host::ensure(host::PYTHON)?;
    let bin = tools::python()?;
    let examples = testbed::workspace().join("examples");
    kubernetes(&bin, &examples.join("kubernetes"))?;
    ansible(&bin, &examples.join("ansible"))
}

fn kubernetes(bin: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut manifests = contents::files(folder)?;
    manifests.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    // These kinds are not Kubernetes' own: there is no schema of them.
    let foreign = ["podmonitor.yaml", "kustomization.yaml"];
    manifests.retain(|path| !foreign.iter().any(|name| path.ends_with(name)));
    ensure!(manifests.len() >= 4, "{} has {} manifests", folder.display(), manifests.len());
    let mut command = Command::new(bin.join("kubernetes-validate"));
    command.args(["--strict", "--kubernetes-version", KUBERNETES]).args(&manifests);
    testbed::run_output(&mut command, "pass kubernetes-validate --strict")?;
    println!("kubernetes-validate --strict: {} manifests", manifests.len());
    Ok(())
}

fn ansible(bin: &Path, folder: &Path) -> anyhow::Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path)))?;
    let run = |words: &[&str], purpose: &str| {
        let mut command = Command::new(bin.join(words.first().copied().unwrap_or_default()));
        command.args(words.get(1..).unwrap_or_default()).current_dir(folder);
        command.env("PATH", &path).env("LC_ALL", "C.UTF-8").env("ANSIBLE_NOCOLOR", "1");
        testbed::run_output(&mut command, purpose)
    };
    run(&["ansible-lint", "--offline", "--profile", "production", "--strict"], "pass ansible-lint")?;
    run(
        &["ansible-playbook", "--syntax-check", "-i", "localhost,", "site.yml"],
        "pass ansible's syntax check",
    )?;
    println!("ansible-lint, profile production: nothing");
    Ok(())
}
