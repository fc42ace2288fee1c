//! The maps. Nothing is pinned: all of it ends with the process that loaded it.

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns},
    macros::map,
    maps::{Array, HashMap, PerCpuArray, RingBuf},
};
use klp_trace_ebpf::{
    Counters, Hook, InFlight, InFlightKey, Phase, SectionKey, SectionValue,
    hook::{SLOTS, slot},
};

/// Everything that is reported, in order. User space sets the size.
#[map]
pub static EVENTS: RingBuf = RingBuf::with_byte_size(16 * 1024 * 1024, 0);

/// The livepatch relocation sections of the loaded patches: what is read again when a module goes.
#[map]
pub static SECTIONS: HashMap<SectionKey, SectionValue> = HashMap::with_max_entries(8192, 0);

/// Calls entered and not yet left.
#[map]
pub static CALLS: HashMap<InFlightKey, InFlight> = HashMap::with_max_entries(1024, 0);

/// When something was lost last, on any CPU (`CLOCK_MONOTONIC`, nanoseconds): user space asks this one number at each wake-up,
/// and for what was lost only when it has changed.
#[map]
pub static LOST: Array<u64> = Array::with_max_entries(1, 0);

/// What each hook's phase counted.
#[map]
pub static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(SLOTS, 0);

/// Zero, but the verifier does not know: it lies in memory that user space could write. Counts that begin here are
/// unknown to it from the start, so that it takes the paths that count differently for one, instead of following each.
#[unsafe(no_mangle)]
static mut ZERO: u32 = 0;

/// [`ZERO`].
#[inline(always)]
pub fn zero() -> u32 {
    // SAFETY: nobody writes it.
    unsafe { (&raw const ZERO).read_volatile() }
}

/// What one run of a program counts; added to the map once, at its end. Small: the stack is.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Tally {
    pub records: u32,
    pub drops: u32,
    pub read_errors: u32,
    pub sections_full: u32,
    pub missed_exits: u32,
    pub helper_errors: u32,
    pub calls_full: u32,
}

impl Tally {
    /// Nothing yet.
    #[inline(always)]
    pub fn new() -> Self {
        let zero = zero();
        Self {
            records: zero,
            drops: zero,
            read_errors: zero,
            sections_full: zero,
            missed_exits: zero,
            helper_errors: zero,
            calls_full: zero,
        }
    }

    /// Adds to the counters of this CPU for a hook's program.
    #[inline(always)]
    pub fn settle(&self, hook: Hook, phase: Phase) {
        self.settle_slot(slot(hook, phase));
    }

    /// Adds to the counters of this CPU. The kernel never runs a program twice at once on one CPU, and each slot has
    /// one program (klp-trace-ebpf, hook.rs).
    #[inline(always)]
    pub fn settle_slot(&self, slot: u32) {
        let lost = self.drops | self.sections_full | self.missed_exits | self.helper_errors | self.calls_full;
        if lost != 0
            && let Some(last) = LOST.get_ptr_mut(0)
        {
            // SAFETY: a valid map value, eight bytes and aligned, so that it is written at once; whichever CPU writes last, it
            // has changed. The helper takes no arguments.
            unsafe { last.write_volatile(bpf_ktime_get_ns()) };
        }
        let Some(c) = COUNTERS.get_ptr_mut(slot) else { return };
        // SAFETY: a valid map value, and ours alone on this CPU (above).
        let c = unsafe { &mut *c };
        c.hits += 1;
        c.records += u64::from(self.records);
        c.drops += u64::from(self.drops);
        c.read_errors += u64::from(self.read_errors);
        c.sections_full += u64::from(self.sections_full);
        c.missed_exits += u64::from(self.missed_exits);
        c.helper_errors += u64::from(self.helper_errors);
        c.calls_full += u64::from(self.calls_full);
    }
}

/// An identity that no other walk has which is under way: the number of the program's walks on this CPU (of which the last 32
/// bits are kept), the CPU, the program's slot. Its last byte is a slot, never 0xff: those are the walks that user space names.
#[inline(always)]
pub fn walk_id(slot: u32) -> u64 {
    let Some(c) = COUNTERS.get_ptr_mut(slot) else { return 0 };
    // SAFETY: a valid map value, and ours alone on this CPU (Tally::settle_slot); the helper takes no arguments.
    unsafe {
        (*c).walks += 1;
        (*c).walks << 32 | u64::from(bpf_get_smp_processor_id()) << 8 | u64::from(slot)
    }
}

/// Remembers a section, so that it is read again when its object goes.
#[inline(always)]
pub fn remember(module: u64, relsec: u32, tally: &mut Tally) {
    let key = SectionKey { module, relsec: u64::from(relsec) };
    // SAFETY: takes no arguments.
    let value = SectionValue { ktime_ns: unsafe { bpf_ktime_get_ns() } };
    if SECTIONS.insert(&key, &value, 0).is_err() {
        tally.sections_full += 1;
    }
}
