//! Records: written straight into the ring buffer's memory, field by field, so that nothing is copied through the
//! stack's 512 bytes.

use aya_ebpf::{
    cty::c_void,
    helpers::generated::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_get_current_uid_gid,
        bpf_get_smp_processor_id, bpf_ktime_get_ns,
    },
};
use klp_trace_ebpf::{
    Begin, End, Head, Hook, HookRecord, MODULE_NAME, SECTION_NAME, Task,
    record::{FLAG_CAPPED, FLAG_KLP_INFO, FLAG_LIVEPATCH, FLAG_READ_ERROR, KIND_BEGIN, KIND_END},
};

use crate::{
    layout::{
        self, ABSENT, MOD_KLP, MOD_KLP_INFO, MOD_NAME, MOD_STATE, SH_FLAGS, SH_NAME, SH_SIZE, copy_header,
        copy_str, field, read,
    },
    maps::{EVENTS, Tally},
    section::Walk,
};

/// Fills a head in.
///
/// # Safety
/// `head` is writable.
#[inline(always)]
pub unsafe fn head(head: *mut Head, kind: u32, hook: Hook, walk: u64) {
    // SAFETY: the caller's promise.
    unsafe { head_of(head, kind, hook as u32, walk) }
}

/// As [`head`], with the hook's number.
///
/// # Safety
/// `head` is writable.
#[inline(always)]
pub unsafe fn head_of(head: *mut Head, kind: u32, hook: u32, walk: u64) {
    // SAFETY: the caller's promise; the helpers take no arguments.
    unsafe {
        (*head).kind = kind;
        (*head).hook = hook;
        (*head).walk = walk;
        (*head).ktime_ns = bpf_ktime_get_ns();
        (*head).cpu = bpf_get_smp_processor_id();
        (*head).reserved = 0;
    }
}

/// Fills the current task in.
///
/// # Safety
/// `task` is writable.
#[inline(always)]
pub unsafe fn task(task: *mut Task) {
    // SAFETY: the caller's promise; comm is 16 bytes.
    unsafe {
        let id = bpf_get_current_pid_tgid();
        (*task).pid = id as u32;
        (*task).tgid = (id >> 32) as u32;
        (*task).uid = bpf_get_current_uid_gid() as u32;
        (*task).reserved = 0;
        let current = bpf_get_current_task();
        (*task).auid = optional(current, layout::TASK_LOGINUID.load());
        (*task).ppid = match layout::TASK_PARENT.load() {
            ABSENT => u32::MAX,
            parent => match read::<u64>(current + u64::from(parent)) {
                Some(parent) => optional(parent, layout::TASK_TGID.load()),
                None => u32::MAX,
            },
        };
        bpf_get_current_comm((&raw mut (*task).comm).cast(), 16);
    }
}

#[inline(always)]
fn optional(base: u64, offset: u32) -> u32 {
    if offset == ABSENT { u32::MAX } else { read(base + u64::from(offset)).unwrap_or(u32::MAX) }
}

/// Fills a module's name in; on failure it is empty.
///
/// # Safety
/// `name` points to `MODULE_NAME` writable bytes.
#[inline(always)]
pub unsafe fn module_name(name: *mut [u8; MODULE_NAME], module: u64) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { copy_str(name.cast(), MODULE_NAME as u32, module + u64::from(MOD_NAME.load())) }
}

/// `module.state` and the flags.
#[inline(always)]
pub fn module_state(module: u64) -> (u32, u32) {
    let mut flags = 0;
    let state = field::<u32>(module, &MOD_STATE);
    let klp = field::<u8>(module, &MOD_KLP);
    let info = field::<u64>(module, &MOD_KLP_INFO);
    if state.is_none() || klp.is_none() || info.is_none() {
        flags |= FLAG_READ_ERROR;
    }
    if klp.unwrap_or(0) != 0 {
        flags |= FLAG_LIVEPATCH;
    }
    if info.unwrap_or(0) != 0 {
        flags |= FLAG_KLP_INFO;
    }
    (state.unwrap_or(u32::MAX), flags)
}

