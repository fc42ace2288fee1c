//! SARIF 2.1.0 (OASIS): a finding that counts is a result of kind `fail`, what cannot be told one of kind `open`.
//!
//! The location is the patch's .ko; where in it, the logical locations say. Fingerprints are made of names, never of
//! addresses, so that the same defect has the same one after a reboot.

use super::{Format, Report, Words, details};
use crate::{
    model::{FindingId, Severity},
    policy::{Check, Rule, Status},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) struct Sarif;

impl Format for Sarif {
    fn render(&self, report: &Report, words: Words) -> String {
        let told: Vec<&Check> = report.checks().filter(|check| is_told(check)).collect();
        let mut rules: BTreeSet<Rule> = FindingId::ALL.iter().map(|id| Rule::Finding(*id)).collect();
        rules.extend(told.iter().map(|check| check.rule));
        let rules: Vec<Rule> = rules.into_iter().collect();
        let results: Vec<Value> = told.iter().map(|check| result(check, &rules, words)).collect();
        let described: Vec<Value> = rules.iter().map(|rule| self::rule(*rule)).collect();
        let (code, meaning) = report.exit;
        let document = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "klp-trace",
                    "version": env!("CARGO_PKG_VERSION"),
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "rules": described,
                }},
                "invocations": [{
                    "executionSuccessful": !matches!(code, 2..=4 | 130),
                    "exitCode": code,
                    "exitCodeDescription": meaning,
                }],
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        });
        crate::model::escape::json(serde_json::to_string_pretty(&document).unwrap_or_default())
    }
}

fn is_told(check: &Check) -> bool {
    check.status > Status::Skip || check.finding.is_some()
}

fn result(check: &Check, rules: &[Rule], words: Words) -> Value {
    let (kind, level) = match check.status {
        Status::Unknown => ("open", "none"),
        Status::Fail => ("fail", "error"),
        Status::Pass | Status::Skip => ("fail", level(check.severity)),
    };
    let lines = details::lines(check, words, usize::MAX);
    let text = if lines.is_empty() { words.of(&check.name) } else { lines.join("\n") };
    let mut result = json!({
        "ruleId": check.rule.id(),
        "ruleIndex": rules.iter().position(|rule| *rule == check.rule),
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": [location(check, words)],
        "partialFingerprints": { "klpTraceCheck/v1": fingerprint(check) },
    });
    if let (Some(reason), Some(object)) = (&check.allowed, result.as_object_mut()) {
        let suppression =
            json!([{ "kind": "external", "status": "accepted", "justification": words.of(reason) }]);
        object.insert("suppressions".to_owned(), suppression);
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn location(check: &Check, words: Words) -> Value {
    let place = &check.place;
    let parts: Vec<(&str, String)> =
        [("module", &place.patch), ("object", &place.object), ("section", &place.section)]
            .into_iter()
            .filter_map(|(kind, name)| name.as_ref().map(|name| (kind, words.of(name))))
            .collect();
    let mut logical: Vec<Value> = Vec::new();
    let mut whole = String::new();
    for (kind, name) in parts {
        if !whole.is_empty() {
            whole.push('/');
        }
        whole.push_str(&name);
        logical.push(json!({ "name": name, "kind": kind, "fullyQualifiedName": whole }));
    }
    // Code scanning wants a file: a patch whose .ko was not found is named as if it lay at hand.
    let uri = match (&place.file, &place.patch) {
        (Some(path), _) => uri(&words.of(path)),
        (None, Some(patch)) => uri(&format!("{}.ko", words.of(patch))),
        (None, None) => "klp-trace".to_owned(),
    };
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri } }, "logicalLocations": logical })
}

/// A path as a URI reference (RFC 3986): absolute ones as `file:`.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn fingerprint(check: &Check) -> String {
    let mut hash = Sha256::new();
    let first = check.finding.as_ref().and_then(|finding| finding.first.as_ref());
    let place = [&check.place.patch, &check.place.object, &check.place.section];
    let mut parts = vec![check.rule.id(), check.name.clone()];
    parts.extend(place.into_iter().map(|name| name.as_deref().unwrap_or_default().to_owned()));
    parts.extend(first.map(|reloc| format!("{} {} {}", reloc.index, reloc.symbol, reloc.sympos)));
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn rule(rule: Rule) -> Value {
    let (name, what, help) = described(rule);
    json!({
        "id": rule.id(),
        "name": name,
        "shortDescription": { "text": what },
        "fullDescription": { "text": what },
        "help": { "text": help, "markdown": format!("**{}** {what}\n\n{help}", rule.id()) },
        "defaultConfiguration": { "level": "error" },
    })
}

