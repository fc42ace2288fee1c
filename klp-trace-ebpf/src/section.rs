//! One livepatch relocation section: what it is, and the walk over it.

use aya_ebpf::{
    cty::c_void,
    helpers::{
        bpf_loop,
        generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns},
    },
};
use klp_trace_ebpf::{CHUNK, Hook};

use crate::{
    emit,
    layout::{Info, RELA, SH_ADDR, SH_FLAGS, SH_INFO, SH_NAME, SH_SIZE, header, is_livepatch_section},
    maps::Tally,
    sample,
};

/// A walk over one section: lives on a program's stack, where the callback of the loop finds it.
#[repr(C)]
pub struct Walk {
    pub id: u64,
    pub module: u64,
    /// Address of the entries
    pub rela: u64,
    pub symtab: u64,
    /// Address of the target section
    pub base: u64,
    pub target_size: u64,
    pub target_flags: u64,
    /// The strings of the section names, or zero
    pub secstrings: u64,
    pub name: u32,
    pub target_name: u32,
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

/// An identity that no other walk of this boot has: two walks of one CPU never begin in the same nanosecond.
/// Its last byte is never 0xff: those are the walks that user space names.
#[inline(always)]
pub fn walk_id() -> u64 {
    // SAFETY: they take no arguments.
    unsafe { bpf_ktime_get_ns() << 8 | u64::from(bpf_get_smp_processor_id() % 255) }
}

/// Prepares the walk over section `relsec`. `None`: it is none that livepatch applies, or cannot be read.
#[inline(always)]
pub fn open(
    sechdrs: u64,
    symindex: u32,
    relsec: u32,
    module: u64,
    secstrings: u64,
    hook: Hook,
    id: u64,
) -> Option<Walk> {
    if !is_livepatch_section(sechdrs, relsec) {
        return None;
    }
    let target: u32 = header(sechdrs, relsec, SH_INFO)?;
    let size: u64 = header(sechdrs, relsec, SH_SIZE)?;
    Some(Walk {
        id,
        module,
        rela: header(sechdrs, relsec, SH_ADDR)?,
        symtab: header(sechdrs, symindex, SH_ADDR)?,
        base: header(sechdrs, target, SH_ADDR)?,
        target_size: header(sechdrs, target, SH_SIZE)?,
        target_flags: header(sechdrs, target, SH_FLAGS)?,
        secstrings,
        name: header(sechdrs, relsec, SH_NAME)?,
        target_name: header(sechdrs, target, SH_NAME)?,
        target,
        relsec,
        total: (size / RELA) as u32,
        hook: hook as u32,
        sent: 0,
        drops: 0,
        read_errors: 0,
        records: 0,
    })
}

/// As [`open`], for a patch whose `klp_info` is set.
#[inline(always)]
pub fn open_kept(info: &Info, relsec: u32, module: u64, hook: Hook, id: u64) -> Option<Walk> {
    open(info.sechdrs, info.symndx, relsec, module, info.secstrings, hook, id)
}

/// Sends the section: begin, its relocations, end.
#[inline(always)]
pub fn walk(w: &mut Walk, hook: Hook, cause: u64, ret: i64, tally: &mut Tally) {
    emit::begin(w, hook, cause, ret, tally);
    let chunks = w.total.div_ceil(CHUNK as u32);
    let context = (&raw mut *w).cast::<c_void>();
    // SAFETY: the callback has bpf_loop's signature and takes a Walk.
    let rc = unsafe { bpf_loop(chunks, sample::step as *mut c_void, context, 0) };
    tally.helper_errors += u32::from(rc < 0);
    tally.records += w.records;
    tally.drops += w.drops;
    tally.read_errors += w.read_errors;
    emit::end(w, hook, tally);
}
