//! One demand and what became of it.

use crate::{
    journal::{Finding, RelocState},
    model::{FindingEnd, FindingId, Severity},
};
use std::sync::Arc;

/// What became of a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Met.
    Pass,
    /// There was nothing to hold it against; the check says why.
    Skip,
    /// It cannot be told.
    Unknown,
    /// Not met.
    Fail,
}

impl Status {
    /// The word for it, in every format that has no word of its own.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

/// Which demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// No such finding.
    Finding(FindingId),
    /// Every relocation has a verdict, and no bad one.
    Verdicts,
    /// No record was lost.
    Loss,
    /// The journal is whole.
    Journal,
    /// No such finding of a rule of inspect, in a file.
    Lint(FindingId, &'static str),
    /// This host would take a patch's file, in one respect.
    Host(&'static str),
    /// A file can be read, and there is one that matters.
    File,
    /// Livepatch came to rest before it was judged.
    Settled,
    /// The command that was run succeeded.
    Command,
    /// A patch is in the state that the policy names.
    Patch,
    /// An object is in the state that the policy names.
    Object,
    /// Relocations are as many as the policy says.
    Count,
    /// Things happened in the order that the policy says.
    Order,
    /// Nothing took longer than the policy says.
    Limit,
    /// An allowance of the policy has run out or was not needed.
    Allowance,
}

impl Rule {
    /// The rule's stable id: a finding's own, else a word.
    pub fn id(self) -> String {
        match self {
            Self::Finding(id) => id.to_string(),
            Self::Lint(id, rule) => format!("{id}/{rule}"),
            Self::Host(about) => format!("check-host/{}", about.replace(' ', "-")),
            Self::File => "file".into(),
            Self::Verdicts => "verdicts".into(),
            Self::Loss => "loss".into(),
            Self::Journal => "journal".into(),
            Self::Settled => "settled".into(),
            Self::Command => "command".into(),
            Self::Patch => "policy-patch".into(),
            Self::Object => "policy-object".into(),
            Self::Count => "policy-count".into(),
            Self::Order => "policy-order".into(),
            Self::Limit => "policy-limit".into(),
            Self::Allowance => "policy-allowance".into(),
        }
    }
}

/// What a check is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The patch's name.
    pub patch: Option<Arc<str>>,
    /// The object's name.
    pub object: Option<Arc<str>>,
    /// The section's name.
    pub section: Option<Arc<str>>,
    /// The patch's .ko, where one was found.
    pub file: Option<String>,
}

/// One demand and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which demand.
    pub rule: Rule,
    /// What is demanded, of what; no two checks of a group have the same, and it holds no address.
    pub name: String,
    /// What became of it.
    pub status: Status,
    /// How grave it is when it is not met.
    pub severity: Severity,
    /// What was found: one sentence; empty when there is nothing to say.
    pub what: String,
    /// Why; may be empty.
    pub why: String,
    /// What to do; may be empty.
    pub action: String,
    /// Expected and actual, where the two can be set side by side.
    pub difference: Option<(String, String)>,
    /// Why it is let pass although it was found.
    pub allowed: Option<String>,
    /// What it is about.
    pub place: Place,
    /// The finding that it rests on.
    pub finding: Option<Box<Finding>>,
    /// What ended that finding before the session did; none while it holds.
    pub over: Option<FindingEnd>,
    /// Relocations to look at, the first of [`Check::relocations`].
    pub states: Vec<RelocState>,
    /// How many [`Check::states`] are the first of: more than they are where not all were kept.
    pub listed: u64,
    /// How many relocations it concerns.
    pub relocations: u64,
}

impl Check {
    /// A check that says nothing more than its status.
    pub fn new(rule: Rule, name: impl Into<String>, status: Status) -> Self {
        Self {
            rule,
            name: name.into(),
            status,
            severity: Severity::Error,
            what: String::new(),
            why: String::new(),
            action: String::new(),
            difference: None,
            allowed: None,
            place: Place::default(),
            finding: None,
            over: None,
            states: Vec::new(),
            listed: 0,
            relocations: 0,
        }
    }

    /// With what was found.
    #[must_use]
    pub fn what(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    /// With why it is so.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// With what to do.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.action = action.into();
        self
    }

    /// With expected and actual.
    #[must_use]
    pub fn difference(mut self, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        self.difference = Some((expected.into(), actual.into()));
        self
    }
}

/// Checks that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What they are about: `findings`, `relocations`, `session`, `policy`, `run`.
    pub name: &'static str,
    /// They.
    pub checks: Vec<Check>,
}

impl Group {
    /// A group; names that occur twice are numbered.
    pub fn new(name: &'static str, checks: Vec<Check>) -> Self {
        let mut group = Self { name, checks };
        let mut seen = std::collections::BTreeMap::<String, u32>::new();
        for check in &mut group.checks {
            let times = seen.entry(check.name.clone()).or_default();
            *times += 1;
            if *times > 1 {
                check.name = format!("{} ({times})", check.name);
            }
        }
        group
    }
}

/// The worst status of all groups; [`Status::Pass`] when there are none.
pub fn worst<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Status {
    let checks = groups.into_iter().flat_map(|group| &group.checks);
    checks.map(|check| check.status).max().unwrap_or(Status::Pass)
}
