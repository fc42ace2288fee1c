//! What the guests need: kernels, fixture modules, klp-trace and the agent.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, ensure};

use super::runner::Bench;
use crate::testbed::{self, Series, Steps, host};

/// Installs, downloads and builds it; what is there already is used.
pub fn prepare(series: &[Series]) -> anyhow::Result<Bench> {
    let mut steps = Steps::new(3 + 2 * series.len());
    steps.step("tools and libraries of this machine", install)?;
    steps.step("klp-trace, and the agent that runs it in the guest", || {
        cargo(&["build", "--quiet", "--profile", "vm", "--package", "klp-trace", "--package", "xtask"])
    })?;
    let mut kernels = BTreeMap::new();
    for series in series {
        let name = format!("the newest Debian kernel {series}");
        let kernel = steps.step(&name, || testbed::kernel(*series, false))?;
        let name = format!("fixture modules for {}", kernel.release);
        let fixtures = steps.step(&name, || testbed::fixtures(&kernel))?;
        kernels.insert(*series, (kernel, fixtures));
    }
    steps.step("bpftool", || testbed::tool("bpftool", "/usr/sbin/bpftool"))?;
    // Beside `testbed`, in the target folder.
    let built = testbed::cache_dir().with_file_name("vm");
    Ok(Bench { kernels, tool: built.join("klp-trace"), agent: built.join("xtask") })
}

/// Installs what this machine lacks.
pub fn install() -> anyhow::Result<()> {
    [host::BUILD, host::READERS, host::VM, host::PACKAGES].into_iter().try_for_each(host::ensure)
}

/// Runs cargo in the workspace; it fails when cargo does.
pub fn cargo(words: &[&str]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Tests that lack an independent reader fail: elsewhere they say that they skip.
    command.args(words).current_dir(testbed::workspace()).env("KLP_TRACE_ALL_READERS", "1");
    let status = command.status();
    let status = status.with_context(|| format!("cannot run cargo {}", words.join(" ")))?;
    ensure!(status.success(), "cargo {} failed", words.join(" "));
    Ok(())
}
