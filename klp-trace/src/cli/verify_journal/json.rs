//! What `verify-journal --json` writes.

use super::report::{Said, Signed, Verified};
use crate::elf::names;
use crate::event::chain::Hash;
use schemars::JsonSchema;
use serde::Serialize;

/// The name and major version of the format.
pub(super) const SCHEMA: &str = "klp-trace.verification/1";

/// The JSON Schema of the document.
pub(in crate::cli) fn schema() -> serde_json::Value {
    crate::event::schema::of::<Document>(
        "urn:klp-trace:verification:1",
        format!("What klp-trace verify-journal --json writes, {SCHEMA}"),
    )
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Document {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// Of all files together.
    #[schemars(extend("enum" = ["whole", "inconclusive", "damaged"]))]
    pub result: &'static str,
    pub records: u64,
    pub sessions: u64,
    pub files: Vec<OneFile>,
}

/// One file.
#[derive(Serialize, JsonSchema)]
pub(super) struct OneFile {
    file: String,
    lines: u64,
    records: u64,
    damages: u64,
    /// The last hash of each chain.
    heads: Vec<Hash>,
    ends_without_session_end: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_damage: Option<Damage>,
    /// Where a key was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["valid", "invalid", "missing"]))]
    signature: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
struct Damage {
    line: u64,
    what: String,
}

/// One file's part; `cut`: a session ends with it, and has no end.
pub(super) fn file(verified: &Verified, cut: bool) -> OneFile {
    let check = verified.said.check();
    let first_damage = match (&check.first, &verified.said) {
        (Some(damage), _) => Some(Damage { line: damage.line, what: damage.fault.to_string() }),
        (None, Said::Unreadable { line, why, .. }) => Some(Damage { line: *line, what: why.clone() }),
        (None, Said::Checked(_)) => None,
    };
    OneFile {
        file: names::path(&verified.path),
        lines: check.lines,
        records: check.records,
        damages: check.damages,
        heads: check.heads.clone(),
        ends_without_session_end: cut,
        first_damage,
        signature: verified.signed.map(|signed| match signed {
            Signed::Right => "valid",
            Signed::Wrong => "invalid",
            Signed::Not => "missing",
        }),
    }
}
