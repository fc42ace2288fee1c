//! Words and colours for values: verdicts, findings, yes and no.

use serde_json::{Map, Value, json};

use super::super::findings::Finding;
use super::super::verdicts::{OTHERS, State, VERDICTS};

/// A page of the repository, as people read it.
pub fn page(path: &str) -> String {
    format!("{}/blob/main/{path}", env!("CARGO_PKG_REPOSITORY"))
}

/// Values, each with words and a colour.
pub fn values<'a>(all: impl IntoIterator<Item = (String, &'a str, &'a str)>) -> Value {
    let entry = |(index, (value, text, colour)): (usize, (String, &str, &str))| {
        (value, json!({"index": index, "text": text, "color": colour}))
    };
    let options: Map<String, Value> = all.into_iter().enumerate().map(entry).collect();
    json!({"type": "value", "options": options})
}

fn states() -> impl Iterator<Item = &'static State> {
    VERDICTS.iter().chain(&OTHERS)
}

/// The worst state of a host, from its rank.
pub fn ranks() -> Value {
    values(states().map(|state| (state.rank.to_string(), state.says, state.colour)))
}

/// The same, from its word.
pub fn state_words() -> Value {
    values(states().map(|state| (state.word.to_owned(), state.says, state.colour)))
}

/// 1 and 0.
pub fn flag(one: (&'static str, &'static str), zero: (&'static str, &'static str)) -> Value {
    values([("1".to_owned(), one.0, one.1), ("0".to_owned(), zero.0, zero.1)])
}

/// What a finding's id stands for.
pub fn meanings(findings: &[Finding]) -> Value {
    let texts: Vec<(String, String)> = findings
        .iter()
        .map(|finding| (finding.id.clone(), format!("{}: {}", finding.name, finding.says)))
        .collect();
    values(texts.iter().map(|(id, text)| (id.clone(), text.as_str(), "text")))
}

/// The witness of a patch.
pub fn witnesses() -> Value {
    let all = [
        ("file", "the .ko", "green"),
        ("memory", "the kernel's copy: weaker", "yellow"),
        ("differs", "the .ko is another: none", "red"),
        ("none", "nothing to check, or not read", "blue"),
    ];
    values(all.map(|(value, text, colour)| (value.to_owned(), text, colour)))
}

/// Colours of series that are named for a verdict or a state.
pub fn coloured(panel: super::panel::Panel) -> super::panel::Panel {
    states().fold(panel, |panel, state| {
        panel.field(state.word, &[("color", json!({"mode": "fixed", "fixedColor": state.colour}))])
    })
}
