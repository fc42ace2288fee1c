//! Whether a host would take a livepatch, for people.

use std::fmt::Write as _;

use crate::check_host::{Answer, Report};
use crate::output::style::{Style, Tone};

/// A report as lines. Names in it are escaped already.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    let end = match report.answer {
        Answer::Yes => "yes",
        Answer::Warning => "yes, with a warning",
        Answer::Unknown => "cannot be told",
        Answer::No => "no",
    };
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        out,
        "  would {} load here, on {}? {}",
        report.patch,
        report.kernel,
        style.paint(tone(report.answer), end)
    );
    for check in &report.checks {
        let word = match check.answer {
            Answer::Yes => "yes    ",
            Answer::Warning => "warning",
            Answer::Unknown => "unknown",
            Answer::No => "no     ",
        };
        let subject = check.object.as_ref().map(|object| format!("{object}: ")).unwrap_or_default();
        let mark = style.paint(tone(check.answer), word);
        let _ = writeln!(out, "    {mark}  {subject}{}: {}", check.about, check.what);
        if let Some(remedy) = &check.remedy {
            let _ = writeln!(out, "             {}  {remedy}", style.paint(Tone::Dim, "do"));
        }
    }
    out
}

fn tone(answer: Answer) -> Tone {
    match answer {
        Answer::Yes => Tone::Good,
        Answer::Warning => Tone::Notice,
        Answer::Unknown => Tone::Unsure,
        Answer::No => Tone::Bad,
    }
}
