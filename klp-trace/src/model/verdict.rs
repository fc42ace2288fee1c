//! What is said of one relocation.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The verdict of one relocation: a closed set, ordered from best to worst, so that a section, an object, a patch
/// and a host take the greatest of their members'.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The object is present and the bytes are the expected ones.
    Applied,
    /// Was applied; the object is gone and the bytes are zero again.
    Cleared,
    /// The object is absent, or the patch not yet enabled; never applied; bytes as in the .ko.
    Pending,
    /// Cannot tell; always with a [`Reason`].
    Unknown,
    /// The object is present and the patch active, but the relocation was not applied.
    Missing,
    /// Gated on an object that the patch never lists.
    Orphaned,
    /// The bytes hold a value from an earlier load of the object, or the object is gone and they were not cleared.
    Stale,
    /// The bytes are neither zero nor expected.
    Mismatch,
}

impl Verdict {
    /// Every verdict, best first.
    pub const ALL: [Self; 8] = [
        Self::Applied,
        Self::Cleared,
        Self::Pending,
        Self::Unknown,
        Self::Missing,
        Self::Orphaned,
        Self::Stale,
        Self::Mismatch,
    ];

    /// The verdict's word, as it stands in journals and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Cleared => "cleared",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Orphaned => "orphaned",
            Self::Stale => "stale",
            Self::Mismatch => "mismatch",
        }
    }

    /// Whether somebody has to look: the relocation is not where it should be.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Missing | Self::Orphaned | Self::Stale | Self::Mismatch)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why a verdict is what it is: always given with [`Verdict::Unknown`], sometimes with others.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The .ko found differs from the loaded patch (KLP011).
    FileDiffers,
    /// Records were lost; the relocation was not read again since.
    EventsLost,
    /// The kernel refused to read the relocation's memory.
    MemoryUnreadable,
    /// No read of this relocation has arrived.
    NeverRead,
    /// The state kept changing while it was read.
    Unsettled,
    /// The object's symbols are no longer to be found, in kallsyms or in a .ko.
    SymbolsGone,
    /// kallsyms shows no addresses (kptr_restrict, or no `CAP_SYSLOG`).
    SymbolsHidden,
    /// The symbol does not exist in the object.
    SymbolNotFound,
    /// Several symbols bear the name and sympos does not choose one.
    SymbolAmbiguous,
    /// Symbols of the object's .init part may have been counted, and its .ko is not to be found.
    InitSymbols,
    /// The symbol's name is not a livepatch symbol's name.
    SymbolMalformed,
    /// The type is not one that the kernel's loader accepts on this architecture.
    TypeUnsupported,
    /// The value does not fit the field.
    Overflow,
    /// Pending: the object is there, the patch has not been enabled yet.
    NotEnabled,
    /// Mismatch: the kernel resolved another symbol than an independent lookup does.
    WrongSymbol,
    /// Mismatch in a writable section: the running code may have written it.
    WrittenAtRunTime,
    /// Unknown: the module loader may have rewritten the code since it was relocated (alternatives, returns, thunks).
    Rewritten,
    /// Stale: left by a load of the object that failed after it was written.
    FailedLoad,
    /// Unknown: the target (in the patch's .init, or per-CPU) is freed by now, and the memory may be anybody's.
    TargetFreed,
    /// Stale: the object is there; the module that has the symbol has gone, and the value points to where it was.
    SymbolModuleGone,
    /// Stale: the object is there; the module that has the symbol was loaded again, and the symbol is elsewhere now.
    SymbolMoved,
}

impl Reason {
    /// Whether it is of a symbol in a module that is neither the object nor the kernel (KLP016).
    pub const fn is_of_third(self) -> bool {
        matches!(self, Self::SymbolModuleGone | Self::SymbolMoved)
    }

    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::FileDiffers,
        Self::EventsLost,
        Self::MemoryUnreadable,
        Self::NeverRead,
        Self::Unsettled,
        Self::SymbolsGone,
        Self::SymbolsHidden,
        Self::SymbolNotFound,
        Self::SymbolAmbiguous,
        Self::InitSymbols,
        Self::SymbolMalformed,
        Self::TypeUnsupported,
        Self::Overflow,
        Self::NotEnabled,
        Self::WrongSymbol,
        Self::WrittenAtRunTime,
        Self::Rewritten,
        Self::FailedLoad,
        Self::TargetFreed,
        Self::SymbolModuleGone,
        Self::SymbolMoved,
    ];

    /// The reason's word, as it stands in journals.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FileDiffers => "file-differs",
            Self::EventsLost => "events-lost",
            Self::MemoryUnreadable => "memory-unreadable",
            Self::NeverRead => "never-read",
            Self::Unsettled => "unsettled",
            Self::SymbolsGone => "symbols-gone",
            Self::SymbolsHidden => "symbols-hidden",
            Self::SymbolNotFound => "symbol-not-found",
            Self::SymbolAmbiguous => "symbol-ambiguous",
            Self::InitSymbols => "init-symbols",
            Self::SymbolMalformed => "symbol-malformed",
            Self::TypeUnsupported => "type-unsupported",
            Self::Overflow => "overflow",
            Self::NotEnabled => "not-enabled",
            Self::WrongSymbol => "wrong-symbol",
            Self::WrittenAtRunTime => "written-at-run-time",
            Self::Rewritten => "rewritten",
            Self::FailedLoad => "failed-load",
            Self::TargetFreed => "target-freed",
            Self::SymbolModuleGone => "symbol-module-gone",
            Self::SymbolMoved => "symbol-moved",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_serialised_names() {
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), format!("\"{verdict}\""));
        }
    }

    #[test]
    fn the_worst_is_the_greatest() {
        assert!(Verdict::ALL.is_sorted());
        let worst = [Verdict::Applied, Verdict::Stale, Verdict::Unknown].into_iter().max();
        assert_eq!(worst, Some(Verdict::Stale));
    }
}
