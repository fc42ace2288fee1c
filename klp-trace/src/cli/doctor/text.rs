//! What `doctor` shows to people.

use std::fmt::Write as _;

use super::report::{Check, Report, Status};
use crate::model::escape::escape;
use crate::output::style::{Style, Tone};

/// Below the check's name: the name's column, whatever the names' width, so that sentences have room.
const INDENT: &str = "          ";

/// The report as aligned lines; the reason and the remedy are shown where something is to be done or known.
pub(super) fn render(report: &Report, style: Style) -> String {
    let width = report.checks.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "klp-trace {} on Linux {} {}\n",
        report.tool.version,
        escape(report.kernel.release.as_bytes()),
        escape(report.kernel.arch.as_bytes())
    );
    for check in &report.checks {
        line(&mut out, check, width, style);
    }
    let lacks = report.checks.iter().filter(|check| check.status == Status::Lack).count();
    let verdict = match lacks {
        0 => style.paint(Tone::Good, "Ready: klp-trace can watch this kernel."),
        1 => style.paint(Tone::Bad, "Not ready: 1 lack."),
        n => style.paint(Tone::Bad, &format!("Not ready: {n} lacks.")),
    };
    let _ = writeln!(out, "\n{verdict}");
    out
}

fn line(out: &mut String, check: &Check, width: usize, style: Style) {
    let (unicode, ascii, word, tone) = match check.status {
        Status::Ok => ("✓", "+", "ok  ", Tone::Good),
        Status::Lack => ("✗", "x", "lack", Tone::Bad),
        Status::Note => ("!", "!", "note", Tone::Notice),
    };
    let status = style.paint(tone, &format!("{} {word}", style.symbol(unicode, ascii)));
    let found = escape(check.found.as_bytes());
    let _ = writeln!(out, "{status}  {:width$}  {found}", check.id);
    if check.status == Status::Ok {
        return;
    }
    let _ = writeln!(out, "{INDENT}{}", style.paint(Tone::Dim, &check.why));
    if let Some(remedy) = &check.remedy {
        let _ = writeln!(out, "{INDENT}{} {remedy}", style.symbol("→", "->"));
    }
}
