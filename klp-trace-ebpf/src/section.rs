//! One livepatch relocation section: what it is, and the walk over it.

use aya_ebpf::{cty::c_void, helpers::bpf_loop};
use klp_trace_ebpf::{CHUNK, record::MAX_ENTRIES};

use crate::{
    emit,
    layout::{RELA, SH_ADDR, SH_INFO, SH_SIZE, copy_header},
    maps::{Tally, zero},
    sample,
};

/// A walk over one section: lives on a program's stack, where the callback of the loop finds it. What only the begin
/// record says is not in it: all frames together have 512 bytes.
#[repr(C)]
pub struct Walk {
    pub id: u64,
    pub module: u64,
    pub sechdrs: u64,
    /// The strings of the section names, or zero
    pub secstrings: u64,
    /// Address of the entries
    pub rela: u64,
    pub symtab: u64,
    /// Address of the target section
    pub base: u64,
    /// Bytes of the entries
    size: u64,
    pub target: u32,
    pub relsec: u32,
    pub total: u32,
    pub hook: u32,
    /// Entries sent so far
    pub sent: u32,
    /// Chunks lost so far
    pub drops: u32,
    /// Chunks in which something could not be read
    pub read_errors: u32,
    /// Chunks sent
    pub records: u32,
}

impl Walk {
    /// A walk over section `relsec` of `module`.
    #[inline(always)]
    pub fn new(hook: u32, id: u64, module: u64, relsec: u32, sechdrs: u64, secstrings: u64) -> Self {
        let zero = zero();
        Self {
            id,
            module,
            sechdrs,
            secstrings,
            rela: 0,
            symtab: 0,
            base: 0,
            size: 0,
            target: 0,
            relsec,
            total: 0,
            hook,
            sent: zero,
            drops: zero,
            read_errors: zero,
            records: zero,
        }
    }

    /// Finds the entries, the symbols and the target. `false`: something of it cannot be read.
    #[inline(always)]
    pub fn open(&mut self, symindex: u32) -> bool {
        let (sechdrs, relsec) = (self.sechdrs, self.relsec);
        // SAFETY: each destination is a field of the size asked for. No branch on each result: one at the end.
        unsafe {
            let mut rc = copy_header((&raw mut self.rela).cast(), 8, sechdrs, relsec, SH_ADDR);
            rc |= copy_header((&raw mut self.size).cast(), 8, sechdrs, relsec, SH_SIZE);
            rc |= copy_header((&raw mut self.target).cast(), 4, sechdrs, relsec, SH_INFO);
            rc |= copy_header((&raw mut self.symtab).cast(), 8, sechdrs, symindex, SH_ADDR);
            rc |= copy_header((&raw mut self.base).cast(), 8, sechdrs, self.target, SH_ADDR);
            let total = self.size / RELA;
            self.total = if total > MAX_ENTRIES as u64 { MAX_ENTRIES } else { total as u32 };
            rc >= 0
        }
    }

    /// Whether the header gives the section more entries than any has: then it is no section any more.
    #[inline(always)]
    pub fn capped(&self) -> bool {
        self.size / RELA > MAX_ENTRIES as u64
    }

    /// Sends the section: begin, its relocations, end.
    #[inline(always)]
    pub fn run(&mut self, cause: u64, ret: i64, tally: &mut Tally) {
        emit::begin(self, cause, ret, tally);
        let chunks = if self.capped() { 0 } else { self.total.div_ceil(CHUNK as u32) };
        let context = (&raw mut *self).cast::<c_void>();
        // SAFETY: the callback has bpf_loop's signature and takes a Walk.
        let rc = unsafe { bpf_loop(chunks, sample::step as *mut c_void, context, 0) };
        tally.helper_errors += u32::from(rc < 0);
        tally.records += self.records;
        tally.drops += self.drops;
        tally.read_errors += self.read_errors;
        emit::end(self, tally);
    }
}
