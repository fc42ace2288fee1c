//! Verdicts and what else a host can be, from worst to best, with the words and colours of dashboards.

/// What a host comes to: its worst verdict, or why there is none.
#[derive(Debug, Clone, Copy)]
pub struct State {
    /// Its word: a verdict's, or `blind`, `down`, `none`.
    pub word: &'static str,
    /// What the recording rule gives for it; below 0 nothing is known.
    pub rank: i32,
    /// What dashboards say.
    pub says: &'static str,
    /// Grafana's name of its colour.
    pub colour: &'static str,
}

const fn state(word: &'static str, rank: i32, says: &'static str, colour: &'static str) -> State {
    State { word, rank, says, colour }
}

/// Verdicts by rank, best first: the order in which klp-trace takes the worst of several (docs/verdicts.md).
pub const VERDICTS: [State; 8] = [
    state("applied", 1, "applied: as it should be", "green"),
    state("cleared", 2, "cleared: as it should be", "green"),
    state("pending", 3, "pending: as it should be", "green"),
    state("unknown", 4, "unknown: cannot tell", "purple"),
    state("missing", 5, "missing: not written", "red"),
    state("orphaned", 6, "orphaned: never written", "orange"),
    state("stale", 7, "stale: values of a module that is gone", "orange"),
    state("mismatch", 8, "mismatch: a wrong value", "red"),
];

/// The states without a verdict.
pub const OTHERS: [State; 3] = [
    state("none", 0, "no livepatch relocations", "blue"),
    state("blind", -1, "blind: nothing is known", "purple"),
    state("down", -2, "no answer: nothing is known", "purple"),
];

/// The verdicts of an active patch that is not what its file says.
pub const WRONG: [&str; 2] = ["mismatch", "missing"];

/// The verdicts that somebody has to look at.
pub const BAD: [&str; 4] = ["mismatch", "stale", "orphaned", "missing"];
