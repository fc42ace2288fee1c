//! What is wrong with a livepatch's file before it is loaded: rules, each with what the kernel will do and the remedy.
//!
//! The rules look at [`Facts`], which are read from the file without refusing what the kernel would refuse: that is for
//! the rules to say. What cannot be checked is said too ([`Unchecked`]); a rule that was not asked has not passed.
#![forbid(unsafe_code)]

pub mod built_in;
pub mod facts;
mod finding;
mod kernel;
pub mod listed;
pub mod policy;
mod read;
pub mod rules;
pub mod sympos;
pub mod third;

pub use crate::elf::built_for::BuiltFor;
pub use facts::Facts;
pub use finding::{Finding, Place, Report, Unchecked, ranges};
pub use listed::Listed;
pub use rules::{About, Rule};

/// Asks every rule that needs the file alone.
pub fn check(facts: &Facts) -> Report {
    let mut report = Report::default();
    for rule in rules::ALL {
        rule.check(facts, &mut report);
    }
    report.findings.sort_by_key(|f| (f.id, f.section.as_ref().map(|s| s.index)));
    report
}
