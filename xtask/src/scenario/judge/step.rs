//! One step: exit code, output, the kernel's log, findings.

use std::collections::BTreeMap;

use crate::scenario::exchange::StepReport;
use crate::scenario::format::Found;
use crate::scenario::instance::Expected;
use crate::scenario::journal::Finding;

/// What the kernel does not say in a run where all is well; a scenario that expects one of these says so.
const SUSPICIOUS: [&str; 14] = [
    "WARNING:",
    "BUG:",
    "Oops",
    "Call Trace:",
    "general protection fault",
    "soft lockup",
    "invalid opcode",
    "existing value is nonzero",
    "does not match expected",
    "refusing to load",
    "failed to initialize patch",
    "failed to apply patch",
    "overflow in relocation",
    "Unknown symbol",
];

/// Judges what does not come from the journal.
pub fn judge(expected: &Expected, seen: &StepReport, wrong: &mut Vec<String>) {
    if seen.rc != expected.rc {
        wrong.push(format!("exit code {}, expected {}: {}", seen.rc, expected.rc, seen.output.trim()));
    }
    for part in expected.output.iter().filter(|part| !seen.output.contains(*part)) {
        wrong.push(format!("no {part:?} in its output: {}", seen.output.trim()));
    }
    for part in expected.output_not.iter().filter(|part| seen.output.contains(*part)) {
        wrong.push(format!("{part:?} in its output: {}", seen.output.trim()));
    }
    for part in &expected.dmesg {
        if !seen.dmesg.iter().any(|line| line.contains(part)) {
            wrong.push(format!("the kernel did not say {part:?}, but {:?}", seen.dmesg));
        }
    }
    for line in &seen.dmesg {
        let allowed = expected.dmesg.iter().any(|part| line.contains(part));
        let forbidden = SUSPICIOUS.iter().copied().chain(expected.dmesg_not.iter().map(String::as_str));
        if !allowed && forbidden.into_iter().any(|part| line.contains(part)) {
            wrong.push(format!("the kernel said {line:?}"));
        }
    }
}

/// Judges the findings made in a step: these and no other.
pub fn findings(expected: &Expected, made: &[Finding], wrong: &mut Vec<String>) {
    exactly(&expected.findings, made, wrong);
}

/// Judges the findings closed in a step, where the scenario says which: these and no other, each once or more.
pub fn closed(expected: &Expected, said: &[(String, String)], wrong: &mut Vec<String>) {
    let Some(expected) = &expected.closed else { return };
    let awaited = expected.iter().flat_map(|(id, ends)| ends.words().iter().map(move |end| (id, end)));
    for (id, end) in
        awaited.filter(|(id, end)| !said.iter().any(|closed| (&closed.0, &closed.1) == (*id, *end)))
    {
        wrong.push(format!("{id} was not closed ({end})"));
    }
    let called_for =
        |id: &String, end: &String| expected.get(id).is_some_and(|ends| ends.words().contains(end));
    for (id, end) in said.iter().filter(|(id, end)| !called_for(id, end)) {
        wrong.push(format!("{id} was closed ({end}), expected {:?}", expected.get(id)));
    }
}

/// These findings and no other.
pub fn exactly(expected: &BTreeMap<String, Found>, made: &[Finding], wrong: &mut Vec<String>) {
    let mut by_id: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in made {
        by_id.entry(&finding.id).or_default().push(finding);
    }
    for (id, found) in expected {
        one(id, found, &by_id.remove(id.as_str()).unwrap_or_default(), wrong);
    }
    for finding in by_id.values().flatten() {
        wrong.push(format!("a finding that nothing calls for: {}", finding.brief()));
    }
}

/// Judges the losses said in a step; whether there may be any at all is judged at the end.
pub fn lost(expected: &Expected, said: &[String], wrong: &mut Vec<String>) {
    for part in expected.lost.iter().filter(|part| !said.iter().any(|record| record.contains(*part))) {
        wrong.push(format!("no events_lost record has {part:?}: {said:?}"));
    }
}

