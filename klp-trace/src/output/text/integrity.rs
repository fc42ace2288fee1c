//! What is to be said of a journal that is not whole.

use super::layout::{count, name};
use crate::journal::Integrity;

/// The warnings for the reader of a replay, to be shown whatever its format; none when the journal is sound.
pub fn integrity(integrity: &Integrity) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(damage) = &integrity.first {
        let more = match integrity.damages {
            0 | 1 => String::new(),
            all => format!(" (the first of {all} damages)"),
        };
        let file = integrity.files.iter().find(|file| file.first.is_some());
        let file = file.filter(|_| integrity.files.len() > 1);
        let file = file.map(|file| format!("{}: ", name(&file.name))).unwrap_or_default();
        let damage = damage.to_string();
        lines.push(format!(
            "the journal is damaged: {file}{}{more}; what is left of it was judged, the result is inconclusive",
            name(&damage)
        ));
    }
    if let Some(derived) = &integrity.derived {
        lines.push(format!("the journal was made of a damaged one: {derived}"));
    }
    if !integrity.ended && !integrity.stopped {
        lines.push(
            "the journal ends without a session_end record: klp-trace was killed, or the end was cut off"
                .to_owned(),
        );
    }
    if integrity.cut > 0 {
        lines.push(format!("{} before the last one did not end", count(integrity.cut, "session")));
    }
    for (kind, number) in &integrity.unknown_kinds {
        let kind = name(kind);
        lines.push(format!(
            "{} of a kind that this klp-trace does not know: {kind}",
            count(*number, "record")
        ));
    }
    lines
}

/// The same in so few words that there is room for them on any screen.
pub fn short(integrity: &Integrity) -> Option<String> {
    if integrity.is_sound() {
        return None;
    }
    Some(match (&integrity.first, &integrity.derived) {
        (Some(damage), _) => format!("DAMAGED line {}", damage.line),
        (None, Some(_)) => "OF A DAMAGED ONE".to_owned(),
        (None, None) => "NO END".to_owned(),
    })
}
