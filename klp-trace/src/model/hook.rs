//! The places in the kernel that are watched.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kernel function or tracepoint that a program is attached to, or the tool's own request to read.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// `klp_module_coming`: a module is being loaded (kernel/livepatch/core.c).
    KlpModuleComing,
    /// `klp_module_going`: a module is being unloaded (kernel/livepatch/core.c).
    KlpModuleGoing,
    /// `apply_relocate_add` on a livepatch section (arch/x86/kernel/module.c).
    ApplyRelocateAdd,
    /// `clear_relocate_add`, from 6.3 (arch/x86/kernel/module.c).
    ClearRelocateAdd,
    /// `klp_cleanup_module_patches_limited` (kernel/livepatch/core.c).
    KlpCleanupModulePatchesLimited,
    /// The static tracepoint `module:module_load`.
    ModuleLoad,
    /// The static tracepoint `module:module_free`.
    ModuleFree,
    /// `klp_init_transition` (kernel/livepatch/transition.c).
    KlpInitTransition,
    /// `klp_complete_transition`.
    KlpCompleteTransition,
    /// `klp_force_transition`.
    KlpForceTransition,
    /// `klp_write_object_relocs`, from 6.3.
    KlpWriteObjectRelocs,
    /// `klp_free_patch_work_fn`: a disabled or replaced patch leaves.
    KlpFreePatchWorkFn,
    /// Not a hook: read because user space asked.
    Demand,
}

impl Hook {
    /// Every hook, in the order they are shown.
    pub const ALL: [Self; 13] = [
        Self::KlpModuleComing,
        Self::KlpModuleGoing,
        Self::ApplyRelocateAdd,
        Self::ClearRelocateAdd,
        Self::KlpCleanupModulePatchesLimited,
        Self::ModuleLoad,
        Self::ModuleFree,
        Self::KlpInitTransition,
        Self::KlpCompleteTransition,
        Self::KlpForceTransition,
        Self::KlpWriteObjectRelocs,
        Self::KlpFreePatchWorkFn,
        Self::Demand,
    ];

    /// The kernel's own name of the place; `demand` for a read that user space asked for.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KlpModuleComing => "klp_module_coming",
            Self::KlpModuleGoing => "klp_module_going",
            Self::ApplyRelocateAdd => "apply_relocate_add",
            Self::ClearRelocateAdd => "clear_relocate_add",
            Self::KlpCleanupModulePatchesLimited => "klp_cleanup_module_patches_limited",
            Self::ModuleLoad => "module_load",
            Self::ModuleFree => "module_free",
            Self::KlpInitTransition => "klp_init_transition",
            Self::KlpCompleteTransition => "klp_complete_transition",
            Self::KlpForceTransition => "klp_force_transition",
            Self::KlpWriteObjectRelocs => "klp_write_object_relocs",
            Self::KlpFreePatchWorkFn => "klp_free_patch_work_fn",
            Self::Demand => "demand",
        }
    }

    /// The hook of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.name() == name)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether a hooked function was entered or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The function was entered, or a tracepoint passed.
    Enter,
    /// The function returned.
    Exit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_serialised_names() {
        for hook in Hook::ALL {
            assert_eq!(serde_json::to_string(&hook).unwrap(), format!("\"{hook}\""));
            assert_eq!(Hook::from_name(hook.name()), Some(hook));
        }
    }
}
