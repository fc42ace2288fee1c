//! tests/agreement.toml: what the fixtures' files do not tell.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

use super::Order;

/// The file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Table {
    /// By patch: in which order it is not inserted, since it would break the kernel that all share. The tool must say no.
    pub spared: BTreeMap<String, Spared>,
    /// By patch: what must be read where it is in use. Else that livepatch calls each object patched is all.
    pub proof: BTreeMap<String, Proof>,
    /// By patch: a file that 1 is written to while it is taken away, for threads that sleep in what it replaced.
    pub wake: BTreeMap<String, String>,
    /// What the tool may leave open, and nothing else.
    pub unknown: Vec<Unknown>,
}

/// A case that is not inserted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spared {
    /// In which order; in both if none is named.
    pub order: Option<Order>,
    /// What the kernel would do.
    #[allow(dead_code, reason = "for people; the reader refuses a table without it")]
    pub why: String,
}

/// What a patch must show.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The file to read.
    pub read: String,
    /// What must be in it.
    pub has: String,
    /// What must not.
    pub has_not: Option<String>,
}

/// Something that may be left open.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// The patch.
    pub case: String,
    /// The series.
    pub series: Vec<String>,
    /// Part of what the tool says.
    pub reason: String,
    /// Why that is right.
    #[allow(dead_code, reason = "for people; the reader refuses a table without it")]
    pub why: String,
}

impl Table {
    /// Reads it.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}
