//! Each format: what it says, that independent readers accept it, and that no name forges anything in it.

mod caps;

use super::*;
use crate::{
    journal::{self, testing},
    model::{Address, Verdict},
    policy::{Policy, Rule, Status, judge, told::Told},
};
use jiff::civil::date;
use std::{io::Write as _, process::Stdio};

/// Names that try to be something else in one format or another.
const HOSTILE: [&str; 14] = [
    "a\n::error title=forged::pwned",
    "a\r\n::set-output name=x::y",
    "a%0A::error::pwned",
    "\n##[error]pwned",
    "a\nok 99 - forged",
    "a # SKIP forged # TODO forged",
    "\\# \\\\# SKIP",
    "]]></failure></testcase><testcase name=\"forged\"/>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]>&y;",
    "\u{0}\u{1b}[2J\u{8}\u{fffe}\u{ffff}\u{b}",
    "\u{202e}txt.\u{2066}x\u{200b}\u{feff}\u{2028}",
    "\"},{\"ruleId\":\"forged\"",
    "    ---\n    forged: yes\n    ...",
    "Bail out! forged",
];

const KINDS: [Kind; 7] =
    [Kind::Text, Kind::Ktap, Kind::Tap, Kind::Junit, Kind::Github, Kind::Sarif, Kind::Json];

fn report(policy: &str, told: &Told) -> Report {
    let groups = judge(&Policy::parse(policy).unwrap(), &told.seen, date(2026, 11, 24));
    let session = Session {
        host: "node7".into(),
        kernel: "6.1.0-40-amd64 x86_64".into(),
        tool: "0.1.0".into(),
        times: Some(("2026-11-24T06:00:00.000000000Z".into(), "2026-11-24T06:00:01.000000000Z".into())),
        groups,
    };
    let command =
        Check::new(Rule::Command, "the command succeeds: true", Status::Pass).what("it exited with 0");
    let run = Group::new("run", vec![command]);
    let line = vec!["true".into()];
    let command = Some(Command { line, end: "exited with 0".into(), code: Some(0) });
    Report {
        exit: (1, "a finding at or above --fail-on"),
        policy: None,
        sessions: vec![session],
        run,
        command,
    }
}

/// One check of each status, and one that is allowed.
fn each_status() -> Report {
    let mut told = Told::stale();
    told.lose(3);
    let mut other = testing::finding();
    other.object = Some(journal::ObjectRef { name: "nfsd".into(), address: None, load: None });
    told.say(journal::Body::Finding(other));
    report(
        "order = [\"object klp_target: coming, apply\"]\n[[allow]]\nid = \"KLP001\"\nobject = \"nfsd\"\nreason = \"known\"\n\
         [[allow]]\nid = \"KLP009\"\nreason = \"dust\"",
        &told,
    )
}

/// A report of which every text is `name`.
fn hostile(name: &str) -> Report {
    let mut report = each_status();
    for session in &mut report.sessions {
        session.host = name.into();
        session.kernel = name.into();
        session.tool = name.into();
    }
    report.policy = Some(name.into());
    report.command = Some(Command { line: vec![name.into()], end: name.into(), code: None });
    let groups = report.sessions.iter_mut().flat_map(|session| &mut session.groups);
    for check in groups.chain(std::iter::once(&mut report.run)).flat_map(|group| &mut group.checks) {
        for text in [&mut check.name, &mut check.what, &mut check.why, &mut check.action] {
            *text = name.into();
        }
        check.difference = Some((name.into(), name.into()));
        if let Some(finding) = &mut check.finding {
            finding.kernel = vec![name.into()];
        }
        check.allowed = check.allowed.as_ref().map(|_| name.to_owned());
        check.place.patch = Some(name.into());
        check.place.object = Some(name.into());
        check.place.section = Some(name.into());
        check.place.file = Some(format!("/{name}"));
        let mut state = testing::state(0, None, None, Verdict::Stale);
        state.reloc.symbol = name.into();
        state.reloc.rtype = name.into();
        check.states = vec![state];
    }
    report
}

fn golden(kind: Kind, file: &str) {
    testing::golden(&format!("output/report/{file}"), &kind.render(&each_status(), false));
}

#[test]
fn each_format_as_it_is_kept() {
    golden(Kind::Text, "text.golden");
    golden(Kind::Ktap, "ktap.golden");
    golden(Kind::Tap, "tap.golden");
    golden(Kind::Junit, "junit.golden.xml");
    golden(Kind::Github, "github.golden");
    golden(Kind::Sarif, "sarif.golden.json");
    golden(Kind::Json, "json.golden.json");
}

