//! Events that are evidence: what a look at a running kernel finds, beside what happens in it.

use super::refs::PatchRef;
use crate::model::Address;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A livepatch as a look found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Livepatch {
    /// The patch; its address is 0 when that is not known.
    pub patch: PatchRef,
    /// Where it stands.
    pub standing: Standing,
    /// How many livepatch relocation sections it has; 0: there is nothing to check.
    pub sections: u32,
    /// Why its sections could not be read; nothing is known of its relocations then.
    pub unread: Option<String>,
}

/// Where a livepatch stands, by /sys/kernel/livepatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Enabled, no transition under way.
    Enabled,
    /// Enabled, and tasks are still being moved to it.
    Enabling,
    /// Being disabled: tasks are being moved back.
    Disabling,
    /// Loaded and not in livepatch's list: disabled or replaced, which the kernel does not tell apart.
    Detached,
    /// Its module is still being loaded.
    Loading,
}

impl Standing {
    /// Its word in the journal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Enabling => "enabling",
            Self::Disabling => "disabling",
            Self::Detached => "detached",
            Self::Loading => "loading",
        }
    }
}

/// Which symbol an address belongs to: what a wrong value points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressLookup {
    /// The address.
    pub address: Address,
    /// The symbol at or before it; none when no module and no part of the kernel is there.
    pub nearest: Option<Nearest>,
}

/// A symbol at or before an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Nearest {
    /// The object that has it: a module, or vmlinux.
    pub object: Arc<str>,
    /// The symbol's name.
    pub symbol: Arc<str>,
    /// Bytes from the symbol to the address.
    pub offset: u64,
}
