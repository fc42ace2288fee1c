//! Who an event is about.

use crate::model::Address;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A loaded livepatch: one load of one module.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct PatchRef {
    /// The module's name.
    pub name: Arc<str>,
    /// Address of its `struct module`.
    pub address: Address,
    /// Which load of a patch at this address this is, from 1; 0 before the verifier has numbered it.
    pub load: u32,
}

/// The patched module, or vmlinux.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct ObjectRef {
    /// The object's name, as livepatch writes it (`vmlinux` for the kernel itself).
    pub name: Arc<str>,
    /// Address of its `struct module`; none for vmlinux and for an object that is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Which load of the object this is, from 1; none for vmlinux and before its first load was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<u32>,
}

/// A `.klp.rela.*` section of a patch.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct SectionRef {
    /// Its index in the patch's section headers.
    pub index: u32,
    /// Its name; empty while it cannot be read (a load-time write before the kernel keeps the names).
    pub name: Arc<str>,
}

/// One relocation, as the ELF witness gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RelocRef {
    /// Its index in the section as the kernel keeps it, from 0.
    pub index: u32,
    /// Its index in the file's section, where the kernel has sorted the entries and it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_index: Option<u32>,
    /// r_offset: byte offset in the target section.
    pub offset: Address,
    /// The type's name, or `type N` when the architecture has no such type.
    #[serde(rename = "type")]
    pub rtype: Arc<str>,
    /// The referenced symbol's own name (without `.klp.sym.` and the object).
    pub symbol: Arc<str>,
    /// The symbol's position among its namesakes (0: must be unique).
    pub sympos: u64,
    /// r_addend.
    pub addend: i64,
}

impl RelocRef {
    /// `relocation 4`, or `relocation 4 (1 in the file)`.
    pub fn number(&self) -> String {
        match self.file_index {
            Some(file) => format!("relocation {} ({file} in the file)", self.index),
            None => format!("relocation {}", self.index),
        }
    }
}

/// A task of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Task {
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// Parent's process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ppid: Option<u32>,
    /// User id.
    pub uid: u32,
    /// Login (audit) user id, where one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auid: Option<u32>,
    /// Command name, at most 15 bytes.
    pub comm: Arc<str>,
}
