//! `cargo xtask screens`: draws the screens of README and docs from recordings of real VM runs.

use std::process::Command;

use anyhow::{Context, ensure};

/// Draws docs/screens/*.svg anew; a test holds them against what the TUI draws.
pub fn run() -> anyhow::Result<()> {
    let words = ["test", "--locked", "--package", "klp-trace", "--lib", "--", "tui::tests::svg"];
    let status = Command::new("cargo")
        .args(words)
        .env("KLP_TRACE_BLESS", "1")
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "the screens could not be drawn");
    println!("drew docs/screens/*.svg");
    Ok(())
}
