//! The keys, as the keymap has them, and what the symbols mean.

use super::heading;
use crate::model::Verdict;
use crate::tui::keymap::TABLE;
use crate::tui::state::State;
use crate::tui::text::{cut, fit};
use ratatui::text::{Line, Span};

/// What each verdict means, in a few words.
pub const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Applied => "written, and as it should be",
        Verdict::Cleared => "its object has gone, and it is zero again",
        Verdict::Pending => "waits for its object",
        Verdict::Unknown => "cannot be told; its page says why",
        Verdict::Missing => "its object is there, and it was not written",
        Verdict::Orphaned => "gated on an object that the patch does not list",
        Verdict::Stale => "holds a value of an earlier load of its object",
        Verdict::Mismatch => "holds neither zero nor what it should",
    }
}

pub(super) fn lines(state: &State, width: u16) -> Vec<Line<'static>> {
    let ascii = state.theme.ascii;
    let width = usize::from(width);
    let mut lines = Vec::new();
    for entry in TABLE {
        let keys: Vec<_> = state.keymap.keys(entry.action).iter().map(ToString::to_string).collect();
        let keys = if keys.is_empty() { "(no key)".to_owned() } else { keys.join(" ") };
        let text = format!("  {}  {}", fit(&keys, 16, ascii), entry.help);
        lines.push(Line::raw(cut(&text, width, ascii).into_owned()));
    }
    lines.push(Line::raw(""));
    lines.push(heading("Verdicts, the worst first"));
    for verdict in Verdict::ALL.into_iter().rev() {
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(fit(&state.theme.word(verdict), 16, ascii), state.theme.verdict(verdict)),
            Span::raw("  "),
            Span::raw(meaning(verdict)),
        ]));
    }
    lines.push(Line::raw(""));
    lines.push(heading("Time line"));
    let marks = if ascii {
        "[ loaded, ] gone, x load refused, ~ in transition; a verdict's symbol: when it became so"
    } else {
        "├ loaded, ┤ gone, ✗ load refused, ╌ in transition; a verdict's symbol: when it became so"
    };
    lines.push(Line::raw(cut(&format!("  {marks}"), width, ascii).into_owned()));
    lines.push(Line::raw(""));
    lines.push(heading("Filter"));
    for text in [
        "KEY=VALUE, all of which must match; a comma is or, * is anything, != excludes",
        "keys: patch, object, section, symbol, verdict, finding, severity, kind",
        "such as: patch=lp* verdict=stale,mismatch",
    ] {
        lines.push(Line::raw(cut(&format!("  {text}"), width, ascii).into_owned()));
    }
    lines
}
