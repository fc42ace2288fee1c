//! Every known section gated on one module, read again: on a kernel that never clears, the only witness. Sections of
//! patches that were disabled or replaced are among them: the kernel forgets those patches, the map does not.

use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::{bpf_for_each_map_elem, bpf_loop},
};
use klp_trace_ebpf::{Hook, SectionKey, SectionValue};

use crate::{
    layout::{Info, MOD_NAME, SH_NAME, copy, copy_str, header, klp_info},
    maps::{SECTIONS, Tally, remember},
    section,
};

/// Length of `.klp.rela.`, which the object's name and a dot follow.
const PREFIX: u64 = 10;

/// Words that hold a module's name with a dot or a NUL: `MODULE_NAME_LEN`, 56 bytes on 64-bit.
const WORDS: usize = 7;
const LENGTH: u32 = WORDS as u32 * 8;

/// The module, for the callback.
#[repr(C)]
struct Gate {
    /// Its name and a dot, zero-padded
    want: [u64; WORDS],
    /// Length of that
    length: u32,
    hook: u32,
    module: u64,
    ret: i64,
    walks: u32,
    tally: Tally,
}

/// Reads every section gated on `module` again; gives how many.
#[inline(always)]
pub fn reread(module: u64, hook: Hook, ret: i64, tally: &mut Tally) -> u32 {
    let mut gate = Gate {
        want: [0; WORDS],
        length: 0,
        hook: hook as u32,
        module,
        ret,
        walks: 0,
        tally: Tally::default(),
    };
    let name = module + u64::from(MOD_NAME.load());
    // SAFETY: `want` is LENGTH bytes.
    let length = unsafe { copy_str(gate.want.as_mut_ptr().cast(), LENGTH, name) };
    if length < 1 || length > i64::from(LENGTH) {
        tally.read_errors += 1;
        return 0;
    }
    // The dot takes the NUL's place. SAFETY: length - 1 is within the array.
    unsafe { gate.want.as_mut_ptr().cast::<u8>().add(length as usize - 1).write_volatile(b'.') };
    gate.length = length as u32;
    // SAFETY: the callback has the helper's signature and takes a Gate.
    let rc = unsafe {
        bpf_for_each_map_elem(
            (&raw const SECTIONS).cast_mut().cast(),
            each_gated as *mut c_void,
            (&raw mut gate).cast(),
            0,
        )
    };
    tally.helper_errors += u32::from(rc < 0);
    tally.records += gate.tally.records;
    tally.drops += gate.tally.drops;
    tally.read_errors += gate.tally.read_errors;
    tally.helper_errors += gate.tally.helper_errors;
    gate.walks
}

/// Callback of `bpf_for_each_map_elem`: 0 goes on.
extern "C" fn each_gated(
    _map: *mut c_void,
    key: *const SectionKey,
    _value: *mut SectionValue,
    gate: *mut Gate,
) -> c_long {
    // SAFETY: the helper passes a key of the map and reread()'s Gate.
    let (module, relsec, gate) = unsafe { ((*key).module, (*key).relsec as u32, &mut *gate) };
    let Some(info) = klp_info(module) else { return 0 };
    if !gated(&info, relsec, gate) {
        return 0;
    }
    let hook = if gate.hook == Hook::Cleanup as u32 {
        Hook::Cleanup
    } else if gate.hook == Hook::Going as u32 {
        Hook::Going
    } else {
        Hook::Coming
    };
    let Some(mut w) = section::open_kept(&info, relsec, module, hook, section::walk_id()) else { return 0 };
    section::walk(&mut w, hook, gate.module, gate.ret, &mut gate.tally);
    gate.walks += 1;
    0
}

/// Whether section `relsec` is named `.klp.rela.<module>.…`. Not inlined: its buffer would stay on the stack during the
/// walk, and all frames together have 512 bytes.
#[inline(never)]
fn gated(info: &Info, relsec: u32, gate: &Gate) -> bool {
    let Some(name) = header::<u32>(info.sechdrs, relsec, SH_NAME) else { return false };
    let mut have = [0u64; WORDS];
    let length = if gate.length > LENGTH { LENGTH } else { gate.length };
    // SAFETY: `have` is LENGTH bytes, length is not more.
    let rc = unsafe { copy(have.as_mut_ptr().cast(), length, info.secstrings + u64::from(name) + PREFIX) };
    let mut difference = rc as u64 >> 63;
    for (have, want) in have.iter().zip(&gate.want) {
        difference |= have ^ want;
    }
    difference == 0
}

/// The module itself is gone for good: its sections are forgotten.
#[inline(always)]
pub fn forget(module: u64) {
    let mut module = module;
    // SAFETY: the callback has the helper's signature and takes the module's address.
    let _ = unsafe {
        bpf_for_each_map_elem(
            (&raw const SECTIONS).cast_mut().cast(),
            each_own as *mut c_void,
            (&raw mut module).cast(),
            0,
        )
    };
}

/// Callback of `bpf_for_each_map_elem`: 0 goes on.
extern "C" fn each_own(
    _map: *mut c_void,
    key: *const SectionKey,
    _value: *mut SectionValue,
    module: *mut u64,
) -> c_long {
    // SAFETY: the helper passes a key of the map and forget()'s variable.
    unsafe {
        if (*key).module == *module {
            let _ = SECTIONS.remove(&*key);
        }
    }
    0
}

/// A patch that is being loaded, for the callback.
#[repr(C)]
struct Load {
    info: Info,
    module: u64,
    walks: u32,
    tally: Tally,
}

/// Reads every livepatch section of `module`; gives how many.
#[inline(always)]
pub fn read_all(module: u64, tally: &mut Tally) -> u32 {
    let Some(info) = klp_info(module) else {
        tally.read_errors += 1;
        return 0;
    };
    let mut load = Load { info, module, walks: 0, tally: Tally::default() };
    // SAFETY: the callback has bpf_loop's signature and takes a Load.
    let rc = unsafe { bpf_loop(info.shnum, each_section as *mut c_void, (&raw mut load).cast(), 0) };
    tally.helper_errors += u32::from(rc < 0);
    tally.records += load.tally.records;
    tally.drops += load.tally.drops;
    tally.read_errors += load.tally.read_errors;
    tally.map_full += load.tally.map_full;
    tally.helper_errors += load.tally.helper_errors;
    load.walks
}

/// Callback of `bpf_loop`: section number `relsec`. 0 goes on.
extern "C" fn each_section(relsec: u32, load: *mut c_void) -> c_long {
    // SAFETY: read_all() passes its Load, which outlives the loop.
    let load = unsafe { &mut *load.cast::<Load>() };
    let (hook, id) = (Hook::ModuleLoad, section::walk_id());
    let Some(mut w) = section::open_kept(&load.info, relsec, load.module, hook, id) else { return 0 };
    remember(load.module, relsec, &mut load.tally);
    section::walk(&mut w, hook, 0, 0, &mut load.tally);
    load.walks += 1;
    0
}
