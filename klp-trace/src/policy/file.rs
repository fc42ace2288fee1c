//! The policy file.

use super::{Count, Limit, Order};
use crate::model::{FindingId, Severity, glob, mistake, nearest};
use jiff::civil::Date;
use serde::Deserialize;
use std::fmt;
use thiserror::Error;

/// The name and major version of the format, as `schema` may state it.
pub const SCHEMA: &str = "klp-trace.policy/1";

/// What a session must be like.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Policy {
    /// The format: `klp-trace.policy/1`. May be left out.
    pub schema: Schema,
    /// Which findings count.
    pub findings: Findings,
    /// Findings that are never let pass, whatever their severity.
    pub deny: Vec<Deny>,
    /// Findings that are let pass.
    pub allow: Vec<Allow>,
    /// Patches and the state that they must be in at the end.
    pub patch: Vec<PatchRule>,
    /// Objects and the state that they must be in at the end.
    pub object: Vec<ObjectRule>,
    /// How many relocations there must be at the end.
    pub count: Vec<CountRule>,
    /// In which order things must have happened.
    pub order: Vec<Order>,
    /// How much of what is tolerable.
    pub limits: Limits,
    /// Of `policy init`: that the journal of which the policy was made is not whole.
    pub source: Option<Source>,
}

/// The journal of which a policy was made, when it is not whole: what is held against the policy is inconclusive.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Source {
    /// What is wrong with it.
    pub damaged: String,
}

impl Source {
    /// The same as a sentence's end.
    pub fn told(&self) -> String {
        format!("it was made of a damaged journal: {}", self.damaged)
    }
}

/// The `schema` key: [`SCHEMA`] and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub struct Schema;

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == SCHEMA { Ok(Self) } else { Err(format!("this klp-trace reads {SCHEMA}, not \"{text}\"")) }
    }
}

/// Which findings count.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Findings {
    /// From this severity on, a finding that no `allow` covers is a failure: `info`, `warning` or `error` (the default).
    pub fail_on: Option<Severity>,
    /// Whether only those count that still hold at the end of the session; else all that held at any time (the default).
    pub fail_on_open: bool,
}

/// Findings that are never let pass.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Deny {
    /// The finding's id; all when left out.
    pub id: Option<FindingId>,
    /// Of `inspect`: one rule of that id, such as `klp-arch-leftover`.
    #[schemars(with = "Option<String>")]
    pub rule: Option<LintRule>,
    /// Of which patches; `*` stands for anything.
    pub patch: Option<String>,
    /// Of which objects.
    pub object: Option<String>,
    /// Why, for whoever reads the report.
    pub reason: Option<String>,
}

/// Findings that are let pass.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Allow {
    /// The finding's id.
    pub id: FindingId,
    /// Of `inspect`: one rule of that id, such as `klp-arch-leftover`. `assert` passes such an allowance over.
    #[schemars(with = "Option<String>")]
    pub rule: Option<LintRule>,
    /// Of which patches; `*` stands for anything.
    pub patch: Option<String>,
    /// Of which objects.
    pub object: Option<String>,
    /// Why that is acceptable: no allowance without it.
    pub reason: String,
    /// The last day (UTC) on which it is.
    pub expires: Option<Day>,
}

/// The name of a rule of `inspect`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LintRule(pub String);

impl TryFrom<String> for LintRule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let rules = || crate::lint::policy::abouts().map(|about| about.rule);
        if rules().any(|rule| rule == text) {
            return Ok(Self(text));
        }
        Err(format!(
            "inspect has no rule \"{text}\"{} (klp-trace explain lists them)",
            nearest::meant(&text, rules())
        ))
    }
}

/// A date of the calendar, as TOML writes it: `2027-03-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "toml::value::Datetime")]
pub struct Day(pub Date);

impl TryFrom<toml::value::Datetime> for Day {
    type Error = String;

    fn try_from(value: toml::value::Datetime) -> Result<Self, String> {
        let only_date = value.time.is_none() && value.offset.is_none();
        value
            .date
            .filter(|_| only_date)
            .map(|date| date.to_string())
            .and_then(|date| date.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                format!("{value} is no date: write it as 2027-03-31, without quotes and without a time")
            })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The state that a patch must be in.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PatchRule {
    /// The patch's name.
    pub name: String,
    /// Its state.
    pub state: PatchState,
}

/// Where a patch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PatchState {
    /// Enabled, and not in transition.
    Enabled,
    /// Loaded, and disabled or replaced.
    Disabled,
    /// Its module is loaded.
    Loaded,
    /// Its module is not loaded.
    Absent,
}

/// The state that an object must be in.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ObjectRule {
    /// The object's name.
    pub name: String,
    /// Its state.
    pub state: ObjectState,
}

/// Where an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectState {
    /// Loaded.
    Loaded,
    /// Not loaded.
    Absent,
}

/// How many relocations there must be.
#[derive(Debug, Clone, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CountRule {
    /// Of which patches; `*` stands for anything. All when left out.
    pub patch: Option<String>,
    /// Gated on which objects.
    pub object: Option<String>,
    /// The demands, all of which must hold: `applied == 12`, `stale == 0`, `pending in 0..4`.
    pub that: Vec<Count>,
}

/// How much of what is tolerable.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Limits {
    /// How long the kernel may take to write one section: `250us`, `10ms`.
    pub longest_apply: Option<Limit>,
    /// How long a transition may take.
    pub longest_transition: Option<Limit>,
    /// How many records may be lost. Losses that cannot be counted are never tolerable.
    pub loss: u64,
    /// How many relocations may be `unknown` at the end.
    pub unknown: u64,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{message}", at.map(|(line, column)| format!("line {line}, column {column}: ")).unwrap_or_default())]
pub struct PolicyError {
    /// Line and column, from 1, where they are known.
    pub at: Option<(usize, usize)>,
    /// What is wrong, with the nearest word that would be right.
    pub message: String,
}

impl Policy {
    /// Reads a policy from TOML.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        toml::from_str(text).map_err(|error| PolicyError {
            at: error.span().map(|span| mistake::place(text, span.start)),
            message: explain(error.message()),
        })
    }
}

/// The message, with how to write what TOML's reader only names.
fn explain(message: &str) -> String {
    let message = mistake::explain(message);
    if message.contains("expected a TOML datetime") {
        format!("{message}: write it as 2027-03-31, without quotes")
    } else {
        message
    }
}

/// `: did you mean applied?`; empty when nothing is near.
pub(super) fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = known
        .map(|known| (strsim::jaro_winkler(&word.to_lowercase(), &known.to_lowercase()), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, known)) if likeness > 0.6 => format!(", did you mean {known}?"),
        _ => String::new(),
    }
}

/// Whether a name is one that a rule is about.
pub(super) fn covers(pattern: Option<&String>, name: Option<&str>) -> bool {
    pattern.is_none_or(|pattern| name.is_some_and(|name| glob::matches(pattern, name)))
}
