//! What `assert` demands of a session, and whether it was met: a pure function of a policy and of what was said.
//!
//! What may be written in a policy is in docs/policy.md. [`Policy`] is read from TOML, [`Observed`] takes every event of a session together with the verifier's
//! conclusions, [`judge()`] holds the one against the other. Without a policy the demands are: no finding of severity
//! error, no record lost, no verdict `unknown`.
#![forbid(unsafe_code)]

mod check;
mod count;
mod file;
mod init;
mod judge;
mod limit;
mod observed;
mod order;
mod rules;
mod schema;
mod summary;

pub use check::{Check, Group, Place, Rule, Status, worst};
pub use count::Count;
pub use file::{
    Allow, CountRule, Deny, Findings, Limits, ObjectRule, ObjectState, PatchRule, PatchState, Policy,
    PolicyError,
};
pub use init::init;
pub use judge::judge;
pub use limit::Limit;
pub use observed::Observed;
pub use order::{Order, Step, Subject};
pub use schema::schema;

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::told;
