//! What user space asks for: raw tracepoint programs that are attached nowhere, run by BPF_PROG_TEST_RUN with their
//! arguments. Written by hand, since aya's macro drops the return value. A pointer that is none gives an error, no harm.
//!
//! They return 1: a record was sent; 0: there is nothing there; `-EIO`: unreadable; `-ENOSPC`: the ring buffer is full.

use aya_ebpf::{cty::c_void, programs::RawTracePointContext};
use klp_trace_ebpf::{
    BLOCK, Block, CHUNK, Header, Hook, ModuleFacts, SECTION_NAME, SYMBOL_NAME, Symbol,
    hook::{DEMAND_BLOCK, DEMAND_HEADER, DEMAND_MODULE, DEMAND_SYMBOL, DEMAND_WALK},
    record::{FLAG_READ_ERROR, KIND_BLOCK, KIND_HEADER, KIND_MODULE, KIND_SYMBOL},
};

use crate::{
    emit,
    layout::{
        ABSENT, MOD_NUM_SYMTAB, MOD_STRTAB, MOD_TEXT, MOD_TEXT_SIZE, SH_ADDR, SH_FLAGS, SH_NAME, SH_SIZE,
        SYM, TASK_EXIT_STATE, TASK_PID, TASK_START, copy, copy_str, field, header, is_livepatch_section,
        klp_info, read,
    },
    maps::{EVENTS, Tally, remember},
    sample,
    section::Walk,
};

const SENT: i32 = 1;
const NOTHING: i32 = 0;
const EIO: i32 = -5;
const ENOSPC: i32 = -28;

/// Step number of [`demand_walk`]: the begin record.
const STEP_BEGIN: u64 = 1 << 32;
/// Step number of [`demand_walk`]: the end record.
const STEP_END: u64 = 2 << 32;

#[inline(always)]
fn settled(slot: u32, tally: &Tally, sent: i32) -> i32 {
    tally.settle_slot(slot);
    if tally.drops != 0 { ENOSPC } else { sent }
}

/// One step of a walk: (module, relsec, step, walk). Steps below 2^32 are chunks. One record a run, so that even the
/// smallest ring buffer delivers a section whole.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_walk(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (module, relsec, step, id): (u64, u32, u64, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3));
    let Some(info) = klp_info(module) else { return EIO };
    if relsec >= info.shnum {
        return EIO;
    }
    if !is_livepatch_section(info.sechdrs, relsec) {
        return NOTHING;
    }
    let mut w = Walk::new(Hook::Demand as u32, id, module, relsec, info.sechdrs, info.secstrings);
    if !w.open(info.symndx) {
        return EIO;
    }
    let mut tally = Tally::new();
    if step == STEP_BEGIN {
        remember(module, relsec, &mut tally);
        emit::begin(&w, 0, 0, &mut tally);
        return settled(DEMAND_WALK, &tally, SENT);
    }
    if step == STEP_END {
        w.sent = ctx.arg(4);
        emit::end(&w, &mut tally);
        return settled(DEMAND_WALK, &tally, SENT);
    }
    if w.capped() {
        return EIO;
    }
    let chunk = step as u32;
    if u64::from(chunk) * CHUNK as u64 >= u64::from(w.total) || u64::from(chunk) != step {
        return NOTHING;
    }
    sample::chunk(&mut w, chunk);
    tally.records += w.records;
    tally.drops += w.drops;
    tally.read_errors += w.read_errors;
    settled(DEMAND_WALK, &tally, SENT)
}

