//! What patching modules late costs for one livepatch, and what the alternatives would have to carry.
//!
//! The debate on late module patching (live-patching list, 2019 on) weighed it without numbers. Here each criterion of
//! Petr Mladek's list gets what this patch, its modules' files and this host can tell, and what they cannot. Pure: the
//! caller reads the files and the host.
#![forbid(unsafe_code)]

mod alternatives;
mod criteria;
mod gates;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::lint::Facts;
use crate::lint::sympos::Function;

pub use alternatives::Alternative;
pub use criteria::{Criterion, Fact, NotMeasured};
pub use gates::{Gate, Symbols};

/// Names the form of the JSON; see docs/late-cost.md.
pub const SCHEMA: &str = "klp-trace.late-cost/1";

/// How a module's file holds a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Local to one of its source files.
    Static,
    /// Global in the module, not exported.
    Global,
    /// Exported (`__ksymtab_<name>`).
    Exported,
}

/// What the file of a patched module tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectFile {
    /// Where it is, escaped.
    pub path: String,
    /// Bytes of the file as it is shipped.
    pub bytes: u64,
    /// Whether it has a `srcversion=`.
    pub srcversion: bool,
    /// The symbols asked for that it has.
    pub symbols: BTreeMap<String, Kind>,
}

/// What is read besides the patch; each may be missing, with the reason.
#[derive(Debug, Clone)]
pub struct Around {
    /// The patch's name, escaped.
    pub patch: String,
    /// The functions that it replaces.
    pub functions: Vec<Function>,
    /// The files of the modules.
    pub files: BTreeMap<String, Result<ObjectFile, String>>,
    /// The symbols that vmlinux exports.
    pub exported: Result<BTreeSet<String>, String>,
    /// The modules that are loaded on this host.
    pub loaded: Result<BTreeSet<String>, String>,
    /// `uname -r` of this host, and the release that the patch was built for.
    pub releases: (String, String),
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// The patch's module name.
    pub patch: String,
    /// Its architecture.
    pub machine: &'static str,
    /// One for each object that gates relocations or is patched.
    pub gates: Vec<Gate>,
    /// The criteria of the debate, in its order.
    pub criteria: Vec<Criterion>,
    /// What was proposed in place of late patching.
    pub alternatives: Vec<Alternative>,
}

/// Measures.
pub fn measure(facts: &Facts, around: &Around) -> Report {
    let gates = gates::of(facts, around);
    Report {
        schema: SCHEMA,
        patch: around.patch.clone(),
        // No machine with livepatching but s390x is big-endian in practice.
        machine: facts.machine.name(facts.machine == crate::arch::Machine::S390x),
        criteria: criteria::of(facts, around, &gates),
        alternatives: alternatives::of(facts, around, &gates),
        gates,
    }
}

/// "1 module", "2 modules".
fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// Names in a row, or "none".
fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
