//! Where in a configuration something is wrong: its line, and its key.

use crate::model::mistake::{explain, place};
use toml::de::{DeTable, DeValue};

/// A mistake that the reader of TOML has found.
pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> String {
    let message = explain(error.message());
    let Some(span) = error.span() else { return message };
    let line = place(text, span.start).0;
    // That a key is unknown names it already.
    match key_around(text, span.start).filter(|_| !message.starts_with("unknown key")) {
        Some(key) => format!("line {line}: {key}: {message}"),
        None => format!("line {line}: {message}"),
    }
}

/// A mistake of the value of a key, which may be a default: then no line has it.
pub(super) fn at_key(text: &str, key: &[&str], message: &str) -> String {
    let name = key.join(".");
    match line_of(text, key) {
        Some(line) => format!("line {line}: {name}: {message}"),
        None => format!("{name}: {message}"),
    }
}

/// The key whose value an offset is in: `metrics.listen`.
fn key_around(text: &str, offset: usize) -> Option<String> {
    let table = DeTable::parse(text).ok()?;
    path_to(table.get_ref(), offset).map(|names| names.join("."))
}

/// The keys that lead to an offset. What is in a table comes first: its own place is that of its heading.
fn path_to(table: &DeTable<'_>, offset: usize) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let inside = match value.get_ref() {
            DeValue::Table(table) => path_to(table, offset),
            _ => None,
        };
        let own = (key.span().start..value.span().end.max(key.span().end)).contains(&offset);
        let path = inside.or_else(|| own.then(Vec::new))?;
        Some([key.get_ref().to_string()].into_iter().chain(path).collect())
    })
}

/// The line on which a key stands, from 1.
fn line_of(text: &str, key: &[&str]) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (last, tables) = key.split_last()?;
    let mut inside = table.get_ref();
    for name in tables {
        let (_, value) = inside.iter().find(|(key, _)| key.get_ref().as_ref() == *name)?;
        let DeValue::Table(table) = value.get_ref() else { return None };
        inside = table;
    }
    let (key, _) = inside.iter().find(|(key, _)| key.get_ref().as_ref() == *last)?;
    Some(place(text, key.span().start).0)
}
