//! What `doctor --json` writes.

use serde::Serialize;

use super::checks;
use super::facts::Facts;

/// The schema's name and version; the version grows when a field changes its meaning or goes.
pub const SCHEMA: &str = "klp-trace.doctor/1";

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The tool that looked.
    pub tool: Tool,
    /// The kernel it looked at.
    pub kernel: Kernel,
    /// Whether `klp-trace watch` can work here: no check is a lack.
    pub ready: bool,
    /// The capabilities that klp-trace needs on this kernel, by name; it needs no other.
    pub capabilities: Vec<&'static str>,
    /// The checks, in the order in which a person would go through them.
    pub checks: Vec<Check>,
}

/// The tool that looked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Tool {
    /// Its version.
    pub version: &'static str,
}

/// The kernel that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub arch: String,
}

/// One precondition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// Stable name, such as `cap-bpf` or `hook-klp_module_coming`.
    pub id: String,
    /// How it stands.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// Why it matters; one sentence.
    pub why: String,
    /// What to do about it; none when there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// How a precondition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Met.
    Ok,
    /// Not met, and needed: `watch` ends with exit code 4.
    Lack,
    /// Worth knowing: optional, or could not be told.
    Note,
}

/// The JSON Schema of [`Report`].
pub fn schema() -> serde_json::Value {
    crate::journal::schema::of::<Report>(
        "urn:klp-trace:doctor:1",
        format!("What klp-trace doctor --json writes, {SCHEMA}"),
    )
}

impl Report {
    /// Judges what was found.
    pub(super) fn new(facts: &Facts) -> Self {
        let checks = checks::all(facts);
        Self {
            schema: SCHEMA,
            tool: Tool { version: env!("CARGO_PKG_VERSION") },
            kernel: Kernel { release: facts.release.clone(), arch: facts.arch.clone() },
            capabilities: facts.capabilities.iter().map(|(capability, _)| capability.name()).collect(),
            ready: checks.iter().all(|check| check.status != Status::Lack),
            checks,
        }
    }
}

impl Check {
    pub(super) fn ok(id: &str, found: impl Into<String>, why: &str) -> Self {
        Self { id: id.to_owned(), status: Status::Ok, found: found.into(), why: why.to_owned(), remedy: None }
    }

    pub(super) fn note(id: &str, found: impl Into<String>, why: &str) -> Self {
        Self { status: Status::Note, ..Self::ok(id, found, why) }
    }

    pub(super) fn lack(id: &str, found: impl Into<String>, why: &str, remedy: impl Into<String>) -> Self {
        Self { status: Status::Lack, remedy: Some(remedy.into()), ..Self::ok(id, found, why) }
    }

    pub(super) fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}
