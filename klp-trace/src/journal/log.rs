//! What the kernel's own log said: evidence that corroborates. No verdict and no finding rests on it.

use crate::model::Address;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A message of the kernel about livepatch or a relocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct KernelMessage {
    /// Its number in the kernel's log, counted since the boot.
    pub number: u64,
    /// When it was logged, in microseconds of the log's own clock, which drifts from CLOCK_MONOTONIC.
    pub logged_us: u64,
    /// As it stands in the log.
    pub text: Arc<str>,
    /// What it means; none: a meaning of a later version, or of none.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "super::record::known_word"
    )]
    pub says: Option<Says>,
    /// The patch that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<Arc<str>>,
    /// The object that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Arc<str>>,
    /// The symbol or function that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Arc<str>>,
    /// The symbol's position among its namesakes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sympos: Option<u64>,
    /// Index of the relocation section in the patch's section headers (7.x).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<u32>,
    /// Index of the relocation in its section (7.x).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// ELF64_R_TYPE of the relocation.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub rtype: Option<u32>,
    /// Address of the relocation's target (7.x; earlier kernels hash it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The value that was to be written, or was expected: not the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Address>,
    /// The error, negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<i64>,
}

/// What a message of the kernel means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// A relocation's target was not zero before it was written.
    TargetNotZero,
    /// A relocation's target was not what had been written, when it was to be cleared.
    TargetChanged,
    /// A relocation's value does not fit its type.
    Overflow,
    /// A relocation's type is not known to the kernel.
    UnknownType,
    /// A symbol is not in its object.
    SymbolNotFound,
    /// A symbol that must be unique is not.
    SymbolAmbiguous,
    /// A symbol is not there at its position.
    PositionNotFound,
    /// A livepatch symbol's name or section is not as it must be.
    SymbolMalformed,
    /// A livepatch section's name is not as it must be.
    SectionMalformed,
    /// A patch could not be made ready for an object that is being loaded.
    NotInitialized,
    /// A patch's pre-patch callback returned an error.
    CallbackFailed,
    /// An object's functions could not be redirected.
    NotPatched,
    /// A patch could not be applied to an object that is being loaded.
    NotApplied,
    /// A patch could not be enabled.
    NotEnabled,
    /// An object may not be loaded.
    Refused,
    /// A patch is being enabled.
    Enabling,
    /// A patch is being applied to an object that is being loaded.
    Applying,
    /// A patch is being taken off an object that is being unloaded.
    Reverting,
    /// A transition begins, is reversed or has ended.
    Transition,
    /// The tasks that a transition waits for get a signal.
    Signaling,
    /// A transition was forced.
    Forcing,
}

impl Says {
    /// Whether it tells of something that failed while an object or a patch was loaded.
    pub const fn is_failure(self) -> bool {
        !matches!(
            self,
            Self::TargetChanged
                | Self::Enabling
                | Self::Applying
                | Self::Reverting
                | Self::Transition
                | Self::Signaling
                | Self::Forcing
        )
    }
}