/// Line by line and element by element, a report is built alike whatever the names in it are.
#[test]
fn no_name_forges_anything() {
    let plain = hostile("plain");
    for kind in KINDS {
        let shape = shape(kind, &kind.render(&plain, false));
        for name in HOSTILE {
            let text = kind.render(&hostile(name), false);
            assert_eq!(self::shape(kind, &text), shape, "{kind:?} {name:?}\n{text}");
            let unseen = |c: char| {
                c != '\n' && crate::model::escape::escape(c.to_string().as_bytes()) != c.to_string()
            };
            assert!(!text.chars().any(|c| c != '\\' && unseen(c)), "{kind:?} {name:?}\n{text}");
        }
    }
}

/// What a reader of the format would count.
fn shape(kind: Kind, text: &str) -> Vec<String> {
    match kind {
        Kind::Sarif | Kind::Json => {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let mut keys = Vec::new();
            skeleton(&value, &mut keys);
            keys
        }
        Kind::Junit => {
            let mut reader = quick_xml::Reader::from_str(text);
            reader.config_mut().check_end_names = true;
            let mut tags = Vec::new();
            loop {
                match reader.read_event().unwrap() {
                    quick_xml::events::Event::Eof => return tags,
                    quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag) => {
                        let attributes =
                            tag.attributes().map(|a| String::from_utf8(a.unwrap().key.0.to_vec()).unwrap());
                        let attributes: Vec<_> = attributes.collect();
                        tags.push(format!(
                            "{} {attributes:?}",
                            String::from_utf8(tag.name().0.to_vec()).unwrap()
                        ));
                    }
                    quick_xml::events::Event::DocType(_) => tags.push("doctype".into()),
                    _ => {}
                }
            }
        }
        // A line begins with what the format reads; what follows it is free text.
        // For people: what counts is that no line is added.
        Kind::Text => text.lines().map(|_| "line".to_owned()).collect(),
        Kind::Ktap | Kind::Tap | Kind::Github => text
            .lines()
            .map(|line| {
                let word =
                    line.trim_start().split([' ', ':']).find(|word| !word.is_empty()).unwrap_or_default();
                let result = word == "ok" || word == "not";
                let directive = if result && line.contains(" # SKIP") { " skip" } else { "" };
                let known = [
                    "ok",
                    "not",
                    "#",
                    "1..",
                    "---",
                    "...",
                    "KTAP",
                    "TAP",
                    "error",
                    "warning",
                    "notice",
                    "klp-trace",
                ];
                let known = known.iter().find(|known| word.starts_with(*known)).copied().unwrap_or("text");
                format!("{}{known}{directive}", if line.starts_with("::") { "::" } else { "" })
            })
            .collect(),
    }
}

fn skeleton(value: &serde_json::Value, keys: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                keys.push(key.clone());
                skeleton(value, keys);
            }
        }
        serde_json::Value::Array(array) => array.iter().for_each(|value| skeleton(value, keys)),
        _ => keys.push("value".to_owned()),
    }
}

#[test]
fn what_leaves_the_host_tells_no_address() {
    let mut told = Told::stale();
    let mut finding = testing::finding();
    finding.message = format!("holds {} of it", Address(0xffff_ffff_c040_0010));
    told.say(journal::Body::Finding(finding));
    let report = report("", &told);
    for kind in KINDS {
        let told = kind.render(&report, false).contains("ffffffffc04");
        assert_eq!(told, !kind.leaves_the_host(), "{kind:?}");
        assert!(kind.render(&report, true).contains("ffffffffc0400010"), "{kind:?}");
    }
}

#[test]
fn fingerprints_are_the_same_after_a_reboot() {
    let prints = |report: &Report| {
        let value: serde_json::Value = serde_json::from_str(&Kind::Sarif.render(report, true)).unwrap();
        let results = value["runs"][0]["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["partialFingerprints"].clone()).collect::<Vec<_>>()
    };
    let report = each_status();
    let mut moved = report.clone();
    for check in
        moved.sessions.iter_mut().flat_map(|session| &mut session.groups).flat_map(|group| &mut group.checks)
    {
        for state in &mut check.states {
            state.address = Some(Address(0xffff_ffff_dead_0000));
        }
    }
    assert_eq!(prints(&report), prints(&moved));
    let all = prints(&report);
    let distinct: std::collections::BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), all.len());
}

