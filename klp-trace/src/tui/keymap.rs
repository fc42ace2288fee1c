//! What keys do: one table, from which the help is made and which a configuration may change.

use crate::model::nearest;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What a key can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "their help texts stand in the table")]
pub enum Action {
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    First,
    Last,
    NextPane,
    PreviousPane,
    Open,
    Back,
    Findings,
    Events,
    Timeline,
    Hooks,
    Filter,
    NextMatch,
    PreviousMatch,
    Sort,
    Verbose,
    Pause,
    StepBack,
    StepForward,
    NewsBack,
    NewsForward,
    Audit,
    Journal,
    Copy,
    Help,
    Redraw,
    Suspend,
    Quit,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What it does.
    pub action: Action,
    /// Its name in a configuration.
    pub name: &'static str,
    /// Its keys, unless a configuration says otherwise.
    pub keys: &'static [&'static str],
    /// What it does, for the help; empty is a defect.
    pub help: &'static str,
}

const fn entry(
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    help: &'static str,
) -> Entry {
    Entry { action, name, keys, help }
}

/// Every action, in the order of the help.
pub const TABLE: [Entry; 33] = [
    entry(Action::Up, "up", &["up", "k"], "one line up"),
    entry(Action::Down, "down", &["down", "j"], "one line down"),
    entry(Action::Left, "left", &["left", "h"], "close a branch; to its parent; the tab before"),
    entry(Action::Right, "right", &["right", "l"], "open a branch; to the relocations; the next tab"),
    entry(Action::PageUp, "page-up", &["pageup", "ctrl-b"], "one page up"),
    entry(Action::PageDown, "page-down", &["pagedown", "ctrl-f"], "one page down"),
    entry(Action::First, "first", &["home", "g"], "to the first line"),
    entry(Action::Last, "last", &["end", "G"], "to the last line; the events follow again"),
    entry(Action::NextPane, "next-pane", &["tab"], "the next pane"),
    entry(Action::PreviousPane, "previous-pane", &["backtab"], "the pane before"),
    entry(Action::Open, "open", &["enter"], "what is known of the selected line"),
    entry(Action::Back, "back", &["esc"], "back; drops the filter when nothing is open"),
    entry(Action::Findings, "findings", &["1"], "what is wrong, why, and what to do"),
    entry(Action::Events, "events", &["2"], "the latest events"),
    entry(Action::Timeline, "timeline", &["3"], "what was loaded and applied when"),
    entry(Action::Hooks, "hooks", &["4"], "what is watched, and what was missed"),
    entry(Action::Filter, "filter", &["/"], "show only what matches, such as verdict=stale"),
    entry(Action::NextMatch, "next-match", &["n"], "the next relocation that matches, or else is wrong"),
    entry(Action::PreviousMatch, "previous-match", &["N"], "the one before"),
    entry(Action::Sort, "sort", &["s"], "order relocations by place, verdict, symbol, type"),
    entry(Action::Verbose, "verbose", &["v"], "every event, or only those that matter"),
    entry(Action::Pause, "pause", &["space"], "hold the picture still; recording goes on"),
    entry(Action::StepBack, "step-back", &["["], "replay: one event back"),
    entry(Action::StepForward, "step-forward", &["]"], "replay: one event on"),
    entry(Action::NewsBack, "news-back", &["{"], "replay: to the news before"),
    entry(Action::NewsForward, "news-forward", &["}"], "replay: to the next news"),
    entry(Action::Audit, "audit", &["r"], "live: read every relocation again now"),
    entry(Action::Journal, "journal", &["w"], "write a journal of what was seen"),
    entry(Action::Copy, "copy", &["y"], "copy the selected line (OSC 52)"),
    entry(Action::Help, "help", &["?", "f1"], "this page"),
    entry(Action::Redraw, "redraw", &["ctrl-l"], "draw everything anew"),
    entry(Action::Suspend, "suspend", &["ctrl-z"], "stop; fg goes on"),
    entry(Action::Quit, "quit", &["q", "ctrl-c"], "end, with the verdict's exit code"),
];

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    ctrl: bool,
    alt: bool,
}

/// A key that cannot be bound.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is no key: write one character, or one of up, down, left, right, home, end, pageup, pagedown, tab, backtab, enter, esc, space, backspace, delete, insert, f1 to f12; before it ctrl- or alt-"
)]
pub struct NoKey(String);

const NAMED: [(&str, KeyCode); 16] = [
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
];

impl Key {
    /// The key of a terminal's event.
    pub fn of(event: KeyEvent) -> Self {
        Self {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
            alt: event.modifiers.contains(KeyModifiers::ALT),
        }
    }

    /// The character that it types, without a modifier.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(typed) if !self.ctrl && !self.alt => Some(typed),
            _ => None,
        }
    }

    /// Its code, and whether Ctrl was held.
    pub fn code(self) -> (KeyCode, bool) {
        (self.code, self.ctrl)
    }
}

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let no_key = || NoKey(text.to_owned());
        let (rest, ctrl) = text.strip_prefix("ctrl-").map_or((text, false), |rest| (rest, true));
        let (rest, alt) = rest.strip_prefix("alt-").map_or((rest, false), |rest| (rest, true));
        let mut characters = rest.chars();
        let code = match (characters.next(), characters.next()) {
            (Some(only), None) if !only.is_control() && only != ' ' => KeyCode::Char(only),
            _ => {
                let named = NAMED.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
                let function = || {
                    let number = rest.strip_prefix('f')?.parse().ok()?;
                    (1..=12).contains(&number).then_some(KeyCode::F(number))
                };
                named.or_else(function).ok_or_else(no_key)?
            }
        };
        Ok(Self { code, ctrl, alt })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        if self.alt {
            f.write_str("alt-")?;
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(number) => write!(f, "f{number}"),
            _ => f.write_str("?"),
        }
    }
}

