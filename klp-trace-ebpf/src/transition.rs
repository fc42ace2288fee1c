//! Optional hooks: a patch changes its state. Entry alone is of interest.

use aya_ebpf::{
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use klp_trace_ebpf::{
    Hook, MODULE_NAME, Phase, Transition,
    record::{FLAG_READ_ERROR, FLAG_REPLACE, FLAG_REPLACE_READ, KIND_TRANSITION},
};

use crate::{
    emit,
    layout::{
        OBJECT_NAME, PATCH_FREE_WORK, PATCH_MOD, PATCH_REPLACE, TARGET_STATE, TRANSITION_PATCH, copy_str,
        field, read,
    },
    maps::{EVENTS, Tally},
};

/// The state is not known.
const NO_STATE: i32 = -1;

#[inline(always)]
fn report(hook: Hook, patch: u64, object: u64, state: i32) {
    let mut tally = Tally::new();
    send(hook, patch, object, state, &mut tally);
    tally.settle(hook, Phase::Enter);
}

#[inline(always)]
fn send(hook: Hook, patch: u64, object: u64, state: i32, tally: &mut Tally) {
    let module: Option<u64> = if patch == 0 { None } else { field(patch, &PATCH_MOD) };
    let replace: Option<u8> = if patch == 0 { None } else { field(patch, &PATCH_REPLACE) };
    // A null name means vmlinux.
    let name: Option<u64> = if object == 0 { Some(0) } else { field(object, &OBJECT_NAME) };
    let Some(mut slot) = EVENTS.reserve::<Transition>(0) else {
        tally.drops += 1;
        return;
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Transition; every field is written.
    unsafe {
        emit::head(&raw mut (*r).head, KIND_TRANSITION, hook, 0);
        emit::task(&raw mut (*r).task);
        (*r).patch = patch;
        (*r).module = module.unwrap_or(0);
        (*r).state = state;
        let mut flags = if module.is_none() || name.is_none() { FLAG_READ_ERROR } else { 0 };
        flags |= match replace {
            Some(0) => FLAG_REPLACE_READ,
            Some(_) => FLAG_REPLACE_READ | FLAG_REPLACE,
            None => 0,
        };
        (*r).flags = flags;
        emit::module_name(&raw mut (*r).name, module.unwrap_or(0));
        copy_str((&raw mut (*r).object).cast(), MODULE_NAME as u32, name.unwrap_or(0));
    }
    slot.submit(0);
    tally.records += 1;
}

/// `klp_transition_patch` and `klp_target_state`, for the functions without arguments.
#[inline(always)]
fn current(hook: Hook) {
    let variable = |address: u64| if address == 0 { None } else { Some(address) };
    let patch = variable(TRANSITION_PATCH.load()).and_then(read::<u64>).unwrap_or(0);
    let state = variable(TARGET_STATE.load()).and_then(read::<i32>).unwrap_or(NO_STATE);
    report(hook, patch, 0, state);
}

/// `klp_patch.free_work` is what the work function gets.
#[inline(always)]
fn freed(work: u64) {
    report(Hook::FreePatch, work - u64::from(PATCH_FREE_WORK.load()), 0, NO_STATE);
}

#[fentry]
pub fn init_transition_fentry(ctx: FEntryContext) -> i32 {
    report(Hook::InitTransition, ctx.arg(0), 0, ctx.arg(1));
    0
}

#[kprobe]
pub fn init_transition_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(patch), Some(state)) = (ctx.arg(0), ctx.arg(1)) {
        report(Hook::InitTransition, patch, 0, state);
    }
    0
}

#[fentry]
pub fn complete_transition_fentry(_ctx: FEntryContext) -> i32 {
    current(Hook::CompleteTransition);
    0
}

#[kprobe]
pub fn complete_transition_kprobe(_ctx: ProbeContext) -> u32 {
    current(Hook::CompleteTransition);
    0
}

#[fentry]
pub fn force_transition_fentry(_ctx: FEntryContext) -> i32 {
    current(Hook::ForceTransition);
    0
}

#[kprobe]
pub fn force_transition_kprobe(_ctx: ProbeContext) -> u32 {
    current(Hook::ForceTransition);
    0
}

#[fentry]
pub fn write_object_relocs_fentry(ctx: FEntryContext) -> i32 {
    let apply: i32 = ctx.arg(2);
    report(Hook::WriteObjectRelocs, ctx.arg(0), ctx.arg(1), apply & 1);
    0
}

#[kprobe]
pub fn write_object_relocs_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(patch), Some(object), Some(apply)) = (ctx.arg(0), ctx.arg(1), ctx.arg::<i32>(2)) {
        report(Hook::WriteObjectRelocs, patch, object, apply & 1);
    }
    0
}

#[fentry]
pub fn free_patch_fentry(ctx: FEntryContext) -> i32 {
    freed(ctx.arg(0));
    0
}

#[kprobe]
pub fn free_patch_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(work) = ctx.arg(0) {
        freed(work);
    }
    0
}
