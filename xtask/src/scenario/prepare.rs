//! What the guests need: kernels, fixture modules, klp-trace and the agent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, anyhow, ensure};

use super::runner::Bench;
use crate::testbed::{self, Series, Steps, host, run_output};

/// Installs, downloads and builds it; what is there already is used.
pub fn prepare(series: &[Series]) -> anyhow::Result<Bench> {
    testbed::check_space()?;
    let mut steps = Steps::new(3 + 2 * series.len());
    steps.step("tools and libraries of this machine", install)?;
    // Downloads leave the processors to the compiler.
    thread::scope(|scope| {
        let built = scope.spawn(build);
        let mut kernels = BTreeMap::new();
        for series in series {
            let name = format!("the newest Debian kernel {series}");
            let kernel = steps.step(&name, || testbed::kernel(*series, false))?;
            let name = format!("fixture modules for {}", kernel.release);
            let fixtures = steps.step(&name, || testbed::fixtures(&kernel))?;
            kernels.insert(*series, (kernel, fixtures));
        }
        steps.step("bpftool", || testbed::tool("bpftool", "/usr/sbin/bpftool"))?;
        let (tool, agent) = steps.step("klp-trace, built beside all this", || {
            built.join().map_err(|_| anyhow!("the thread that builds klp-trace broke down"))?
        })?;
        Ok(Bench { kernels, tool, agent })
    })
}

/// klp-trace and the agent that runs it in the guest: this very program, without what only debuggers read.
fn build() -> anyhow::Result<(PathBuf, PathBuf)> {
    tool()?;
    // Beside `testbed`, in the target folder.
    let folder = testbed::cache_dir().with_file_name("vm");
    let (tool, agent) = (folder.join("klp-trace"), folder.join("agent"));
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let mut strip = Command::new("strip");
    run_output(strip.arg("-o").arg(&agent).arg(&own), "strip the agent")?;
    Ok((tool, agent))
}

/// Builds klp-trace as it runs in the guests. Its commit is not asked for: each would be a build of its own.
pub fn tool() -> anyhow::Result<()> {
    let words = ["build", "--quiet", "--profile", "vm", "--package", "klp-trace"];
    run_cargo(&words, &[("KLP_TRACE_COMMIT", "the test bed")])
}

/// Installs what this machine lacks.
pub fn install() -> anyhow::Result<()> {
    [host::BUILD, host::READERS, host::VM, host::PACKAGES].into_iter().try_for_each(host::ensure)
}

/// Runs cargo in the workspace; it fails when cargo does.
pub fn cargo(words: &[&str]) -> anyhow::Result<()> {
    run_cargo(words, &[])
}

fn run_cargo(words: &[&str], env: &[(&str, &str)]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = in_workspace(Command::new(cargo), words).envs(env.iter().copied()).status();
    let status = status.with_context(|| format!("cannot run cargo {}", words.join(" ")))?;
    ensure!(status.success(), "cargo {} failed", words.join(" "));
    Ok(())
}

/// The same with what others leave of the processors; what it wrote comes back, the errors last.
pub fn cargo_beside(words: &[&str]) -> (String, anyhow::Result<()>) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut nice = Command::new("nice");
    nice.args(["-n", "10"]).arg(cargo);
    let done = in_workspace(nice, words).stdin(Stdio::null()).output();
    match done.with_context(|| format!("cannot run cargo {}", words.join(" "))) {
        Ok(done) => {
            let text = [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let result =
                if done.status.success() { Ok(()) } else { Err(anyhow!("cargo {} failed", words.join(" "))) };
            (text.concat(), result)
        }
        Err(error) => (String::new(), Err(error)),
    }
}

fn in_workspace(mut command: Command, words: &[&str]) -> Command {
    // Tests that lack an independent reader fail: elsewhere they say that they skip.
    command.args(words).current_dir(testbed::workspace()).env("KLP_TRACE_ALL_READERS", "1");
    command
}
