//! What each hooked call does at its entry and exit, whichever mechanism hooked it.

use aya_ebpf::{
    EbpfContext,
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_task},
};
use klp_trace_ebpf::{
    Hook, InFlight, InFlightKey, Phase,
    hook::slot,
    record::{FLAG_LIVEPATCH, KIND_ENTER, KIND_EXIT},
};

use crate::{
    diag,
    emit::{self, Call},
    gated,
    layout::{CLEANUP_HOOKED, TASK_START, field, is_livepatch_section, kept_names},
    maps::{CALLS, Tally, remember, walk_id},
    section::Walk,
};

/// Arguments of apply_relocate_add and clear_relocate_add.
#[derive(Clone, Copy)]
pub struct Relocate {
    pub sechdrs: u64,
    pub symindex: u32,
    pub relsec: u32,
    pub module: u64,
}

#[inline(always)]
fn key(hook: Hook) -> InFlightKey {
    // SAFETY: takes no arguments.
    InFlightKey { tid: unsafe { bpf_get_current_pid_tgid() } as u32, hook: hook as u32 }
}

/// None of these functions calls itself: a call that this thread has not left yet was left unseen.
#[inline(always)]
fn notice_missed_exit(hook: Hook, tally: &mut Tally) {
    if CALLS.remove(&key(hook)).is_ok() {
        tally.missed_exits += 1;
    }
}

#[inline(always)]
fn stash(hook: Hook, args: Relocate, tally: &mut Tally) {
    // SAFETY: takes no arguments.
    let task = unsafe { bpf_get_current_task() };
    let value = InFlight {
        task,
        start_time: field(task, &TASK_START).unwrap_or(0),
        sechdrs: args.sechdrs,
        module: args.module,
        symindex: args.symindex,
        relsec: args.relsec,
    };
    if CALLS.insert(&key(hook), &value, 0).is_err() {
        tally.calls_full += 1;
    }
}

/// The arguments at entry, for a kretprobe. `None`: the entry was not seen, or not of interest.
#[inline(always)]
pub fn stashed(hook: Hook) -> Option<Relocate> {
    let value = CALLS.get_ptr(&key(hook))?;
    // SAFETY: a valid map value; only this thread writes or removes it.
    let value = unsafe { &*value };
    Some(Relocate {
        sechdrs: value.sechdrs,
        symindex: value.symindex,
        relsec: value.relsec,
        module: value.module,
    })
}

/// Entry of apply or clear. They run for every relocation section of every module: nothing comes before the flag's test, and
/// without the flag nothing after it. Only a kretprobe (`by_stash`) knows its call by what the entry left in the map: what a call
/// whose exit was missed left there must not be taken for this one's.
#[inline(always)]
pub fn enter_relocate(hook: Hook, args: Relocate, by_stash: bool) {
    let livepatch = is_livepatch_section(args.sechdrs, args.relsec);
    if !livepatch && !by_stash {
        return;
    }
    let mut tally = Tally::new();
    notice_missed_exit(hook, &mut tally);
    if livepatch {
        stash(hook, args, &mut tally);
        let call = Call { relsec: args.relsec, ..Call::default() };
        emit::hook(KIND_ENTER, hook, args.module, call, &mut tally);
    } else if tally.missed_exits == 0 {
        return;
    }
    tally.settle(hook, Phase::Enter);
}

/// Exit of apply or clear: the section is read. A late one runs under klp_mutex.
#[inline(always)]
pub fn exit_relocate(ctx: &impl EbpfContext, hook: Hook, args: Relocate, ret: i64) {
    if !is_livepatch_section(args.sechdrs, args.relsec) {
        return;
    }
    let mut tally = Tally::new();
    let _ = CALLS.remove(&key(hook));
    relocated(hook, args, ret, &mut tally);
    diag::relocated(ctx, hook, args.relsec, ret, &tally);
    tally.settle(hook, Phase::Exit);
}

#[inline(always)]
fn relocated(hook: Hook, args: Relocate, ret: i64, tally: &mut Tally) {
    // Without klp_info this is the loader's own apply of vmlinux sections. The module may yet fail to load without a
    // trace, so its sections are remembered from the tracepoint module_load on.
    let secstrings = kept_names(args.module);
    let id = walk_id(slot(hook, Phase::Exit));
    let mut w = Walk::new(hook as u32, id, args.module, args.relsec, args.sechdrs, secstrings);
    let mut walks = 0;
    if w.open(args.symindex) {
        w.run(0, ret, tally);
        walks = 1;
    } else {
        tally.read_errors += 1;
    }
    if secstrings != 0 {
        remember(args.module, args.relsec, tally);
    }
    let call = Call { ret, relsec: args.relsec, walks };
    emit::hook(KIND_EXIT, hook, args.module, call, tally);
}

/// Entry of klp_module_coming, klp_module_going or klp_cleanup_module_patches_limited.
#[inline(always)]
pub fn enter_module(hook: Hook, module: u64) {
    let mut tally = Tally::new();
    notice_missed_exit(hook, &mut tally);
    stash(hook, Relocate { sechdrs: 0, symindex: 0, relsec: 0, module }, &mut tally);
    emit::hook(KIND_ENTER, hook, module, Call::default(), &mut tally);
    tally.settle(hook, Phase::Enter);
}

/// Their exit. What is gated on the module is read again where the kernel has just cleared it, or should have: at the
/// exit of cleanup, which still holds klp_mutex and covers coming's error path too; where cleanup cannot be hooked, at
/// the exit of going and of a coming that failed.
#[inline(always)]
pub fn exit_module(ctx: &impl EbpfContext, hook: Hook, module: u64, ret: i64) {
    let mut tally = Tally::new();
    let _ = CALLS.remove(&key(hook));
    let reads = match hook {
        Hook::Cleanup => true,
        Hook::Going => CLEANUP_HOOKED.load() == 0,
        Hook::Coming => CLEANUP_HOOKED.load() == 0 && ret < 0,
        _ => false,
    };
    let walks = if reads { gated::reread(module, hook, ret, &mut tally) } else { 0 };
    emit::hook(KIND_EXIT, hook, module, Call { ret, relsec: 0, walks }, &mut tally);
    diag::moved(ctx, hook, ret, walks);
    tally.settle(hook, Phase::Exit);
}

/// The tracepoint module_load: the patch's names are there, its init has not run. Nothing can have been written late,
/// so this is what its sections look like before.
#[inline(always)]
pub fn module_load(module: u64) {
    let mut tally = Tally::new();
    emit::hook(KIND_ENTER, Hook::ModuleLoad, module, Call::default(), &mut tally);
    let (_, flags) = emit::module_state(module);
    if flags & FLAG_LIVEPATCH != 0 {
        let walks = gated::read_all(module, &mut tally);
        emit::hook(KIND_EXIT, Hook::ModuleLoad, module, Call { walks, ..Call::default() }, &mut tally);
    }
    tally.settle(Hook::ModuleLoad, Phase::Enter);
}

/// The tracepoint module_free.
#[inline(always)]
pub fn module_free(module: u64) {
    let mut tally = Tally::new();
    gated::forget(module);
    emit::hook(KIND_ENTER, Hook::ModuleFree, module, Call::default(), &mut tally);
    tally.settle(Hook::ModuleFree, Phase::Enter);
}
