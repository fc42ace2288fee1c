//! A policy from a file that the user names.

use crate::{
    cli::{Exit, Failure},
    elf::names,
    policy::Policy,
};
use std::{fs::File, io::Read as _, path::Path};

/// More than any policy needs, bytes.
const LIMIT: u64 = 1 << 20;

/// Reads a policy; without a file, the one that demands what is demanded without one.
pub(in crate::cli) fn read(path: Option<&Path>) -> Result<Policy, Failure> {
    let Some(path) = path else { return Ok(Policy::default()) };
    let name = names::path(path);
    let usage = |what: anyhow::Error| Failure::new(Exit::Usage, what);
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LIMIT + 1).read_to_string(&mut text)).map_err(|error| {
        usage(anyhow::Error::new(error).context(format!("cannot read the policy {name}")))
    })?;
    if text.len() as u64 > LIMIT {
        return Err(usage(anyhow::anyhow!("{name} is longer than 1 MiB: that is no policy")));
    }
    Policy::parse(&text).map_err(|error| {
        usage(anyhow::anyhow!("{name}: {error}")).hint("docs/policy.md says what a policy may hold")
    })
}
