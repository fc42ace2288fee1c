//! What lint found, for people: one block a finding.

use std::fmt::Write as _;

use crate::lint::{Finding, Report, Unchecked, ranges};
use crate::model::Severity;
use crate::output::escape::escape;
use crate::output::style::{Style, Tone};

/// Characters of a list of relocations; the rest is counted.
const LIST: usize = 48;

/// A report as lines. Names in it are escaped already.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "  {:<12}{}", "lint", summary(report, style));
    for finding in &report.findings {
        block(&mut out, finding, style);
    }
    for unchecked in gathered(&report.unchecked) {
        let mark = style.paint(Tone::Unsure, "? not checked");
        let _ = writeln!(out, "    {mark}  {unchecked}");
    }
    out
}

fn block(out: &mut String, finding: &Finding, style: Style) {
    let mut mark = style.severity(finding.severity);
    if finding.allowed {
        match &finding.reason {
            Some(reason) => {
                let _ = write!(mark, " (allowed: {})", escape(reason.as_bytes()));
            }
            None => mark.push_str(" (allowed)"),
        }
    }
    let dot = style.symbol("·", "-");
    let _ = writeln!(out, "    {mark}  {} {} {dot} {}", finding.id, finding.name, finding.rule);
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "      {}  {text}", style.paint(Tone::Dim, &format!("{label:<6}")));
    };
    line("what", &finding.what);
    if let Some(section) = &finding.section {
        let mut place = format!("section {} {}", section.index, section.name);
        if !finding.relocations.is_empty() {
            place.push_str(&relocations(&finding.relocations));
        }
        line("where", &place);
    }
    line("kernel", &finding.kernel);
    line("do", &finding.remedy);
}

/// ", relocations 0-3, 7", and how many when they are too many to list.
fn relocations(indices: &[u32]) -> String {
    let list = ranges(indices);
    match (indices.len(), list.len() <= LIST) {
        (1, _) => format!(", relocation {list}"),
        (_, true) => format!(", relocations {list}"),
        (count, false) => {
            let cut = list.char_indices().take_while(|(at, _)| *at < LIST).filter(|(_, c)| *c == ',').last();
            let shown = cut.and_then(|(at, _)| list.get(..at)).unwrap_or_default();
            format!(", {count} relocations: {shown}, …")
        }
    }
}

/// One line for each subject and reason: "KLP008, KLP014 for veth: why".
fn gathered(unchecked: &[Unchecked]) -> Vec<String> {
    let mut lines: Vec<(String, &Unchecked)> = Vec::new();
    for one in unchecked {
        match lines.iter_mut().find(|(_, u)| (&u.subject, &u.why) == (&one.subject, &one.why)) {
            Some((ids, _)) => {
                let _ = write!(ids, ", {}", one.id);
            }
            None => lines.push((one.id.to_string(), one)),
        }
    }
    lines.into_iter().map(|(ids, u)| format!("{ids} for {}: {}", u.subject, u.why)).collect()
}

/// "clean", or how many of each severity; and what was not checked.
pub fn summary(report: &Report, style: Style) -> String {
    let of = |severity| report.counted().filter(|f| f.severity == severity).count();
    let allowed = report.findings.iter().filter(|f| f.allowed).count();
    let counts =
        [(of(Severity::Error), "error"), (of(Severity::Warning), "warning"), (of(Severity::Info), "info")];
    let mut parts: Vec<String> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}{}", if *n == 1 { "" } else { "s" }))
        .collect();
    let tone = match report.worst() {
        Some(Severity::Error) => Tone::Bad,
        Some(_) => Tone::Unsure,
        None => Tone::Good,
    };
    if parts.is_empty() {
        parts.push("clean".to_owned());
    }
    if allowed > 0 {
        parts.push(format!("{allowed} allowed"));
    }
    let mut text = style.paint(tone, &parts.join(", "));
    let mut ids: Vec<String> = report.unchecked.iter().map(|u| u.id.to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    if !ids.is_empty() {
        let _ = write!(text, "; not checked: {}", ids.join(", "));
    }
    text
}
