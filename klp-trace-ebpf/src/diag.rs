//! The programs' own diagnostics, through aya-log: off unless user space raises `AYA_LOG_LEVEL`, and then the verifier
//! drops them as dead code. In a file of their own, since each message carries its line.

use aya_ebpf::EbpfContext;
use aya_log_ebpf::debug;
use klp_trace_ebpf::Hook;

use crate::maps::Tally;

/// A section was read at the exit of apply or clear.
#[inline(always)]
pub fn relocated(ctx: &impl EbpfContext, hook: Hook, relsec: u32, ret: i64, tally: &Tally) {
    let (records, drops) = (tally.records, tally.drops);
    debug!(ctx, "{}: section {} gives {}: {} records, {} lost", hook.name(), relsec, ret, records, drops);
}

/// A module's coming or going is over.
#[inline(always)]
pub fn moved(ctx: &impl EbpfContext, hook: Hook, ret: i64, walks: u32) {
    debug!(ctx, "{}: gives {}, {} sections read", hook.name(), ret, walks);
}
