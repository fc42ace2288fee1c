//! Why a finding does not hold any more.

use serde::{Deserialize, Serialize};

/// What ended a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum FindingEnd {
    /// The patch's module was removed.
    PatchRemoved,
    /// The object is not loaded, and the targets hold none of its values any more.
    Cleared,
    /// The object is loaded, and the targets hold what they should.
    Written,
    /// What it said is no longer so, and not well either: another finding says what is.
    Superseded,
    /// The object that lacked its relocations was unloaded.
    ObjectUnloaded,
    /// The object, whose load had been refused, was loaded.
    ObjectLoaded,
    /// The patch lists the object now.
    ObjectListed,
    /// The transition has ended, or goes the other way.
    TransitionWentOn,
    /// The patch's file agrees with what is loaded.
    FileAgrees,
    /// Everything that may have changed unseen was read again.
    ReadAgain,
    /// What was foretold has happened: the symbol's module is gone. Another finding says so.
    SymbolModuleGone,
    /// Something keeps the symbol's module loaded.
    SymbolModuleHeld,
    /// The patch was disabled or replaced: its code is out of use.
    PatchDetached,
}

impl FindingEnd {
    /// Every end.
    pub const ALL: [Self; 13] = [
        Self::PatchRemoved,
        Self::Cleared,
        Self::Written,
        Self::Superseded,
        Self::ObjectUnloaded,
        Self::ObjectLoaded,
        Self::ObjectListed,
        Self::TransitionWentOn,
        Self::FileAgrees,
        Self::ReadAgain,
        Self::SymbolModuleGone,
        Self::SymbolModuleHeld,
        Self::PatchDetached,
    ];

    /// Its word in journals.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PatchRemoved => "patch-removed",
            Self::Cleared => "cleared",
            Self::Written => "written",
            Self::Superseded => "superseded",
            Self::ObjectUnloaded => "object-unloaded",
            Self::ObjectLoaded => "object-loaded",
            Self::ObjectListed => "object-listed",
            Self::TransitionWentOn => "transition-went-on",
            Self::FileAgrees => "file-agrees",
            Self::ReadAgain => "read-again",
            Self::SymbolModuleGone => "symbol-module-gone",
            Self::SymbolModuleHeld => "symbol-module-held",
            Self::PatchDetached => "patch-detached",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_serialised_names() {
        for end in FindingEnd::ALL {
            assert_eq!(serde_json::to_string(&end).unwrap(), format!("\"{}\"", end.word()));
        }
    }
}
