//! What is to be said of a journal that is not whole.

use super::layout::{count, name};
use crate::event::Integrity;

/// The warnings for the reader of a replay, to be shown whatever its format; none when the journal is whole.
pub fn integrity(integrity: &Integrity) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(damage) = &integrity.first {
        let more = match integrity.damages {
            0 | 1 => String::new(),
            all => format!(" (the first of {all} damages)"),
        };
        let damage = damage.to_string();
        lines.push(format!(
            "the journal is damaged: {}{more}; what is left of it was judged, the result is inconclusive",
            name(&damage)
        ));
    }
    if !integrity.ended {
        lines.push(
            "the journal ends without a session_end record: klp-trace was killed, or the end was cut off"
                .to_owned(),
        );
    }
    if integrity.unended > 0 {
        lines.push(format!("{} before the last one did not end", count(integrity.unended, "session")));
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
