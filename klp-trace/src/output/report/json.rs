//! The report as one JSON document, `klp-trace.assert/1`.

use super::{Format, Report, Words};
use crate::policy::Check;
use serde_json::{Map, Value, json};

pub(super) struct Json;

impl Format for Json {
    fn render(&self, report: &Report, words: Words) -> String {
        let sessions: Vec<Value> = report
            .sessions
            .iter()
            .map(|session| {
                let groups = session.groups.iter();
                let groups: Vec<_> =
                    groups.map(|group| self::group(group.name, &group.checks, words)).collect();
                let (from, to) = session.times.clone().unzip();
                filled(json!({
                    "host": words.of(&session.host),
                    "kernel": words.of(&session.kernel),
                    "tool": words.of(&session.tool),
                    "from": from,
                    "to": to,
                    "groups": groups,
                }))
            })
            .collect();
        let command = report.command.as_ref().map(|command| {
            let line: Vec<_> = command.line.iter().map(|word| words.of(word)).collect();
            filled(json!({ "line": line, "end": words.of(&command.end), "code": command.code }))
        });
        let document = filled(json!({
            "schema": "klp-trace.assert/1",
            "exit": { "code": report.exit.0, "meaning": report.exit.1 },
            "policy": report.policy.as_ref().map(|policy| words.of(policy)),
            "command": command,
            "sessions": sessions,
            "run": group(report.run.name, &report.run.checks, words),
        }));
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }
}

/// What is not known is not there: `null` is never written.
fn filled(mut value: Value) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    value
}

fn group(name: &str, checks: &[Check], words: Words) -> Value {
    json!({ "name": name, "checks": checks.iter().map(|check| self::check(check, words)).collect::<Vec<_>>() })
}

fn check(check: &Check, words: Words) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(key.to_owned(), value);
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(words.of(text)));
    put("rule", Some(check.rule.id().into()));
    put("name", text(&check.name));
    put("status", Some(check.status.word().into()));
    put("severity", check.finding.is_some().then(|| check.severity.to_string().into()));
    put("what", text(&check.what));
    put("why", text(&check.why));
    put("action", text(&check.action));
    put("allowed", check.allowed.as_deref().and_then(text));
    put("expected", check.difference.as_ref().and_then(|(expected, _)| text(expected)));
    put("actual", check.difference.as_ref().and_then(|(_, actual)| text(actual)));
    put("patch", check.place.patch.as_deref().and_then(text));
    put("object", check.place.object.as_deref().and_then(text));
    put("section", check.place.section.as_deref().and_then(text));
    put("file", check.place.file.as_deref().and_then(text));
    if check.relocations > 0 {
        put("relocations", Some(check.relocations.into()));
    }
    if !check.states.is_empty() {
        let states: Vec<_> = check.states.iter().map(|state| self::state(state, words)).collect();
        put("first", Some(states.into()));
    }
    Value::Object(object)
}

fn state(state: &crate::event::RelocState, words: Words) -> Value {
    let (expected, actual) = words.bytes(state);
    filled(json!({
        "index": state.reloc.index,
        "type": words.of(&state.reloc.rtype),
        "symbol": words.of(&state.reloc.symbol),
        "sympos": state.reloc.sympos,
        "addend": state.reloc.addend,
        "address": words.address(state),
        "expected": expected,
        "actual": actual,
        "verdict": state.verdict.map(crate::model::Verdict::word),
        "reason": state.reason.map(crate::model::Reason::word),
    }))
}