/// Name, what it is, what to do.
fn described(rule: Rule) -> (&'static str, &'static str, &'static str) {
    match rule {
        Rule::Finding(id) => finding(id),
        Rule::Lint(_, rule) => (
            rule,
            "A livepatch's file has nothing that this rule of klp-trace inspect finds.",
            "The result says what is wrong, what the kernel does with it, and what to do; `klp-trace explain RULE` says more.",
        ),
        Rule::Host(about) => (
            about,
            "This host would take the livepatch, in this respect.",
            "The result says what was seen, what the kernel makes of it, and what to do.",
        ),
        Rule::File => (
            "file",
            "Every file that was named can be read, and there is a livepatch among them where one is asked for.",
            "The result says why one cannot.",
        ),
        Rule::Verdicts => (
            "verdicts",
            "Every livepatch relocation has a verdict, and none is bad without a finding that says so.",
            "docs/verdicts.md lists the verdicts, and for each reason of `unknown` what helps.",
        ),
        Rule::Loss => (
            "loss",
            "No record was lost on its way from the kernel.",
            "What a lost record would have said cannot be judged. Run it again, with a larger --ring-size.",
        ),
        Rule::Journal => (
            "journal",
            "The journal that was judged is whole.",
            "What is left of it was judged all the same. docs/journal.md says how damage shows.",
        ),
        Rule::Settled => (
            "settled",
            "Livepatch came to rest before it was judged.",
            "A transition was still under way when the time was up. See /proc/*/patch_state for the tasks that hold it up.",
        ),
        Rule::Command => (
            "command",
            "The command that was run succeeded.",
            "Its own exit code is in the report; klp-trace found nothing worse.",
        ),
        Rule::Patch | Rule::Object | Rule::Count | Rule::Order | Rule::Limit | Rule::Allowance => (
            "policy",
            "What the policy demands is so.",
            "docs/policy.md describes each rule. The result says what was demanded and what was found.",
        ),
    }
}

fn finding(id: FindingId) -> (&'static str, &'static str, &'static str) {
    let (what, help) = match id {
        FindingId::Klp001 => (
            "The object was unloaded and the patch still holds its values.",
            "Kernels before 6.3, and those of other architectures than x86, never clear relocation targets. On x86 the next load of the object is refused: disable the patch and remove its module before the object is loaded again.",
        ),
        FindingId::Klp002 => (
            "The kernel's clear of relocation targets stopped half-way.",
            "The kernel compares before it zeroes and stops at the first difference. Disable the patch and remove its module before the object is loaded again.",
        ),
        FindingId::Klp003 => (
            "A load of the object failed after its relocations had been written, and left them.",
            "The kernel's clean-up stops before the patch that failed. Disable the patch and remove its module, then load the object.",
        ),
        FindingId::Klp005 => (
            "The object is loaded and the patch enabled, but relocations were not written.",
            "Code that uses them calls or reads a wrong place. Disable the patch now.",
        ),
        FindingId::Klp006 => (
            "A relocation holds a value that is neither zero nor the expected one.",
            "Compare expected and actual. Disable the patch if its code can run.",
        ),
        FindingId::Klp009 => (
            "Livepatch refused to let the object load.",
            "The finding names the cause where it shows: most often a stale value of the previous load. Disable the patch and remove its module, then load the object.",
        ),
        FindingId::Klp011 => (
            "The .ko on disk is not what was loaded.",
            "Expected bytes are computed from the file; one that differs proves nothing. Name the right file with --ko.",
        ),
        FindingId::Klp013 => (
            "Records were lost on their way from the kernel.",
            "What they concern is unknown until it is read again. Run it again, with a larger --ring-size.",
        ),
        #[allow(unreachable_patterns, reason = "a finding that has no text of its own yet")]
        _ => ("A finding of klp-trace.", "`klp-trace assert --format text` says what, why and what to do."),
    };
    (id.name(), what, help)
}
