//! What the kernel of each architecture does with livepatch relocations beside writing them (`arch/*/kernel/module*.c` and
//! kernel/livepatch/core.c, 6.1 to 7.3).

use super::Arch;

/// What the next load of an object does to the values that an earlier one left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLoad {
    /// It is refused: the loader writes over zero alone (x86, `__write_relocate_add`).
    Refused,
    /// It writes over them (arm64, loongarch).
    WritesOver,
    /// It writes over them; but a call to a new address takes one more of the patch's stubs, of which none is ever given back
    /// (powerpc, `stub_for_addr`), and before 6.3 no call is written a second time (`restore_r2`).
    TakesStubs,
    /// It writes over them; but not over the slots of the patch's GOT, which are filled once (s390, `got_initialized`).
    KeepsSlots,
}

impl Arch {
    /// Whether a kernel clears relocation targets when their object goes; `has_function`: it has `clear_relocate_add`. From 6.3
    /// on every kernel has that, weak and empty (kernel/livepatch/core.c): that of x86 alone clears.
    pub const fn clears(self, has_function: bool) -> bool {
        has_function && matches!(self, Self::X86_64)
    }

    /// What becomes of stale values at the next load.
    pub const fn next_load(self) -> NextLoad {
        match self {
            Self::X86_64 => NextLoad::Refused,
            Self::Ppc64le => NextLoad::TakesStubs,
            Self::S390x => NextLoad::KeepsSlots,
            Self::Aarch64 | Self::Loongarch64 => NextLoad::WritesOver,
        }
    }

    /// Whether the loader changes the order of a section's entries before it keeps them: powerpc sorts every section
    /// (`get_stubs_size`), arm64 moves calls to the front (`partition_branch_plt_relas`), loongarch sorts
    /// (`count_max_entries`), both where the target is executable.
    pub const fn sorts(self, executable: bool) -> bool {
        match self {
            Self::X86_64 | Self::S390x => false,
            Self::Ppc64le => true,
            Self::Aarch64 | Self::Loongarch64 => executable,
        }
    }

    /// Whether a relocation goes through a slot that is filled once: [`NextLoad::KeepsSlots`].
    pub fn keeps_slot(self, rtype: u32) -> bool {
        let slot = |name: &str| {
            name.starts_with("R_390_GOT")
                && !name.starts_with("R_390_GOTOFF")
                && !name.starts_with("R_390_GOTPC")
        };
        self.next_load() == NextLoad::KeepsSlots && self.type_name(rtype).is_some_and(slot)
    }

    /// Whether running kernels can be watched and audited.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::X86_64)
    }

    /// Whether the programs find a function's arguments in a kprobe's registers: they are built for those of x86.
    pub const fn has_kprobes(self) -> bool {
        matches!(self, Self::X86_64)
    }
}

/// [`Arch::clears`], by the name that `uname -m` gives.
pub fn clears(machine: &str, has_function: bool) -> bool {
    Arch::from_uname(machine).is_some_and(|arch| arch.clears(has_function))
}

/// Whether the loader of `uname -m` refuses a section over a target that is not zero.
pub fn writes_over_zero_alone(machine: &str) -> bool {
    Arch::from_uname(machine).is_some_and(|arch| arch.next_load() == NextLoad::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_alone_clears_and_refuses() {
        for name in ["x86_64", "ppc64le", "s390x", "aarch64", "loongarch64", "riscv64"] {
            let x86 = name == "x86_64";
            assert_eq!((clears(name, true), clears(name, false)), (x86, false), "{name}");
            assert_eq!(writes_over_zero_alone(name), x86, "{name}");
        }
    }

    #[test]
    fn order_is_kept_where_the_loader_does_not_sort() {
        let sorts = |arch: Arch| (arch.sorts(true), arch.sorts(false));
        assert_eq!(sorts(Arch::X86_64), (false, false));
        assert_eq!(sorts(Arch::S390x), (false, false));
        assert_eq!(sorts(Arch::Ppc64le), (true, true));
        assert_eq!((sorts(Arch::Aarch64), sorts(Arch::Loongarch64)), ((true, false), (true, false)));
    }

    #[test]
    fn slots_are_those_of_the_got() {
        let slots = [26, 20, 22].map(|rtype| Arch::S390x.keeps_slot(rtype));
        assert_eq!(slots, [true, false, false], "GOTENT, PLT32DBL, 64");
        assert!(!Arch::X86_64.keeps_slot(26));
    }
}