fn one(id: &str, expected: &Found, made: &[&Finding], wrong: &mut Vec<String>) {
    let right = if expected.count == 0 { !made.is_empty() } else { made.len() == expected.count };
    if !right {
        let wanted = if expected.count == 0 { "some".to_owned() } else { expected.count.to_string() };
        let texts: Vec<String> = made.iter().map(|finding| finding.brief()).collect();
        wrong.push(format!("{} findings {id}, expected {wanted} {texts:?}", made.len()));
    }
    for part in expected.some.iter().filter(|part| !made.iter().any(|finding| finding.text.contains(*part))) {
        let texts: Vec<String> = made.iter().map(|finding| finding.brief()).collect();
        wrong.push(format!("no {id} says {part:?}: {texts:?}"));
    }
    for (part, finding) in expected.text.iter().flat_map(|part| made.iter().map(move |f| (part, f))) {
        if !finding.text.contains(part) {
            wrong.push(format!("{id} does not say {part:?}: {}", finding.brief()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::format::Ends;

    fn finding(id: &str, text: &str) -> Finding {
        Finding { id: id.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn the_findings_expected_and_no_other() {
        let found = Found { text: vec!["refused".to_owned()], ..Found::default() };
        let expected =
            Expected { findings: BTreeMap::from([("KLP001".to_owned(), found)]), ..Expected::default() };
        let judge = |made: &[Finding]| {
            let mut wrong = Vec::new();
            findings(&expected, made, &mut wrong);
            wrong.len()
        };
        assert_eq!(judge(&[finding("KLP001", "will be refused")]), 0);
        assert_eq!(judge(&[]), 1);
        assert_eq!(judge(&[finding("KLP001", "other words")]), 1);
        assert_eq!(judge(&[finding("KLP001", "refused"), finding("KLP001", "refused")]), 1);
        assert_eq!(judge(&[finding("KLP001", "refused"), finding("KLP013", "lost")]), 1);
    }

    #[test]
    fn the_closings_expected_and_no_other() {
        let judge = |wanted: Option<&str>, said: &[(&str, &str)]| {
            let closed = wanted.map(|end| BTreeMap::from([("KLP001".to_owned(), Ends::All(end.to_owned()))]));
            let said: Vec<_> = said.iter().map(|(id, end)| ((*id).to_owned(), (*end).to_owned())).collect();
            let mut wrong = Vec::new();
            super::closed(&Expected { closed, ..Expected::default() }, &said, &mut wrong);
            wrong.len()
        };
        assert_eq!(judge(Some("cleared"), &[("KLP001", "cleared")]), 0);
        assert_eq!(judge(Some("cleared"), &[]), 1);
        assert_eq!(judge(Some("cleared"), &[("KLP001", "written")]), 2);
        assert_eq!(judge(Some("cleared"), &[("KLP001", "cleared"), ("KLP002", "cleared")]), 1);
        assert_eq!(judge(None, &[("KLP002", "cleared")]), 0);
    }

    #[test]
    fn what_some_say_one_of_them_must_say() {
        let found = Found {
            count: 2,
            some: vec!["of lp_one".to_owned(), "of lp_two".to_owned()],
            ..Found::default()
        };
        let judge = |texts: [&str; 2]| {
            let made: Vec<Finding> = texts.iter().map(|text| finding("KLP001", text)).collect();
            let mut wrong = Vec::new();
            exactly(&BTreeMap::from([("KLP001".to_owned(), found.clone())]), &made, &mut wrong);
            wrong.len()
        };
        assert_eq!(judge(["3 of lp_two", "3 of lp_one"]), 0);
        assert_eq!(judge(["3 of lp_one", "3 of lp_one"]), 1);
    }

    #[test]
    fn the_kernels_complaints_must_be_expected() {
        let seen = StepReport {
            dmesg: vec!["module: x86/modules: existing value is nonzero for type 2".to_owned()],
            rc: 1,
            ..StepReport::default()
        };
        let mut expected = Expected { rc: 1, ..Expected::default() };
        let mut wrong = Vec::new();
        judge(&expected, &seen, &mut wrong);
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        expected.dmesg.push("existing value is nonzero".to_owned());
        wrong.clear();
        judge(&expected, &seen, &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
        judge(&expected, &StepReport::default(), &mut wrong);
        assert_eq!(wrong.len(), 2, "neither the exit code nor the message came: {wrong:?}");
    }
}
