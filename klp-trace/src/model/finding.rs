//! What a person acts on.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a finding matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Will matter when something else happens.
    Warning,
    /// Wrong now, or sure to bite.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

macro_rules! findings {
    ($($(#[$doc:meta])* $id:ident = $name:literal,)*) => {
        /// The stable id of a finding. Ids are never given to something else.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "UPPERCASE")]
        pub enum FindingId { $($(#[$doc])* $id,)* }

        impl FindingId {
            /// Every finding that this version can make.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// The finding's stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }
        }
    };
}

findings! {
    /// The object is gone and its targets were not cleared.
    Klp001 = "stale-after-unload",
    /// The kernel's clear stopped half-way.
    Klp002 = "partial-clear",
    /// A load of the object failed after its relocations were written, and left them.
    Klp003 = "failed-load-left-applied",
    /// The object is gone, and a disabled or replaced patch that is still loaded holds its values.
    Klp004 = "detached-patch-stale",
    /// The object is present and the patch active, but relocations were not written.
    Klp005 = "not-reapplied",
    /// A relocation holds a value that is not the expected one.
    Klp006 = "wrong-value",
    /// A section is gated on an object that the patch does not list.
    Klp007 = "orphan-gate",
    /// A symbol's position means something else when the object is loaded after the patch.
    Klp008 = "sympos-depends-on-load-order",
    /// The kernel refused to load the object.
    Klp009 = "reload-refused",
    /// A transition does not end.
    Klp010 = "transition-stalled",
    /// The .ko on disk is not what was loaded.
    Klp011 = "file-differs-from-memory",
    /// Relocations are to be written where the kernel cannot write them, or too late.
    Klp012 = "unsafe-target-section",
    /// Records were lost.
    Klp013 = "events-lost",
    /// A symbol is not in its object, or not at its position, whatever the order of loading.
    Klp014 = "symbol-not-found",
    /// A livepatch relocation, its section or its symbol is not as the kernel reads them.
    Klp015 = "malformed-klp-relocation",
    /// A symbol is in a module that is neither the section's object nor the kernel, and that module goes, or may go.
    Klp016 = "symbol-module-gone",
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The variant's own name in capitals is the id, as serde writes it.
        f.pad(&format!("{self:?}").to_uppercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_serialised_names() {
        for id in FindingId::ALL {
            assert_eq!(serde_json::to_string(id).unwrap(), format!("\"{id}\""));
        }
        assert_eq!(FindingId::Klp001.to_string(), "KLP001");
    }
}
