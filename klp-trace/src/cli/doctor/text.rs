//! What `doctor` shows to people.

use std::fmt::Write as _;

use super::report::{Check, Report, Status};
use crate::model::escape::escape;
use crate::output::style::{Style, Tone};
use crate::output::wrap;

/// Below the check's name: the name's column, whatever the names' width, so that sentences have room.
const INDENT: &str = "           ";

/// Before what helps against what is missing.
const REMEDY: &str = "      ";

/// Cells of the names' column: longer names, of hooks, push what follows to the right, so that the others have room.
const NAME: usize = 22;

/// The report as aligned lines; the reason and the remedy are shown where something is to be done or known.
pub(super) fn render(report: &Report, style: Style) -> String {
    let names = report.checks.iter().map(|check| check.id.len());
    let width = names.filter(|name| *name <= NAME).max().unwrap_or(0);
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "klp-trace {} on Linux {} {}\n",
        report.tool.version,
        escape(report.kernel.release.as_bytes()),
        escape(report.kernel.arch.as_bytes())
    );
    let mut folded: Vec<&Check> = Vec::new();
    for check in &report.checks {
        if folded.iter().any(|done| is_same(done, check)) {
            continue;
        }
        let same: Vec<&Check> = report.checks.iter().filter(|other| is_same(check, other)).collect();
        if same.len() > 1 {
            folded.push(check);
        }
        line(&mut out, &same, width, style);
    }
    let _ = writeln!(out);
    end(&mut out, report, style);
    wrapped(&out, style)
}

/// What is missing alone; nothing where nothing is.
pub(super) fn render_quietly(report: &Report, style: Style) -> String {
    let mut out = String::new();
    if !report.ready {
        end(&mut out, report, style);
    }
    wrapped(&out, style)
}

/// Broken at the terminal's width, but for what is to be pasted.
fn wrapped(text: &str, style: Style) -> String {
    let remedy = format!("{INDENT}{} ", style.symbol("→", "->"));
    let line = |line: &str| {
        let is_last = line.starts_with(REMEDY) && !line.starts_with(INDENT);
        let is_remedy = is_last || line.starts_with(&remedy);
        if is_remedy { line.to_owned() } else { wrap::line(line, style.width) }
    };
    text.lines().map(|each| line(each) + "\n").collect()
}

/// Whether two notes say the same: they follow from one thing, and are told in one line.
fn is_same(a: &Check, b: &Check) -> bool {
    a.id == b.id
        || (a.status == Status::Note
            && (b.status, &b.found, &b.why, &b.remedy) == (a.status, &a.found, &a.why, &a.remedy))
}

/// The last lines: what is missing by name, and how to get it; one remedy for all that it helps.
fn end(out: &mut String, report: &Report, style: Style) {
    let lacks: Vec<&Check> = report.checks.iter().filter(|check| check.status == Status::Lack).collect();
    let missing = match lacks.len() {
        0 => {
            let _ = writeln!(out, "{}", style.paint(Tone::Good, "Ready: klp-trace can watch this kernel."));
            return;
        }
        1 => "Not ready: 1 requirement is missing.".to_owned(),
        n => format!("Not ready: {n} requirements are missing."),
    };
    let _ = writeln!(out, "{}", style.paint(Tone::Bad, &missing));
    let mut remedies: Vec<(&str, Vec<&str>)> = Vec::new();
    for lack in lacks {
        let remedy = lack.remedy.as_deref().unwrap_or_default();
        match remedies.iter_mut().find(|(known, _)| *known == remedy) {
            Some((_, ids)) => ids.push(&lack.id),
            None => remedies.push((remedy, vec![&lack.id])),
        }
    }
    for (remedy, ids) in remedies {
        let _ = writeln!(out, "  {}:", ids.join(", "));
        let _ = writeln!(out, "{REMEDY}{remedy}");
    }
}

/// A check, with those that say the same.
fn line(out: &mut String, same: &[&Check], width: usize, style: Style) {
    let Some(check) = same.first() else { return };
    let (unicode, ascii, word, tone) = match check.status {
        Status::Ok => ("✓", "+", "ok     ", Tone::Good),
        Status::Lack => ("✗", "x", "missing", Tone::Bad),
        Status::Note => ("!", "!", "note   ", Tone::Notice),
    };
    let status = style.paint(tone, &format!("{} {word}", style.symbol(unicode, ascii)));
    let found = escape(check.found.as_bytes());
    let _ = writeln!(out, "{status}  {:width$}  {found}", check.id);
    if same.len() > 1 {
        let others: Vec<&str> = same.iter().skip(1).map(|check| check.id.as_str()).collect();
        let _ = writeln!(out, "{INDENT}and so: {}", others.join(", "));
    }
    if check.status == Status::Ok {
        return;
    }
    let _ = writeln!(out, "{INDENT}{}", style.paint(Tone::Dim, &check.why));
    // Those of what is missing stand at the end.
    if let Some(remedy) = check.remedy.as_ref().filter(|_| check.status != Status::Lack) {
        let _ = writeln!(out, "{INDENT}{} {remedy}", style.symbol("→", "->"));
    }
}
