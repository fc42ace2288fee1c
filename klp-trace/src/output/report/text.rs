//! The report for people: what is wrong first, then what it was judged by.

use super::details::{COMMAND, ROWS, Shown};
use super::{Format, Report, Words, details};
use crate::output::style::Style;
use crate::policy::{Check, Status};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) struct Text;

impl Format for Text {
    fn render(&self, report: &Report, words: Words) -> String {
        let mut out = String::new();
        let mut groups = report.groups();
        // What failed is last: at the end of a long log, above the prompt.
        groups.sort_by_key(|(_, checks)| checks.iter().map(|check| check.status).max());
        // Of one session: another's relocations may stand at the same address.
        let session =
            |name: &str| name.rsplit_once(' ').map_or(String::new(), |(session, _)| session.to_owned());
        let mut shown: BTreeMap<String, Vec<&Check>> = BTreeMap::new();
        for (name, checks) in &groups {
            shown.entry(session(name)).or_default().extend(checks.iter());
        }
        let shown: BTreeMap<String, Shown> =
            shown.into_iter().map(|(name, checks)| (name, Shown::of(checks.into_iter(), ROWS))).collect();
        for (name, checks) in groups {
            let shown = shown.get(&session(&name));
            let _ = writeln!(out, "{}", words.of(&name));
            let (good, rest): (Vec<&Check>, Vec<&Check>) = checks.iter().partition(|check| is_plain(check));
            if !good.is_empty() && name.ends_with("findings") {
                let _ = writeln!(out, "  ok       none of {}", ids(&good));
            } else {
                for check in good {
                    let _ = writeln!(out, "  ok       {}", one_line(check, words));
                }
            }
            for check in rest {
                let _ = writeln!(out, "  {:<7}  {}", word(check), words.of(&check.name));
                for line in lines(check, shown, words) {
                    let _ = writeln!(out, "{:DETAIL$}{line}", "");
                }
            }
        }
        for session in &report.sessions {
            let times =
                session.times.as_ref().map(|(from, to)| format!(", {from} to {to}")).unwrap_or_default();
            let _ =
                writeln!(out, "host {}, Linux {}{times}", words.of(&session.host), words.of(&session.kernel));
        }
        if let Some(policy) = &report.policy {
            let _ = writeln!(out, "policy {}", words.of(policy));
        }
        let count = |wanted| report.checks().filter(|check| check.status == wanted).count();
        let (code, meaning) = report.exit;
        let _ = writeln!(
            out,
            "{} passed, {} failed, {} unknown, {} skipped: exit {code}, {meaning}",
            count(Status::Pass),
            count(Status::Fail),
            count(Status::Unknown),
            count(Status::Skip)
        );
        out
    }
}

/// What is said of a check; of relocations that a finding shows already, only how many.
fn lines(check: &Check, shown: Option<&Shown>, words: Words) -> Vec<String> {
    let Some(shown) = shown else { return details::lines(check, words, ROWS) };
    let (rest, under) = shown.rest(check);
    let mut lines = details::said(check, words);
    lines.extend(under.into_iter().map(|(id, number)| format!("{number} shown under {id}")));
    if rest.is_empty() {
        lines.extend(details::more(0, 0, check));
    }
    lines.extend(details::table(&rest, check, words, ROWS));
    lines
}

/// The text for a terminal: broken at its width, but for commands, which are pasted; quietly without what is met.
pub fn dressed(text: &str, style: Style, quiet: bool) -> String {
    let command = " ".repeat(DETAIL + COMMAND);
    let shown = |line: &&str| !(quiet && line.starts_with("  ok  "));
    let line = |line: &str| if line.starts_with(&command) { line.to_owned() } else { style.wrap(line) };
    text.lines().filter(shown).map(line).collect::<Vec<_>>().join("\n")
}

/// Cells before what is said of a check.
const DETAIL: usize = 11;

/// Passed, with nothing to be said that a person would want to see.
fn is_plain(check: &Check) -> bool {
    check.status == Status::Pass && check.finding.is_none() && check.allowed.is_none()
}

fn ids(checks: &[&Check]) -> String {
    let ids: Vec<_> = checks.iter().map(|check| check.rule.id()).collect();
    ids.join(", ")
}

fn one_line(check: &Check, words: Words) -> String {
    let name = words.of(&check.name);
    if check.what.is_empty() { name } else { format!("{name}: {}", words.of(&check.what)) }
}

fn word(check: &Check) -> &'static str {
    match check.status {
        Status::Fail => "FAILED",
        Status::Unknown => "UNKNOWN",
        Status::Skip => "skipped",
        Status::Pass if check.allowed.is_some() => "allowed",
        Status::Pass => "noted",
    }
}
