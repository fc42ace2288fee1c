//! The configuration of the TUI: palette, alphabet, keys.
//!
//! ```toml
//! [tui]
//! palette = "colour-blind"    # default, colour-blind, mono
//! ascii = false
//!
//! [tui.keys]
//! quit = ["q", "ctrl-c"]
//! ```

use super::keymap::{Keymap, KeymapError};
use super::theme::Palette;
use crate::model::mistake;
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;
use toml::Spanned;

/// What a configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The palette, if it names one.
    pub palette: Option<Palette>,
    /// ASCII characters alone.
    pub ascii: bool,
    /// Which keys do what.
    pub keymap: Keymap,
}

/// What is wrong with a configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It is no TOML, or has a part that there is not.
    #[error("line {line}: {message}")]
    Toml {
        /// The line, from 1; 0: of the whole file.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// Keys that cannot be bound so.
    #[error("{}[tui.keys]: {error}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Keys {
        /// The line, from 1, of the action; none where it is not one action's mistake.
        line: Option<usize>,
        /// Why.
        error: KeymapError,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tui: Tui,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tui {
    palette: Option<Palette>,
    #[serde(default)]
    ascii: bool,
    #[serde(default)]
    keys: BTreeMap<String, Spanned<Vec<String>>>,
}

impl Config {
    /// Reads a configuration; every mistake is one, nothing is passed over.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let File { tui } = toml::from_str(text).map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| mistake::place(text, span.start).0);
            ConfigError::Toml { line, message: mistake::explain(error.message()) }
        })?;
        let keymap = keymap(text, &tui.keys)?;
        Ok(Self { palette: tui.palette, ascii: tui.ascii, keymap })
    }
}

/// The keys, and where they are wrong.
fn keymap(text: &str, keys: &BTreeMap<String, Spanned<Vec<String>>>) -> Result<Keymap, ConfigError> {
    let line = |keys: &Spanned<Vec<String>>| mistake::place(text, keys.span().start).0;
    let all = keys.iter().map(|(name, keys)| (name.as_str(), keys.get_ref().as_slice()));
    Keymap::with(all).map_err(|error| {
        let at = match &error {
            // Of two actions the one whose line was written last.
            KeymapError::Twice { first, second, .. } => {
                [first, second].into_iter().filter_map(|name| keys.get(*name)).map(line).max()
            }
            // The mistake is one action's alone.
            _ => keys
                .iter()
                .find(|(name, keys)| {
                    Keymap::with([(name.as_str(), keys.get_ref().as_slice())]).is_err_and(|one| one == error)
                })
                .map(|(_, keys)| line(keys)),
        };
        ConfigError::Keys { line: at, error }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::Action;

    #[test]
    fn a_configuration_is_read_whole() {
        assert_eq!(Config::read("").unwrap(), Config::default());
        let text = "[tui]\npalette = \"colour-blind\"\nascii = true\n[tui.keys]\nquit = [\"Q\"]\nsort = []\n";
        let config = Config::read(text).unwrap();
        assert_eq!((config.palette, config.ascii), (Some(Palette::ColourBlind), true));
        assert_eq!(config.keymap.key(Action::Quit), "Q");
        assert!(config.keymap.keys(Action::Sort).is_empty());
    }

    #[test]
    fn every_mistake_is_named() {
        let wrong = |text: &str| Config::read(text).unwrap_err().to_string();
        assert!(wrong("[tui]\npallete = \"mono\"").contains(
            "line 2: unknown key \"pallete\" (known: palette, ascii, keys); did you mean palette?"
        ));
        assert!(wrong("[tui]\npalette = \"pink\"").contains("colour-blind"));
        let mono = wrong("[tui]\nascii = true\npalette = \"momo\"");
        assert!(
            mono.contains("line 3: unknown word \"momo\"") && mono.contains("did you mean mono?"),
            "{mono}"
        );
        let quit = wrong("[tui.keys]\nsort = []\nqiut = [\"q\"]");
        assert!(quit.contains("line 3: [tui.keys]") && quit.contains("did you mean quit?"), "{quit}");
        assert!(
            wrong("[tui.keys]\nsort = [\"q\"]")
                .contains("line 2: [tui.keys]: q is bound to sort and to quit")
        );
        assert!(wrong("\n[tui.keys]\nsort = [\"meta\"]").contains("line 3: [tui.keys]: \"meta\" is no key"));
        assert!(wrong("[tui.keys]\nsort = \"x\"").contains("line 2: invalid type"));
    }
}
