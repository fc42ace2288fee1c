//! Every known section gated on one module, read again: on a kernel that never clears, the only witness. Sections of
//! patches that were disabled or replaced are among them: the kernel forgets those patches, the map does not.
//!
//! The map is gone through whole, some seven short reads a section of any patch, which is little beside the unload of a module.
//! The helper may pass over an element, or give one twice, while another CPU takes elements out and puts others in (a patch is
//! loaded or freed outside klp_mutex, kernel/bpf/hashtab.c: elements are allotted anew). A section read twice is judged twice
//! to the same; one passed over is read by user space a moment later, which misses it (verify/lifecycle.rs, `want_applied`).

use aya_ebpf::{
    cty::{c_long, c_void},
    helpers::{bpf_for_each_map_elem, bpf_loop},
};
use klp_trace_ebpf::{Hook, Phase, SectionKey, SectionValue, hook::slot};

use crate::{
    layout::{Info, MOD_NAME, SH_NAME, copy, copy_header, copy_str, is_livepatch_section, klp_info},
    maps::{SECTIONS, Tally, remember, walk_id, zero},
    section::Walk,
};

/// Length of `.klp.rela.`, which the object's name and a dot follow.
const PREFIX: u64 = 10;

/// Words that hold a module's name with a dot or a NUL: `MODULE_NAME_LEN`, 56 bytes on 64-bit.
const WORDS: usize = 7;
const LENGTH: u32 = WORDS as u32 * 8;

/// The module, for the callback.
#[repr(C)]
struct Gate<'a> {
    /// Its name and a dot, zero-padded
    want: [u64; WORDS],
    /// Length of that
    length: u32,
    hook: u32,
    module: u64,
    ret: i64,
    walks: u32,
    tally: &'a mut Tally,
}

/// Reads every section gated on `module` again; gives how many.
#[inline(always)]
pub fn reread(module: u64, hook: Hook, ret: i64, tally: &mut Tally) -> u32 {
    let mut gate = Gate { want: [0; WORDS], length: 0, hook: hook as u32, module, ret, walks: zero(), tally };
    let name = module + u64::from(MOD_NAME.load());
    // SAFETY: `want` is LENGTH bytes.
    let length = unsafe { copy_str(gate.want.as_mut_ptr().cast(), LENGTH, name) };
    if length < 1 || length > i64::from(LENGTH) {
        gate.tally.read_errors += 1;
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
    gate.tally.helper_errors += u32::from(rc < 0);
    gate.walks
}

/// Callback of `bpf_for_each_map_elem`: 0 goes on.
extern "C" fn each_gated(
    _map: *mut c_void,
    key: *const SectionKey,
    _value: *mut SectionValue,
    gate: *mut Gate<'_>,
) -> c_long {
    // SAFETY: the helper passes a key of the map and reread()'s Gate.
    let (module, relsec, gate) = unsafe { ((*key).module, (*key).relsec as u32, &mut *gate) };
    let Some(info) = klp_info(module) else { return 0 };
    // The key of a patch whose end was missed: another has its address now, with fewer sections perhaps.
    if relsec >= info.shnum || !gated(&info, relsec, gate) {
        return 0;
    }
    let id = walk_id(gate.hook * 2 + Phase::Exit as u32);
    let mut w = Walk::new(gate.hook, id, module, relsec, info.sechdrs, info.secstrings);
    if is_livepatch_section(info.sechdrs, relsec) && w.open(info.symndx) {
        w.run(gate.module, gate.ret, gate.tally);
        gate.walks += 1;
    }
    0
}

/// Whether section `relsec` is named `.klp.rela.<module>.…`. Not inlined: its buffer would stay on the stack during the
/// walk, and all frames together have 512 bytes.
#[inline(never)]
fn gated(info: &Info, relsec: u32, gate: &Gate<'_>) -> bool {
    let (mut name, mut have) = (0u32, [0u64; WORDS + 1]);
    // SAFETY: `name` is four bytes; `have` is 64, and the length, at most 56, is below that.
    let rc = unsafe {
        let rc = copy_header((&raw mut name).cast(), 4, info.sechdrs, relsec, SH_NAME);
        let from = info.secstrings + u64::from(name) + PREFIX;
        rc | copy(have.as_mut_ptr().cast(), gate.length & 63, from)
    };
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
struct Load<'a> {
    info: Info,
    module: u64,
    walks: u32,
    tally: &'a mut Tally,
}

/// Reads every livepatch section of `module`; gives how many.
#[inline(always)]
pub fn read_all(module: u64, tally: &mut Tally) -> u32 {
    let Some(info) = klp_info(module) else {
        tally.read_errors += 1;
        return 0;
    };
    let mut load = Load { info, module, walks: zero(), tally };
    // SAFETY: the callback has bpf_loop's signature and takes a Load.
    let rc = unsafe { bpf_loop(info.shnum, each_section as *mut c_void, (&raw mut load).cast(), 0) };
    load.tally.helper_errors += u32::from(rc < 0);
    load.walks
}

/// Callback of `bpf_loop`: section number `relsec`. 0 goes on.
extern "C" fn each_section(relsec: u32, load: *mut c_void) -> c_long {
    // SAFETY: read_all() passes its Load, which outlives the loop.
    let load = unsafe { &mut *load.cast::<Load<'_>>() };
    if !is_livepatch_section(load.info.sechdrs, relsec) {
        return 0;
    }
    remember(load.module, relsec, load.tally);
    let (hook, info) = (Hook::ModuleLoad as u32, &load.info);
    let id = walk_id(slot(Hook::ModuleLoad, Phase::Enter));
    let mut w = Walk::new(hook, id, load.module, relsec, info.sechdrs, info.secstrings);
    if w.open(info.symndx) {
        w.run(0, 0, load.tally);
        load.walks += 1;
    }
    0
}