/// A symbol of a patch: (module, index, question).
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_symbol(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (module, index, question): (u64, u32, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let Some(info) = klp_info(module) else { return EIO };
    // A livepatch keeps its whole symbol table, under the same indices (kernel/module/livepatch.c).
    let Some(symtab) = header::<u64>(info.sechdrs, info.symndx, SH_ADDR) else { return EIO };
    let (Some(strtab), Some(symbols)) =
        (field::<u64>(module, &MOD_STRTAB), field::<u32>(module, &MOD_NUM_SYMTAB))
    else {
        return EIO;
    };
    if index >= symbols {
        return EIO;
    }
    // Elf64_Sym: name and info and shndx in the first word, value in the second.
    let Some([first, value]) = read::<[u64; 2]>(symtab + SYM * u64::from(index)) else { return EIO };
    let mut tally = Tally::new();
    let Some(mut slot) = EVENTS.reserve::<Symbol>(0) else {
        tally.drops += 1;
        return settled(DEMAND_SYMBOL, &tally, SENT);
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Symbol; every field is written.
    unsafe {
        emit::head(&raw mut (*r).head, KIND_SYMBOL, Hook::Demand, question);
        (*r).module = module;
        (*r).value = value;
        (*r).index = index;
        (*r).info = (first >> 32) as u32 & 0xff;
        (*r).shndx = (first >> 48) as u32;
        let rc = copy_str((&raw mut (*r).name).cast(), SYMBOL_NAME as u32, strtab + u64::from(first as u32));
        (*r).flags = if rc < 0 { FLAG_READ_ERROR } else { 0 };
    }
    slot.submit(0);
    tally.records += 1;
    settled(DEMAND_SYMBOL, &tally, SENT)
}

/// What a `struct module` says: (module, question).
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_module(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (module, question): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    let (state, flags) = emit::module_state(module);
    if flags & FLAG_READ_ERROR != 0 {
        return EIO;
    }
    let (mut text, mut text_size) = (0, 0);
    if MOD_TEXT.load() != ABSENT && MOD_TEXT_SIZE.load() != ABSENT {
        text = field(module, &MOD_TEXT).unwrap_or(0);
        text_size = field(module, &MOD_TEXT_SIZE).unwrap_or(0);
    }
    let (mut sections, mut symindex, mut symbols) = (0, 0, 0);
    if let Some(info) = klp_info(module) {
        sections = info.shnum;
        symindex = info.symndx;
        symbols = field(module, &MOD_NUM_SYMTAB).unwrap_or(0);
    }
    let mut tally = Tally::new();
    let Some(mut slot) = EVENTS.reserve::<ModuleFacts>(0) else {
        tally.drops += 1;
        return settled(DEMAND_MODULE, &tally, SENT);
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a ModuleFacts; every field is written.
    unsafe {
        emit::head(&raw mut (*r).head, KIND_MODULE, Hook::Demand, question);
        (*r).module = module;
        (*r).text = text;
        (*r).state = state;
        (*r).flags = flags;
        (*r).text_size = text_size;
        (*r).sections = sections;
        (*r).symindex = symindex;
        (*r).symbols = symbols;
        emit::module_name(&raw mut (*r).name, module);
    }
    slot.submit(0);
    tally.records += 1;
    settled(DEMAND_MODULE, &tally, SENT)
}

/// Whether a thread is still there, and has not ended: (task, pid, start_time). 1: it is. No record. A `task_struct` that was
/// freed holds anything, but not these three.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_alive(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (task, pid, start): (u64, u32, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let alive = field::<u32>(task, &TASK_PID) == Some(pid)
        && field::<u64>(task, &TASK_START) == Some(start)
        && field::<u32>(task, &TASK_EXIT_STATE) == Some(0);
    if alive { SENT } else { NOTHING }
}

/// A section of a patch, of any kind: (module, index, question).
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_header(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (module, index, question): (u64, u32, u64) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let Some(info) = klp_info(module) else { return EIO };
    if index >= info.shnum {
        return EIO;
    }
    let (Some(address), Some(size), Some(flags), Some(name)) = (
        header::<u64>(info.sechdrs, index, SH_ADDR),
        header::<u64>(info.sechdrs, index, SH_SIZE),
        header::<u64>(info.sechdrs, index, SH_FLAGS),
        header::<u32>(info.sechdrs, index, SH_NAME),
    ) else {
        return EIO;
    };
    let mut tally = Tally::new();
    let Some(mut slot) = EVENTS.reserve::<Header>(0) else {
        tally.drops += 1;
        return settled(DEMAND_HEADER, &tally, SENT);
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Header; every field is written, the name by the helper even where it fails.
    unsafe {
        emit::head(&raw mut (*r).head, KIND_HEADER, Hook::Demand, question);
        (*r).module = module;
        (*r).address = address;
        (*r).size = size;
        (*r).flags = flags;
        (*r).index = index;
        (*r).reserved = 0;
        copy_str((&raw mut (*r).name).cast(), SECTION_NAME as u32, info.secstrings + u64::from(name));
    }
    slot.submit(0);
    tally.records += 1;
    settled(DEMAND_HEADER, &tally, SENT)
}

/// Kernel memory: (address, question); the address is a multiple of the block's size.
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tp/module_load")]
pub extern "C" fn demand_block(ctx: *mut c_void) -> i32 {
    let ctx = RawTracePointContext::new(ctx);
    let (address, question): (u64, u64) = (ctx.arg(0), ctx.arg(1));
    let mut tally = Tally::new();
    let Some(mut slot) = EVENTS.reserve::<Block>(0) else {
        tally.drops += 1;
        return settled(DEMAND_BLOCK, &tally, SENT);
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Block; every field is written, the bytes by the helper even where it fails.
    let rc = unsafe {
        emit::head(&raw mut (*r).head, KIND_BLOCK, Hook::Demand, question);
        (*r).address = address;
        copy((&raw mut (*r).bytes).cast(), BLOCK as u32, address)
    };
    if rc < 0 {
        slot.discard(0);
        return EIO;
    }
    slot.submit(0);
    tally.records += 1;
    settled(DEMAND_BLOCK, &tally, SENT)
}
