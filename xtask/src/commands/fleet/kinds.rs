//! The states that hosts are put into, and the alerts that must fire for each: these, and no other.

/// A kind of host.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its line in the plan: a recording, how far it is replayed, what the running kernel says beside it.
    pub plan: &'static str,
    /// What fires.
    pub alerts: &'static [&'static str],
}

const fn kind(plan: &'static str, alerts: &'static [&'static str]) -> Kind {
    Kind { plan, alerts }
}

/// One host of each.
pub const KINDS: [Kind; 19] = [
    kind("7-unload.ndjson.zst cleared", &[]),
    kind("7-patch-first.ndjson.zst pending", &[]),
    kind("6.1-target-first.ndjson.zst applied", &[]),
    kind("6.1-other-file.ndjson.zst unknown", &["KlpTraceUnknown"]),
    kind("7-poke.ndjson.zst KLP006", &["KlpTraceRelocationsWrong", "KlpTraceReloadWillBeRefused"]),
    kind("6.1-init-section.ndjson.zst KLP012", &["KlpTraceUnsafeSection"]),
    kind("6.1-r1-nosym.ndjson.zst KLP014", &["KlpTraceLoadRefused", "KlpTraceReloadWillBeRefused"]),
    kind("6.1-orphan.ndjson.zst orphaned", &["KlpTraceOrphaned"]),
    kind("6.1-unload.ndjson.zst KLP001", &["KlpTraceReloadWillBeRefused"]),
    kind("7-disable.ndjson.zst KLP004", &["KlpTraceStale"]),
    kind("6.1-disable.ndjson.zst KLP004", &["KlpTraceStale"]),
    kind("6.12-selfwrite.ndjson.zst KLP002", &["KlpTraceRelocationsWrong", "KlpTraceReloadWillBeRefused"]),
    kind("6.1-r1-callback.ndjson.zst KLP003", &["KlpTraceLoadRefused", "KlpTraceReloadWillBeRefused"]),
    kind("6.1-reload.ndjson.zst KLP009", &["KlpTraceLoadRefused", "KlpTraceReloadWillBeRefused"]),
    kind("6.1-third-gone.ndjson.zst stale", &["KlpTraceSymbolModuleGone"]),
    kind("7-target-first.ndjson.zst applied transition=700", &["KlpTraceTransitionStalled"]),
    kind("7-target-first.ndjson.zst applied journal=unwritten", &["KlpTraceJournalNotWritten"]),
    kind("7-target-first.ndjson.zst applied looked=ago", &["KlpTraceLookOverdue"]),
    kind("7-target-first.ndjson.zst applied losing=records", &["KlpTraceEventsLost"]),
];

/// Hosts with the same bad patch: one message is to tell of all.
pub const EQUAL: Kind = kind("6.12-selfwrite.ndjson.zst mismatch", &["KlpTraceRelocationsWrong"]);

/// Good hosts.
pub const GOOD: Kind = kind("7-target-first.ndjson.zst applied", &[]);
