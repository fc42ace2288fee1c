//! Keys and values of the hash maps.

/// A livepatch relocation section of a loaded patch.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SectionKey {
    /// Address of the patch's `struct module`
    pub module: u64,
    /// Index of the section
    pub relsec: u64,
}

/// What is known of it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionValue {
    /// `CLOCK_MONOTONIC` nanoseconds of the moment it was last entered here
    pub ktime_ns: u64,
}

/// A call that has been entered and not yet left.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InFlightKey {
    /// Thread
    pub tid: u32,
    /// [`crate::Hook`]'s number
    pub hook: u32,
}

/// Its arguments, which a kretprobe cannot see, and its thread: gone, it will never leave the call. The number alone would not
/// tell: it is that of the first PID namespace, which user space need not be in, and is given to others later.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InFlight {
    /// `struct task_struct *`
    pub task: u64,
    /// `task_struct.start_time`, nanoseconds
    pub start_time: u64,
    /// `Elf64_Shdr *`, for apply and clear
    pub sechdrs: u64,
    /// `struct module *`
    pub module: u64,
    /// Index of the symbol table, for apply and clear
    pub symindex: u32,
    /// Index of the relocation section, for apply and clear
    pub relsec: u32,
}
