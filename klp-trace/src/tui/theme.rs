//! Palettes and alphabets. A verdict is always symbol, word and style; colour alone says nothing.

use crate::model::{Severity, Verdict};
use crate::output::style::{self, Tone};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// How the screen is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Palette {
    /// Green, yellow, red
    #[default]
    Default,
    /// Blue and yellow, which stay apart for every kind of colour vision
    ColourBlind,
    /// No colour: bold, underlined, reversed
    Mono,
}

/// How everything looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Theme {
    /// The colours.
    pub palette: Palette,
    /// ASCII characters alone.
    pub ascii: bool,
}

/// Corners and lines in ASCII.
const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl Theme {
    /// A role's style.
    pub fn tone(self, tone: Tone) -> Style {
        let plain = Style::new();
        match (self.palette, tone) {
            (_, Tone::Plain) | (Palette::Mono, Tone::Good | Tone::Notice) => plain,
            (Palette::Mono, Tone::Bad) => plain.add_modifier(Modifier::BOLD),
            (Palette::Mono, Tone::Unsure) => plain.add_modifier(Modifier::UNDERLINED),
            (_, Tone::Dim) => plain.add_modifier(Modifier::DIM),
            (Palette::Default, Tone::Good) => plain.fg(Color::Green),
            (Palette::Default | Palette::ColourBlind, Tone::Notice) => plain.fg(Color::Cyan),
            (Palette::Default, Tone::Bad) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Palette::Default, Tone::Unsure) => plain.fg(Color::Yellow),
            (Palette::ColourBlind, Tone::Good) => plain.fg(Color::LightBlue),
            (Palette::ColourBlind, Tone::Bad) => plain.fg(Color::LightYellow).add_modifier(Modifier::BOLD),
            (Palette::ColourBlind, Tone::Unsure) => plain.fg(Color::LightMagenta),
        }
    }

    /// A verdict's style.
    pub fn verdict(self, verdict: Verdict) -> Style {
        self.tone(style::mark(verdict).2)
    }

    /// A verdict's symbol.
    pub fn symbol(self, verdict: Verdict) -> &'static str {
        let (unicode, ascii, _) = style::mark(verdict);
        self.pick(unicode, ascii)
    }

    /// A verdict as symbol and word.
    pub fn word(self, verdict: Verdict) -> String {
        format!("{} {verdict}", self.symbol(verdict))
    }

    /// A severity as symbol and word, and its style.
    pub fn severity(self, severity: Severity) -> (String, Style) {
        let (unicode, ascii, tone) = style::severity_mark(severity);
        (format!("{} {severity}", self.pick(unicode, ascii)), self.tone(tone))
    }

    /// One of two texts.
    pub fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }

    /// What is selected, in the pane that has the keys and in others.
    pub fn selected(self, focused: bool) -> Style {
        Style::new().add_modifier(if focused { Modifier::REVERSED } else { Modifier::BOLD })
    }

    /// The frame of a pane.
    pub fn frame(self, focused: bool) -> Style {
        match (self.palette, focused) {
            (Palette::Mono, true) => Style::new().add_modifier(Modifier::BOLD),
            (_, false) => Style::new().add_modifier(Modifier::DIM),
            (_, true) => Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        }
    }

    /// Its lines.
    pub fn border(self) -> border::Set<'static> {
        if self.ascii { ASCII_BORDER } else { border::PLAIN }
    }
}
