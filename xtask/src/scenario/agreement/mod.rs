//! `klp-trace inspect --check-host` held against insmod, for every livepatch among the fixtures: what it foretells is what the
//! kernel then does, in both orders of loading.
//!
//! Nothing here is a list of fixtures kept by hand: [`cases`] are made of what is in the modules' files. What a file cannot tell
//! (a case that would break the kernel, what must be read in /proc) stands in tests/agreement.toml.
#![forbid(unsafe_code)]

mod cases;
mod judge;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use cases::cases;
pub use judge::{Counts, judge};
pub use table::Table;

/// A livepatch, and the modules that it has to do with; paths in the guest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The patch's module name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Modules that its objects depend on: always loaded first.
    pub needed: Vec<String>,
    /// Modules that the patch itself needs loaded: what it depends on, and whose symbols it uses without patching them.
    pub first: Vec<String>,
    /// The modules that it patches.
    pub objects: Vec<String>,
    /// The objects whose presence its relocation sections wait for, by name.
    pub gates: Vec<String>,
    /// The orders in which it is not inserted.
    pub spared: Vec<Order>,
    /// A file that is written to while the patch is taken away, so that its transition ends.
    pub wake: Option<String>,
    /// A file that is read once all is loaded.
    pub proof: Option<String>,
}

/// Which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The objects.
    ObjectFirst,
    /// The patch.
    PatchFirst,
}

impl Order {
    /// As the tool's questions end.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ObjectFirst => "object first",
            Self::PatchFirst => "patch first",
        }
    }
}

/// What was asked and done once, and what came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Seen {
    /// The patch.
    pub case: String,
    /// Which came first; none is never written.
    pub order: Option<Order>,
    /// Whether what the patch needs was loaded first; true where it needs nothing.
    pub with: bool,
    /// What `klp-trace inspect --check-host --format json` wrote, both streams.
    pub report: String,
    /// Its exit code.
    pub rc: i32,
    /// Whether modules were inserted at all.
    pub inserted: bool,
    /// Files that insmod refused, each with its words.
    pub refused: Vec<(String, String)>,
    /// By object, whether /sys/kernel/livepatch says that it is patched.
    pub patched: BTreeMap<String, bool>,
    /// What the proof's file held.
    pub proof: Option<String>,
    /// What the kernel's log said.
    pub dmesg: Vec<String>,
}
