//! Relocations, up to 64 a record: the entry, its symbol's value, the bytes at its target.

use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::bpf_loop,
};
use klp_trace_ebpf::{
    CHUNK, Chunk,
    record::{KIND_CHUNK, RELA_UNREADABLE},
};

use crate::{
    emit,
    layout::{RELA, ST_VALUE, SYM, WIDE_TYPES, copy},
    maps::EVENTS,
    section::Walk,
};

/// Callback of `bpf_loop`: chunk number `i` of the walk. Goes on whatever happens: user space may have made room.
pub extern "C" fn step(i: u32, context: *mut c_void) -> c_long {
    // SAFETY: Walk::run passes its Walk, which outlives the loop.
    chunk(unsafe { &mut *context.cast::<Walk>() }, i);
    0
}

/// What the relocations of one chunk have in common, for the callback.
#[repr(C)]
struct Fill {
    record: *mut Chunk,
    symtab: u64,
    base: u64,
}

/// Sends chunk number `i`.
#[inline(always)]
pub fn chunk(w: &mut Walk, i: u32) {
    let first = i * CHUNK as u32;
    let Some(mut slot) = EVENTS.reserve::<Chunk>(0) else {
        w.drops += 1;
        return;
    };
    let p = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Chunk. Elements beyond `count` are left as they are: user space never looks at them.
    unsafe {
        emit::head_of(&raw mut (*p).head, KIND_CHUNK, w.hook, w.id);
        (*p).module = w.module;
        (*p).relsec = w.relsec;
        (*p).first = first;
        (*p).symbol_errors = 0;
        (*p).target_errors = 0;
        let mut count = w.total - first;
        if count > CHUNK as u32 {
            count = CHUNK as u32;
        }
        (*p).count = count;
        let from = w.rela + RELA * u64::from(first);
        let rela_error = sign(copy((&raw mut (*p).rela).cast(), count * RELA as u32, from)) as u32;
        (*p).rela_error = rela_error * RELA_UNREADABLE;

        let mut fill = Fill { record: p, symtab: w.symtab, base: w.base };
        bpf_loop(count, one as *mut c_void, (&raw mut fill).cast(), 0);

        let errors = (*p).symbol_errors | (*p).target_errors | u64::from(rela_error);
        w.read_errors += u32::from(errors != 0);
        // Read back, so that the verifier does not tell apart the walks by how much they sent.
        w.sent += (&raw const (*p).count).read_volatile();
    }
    w.records += 1;
    slot.submit(0);
}

/// Callback of `bpf_loop`: relocation number `j` of the chunk, whose entry has been read.
extern "C" fn one(j: u32, context: *mut c_void) -> c_long {
    let j = j as usize;
    if j >= CHUNK {
        return 1;
    }
    // SAFETY: chunk() passes its Fill, which outlives the loop, with the record it has reserved; j is within the arrays.
    unsafe {
        let fill = &*context.cast::<Fill>();
        let p = fill.record;
        let [offset, info, _] = *(&raw const (*p).rela).cast::<[u64; 3]>().add(j);
        let symbol = fill.symtab + SYM * (info >> 32) + ST_VALUE;
        let target = fill.base + offset;
        // Four or eight bytes, without a branch: what lies behind a relocation at the end of the last page is not there
        // to be read.
        let size = 4 + ((WIDE_TYPES.load() >> (info & 63) & 1) << 2) as u32;
        let value = (&raw mut (*p).st_value).cast::<u64>().add(j);
        let bytes = (&raw mut (*p).bytes).cast::<u64>().add(j);
        bytes.write_volatile(0);
        (*p).symbol_errors |= sign(copy(value.cast(), 8, symbol)) << j;
        (*p).target_errors |= sign(copy(bytes.cast(), size, target)) << j;
    }
    0
}

/// 1 for a negative number, else 0, without a branch.
#[inline(always)]
fn sign(rc: i64) -> u64 {
    rc as u64 >> 63
}