/// What a [`HookRecord`] says besides the module.
#[derive(Clone, Copy, Default)]
pub struct Call {
    pub ret: i64,
    pub relsec: u32,
    pub walks: u32,
}

/// Sends a [`HookRecord`].
#[inline(always)]
pub fn hook(kind: u32, hook: Hook, module: u64, call: Call, tally: &mut Tally) {
    let Some(mut slot) = EVENTS.reserve::<HookRecord>(0) else {
        tally.drops += 1;
        return;
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a HookRecord; every field is written.
    unsafe {
        head(&raw mut (*r).head, kind, hook, 0);
        task(&raw mut (*r).task);
        (*r).module = module;
        (*r).ret = call.ret;
        (*r).relsec = call.relsec;
        (*r).walks = call.walks;
        let (state, flags) = module_state(module);
        (*r).state = state;
        (*r).flags = flags;
        module_name(&raw mut (*r).name, module);
    }
    slot.submit(0);
    tally.records += 1;
}

/// Sends a [`Begin`].
#[inline(always)]
pub fn begin(w: &Walk, cause: u64, ret: i64, tally: &mut Tally) {
    let Some(mut slot) = EVENTS.reserve::<Begin>(0) else {
        tally.drops += 1;
        return;
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of a Begin; every field is written.
    unsafe {
        head_of(&raw mut (*r).head, KIND_BEGIN, w.hook, w.id);
        task(&raw mut (*r).task);
        (*r).module = w.module;
        (*r).cause = cause;
        (*r).ret = ret;
        (*r).target_base = w.base;
        copy_header((&raw mut (*r).target_size).cast(), 8, w.sechdrs, w.target, SH_SIZE);
        copy_header((&raw mut (*r).target_flags).cast(), 8, w.sechdrs, w.target, SH_FLAGS);
        (*r).target_section = w.target;
        (*r).relsec = w.relsec;
        (*r).total = w.total;
        module_name(&raw mut (*r).name, w.module);
        // Without names the addresses are near zero: the reads fail and leave the names empty.
        let mut flags = FLAG_KLP_INFO;
        if w.secstrings == 0 {
            flags = 0;
        }
        if w.capped() {
            flags |= FLAG_CAPPED;
        }
        (*r).flags = flags;
        section_name(&raw mut (*r).section, w, w.relsec);
        section_name(&raw mut (*r).target, w, w.target);
    }
    slot.submit(0);
    tally.records += 1;
}

/// # Safety
/// `to` points to `SECTION_NAME` writable bytes.
#[inline(always)]
unsafe fn section_name(to: *mut [u8; SECTION_NAME], w: &Walk, index: u32) {
    // SAFETY: the caller's promise. The offset of the name goes where the name will be: the stack is small.
    unsafe {
        copy_header(to.cast(), 4, w.sechdrs, index, SH_NAME);
        let offset = to.cast::<u32>().read_volatile();
        copy_str(to.cast::<c_void>(), SECTION_NAME as u32, w.secstrings + u64::from(offset));
    }
}

/// Sends an [`End`].
#[inline(always)]
pub fn end(w: &Walk, tally: &mut Tally) {
    let Some(mut slot) = EVENTS.reserve::<End>(0) else {
        tally.drops += 1;
        return;
    };
    let r = slot.as_mut_ptr();
    // SAFETY: reserved memory of an End; every field is written.
    unsafe {
        head_of(&raw mut (*r).head, KIND_END, w.hook, w.id);
        (*r).module = w.module;
        (*r).relsec = w.relsec;
        (*r).total = w.total;
        (*r).sent = w.sent;
        (*r).reserved = 0;
    }
    slot.submit(0);
    tally.records += 1;
}