#[test]
fn sarif_says_open_for_what_cannot_be_told_and_accepted_for_what_is_allowed() {
    let value: serde_json::Value = serde_json::from_str(&Kind::Sarif.render(&each_status(), false)).unwrap();
    let results = value["runs"][0]["results"].as_array().unwrap();
    let of = |rule: &str| results.iter().filter(|result| result["ruleId"] == rule).collect::<Vec<_>>();
    assert_eq!(of("loss")[0]["kind"], "open");
    assert_eq!(of("loss")[0]["level"], "none");
    let allowed: Vec<_> =
        of("KLP001").into_iter().filter(|result| result.get("suppressions").is_some()).collect();
    assert_eq!(allowed.len(), 1);
    assert_eq!(of("KLP001").len(), 2);
    let uri = &of("KLP001")[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "file:///lib/modules/lp_one.ko");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(value["runs"][0]["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
    }
}

#[test]
fn the_json_is_as_its_schema_says() {
    let schema = super::schema();
    journal::schema::tests::assert_committed("klp-trace.assert-1.json", &schema);
    let none = report("", &Told::new());
    for text in all(Kind::Json).chain([Kind::Json.render(&none, true)]) {
        let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
        journal::schema::tests::assert_described(schema.clone(), &document);
        document["run"]["checks"][0]["status"] = "odd".into();
        assert!(!jsonschema::is_valid(&schema, &document));
    }
}

/// Says that a test is skipped for want of a program; a failure where every one must be there, as in `cargo xtask test`.
fn lacks(program: &str) {
    let what = format!("{program} is not installed: `cargo xtask setup` installs it");
    assert!(std::env::var_os("KLP_TRACE_ALL_READERS").is_none(), "{what}");
    eprintln!("skipped: {what}");
}

/// Gives text to a program's standard input; none when the program is not installed here.
fn read_by(program: &str, arguments: &[&str], text: &str) -> Option<(bool, String)> {
    let mut child = std::process::Command::new(program);
    child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match child.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            lacks(program);
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    // One that ends before it has read all has said why.
    let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
    let out = child.wait_with_output().unwrap();
    let said = [out.stdout, out.stderr].concat();
    Some((out.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

/// A schema that is kept with its licence (tests/schemas/README.md).
fn schema(name: &str) -> String {
    format!("{}/../tests/schemas/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Every report that a reader is to accept: plain ones and hostile ones.
fn all(kind: Kind) -> impl Iterator<Item = String> {
    let reports = [each_status(), report("", &Told::reload())];
    let hostile = HOSTILE.iter().map(|name| hostile(name));
    reports.into_iter().chain(hostile).map(move |report| kind.render(&report, false))
}

#[test]
fn prove_reads_tap() {
    // Debian 12's prove knows versions up to 13, of which 14 is an extension; the version's line is all it refuses.
    let known = |text: String| text.replacen("TAP version 14", "TAP version 13", 1);
    for text in all(Kind::Tap).map(known) {
        let file = tempfile::Builder::new().suffix(".tap").tempfile().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let Some((_, said)) = read_by("prove", &["-v", file.path().to_str().unwrap()], "") else { return };
        assert!(
            !said.contains("Parse errors") && !said.contains("Further testing stopped"),
            "{text}\n{said}"
        );
    }
    let good = known(Kind::Tap.render(&report("", &Told::reload()), false));
    let file = tempfile::Builder::new().suffix(".tap").tempfile().unwrap();
    std::fs::write(file.path(), &good).unwrap();
    let Some((passed, said)) = read_by("prove", &[file.path().to_str().unwrap()], "") else { return };
    assert!(passed && said.contains("Tests=4"), "{said}");
}

#[test]
fn xmllint_reads_junit_by_the_schema_of_jenkins() {
    let schema = schema("junit-10.xsd");
    let arguments = ["--noout", "--nonet", "--schema", &schema, "-"];
    for text in all(Kind::Junit) {
        let Some((accepted, said)) = read_by("xmllint", &arguments, &text) else { return };
        assert!(accepted, "{text}\n{said}");
        let wrong = text.replacen("<testcase name=", "<testcase nome=", 1);
        let (accepted, _) = read_by("xmllint", &arguments, &wrong).unwrap();
        assert!(!accepted, "{wrong}");
    }
}

#[test]
fn the_published_schema_accepts_sarif() {
    // Its pattern for a language has a bracket too many, which only a lenient reader of patterns passes over; no language
    // is written.
    let (odd, meant) = ("^[a-zA-Z]{2}|^[a-zA-Z]{2}-[a-zA-Z]{2}]?$", "^[a-zA-Z]{2}(-[a-zA-Z]{2})?$");
    let schema = std::fs::read_to_string(schema("sarif-schema-2.1.0.json")).unwrap().replace(odd, meant);
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    for text in all(Kind::Sarif) {
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?} in {text}");
        value["version"] = "2.0.0".into();
        assert!(!schema.is_valid(&value));
    }
}
