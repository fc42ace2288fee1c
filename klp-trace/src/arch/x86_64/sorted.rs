//! Tables of a module that the kernel sorts, or in which it sets bits, after it has relocated them.
//!
//! All of this follows `apply_relocations()` of `load_module()` (kernel/module/main.c), where relocations against vmlinux are
//! written. By mainline's sources (kernel/static_call_inline.c of 6.12, the others older or by their patches); not yet compared
//! line by line with those of 6.1 and 7.3. Entries hold distances from where they stand, and the kernel adjusts these when
//! it exchanges two; `__mcount_loc` holds addresses.
//!
//! | table | sorted by | bits that are set |
//! |---|---|---|
//! | `__jump_table` | `jump_label_add_module()`, kernel/jump_label.c: by key, then by code | bit 1 of the key: the code is in .init (`jump_entry_set_init()`) |
//! | `.static_call_sites` | `static_call_add_module()`, kernel/static_call_inline.c: by key | bit 1 of the key: the code is in .init (`static_call_set_init()`) |
//! | `__ex_table` | `sort_extable()`, lib/extable.c (`post_relocation()`): by instruction | |
//! | `.orc_unwind_ip` | `unwind_module_init()`, arch/x86/kernel/unwind_orc.c (`module_finalize()`): by instruction, `.orc_unwind` with it | |
//! | `__mcount_loc` | `ftrace_process_locs()`, kernel/trace/ftrace.c (`ftrace_module_init()`): by address | |
//!
//! A static call may name the trampoline in place of the key; `static_call_add_module()` puts the key there.

/// A table whose entries the kernel moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sorted {
    /// Bytes of an entry.
    pub entry: u64,
    /// Distances from where they stand are adjusted in the first so many bytes of an entry (`swap_ex_entry_fixup()` of
    /// arch/x86/include/asm/extable.h exchanges `data` as it is).
    adjusted: u64,
    /// Where in an entry the bits are that the loader sets: bytes from its start.
    flags_at: Option<u64>,
}

/// The bit that the loader sets, as `jump_entry_set_init()` and `static_call_set_init()` do; bit 0 comes of the addend.
const INIT: u64 = 2;

/// The table of this name, where it is one.
pub fn sorted(section: &str) -> Option<Sorted> {
    let (entry, adjusted, flags_at) = match section {
        "__jump_table" => (16, 16, Some(8)),
        ".static_call_sites" => (8, 8, Some(4)),
        "__ex_table" => (12, 8, None),
        ".orc_unwind_ip" => (4, 4, None),
        "__mcount_loc" => (8, 8, None),
        _ => return None,
    };
    Some(Sorted { entry, adjusted, flags_at })
}

/// The symbol that the loader puts in this one's place in an entry of a sorted table: the key for the trampoline.
pub fn exchanged(symbol: &str) -> Option<String> {
    symbol.strip_prefix("__SCT__").map(|name| format!("__SCK__{name}"))
}

impl Sorted {
    /// The bits of a value at `offset` of the table that the loader sets itself.
    pub fn loader_bits(self, offset: u64) -> u64 {
        if self.flags_at == Some(offset % self.entry) { INIT } else { 0 }
    }

    /// Whether a distance at `offset` of the table still leads to the same place when its entry has been moved.
    pub fn is_adjusted(self, offset: u64) -> bool {
        offset % self.entry < self.adjusted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_has_bits_of_the_loaders() {
        let bits = |name, offset| sorted(name).expect("a table").loader_bits(offset);
        assert_eq!([0, 4, 8, 24, 40].map(|at| bits("__jump_table", at)), [0, 0, 2, 2, 2]);
        assert_eq!([0, 4, 12].map(|at| bits(".static_call_sites", at)), [0, 2, 2]);
        assert_eq!([0, 4, 8].map(|at| bits("__ex_table", at)), [0, 0, 0]);
        assert_eq!(sorted(".data"), None);
        assert_eq!(
            [0, 4, 8].map(|at| sorted("__ex_table").expect("a table").is_adjusted(at)),
            [true, true, false]
        );
        assert_eq!(exchanged("__SCT__might_resched").as_deref(), Some("__SCK__might_resched"));
        assert_eq!(exchanged("__SCK__might_resched"), None);
    }
}
