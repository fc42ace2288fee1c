//! The programs' own diagnostics, through aya-log: off unless user space raises `AYA_LOG_LEVEL`, and then the verifier
//! drops them as dead code. Numbers alone (the hook's is its wire number): a string costs it 50,000 instructions. In a
//! file of their own, since each message carries its line.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::debug;
use klp_trace_ebpf::Hook;

use crate::maps::Tally;

/// A section was read at the exit of apply or clear.
#[inline(always)]
pub fn relocated(ctx: &impl EbpfContext, hook: Hook, relsec: u32, ret: i64, tally: &Tally) {
    let (hook, records, drops) = (hook as u32, tally.records, tally.drops);
    debug!(ctx, "hook {}: section {} gives {}: {} records, {} lost", hook, relsec, ret, records, drops);
}

/// A module's coming or going is over.
#[inline(always)]
pub fn moved(ctx: &impl EbpfContext, hook: Hook, ret: i64, walks: u32) {
    debug!(ctx, "hook {}: gives {}, {} sections read", hook as u32, ret, walks);
}
