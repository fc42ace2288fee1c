//! From evidence to verdicts and findings: a pure function of the events, without I/O and without a clock.
//!
//! [`Verifier::feed`] takes one event after the other and says each, numbered, together with the conclusions it
//! leads to. The same events always give the same conclusions, live or replayed.
#![forbid(unsafe_code)]

mod absent;
mod conclude;
mod counts;
mod detached;
mod ended;
mod feed;
mod gathered;
mod heard;
mod judge;
mod lifecycle;
mod misplaced;
mod moved;
mod next_load;
mod objects;
mod open;
mod orphan;
mod remedy;
mod rewritten;
mod rounds;
mod rules;
mod section;
mod stall;
mod survey;
mod suspects;
mod third;
mod transition;
mod verifier;
mod wrong;

#[cfg(test)]
mod tests;

pub use judge::{Context, Facts, Judgement, Third, judge};
pub use rewritten::Rewritten;
pub use survey::Surveyed;
pub use verifier::{NeededSymbol, Outcome, Verifier, Want};
