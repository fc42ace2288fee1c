//! A policy from a file that the user names.

use crate::{
    cli::{Exit, Failure, text_file},
    elf::names,
    policy::Policy,
};
use std::{fs::File, path::Path};

/// Reads a policy; without a file, the one that demands what is demanded without one.
pub(in crate::cli) fn read(path: Option<&Path>) -> Result<Policy, Failure> {
    let Some(path) = path else { return Ok(Policy::default()) };
    let text = text_file::read(File::open(path), path, "policy")?;
    Policy::parse(&text).map_err(|error| {
        let name = names::path(path);
        Failure::new(Exit::Usage, anyhow::anyhow!("{name}: {error}"))
            .hint("docs/policy.md says what a policy may hold")
    })
}
