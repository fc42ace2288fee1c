//! A relocation: the three witnesses, the bytes, and its history.

use super::{heading, help, symbol};
use crate::journal::{Elf, ElfWitness};
use crate::model::{Bytes, Hook, Verdict};
use crate::output::text::relocation;
use crate::tui::picture::Picture;
use crate::tui::picture::tree::{Change, Patch, Reloc, Section};
use crate::tui::state::State;
use crate::tui::text::{fit, headed, safe, wrap};
use crate::tui::view::{load, time};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::fmt::Write as _;

type Of<'a> = (&'a Patch, &'a Section, &'a Reloc);

pub(super) fn lines(state: &State, picture: &Picture, of: Of<'_>, width: u16) -> Vec<Line<'static>> {
    let (patch, section, reloc) = of;
    let cells = usize::from(width);
    let mut lines = head(state, of);
    if let Some(verdict) = reloc.verdict {
        let reason = reloc.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        lines.push(Line::raw(format!("{}{reason}", help::meaning(verdict))));
    }
    lines.push(Line::raw(""));
    lines.extend(witnesses(state, picture, of, cells));
    lines.push(Line::raw(""));
    lines.extend(bytes(state, reloc));
    if let Some((to, name)) = picture.points_to(reloc) {
        let what = match name {
            Some(name) => format!("{to:#x}, {}", safe(&name)),
            None => format!("{to:#x}, where no symbol is known"),
        };
        let gone = if section.object.address.is_none() && &*section.object.name != "vmlinux" {
            format!("; {} is not loaded now", safe(&section.object.name))
        } else {
            String::new()
        };
        lines.extend(headed("points to ", Style::new(), &format!("{what}{gone}"), cells));
    }
    lines.push(Line::raw(""));
    lines.extend(history(state, picture, reloc, cells));
    lines.push(Line::raw(""));
    for found in picture.findings.list().iter().filter(|found| found.finding.patch.as_ref() == Some(&patch.r))
    {
        let (severity, style) = state.theme.severity(found.finding.severity);
        let head = format!("{severity} {}  do ", found.finding.id);
        lines.extend(headed(&head, style, &safe(&found.finding.action), cells));
    }
    lines
}

fn head(state: &State, (patch, section, reloc): Of<'_>) -> Vec<Line<'static>> {
    let arrow = state.theme.pick("→", "->");
    let (word, style) = match reloc.verdict {
        Some(verdict) => (state.theme.word(verdict), state.theme.verdict(verdict)),
        None => ("listed, not judged".to_owned(), Style::new()),
    };
    let object = load(&section.object.name, section.object.load);
    let who = format!("{} {arrow} {object}", load(&patch.r.name, Some(patch.r.load)));
    vec![
        Line::from(vec![
            Span::styled(word, style),
            Span::raw("  "),
            Span::styled(relocation(&reloc.r), Style::new().add_modifier(Modifier::BOLD)),
        ]),
        Line::raw(format!("{who}  {}", safe(&section.r.name))),
    ]
}

/// Memory, ELF, symbols: side by side.
fn witnesses(state: &State, picture: &Picture, of: Of<'_>, cells: usize) -> Vec<Line<'static>> {
    let columns = [memory(of), elf(of), symbols(picture, of)];
    let ascii = state.theme.ascii;
    let bar = state.theme.pick(" │ ", " | ");
    let each = cells.saturating_sub(2 * 3) / 3;
    let wrapped: Vec<Vec<String>> =
        columns.iter().map(|(_, lines)| lines.iter().flat_map(|line| wrap(line, each)).collect()).collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let row = |texts: Vec<String>, style: Style| {
        let mut spans = Vec::new();
        for (at, text) in texts.into_iter().enumerate() {
            if at > 0 {
                spans.push(Span::raw(bar));
            }
            spans.push(Span::styled(fit(&text, each, ascii), style));
        }
        Line::from(spans)
    };
    let mut lines = vec![row(columns.iter().map(|(title, _)| (*title).to_owned()).collect(), bold)];
    for at in 0..height {
        let texts = wrapped.iter().map(|column| column.get(at).cloned().unwrap_or_default());
        lines.push(row(texts.collect(), Style::new()));
    }
    lines
}

type Column = (&'static str, Vec<String>);

fn memory((_, section, reloc): Of<'_>) -> Column {
    let mut lines = Vec::new();
    match reloc.address {
        Some(address) => lines.push(format!("at {address}")),
        None => lines.push("not read yet".to_owned()),
    }
    if let Some(actual) = reloc.actual {
        lines.push(format!("holds {actual}"));
    }
    if let Some(witnesses) = reloc.witnesses {
        lines.push(format!("read by {}", witnesses.memory.word()));
    }
    if let Some(read) = reloc.history.last().and_then(|change| change.read) {
        lines.push(format!("at {}", place(read)));
    }
    if section.writable {
        lines.push("writable at run time".to_owned());
    }
    ("MEMORY", lines)
}

fn elf((_, section, reloc): Of<'_>) -> Column {
    let target = if section.target.is_empty() { "its section".into() } else { safe(&section.target) };
    let mut lines = vec![safe(&reloc.r.rtype).into_owned(), format!("at {} in {target}", reloc.r.offset)];
    lines.push(symbol(reloc));
    match &section.elf {
        Some(Elf::File { path, .. }) => lines.push(format!("file {}", safe(path))),
        Some(Elf::Memory { why }) => lines.push(format!("the kernel's own copy: {}", safe(why))),
        Some(Elf::Differs { path, difference }) => {
            lines.push(format!("{} differs: {}", safe(path), safe(difference)));
        }
        None => lines.push("not read yet".to_owned()),
    }
    let weak = reloc.witnesses.is_some_and(|witnesses| witnesses.elf == ElfWitness::Memory);
    (if weak { "ELF (the weaker witness)" } else { "ELF" }, lines)
}

fn symbols(_: &Picture, (_, section, reloc): Of<'_>) -> Column {
    let mut lines =
        vec![format!("{} of {}", safe(&reloc.r.symbol), load(&section.object.name, section.object.load))];
    match (reloc.live, reloc.witnesses.and_then(|witnesses| witnesses.symbols)) {
        (Some(live), Some(from)) => {
            lines.push(format!("is at {live}"));
            lines.push(format!("by {}", from.word()));
        }
        (Some(live), None) => lines.push(format!("is at {live}")),
        (None, _) => match reloc.verdict {
            Some(Verdict::Unknown) => lines.push("not found for certain".to_owned()),
            _ => lines.push("not needed: nothing should be written".to_owned()),
        },
    }
    if let Some(recorded) = reloc.recorded {
        lines.push(format!("the kernel noted {recorded}"));
    }
    ("SYMBOLS", lines)
}

/// Expected and actual bytes; what differs is marked by style and by carets.
fn bytes(state: &State, reloc: &Reloc) -> Vec<Line<'static>> {
    let hex =
        |bytes: &Bytes| -> Vec<String> { bytes.as_slice().iter().map(|b| format!("{b:02x}")).collect() };
    let none = |text: &str| Line::raw(text.to_owned());
    match (reloc.expected, reloc.actual) {
        (Some(expected), Some(actual)) => {
            let (expected, actual) = (hex(&expected), hex(&actual));
            let differs = |at: usize| expected.get(at) != actual.get(at);
            let bad = state.theme.tone(crate::output::style::Tone::Bad);
            let mut spans = vec![Span::raw("holds     ")];
            for (at, byte) in actual.iter().enumerate() {
                let style = if differs(at) { bad } else { Style::new() };
                spans.push(Span::styled(byte.clone(), style));
                spans.push(Span::raw(" "));
            }
            let marks: Vec<_> = (0..actual.len()).map(|at| if differs(at) { "^^" } else { "  " }).collect();
            let mut lines = vec![Line::raw(format!("expected  {}", expected.join(" "))), Line::from(spans)];
            if marks.iter().any(|mark| *mark != "  ") {
                lines.push(Line::raw(format!("          {}", marks.join(" ").trim_end())));
            }
            lines
        }
        (None, Some(actual)) => {
            vec![
                none("expected  nothing: it was never written"),
                Line::raw(format!("holds     {}", hex(&actual).join(" "))),
            ]
        }
        (Some(expected), None) => {
            vec![
                Line::raw(format!("expected  {}", hex(&expected).join(" "))),
                none("holds     not known now"),
            ]
        }
        (None, None) => vec![none("holds     not known now")],
    }
}

fn history(state: &State, picture: &Picture, reloc: &Reloc, cells: usize) -> Vec<Line<'static>> {
    let mut lines = vec![heading("History")];
    for (at, change) in reloc.history.iter().enumerate() {
        if at == 1 && reloc.forgotten > 0 {
            let dots = state.theme.pick("…", "...");
            lines.push(Line::raw(format!("  {dots} {} changes more", reloc.forgotten)));
        }
        let (word, style) = match change.verdict {
            Some(verdict) => (state.theme.word(verdict), state.theme.verdict(verdict)),
            None => ("listed".to_owned(), Style::new()),
        };
        let text = happened(change);
        let head = format!("  {} ", time(picture, change.mono_ns));
        let indent = crate::tui::text::width(&head) + 11;
        for (at, part) in wrap(&text, cells.saturating_sub(indent)).into_iter().enumerate() {
            if at == 0 {
                lines.push(Line::from(vec![
                    Span::raw(head.clone()),
                    Span::styled(fit(&word, 11, state.theme.ascii), style),
                    Span::raw(part),
                ]));
            } else {
                lines.push(Line::raw(format!("{}{part}", " ".repeat(indent))));
            }
        }
    }
    lines
}

/// `written by apply_relocate_add, insmod[286]`.
fn happened(change: &Change) -> String {
    let mut text = match (change.verdict, change.read) {
        (Some(Verdict::Applied), Some(Hook::ApplyRelocateAdd)) => "written by apply_relocate_add".to_owned(),
        (Some(Verdict::Cleared), Some(Hook::ClearRelocateAdd)) => "cleared by clear_relocate_add".to_owned(),
        (_, Some(hook)) => format!("read at {}", place(hook)),
        (_, None) => "without a new look at the memory".to_owned(),
    };
    if let Some(task) = &change.task {
        let _ = write!(text, ", by {}[{}]", safe(&task.comm), task.tgid);
    }
    if let Some(reason) = change.reason {
        let _ = write!(text, " ({reason})");
    }
    text
}

fn place(hook: Hook) -> &'static str {
    match hook {
        Hook::Demand => "the tool's own request",
        hook => hook.name(),
    }
}

/// A relocation as text to be copied.
pub(super) fn sentence(patch: &Patch, section: &Section, reloc: &Reloc) -> String {
    let verdict = reloc.verdict.map_or("listed", Verdict::word);
    let bytes = |bytes: Option<Bytes>| bytes.map_or("?".to_owned(), |bytes| bytes.to_string());
    format!(
        "{verdict}: {} -> {} {} {} at {}: holds {}, expected {}",
        safe(&patch.r.name),
        safe(&section.object.name),
        safe(&section.r.name),
        relocation(&reloc.r),
        reloc.address.map_or("?".to_owned(), |address| address.to_string()),
        bytes(reloc.actual),
        bytes(reloc.expected),
    )
}
