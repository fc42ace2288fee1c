//! The programs' globals: offsets from BTF, addresses of variables, the architecture's relocation types.

use super::error::ProbeError;
use crate::arch::Arch;
use crate::kernel::btf::KernelBtf;

/// A member that this kernel does not have, as the programs know it (klp-trace-ebpf, layout.rs).
const ABSENT: u32 = u32::MAX;

/// Members without which nothing can be read: global, struct, member.
const NEEDED: [(&str, &str, &str); 16] = [
    ("MOD_STATE", "module", "state"),
    ("MOD_NAME", "module", "name"),
    ("MOD_KLP", "module", "klp"),
    ("MOD_KLP_INFO", "module", "klp_info"),
    ("MOD_STRTAB", "module", "core_kallsyms.strtab"),
    ("MOD_NUM_SYMTAB", "module", "core_kallsyms.num_symtab"),
    ("KLP_SHNUM", "klp_modinfo", "hdr.e_shnum"),
    ("KLP_SECHDRS", "klp_modinfo", "sechdrs"),
    ("KLP_SECSTRINGS", "klp_modinfo", "secstrings"),
    ("KLP_SYMNDX", "klp_modinfo", "symndx"),
    ("PATCH_MOD", "klp_patch", "mod"),
    ("PATCH_REPLACE", "klp_patch", "replace"),
    ("TASK_PID", "task_struct", "pid"),
    ("TASK_START", "task_struct", "start_time"),
    ("TASK_EXIT_STATE", "task_struct", "exit_state"),
    ("OBJECT_NAME", "klp_object", "name"),
];

/// Members that only add to a record: global, and the places to look for it, newest kernel first.
const OPTIONAL: [(&str, &[(&str, &str)]); 6] = [
    // 6.4 and later: mem[MOD_TEXT], the array's first element
    ("MOD_TEXT", &[("module", "mem.base"), ("module", "core_layout.base")]),
    ("MOD_TEXT_SIZE", &[("module", "mem.size"), ("module", "core_layout.text_size")]),
    ("TASK_PARENT", &[("task_struct", "real_parent")]),
    ("TASK_TGID", &[("task_struct", "tgid")]),
    ("TASK_LOGINUID", &[("task_struct", "loginuid")]),
    ("PATCH_FREE_WORK", &[("klp_patch", "free_work")]),
];

/// Values of the programs' globals.
#[derive(Debug)]
pub struct Layout {
    /// Offsets
    pub offsets: Vec<(&'static str, u32)>,
    /// Addresses and masks
    pub words: Vec<(&'static str, u64)>,
}

impl Layout {
    /// From the running kernel's BTF; `variables` are addresses from kallsyms, zero where it has none.
    pub fn of(btf: &KernelBtf, variables: Variables) -> Result<Self, ProbeError> {
        let mut offsets = Vec::new();
        for (global, structure, member) in NEEDED {
            let offset = btf.offset(structure, member).ok_or(ProbeError::Layout { structure, member })?;
            offsets.push((global, offset));
        }
        for (global, places) in OPTIONAL {
            let offset = places.iter().find_map(|(structure, member)| btf.offset(structure, member));
            offsets.push((global, offset.unwrap_or(ABSENT)));
        }
        let words = vec![
            ("WIDE_TYPES", Arch::native().map_or(0, Arch::wide_types)),
            ("TRANSITION_PATCH", variables.transition_patch),
            ("TARGET_STATE", variables.target_state),
        ];
        Ok(Self { offsets, words })
    }
}

/// Addresses of kernel variables, from `/proc/kallsyms`; zero: not known, the records then say less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// `klp_transition_patch` (kernel/livepatch/transition.c)
    pub transition_patch: u64,
    /// `klp_target_state`
    pub target_state: u64,
}
