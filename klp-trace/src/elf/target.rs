//! Sections in which a livepatch relocation is written too late, or where nothing is any more: told by their names, as the
//! kernel's module loader tells them.

/// `.init*`: freed when the module's init is done (`module_init_section()`, kernel/module/main.c).
pub fn is_init(name: &str) -> bool {
    name.starts_with(".init")
}

/// The template of per-CPU variables, copied to each processor before anything gated on a module is written, and freed.
pub fn is_per_cpu(name: &str) -> bool {
    name == ".data..percpu"
}

/// Whether it is one that the kernel reads when the module is loaded.
pub fn is_special(name: &str) -> bool {
    special(name).is_some()
}

/// What comes of an entry of a special section that is relocated only when an object comes; `None`: it is none.
pub fn special(name: &str) -> Option<&'static str> {
    SPECIAL.iter().find(|read| read.names.contains(&name)).map(|read| read.consequence)
}

/// When the kernel reads a special section, and what it then makes of an entry that was not relocated yet.
struct Read {
    names: &'static [&'static str],
    consequence: &'static str,
}

/// The sections that the kernel reads when the patch is loaded, before relocations gated on a module are written.
const SPECIAL: &[Read] = &[
    Read {
        names: &["__jump_table"],
        consequence: "jump labels are set up when the patch is loaded (jump_label_add_module()): it takes whatever the \
                      unrelocated field points at for a static key, and reads and writes there",
    },
    Read {
        names: &[".static_call_sites", ".static_call_tramp_key"],
        consequence: "static calls are set up when the patch is loaded (static_call_add_module()): it takes whatever the \
                      unrelocated field points at for a key, and reads and writes there",
    },
    Read {
        names: &[
            ".altinstructions",
            ".altinstr_replacement",
            ".altinstr_aux",
            ".parainstructions",
            ".retpoline_sites",
            ".return_sites",
            ".call_sites",
            ".ibt_endbr_seal",
            ".cfi_sites",
            ".smp_locks",
            ".s390_return_mem",
            ".s390_return_reg",
            ".s390_indirect_jump",
            ".s390_indirect_call",
            "__ftr_fixup",
            "__mmu_ftr_fixup",
            "__fw_ftr_fixup",
            "__lwsync_fixup",
            "__spec_barrier_fixup",
        ],
        consequence: "the code that the section describes is rewritten when the patch is loaded (module_finalize()), \
                      from entries that are not relocated yet; what is written later is never read again (until 5.7, \
                      .klp.arch.* sections put this off)",
    },
    Read {
        names: &[
            "__ex_table",
            ".orc_unwind",
            ".orc_unwind_ip",
            "__mcount_loc",
            "__patchable_function_entries",
            ".ctors",
            "__param",
            "__ksymtab",
            "__ksymtab_gpl",
            "__kcrctab",
            "__kcrctab_gpl",
            "__ksymtab_strings",
            "__tracepoints",
            "__tracepoints_ptrs",
            "__tracepoints_strings",
            "__bpf_raw_tp_map",
            "_ftrace_events",
            "_ftrace_eval_map",
            "__trace_printk_fmt",
            "__dyndbg",
            "__dyndbg_classes",
            "__verbose",
            "_kprobe_blacklist",
            "_error_injection_whitelist",
            ".kunit_test_suites",
            ".gnu.linkonce.this_module",
        ],
        consequence: "the section is read when the patch is loaded, some are sorted then: the entry counts with its \
                      unrelocated value, and what is written later may fall on another entry",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell() {
        assert!(
            is_init(".init.text") && is_init(".init.data") && !is_init(".text") && !is_init(".exit.text")
        );
        assert!(is_per_cpu(".data..percpu") && !is_per_cpu(".data"));
        assert!(special("__jump_table").is_some_and(|what| what.contains("jump labels")));
        assert!(is_special(".orc_unwind") && !is_special(".data") && !is_special(".init.text"));
    }
}
