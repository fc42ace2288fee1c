//! A finding: what, what to do, why, and which relocations it is about.

use super::heading;
use crate::journal::Finding;
use crate::output::text::{ended, relocation};
use crate::tui::picture::Picture;
use crate::tui::picture::findings::Found;
use crate::tui::state::State;
use crate::tui::text::{count, headed, safe};
use crate::tui::view::moment;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

pub(super) fn lines(state: &State, picture: &Picture, found: &Found, width: u16) -> Vec<Line<'static>> {
    let finding = &found.finding;
    let cells = usize::from(width);
    let (severity, style) = state.theme.severity(finding.severity);
    let mut lines = vec![Line::from(vec![
        Span::styled(severity, style),
        Span::raw("  "),
        Span::styled(
            format!("{} {}", finding.id, finding.id.name()),
            Style::new().add_modifier(Modifier::BOLD),
        ),
    ])];
    lines.push(Line::raw(""));
    lines.extend(body(picture, found, cells));
    lines.push(Line::raw(""));
    lines.push(Line::raw(when(picture, found)));
    if picture.is_past(finding) {
        lines.push(Line::raw("The livepatch that it is about is no longer loaded."));
    }
    lines.push(Line::raw(""));
    lines.push(heading("Relocations"));
    match (&finding.section, &finding.first) {
        (Some(section), Some(first)) => {
            let all = count(u64::from(finding.relocations), "relocation");
            lines.extend(headed("  ", Style::new(), &format!("{all}; the first of them:"), cells));
            let first = format!("{} {}", safe(&section.name), relocation(first));
            lines.extend(headed("  ", Style::new(), &first, cells));
            for covered in &finding.sections {
                let all = count(u64::from(covered.relocations), "relocation");
                let of = format!("{}: {all}", safe(&covered.name));
                lines.extend(headed("  ", Style::new(), &of, cells));
            }
        }
        _ => lines.push(Line::raw("  it is about none in particular")),
    }
    if !finding.kernel.is_empty() {
        lines.push(Line::raw(""));
        lines.push(heading("The kernel's own log"));
        for said in &finding.kernel {
            lines.extend(headed("  ", Style::new(), &safe(said), cells));
        }
    }
    lines
}

/// That it is over, what, what to do, why: the remedy comes before the reason, since it must not fall off a small screen.
pub fn body(picture: &Picture, found: &Found, cells: usize) -> Vec<Line<'static>> {
    let finding = &found.finding;
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = Vec::new();
    if let Some((at, end)) = found.closed {
        let over = format!("since {} UTC: {}", moment(picture, at), ended(end));
        lines.extend(headed("over  ", bold, &over, cells));
    }
    lines.extend(headed("what  ", bold, &safe(&finding.message), cells));
    lines.extend(headed("do    ", bold, &safe(&finding.action), cells));
    for command in &finding.commands {
        lines.extend(headed("      ", Style::new(), &safe(command), cells));
    }
    lines.extend(headed("why   ", bold, &safe(&finding.why), cells));
    lines
}

fn when(picture: &Picture, found: &Found) -> String {
    let last = moment(picture, found.last_ns);
    if found.times == 1 {
        return format!("Found at {last} UTC.");
    }
    format!("Found {} times, first at {}, last at {last} UTC.", found.times, moment(picture, found.first_ns))
}

/// A finding as text to be copied.
pub(super) fn sentence(finding: &Finding) -> String {
    let commands: String = finding.commands.iter().flat_map(|command| ["\n".into(), safe(command)]).collect();
    format!(
        "{} {}: {}\nwhy: {}\ndo: {}{commands}",
        finding.id,
        finding.id.name(),
        safe(&finding.message),
        safe(&finding.why),
        safe(&finding.action)
    )
}
