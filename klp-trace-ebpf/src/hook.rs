//! The places in the kernel that a record can come from.

/// A hooked place. The numbers travel on the wire and index the counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// `klp_module_coming(struct module *)`
    Coming = 1,
    /// `klp_module_going(struct module *)`
    Going = 2,
    /// `klp_cleanup_module_patches_limited(struct module *, struct klp_patch *limit)`
    Cleanup = 3,
    /// `apply_relocate_add(sechdrs, strtab, symindex, relsec, struct module *)`
    Apply = 4,
    /// `clear_relocate_add(sechdrs, strtab, symindex, relsec, struct module *)`, 6.3 and later
    Clear = 5,
    /// The tracepoint `module_load`: after `copy_module_elf()`, before the module's init
    ModuleLoad = 6,
    /// The tracepoint `module_free`: at the start of `free_module()`
    ModuleFree = 7,
    /// Asked for by user space
    Demand = 8,
    /// `klp_init_transition(struct klp_patch *, int state)`
    InitTransition = 9,
    /// `klp_complete_transition(void)`
    CompleteTransition = 10,
    /// `klp_force_transition(void)`
    ForceTransition = 11,
    /// `klp_write_object_relocs(struct klp_patch *, struct klp_object *, bool apply)`, 6.3 and later
    WriteObjectRelocs = 12,
    /// `klp_free_patch_work_fn(struct work_struct *)`: a disabled or replaced patch is let go
    FreePatch = 13,
}

impl Hook {
    /// All hooks, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::Coming,
        Self::Going,
        Self::Cleanup,
        Self::Apply,
        Self::Clear,
        Self::ModuleLoad,
        Self::ModuleFree,
        Self::Demand,
        Self::InitTransition,
        Self::CompleteTransition,
        Self::ForceTransition,
        Self::WriteObjectRelocs,
        Self::FreePatch,
    ];

    /// The hook of a number from the wire; `None` for a number outside the list.
    pub const fn from_wire(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Coming),
            2 => Some(Self::Going),
            3 => Some(Self::Cleanup),
            4 => Some(Self::Apply),
            5 => Some(Self::Clear),
            6 => Some(Self::ModuleLoad),
            7 => Some(Self::ModuleFree),
            8 => Some(Self::Demand),
            9 => Some(Self::InitTransition),
            10 => Some(Self::CompleteTransition),
            11 => Some(Self::ForceTransition),
            12 => Some(Self::WriteObjectRelocs),
            13 => Some(Self::FreePatch),
            _ => None,
        }
    }

    /// The name of the kernel's function or tracepoint.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coming => "klp_module_coming",
            Self::Going => "klp_module_going",
            Self::Cleanup => "klp_cleanup_module_patches_limited",
            Self::Apply => "apply_relocate_add",
            Self::Clear => "clear_relocate_add",
            Self::ModuleLoad => "module_load",
            Self::ModuleFree => "module_free",
            Self::Demand => "demand",
            Self::InitTransition => "klp_init_transition",
            Self::CompleteTransition => "klp_complete_transition",
            Self::ForceTransition => "klp_force_transition",
            Self::WriteObjectRelocs => "klp_write_object_relocs",
            Self::FreePatch => "klp_free_patch_work_fn",
        }
    }
}

/// Which end of a hooked function.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before the function's first instruction
    Enter = 0,
    /// After it returned
    Exit = 1,
}

/// Number of entries of the counters' map: one for each hook and phase, and three more for [`Hook::Demand`], which has five
/// programs that count. Each is written by one program alone, which the kernel never runs twice at once on one CPU: so plain
/// additions lose nothing.
pub const SLOTS: u32 = 32;

/// The counters' index of the program that reads a section on demand.
pub const DEMAND_WALK: u32 = slot(Hook::Demand, Phase::Enter);
/// The same of the program that reads a symbol.
pub const DEMAND_SYMBOL: u32 = slot(Hook::Demand, Phase::Exit);
/// The same of the program that reads a `struct module`: behind those of all hooks.
pub const DEMAND_MODULE: u32 = slot(Hook::FreePatch, Phase::Exit) + 1;
/// The same of the program that reads the header of a section.
pub const DEMAND_HEADER: u32 = DEMAND_MODULE + 1;
/// The same of the program that reads memory.
pub const DEMAND_BLOCK: u32 = DEMAND_MODULE + 2;

const _: () = assert!(DEMAND_BLOCK < SLOTS);

/// The counters' index of a hook's phase.
pub const fn slot(hook: Hook, phase: Phase) -> u32 {
    hook as u32 * 2 + phase as u32
}
