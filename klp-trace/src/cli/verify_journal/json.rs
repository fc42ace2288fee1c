//! What `verify-journal --json` writes.

use super::report::{Report, Signed};
use crate::cli::exit::Exit;
use crate::elf::names;
use crate::journal::Derived;
use crate::journal::chain::Hash;
use crate::journal::envelope::Time;
use schemars::JsonSchema;
use serde::Serialize;

/// The name and major version of the format.
pub(super) const SCHEMA: &str = "klp-trace.verification/1";

/// The JSON Schema of the document.
pub(in crate::cli) fn schema() -> serde_json::Value {
    crate::journal::schema::of::<Document>(
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
    /// Where and when the first sessions were recorded.
    recorded: Vec<Recorded>,
    /// Where the journal was made of one that is not whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    derived: Option<Derived>,
    /// Where a key was given: the SHA-256 of its DER form.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<Hash>,
    /// Where a last hash was expected: whether it is that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_hash: Option<bool>,
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
    /// All of them, but for those beyond the ten thousandth of all files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all_damages: Vec<Damage>,
    /// Where a key was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["valid", "invalid", "missing"]))]
    signature: Option<&'static str>,
}

#[derive(Clone, Serialize, JsonSchema)]
struct Damage {
    line: u64,
    what: String,
}

/// Where and when a session was recorded.
#[derive(Serialize, JsonSchema)]
struct Recorded {
    host: String,
    /// Release.
    kernel: String,
    arch: String,
    /// Version of the klp-trace that watched.
    tool: String,
    first: Time,
    last: Time,
}

impl From<&Report> for Document {
    fn from(report: &Report) -> Self {
        let integrity = &report.integrity;
        let files = report.paths.iter().zip(&integrity.files).enumerate();
        let files = files.map(|(number, (path, check))| {
            let damages: Vec<Damage> = check
                .listed
                .iter()
                .map(|damage| Damage { line: damage.line, what: damage.fault.to_string() })
                .collect();
            OneFile {
                file: names::path(path),
                lines: check.lines,
                records: check.records,
                damages: check.damages,
                heads: check.heads.clone(),
                ends_without_session_end: report.is_cut(number),
                first_damage: damages.first().cloned(),
                all_damages: damages,
                signature: report.signed.get(number).copied().flatten().map(|signed| match signed {
                    Signed::Right => "valid",
                    Signed::Wrong => "invalid",
                    Signed::Not => "missing",
                }),
            }
        });
        let recorded = integrity.about.iter().map(|about| Recorded {
            host: about.host.name.clone(),
            kernel: about.host.kernel.release.clone(),
            arch: about.host.kernel.arch.clone(),
            tool: about.tool.version.clone(),
            first: about.first,
            last: about.last,
        });
        Self {
            schema: SCHEMA,
            result: match report.exit() {
                Exit::Clean => "whole",
                Exit::Inconclusive => "inconclusive",
                _ => "damaged",
            },
            records: report.records(),
            sessions: integrity.sessions,
            files: files.collect(),
            recorded: recorded.collect(),
            derived: integrity.derived.clone(),
            public_key: report.key,
            expected_hash: report.expected.map(|_| report.is_expected()),
        }
    }
}
