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
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;

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
    #[error("[tui.keys]: {0}")]
    Keys(#[from] KeymapError),
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
    keys: BTreeMap<String, Vec<String>>,
}

impl Config {
    /// Reads a configuration; every mistake is one, nothing is passed over.
    pub fn read(text: &str) -> Result<Self, ConfigError> {
        let File { tui } = toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(0, |before| before.matches('\n').count() + 1);
            ConfigError::Toml { line, message: error.message().replace('\n', " ") }
        })?;
        let keymap = Keymap::with(tui.keys.iter().map(|(name, keys)| (name.as_str(), keys.as_slice())))?;
        Ok(Self { palette: tui.palette, ascii: tui.ascii, keymap })
    }
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
        assert!(wrong("[tui]\npallete = \"mono\"").contains("line 2: unknown field `pallete`"));
        assert!(wrong("[tui]\npalette = \"pink\"").contains("colour-blind"));
        assert!(wrong("[tui.keys]\nqiut = [\"q\"]").contains("did you mean quit"));
        assert!(wrong("[tui.keys]\nsort = [\"q\"]").contains("q is bound to sort and to quit"));
        assert!(wrong("[tui.keys]\nsort = \"x\"").contains("line 2: invalid type"));
    }
}
