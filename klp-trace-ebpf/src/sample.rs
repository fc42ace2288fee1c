//! Relocations, up to 64 a record: the entry, its symbol's value, the bytes at its target.

use aya_ebpf::cty::{c_long, c_void};
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
    // SAFETY: section::walk passes its Walk, which outlives the loop.
    chunk(unsafe { &mut *context.cast::<Walk>() }, i);
    0
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
        let mut count = w.total - first;
        if count > CHUNK as u32 {
            count = CHUNK as u32;
        }
        (*p).count = count;

        let mut rela_error = 0;
        let length = count * RELA as u32;
        // The verifier does not follow the multiplication: say the bound again.
        if length <= RELA as u32 * CHUNK as u32 {
            let from = w.rela + RELA * u64::from(first);
            rela_error = sign(copy((&raw mut (*p).rela).cast(), length, from)) as u32 * RELA_UNREADABLE;
        }
        (*p).rela_error = rela_error;

        let wide = WIDE_TYPES.load();
        let (mut symbol_errors, mut target_errors) = (0u64, 0u64);
        for j in 0..CHUNK {
            if j as u32 >= count {
                break;
            }
            let entry = (&raw const (*p).rela).cast::<[u64; 3]>().add(j);
            let symbol = w.symtab + SYM * ((*entry)[1] >> 32) + ST_VALUE;
            let target = w.base + (*entry)[0];
            // Four or eight bytes, without a branch: what lies behind a relocation at the end of the last page is not
            // there to be read, and each branch here would double the verifier's states.
            let size = 4 + ((wide >> ((*entry)[1] & 63) & 1) << 2) as u32;
            let value = (&raw mut (*p).st_value).cast::<u64>().add(j);
            let bytes = (&raw mut (*p).bytes).cast::<u64>().add(j);
            bytes.write_volatile(0);
            symbol_errors |= sign(copy(value.cast(), 8, symbol)) << j;
            target_errors |= sign(copy(bytes.cast(), size, target)) << j;
        }
        (*p).symbol_errors = symbol_errors;
        (*p).target_errors = target_errors;
        w.read_errors += u32::from(symbol_errors | target_errors | u64::from(rela_error) != 0);
        w.sent += count;
    }
    w.records += 1;
    slot.submit(0);
}

/// 1 for a negative number, else 0, without a branch.
#[inline(always)]
fn sign(rc: i64) -> u64 {
    rc as u64 >> 63
}
