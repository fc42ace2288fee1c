//! Events that are evidence: what a look at a running kernel finds, beside what happens in it.

use super::refs::PatchRef;
use super::unread::Unread;
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
    pub unread: Option<Unread>,
    /// References to its module; none when that was not looked at. A detached patch has 0, unless its transition was forced:
    /// then the kernel keeps its own (kernel/livepatch/core.c, `klp_free_patch_finish`).
    pub refcount: Option<i64>,
    /// The objects that it lists, by /sys/kernel/livepatch; none when it is not there. What is gated on any other, and not on
    /// vmlinux, the kernel never writes (kernel/livepatch/core.c: only `klp_for_each_object` leads to a section).
    pub objects: Option<Vec<Arc<str>>>,
}

/// A transition that does not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// The patch in transition.
    pub patch: PatchRef,
    /// Since when, and who holds it up.
    pub found: Stalled,
}

/// Since when a transition has been under way, and who holds it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Stalled {
    /// Nanoseconds since the tool saw it begin, or first saw it under way; none: it looked once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ns: Option<u64>,
    /// Tasks that have not reached the new state.
    pub tasks: u32,
    /// The first of them.
    pub blocking: Vec<Blocking>,
    /// How far the tool could look for them; none in journals of versions that did not tell: no task among `blocking` need
    /// not mean that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Looked>,
}

/// How far a look at all tasks' states went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Looked {
    /// Threads whose state was read.
    pub read: u32,
    /// Threads, or processes whose threads cannot be listed, whose state could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u32,
    /// Why not every task was looked at; none: each was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<Hindrance>,
    /// The capabilities that would have let the tool look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Arc<str>>,
}

/// Why not every task was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hindrance {
    /// The tool may not read the states of other users' tasks.
    Denied,
    /// /proc hides tasks: it is mounted with hidepid, or belongs to another PID namespace.
    Hidden,
    /// The tool runs in a PID namespace, whose /proc shows its own tasks alone.
    PidNamespace,
    /// /proc cannot be listed.
    NoProc,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A task that has not reached the state of the transition under way (/proc/PID/task/TID/patch_state).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Blocking {
    /// Its thread id.
    pub pid: u32,
    /// Its process.
    pub tgid: u32,
    /// Its name.
    pub comm: Arc<str>,
    /// 0: it still runs unpatched functions; 1: patched ones.
    pub patch_state: i8,
    /// Its kernel stack, innermost first; empty where it could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
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
