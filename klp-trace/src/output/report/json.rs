//! The report as one JSON document, `klp-trace.assert/1`.

use super::{Format, Report, Words};
use crate::{
    journal::{self, RelocState},
    model::{FindingEnd, Reason, Severity, Verdict},
    policy,
};
use schemars::JsonSchema;
use serde::Serialize;

/// The name and major version of the format.
const SCHEMA: &str = "klp-trace.assert/1";

pub(super) struct Json;

impl Format for Json {
    fn render(&self, report: &Report, words: Words) -> String {
        let sessions = report.sessions.iter();
        let document = Document {
            schema: SCHEMA,
            exit: Exit { code: report.exit.0, meaning: report.exit.1 },
            policy: report.policy.as_ref().map(|policy| words.of(policy)),
            command: report.command.as_ref().map(|command| Command {
                line: command.line.iter().map(|word| words.of(word)).collect(),
                end: words.of(&command.end),
                code: command.code,
            }),
            sessions: sessions.map(|session| self::session(session, words)).collect(),
            run: group(&report.run, words),
        };
        crate::model::escape::json(serde_json::to_string_pretty(&document).unwrap_or_default())
    }
}

/// The JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    crate::journal::schema::of::<Document>(
        "urn:klp-trace:assert:1",
        format!("What klp-trace assert --format json writes, {SCHEMA}"),
    )
}

#[derive(Serialize, JsonSchema)]
struct Document {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    exit: Exit,
    /// The policy's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Command>,
    /// The sessions that were judged: one when live, as many as the journal has else.
    sessions: Vec<Session>,
    run: Group,
}

/// The exit code, and what it means.
#[derive(Serialize, JsonSchema)]
struct Exit {
    code: u8,
    meaning: &'static str,
}

/// The command that was run.
#[derive(Serialize, JsonSchema)]
struct Command {
    line: Vec<String>,
    /// How it ended.
    end: String,
    /// Its exit code, or 128 and the signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
}

#[derive(Serialize, JsonSchema)]
struct Session {
    host: String,
    kernel: String,
    tool: String,
    /// When it began, RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    groups: Vec<Group>,
}

/// Checks that belong together.
#[derive(Serialize, JsonSchema)]
struct Group {
    /// What they are about.
    #[schemars(extend("enum" = ["findings", "relocations", "session", "policy", "run"]))]
    name: &'static str,
    checks: Vec<Check>,
}

/// One demand and what became of it. A text that would be empty is not there.
#[derive(Serialize, JsonSchema)]
struct Check {
    /// A finding's id, or the demand's word.
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[schemars(extend("enum" = ["pass", "skip", "unknown", "fail"]))]
    status: &'static str,
    /// Of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
    /// What was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// The same as commands for a root shell of that host, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<String>,
    /// What the kernel's own log said of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kernel: Vec<String>,
    /// What ended its finding before the session ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    over: Option<&'static str>,
    /// Why it is let pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actual: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<String>,
    /// The sections of the relocations that a finding covers, where there are several; `section` is the first's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sections: Vec<Covered>,
    /// The patch's .ko.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// How many relocations it concerns; not there: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    relocations: Option<u64>,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    first: Vec<State>,
}

/// A relocation.
#[derive(Serialize, JsonSchema)]
struct State {
    index: u32,
    /// Its index in the file's section, where the kernel has sorted the entries and it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_index: Option<u32>,
    #[serde(rename = "type")]
    rtype: String,
    symbol: String,
    sympos: u64,
    addend: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    expected: String,
    actual: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
}

/// How many of a finding's relocations stand in a section.
#[derive(Serialize, JsonSchema)]
struct Covered {
    index: u32,
    name: String,
    relocations: u32,
}

fn covered(covered: &journal::Covered, words: Words) -> Covered {
    Covered { index: covered.index, name: words.of(&covered.name), relocations: covered.relocations }
}

fn session(session: &super::Session, words: Words) -> Session {
    let (from, to) = session.times.clone().unzip();
    Session {
        host: words.of(&session.host),
        kernel: words.of(&session.kernel),
        tool: words.of(&session.tool),
        from,
        to,
        groups: session.groups.iter().map(|group| self::group(group, words)).collect(),
    }
}

fn group(group: &policy::Group, words: Words) -> Group {
    Group { name: group.name, checks: group.checks.iter().map(|check| self::check(check, words)).collect() }
}

fn check(check: &policy::Check, words: Words) -> Check {
    let text = |text: &str| (!text.is_empty()).then(|| words.of(text));
    let (expected, actual) = check.difference.as_ref().map(|(one, other)| (text(one), text(other))).unzip();
    Check {
        rule: check.rule.id(),
        name: text(&check.name),
        status: check.status.word(),
        severity: check.finding.is_some().then_some(check.severity),
        what: text(&check.what),
        why: text(&check.why),
        action: text(&check.action),
        commands: check
            .finding
            .iter()
            .flat_map(|finding| &finding.commands)
            .map(|command| words.of(command))
            .collect(),
        kernel: check.finding.iter().flat_map(|finding| &finding.kernel).map(|said| words.of(said)).collect(),
        over: check.over.map(FindingEnd::word),
        allowed: check.allowed.as_deref().and_then(text),
        expected: expected.flatten(),
        actual: actual.flatten(),
        patch: check.place.patch.as_deref().and_then(text),
        object: check.place.object.as_deref().and_then(text),
        section: check.place.section.as_deref().and_then(text),
        sections: check
            .finding
            .iter()
            .flat_map(|finding| &finding.sections)
            .map(|c| covered(c, words))
            .collect(),
        file: check.place.file.as_deref().and_then(text),
        relocations: Some(check.relocations).filter(|count| *count > 0),
        first: check.states.iter().map(|state| self::state(state, words)).collect(),
    }
}

fn state(state: &RelocState, words: Words) -> State {
    let (expected, actual) = words.bytes(state);
    State {
        index: state.reloc.index,
        file_index: state.reloc.file_index,
        rtype: words.of(&state.reloc.rtype),
        symbol: words.of(&state.reloc.symbol),
        sympos: state.reloc.sympos,
        addend: state.reloc.addend,
        address: words.address(state),
        expected,
        actual,
        verdict: state.verdict,
        reason: state.reason,
    }
}
