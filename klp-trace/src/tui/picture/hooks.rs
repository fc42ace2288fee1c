//! The hooks of a session: attached or not, what came of them, what they missed.

use crate::journal::{EventsLost, HookInfo, LossCause};
use crate::model::Hook;

/// One hook.
#[derive(Debug, Clone)]
pub struct HookRow {
    /// Whether and how it is attached.
    pub info: HookInfo,
    /// Events that came of it.
    pub seen: u64,
    /// The latest of them (CLOCK_MONOTONIC, nanoseconds).
    pub last_ns: Option<u64>,
    /// Records known to be lost, times that records were lost, and why the latest were.
    pub lost: u64,
    /// Times that records were lost.
    pub losses: u32,
    /// Why the latest were.
    pub cause: Option<LossCause>,
    /// What the kernel counted, where it says.
    pub ran: Option<Ran>,
}

/// What the kernel says of a hook's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ran {
    /// Times that the hooked place was passed.
    pub hits: u64,
    /// Time that the programs took, nanoseconds; none unless kernel.bpf_stats_enabled is 1.
    pub nanos: Option<u64>,
}

impl HookRow {
    pub(super) fn new(info: HookInfo) -> Self {
        Self { info, seen: 0, last_ns: None, lost: 0, losses: 0, cause: None, ran: None }
    }
}

/// Counts an event of a hook.
pub(super) fn seen(hooks: &mut [HookRow], hook: Hook, mono_ns: u64) {
    if let Some(row) = hooks.iter_mut().find(|row| row.info.name == hook) {
        row.seen += 1;
        row.last_ns = Some(mono_ns);
    }
}

/// Counts a loss.
pub(super) fn lost(hooks: &mut [HookRow], lost: &EventsLost) {
    if let Some(row) = hooks.iter_mut().find(|row| row.info.name == lost.hook) {
        row.lost = row.lost.saturating_add(lost.count);
        row.losses = row.losses.saturating_add(1);
        row.cause = Some(lost.cause);
    }
}