/// Which keys do what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<(Action, Vec<Key>)>,
}

/// Why keys cannot be bound so.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeymapError {
    /// An action that does not exist.
    #[error("there is no action {name:?} (? in klp-trace tui lists them){}", meant(name))]
    UnknownAction {
        /// Its name.
        name: String,
    },
    /// A key that does not exist.
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// One key for two actions.
    #[error("{key} is bound to {first} and to {second}: bind one of them to other keys")]
    Twice {
        /// The key.
        key: String,
        /// The first action.
        first: &'static str,
        /// The second.
        second: &'static str,
    },
    /// There would be no way out.
    #[error("quit has no key: bind it to one")]
    NoWayOut,
}

impl Default for Keymap {
    fn default() -> Self {
        let keys = |entry: &Entry| entry.keys.iter().filter_map(|key| key.parse().ok()).collect();
        Self { bindings: TABLE.iter().map(|entry| (entry.action, keys(entry))).collect() }
    }
}

impl Keymap {
    /// The default keys, but for these actions, by name.
    pub fn with<'a>(changes: impl IntoIterator<Item = (&'a str, &'a [String])>) -> Result<Self, KeymapError> {
        let mut map = Self::default();
        for (name, keys) in changes {
            let Some(entry) = TABLE.iter().find(|entry| entry.name == name) else {
                return Err(KeymapError::UnknownAction { name: name.to_owned() });
            };
            let keys = keys.iter().map(|key| key.parse()).collect::<Result<Vec<Key>, NoKey>>()?;
            if let Some(binding) = map.bindings.iter_mut().find(|(action, _)| *action == entry.action) {
                binding.1 = keys;
            }
        }
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), KeymapError> {
        let all: Vec<_> =
            self.bindings.iter().flat_map(|(action, keys)| keys.iter().map(|key| (*key, *action))).collect();
        for (at, (key, first)) in all.iter().enumerate() {
            if let Some((_, second)) = all.iter().skip(at + 1).find(|(other, _)| other == key) {
                let (first, second) = (name(*first), name(*second));
                return Err(KeymapError::Twice { key: key.to_string(), first, second });
            }
        }
        if self.keys(Action::Quit).is_empty() { Err(KeymapError::NoWayOut) } else { Ok(()) }
    }

    /// What a key does.
    pub fn action(&self, key: Key) -> Option<Action> {
        self.bindings.iter().find(|(_, keys)| keys.contains(&key)).map(|(action, _)| *action)
    }

    /// The keys of an action.
    pub fn keys(&self, action: Action) -> &[Key] {
        self.bindings.iter().find(|(known, _)| *known == action).map_or(&[], |(_, keys)| keys)
    }

    /// The first key of an action; empty when it has none.
    pub fn key(&self, action: Action) -> String {
        self.keys(action).first().map(ToString::to_string).unwrap_or_default()
    }
}

/// `; did you mean quit?`, or nothing.
fn meant(name: &str) -> String {
    nearest::meant(name, TABLE.iter().map(|entry| entry.name))
}

fn name(action: Action) -> &'static str {
    TABLE.iter().find(|entry| entry.action == action).map_or("", |entry| entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_binding_has_a_key_that_reads_and_a_help_text() {
        let map = Keymap::default();
        for entry in TABLE {
            assert!(entry.help.len() > 4, "{} has no help text", entry.name);
            assert_eq!(map.keys(entry.action).len(), entry.keys.len(), "{}", entry.name);
            for text in entry.keys {
                let key: Key = text.parse().unwrap();
                assert_eq!(key.to_string(), *text);
                assert_eq!(map.action(key), Some(entry.action), "{text} does two things");
            }
        }
        assert_eq!(map.check(), Ok(()));
    }

    #[test]
    fn keys_can_be_changed_and_mistakes_are_named() {
        let with = |name: &str, keys: &[&str]| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            Keymap::with([(name, &*keys)])
        };
        let map = with("quit", &["Q", "ctrl-x", "f10"]).unwrap();
        assert_eq!(map.action("Q".parse().unwrap()), Some(Action::Quit));
        assert_eq!(map.action("q".parse().unwrap()), None);
        assert_eq!(map.key(Action::Quit), "Q");
        let wrong = |name, keys: &[&str]| with(name, keys).unwrap_err().to_string();
        assert!(wrong("quti", &["q"]).contains("did you mean quit?"));
        assert!(!wrong("zzz", &["q"]).contains("did you mean"), "a riddle");
        assert!(wrong("quit", &["meta"]).contains("\"meta\" is no key"));
        assert!(wrong("sort", &["q"]).contains("q is bound to sort and to quit"));
        assert!(wrong("quit", &[]).contains("no key"));
        for no_key in ["", " ", "ctrl-", "f0", "f13", "\u{1b}"] {
            assert!(no_key.parse::<Key>().is_err(), "{no_key:?}");
        }
    }
}
