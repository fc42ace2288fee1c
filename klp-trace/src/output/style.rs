//! Colour and symbols for terminals: never the only carrier of meaning, and never where nobody asked for them.

use std::io::IsTerminal;

use crate::model::{Severity, Verdict};

/// When to use colour, as `--color` says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Everywhere, a pipe or a file too
    Always,
    /// Nowhere
    Never,
}

/// How text output looks: decided once, at the start of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colours.
    pub color: bool,
    /// Use ASCII symbols only.
    pub ascii: bool,
}

/// A colour by its role. Blue, orange-like yellow and magenta stay apart for colour-blind eyes where green and
/// red do not, and each role has its own symbol and word besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Worth knowing; nothing to do now.
    Notice,
    /// Wrong.
    Bad,
    /// Cannot tell.
    Unsure,
    /// Of lesser weight.
    Dim,
    /// As the terminal writes.
    Plain,
}

impl Style {
    /// Neither colour nor anything beyond ASCII.
    pub const PLAIN: Self = Self { color: false, ascii: true };

    /// Decides for standard output.
    pub fn for_stdout(when: ColorWhen, ascii: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self { color: wants_color(when, terminal, |name| std::env::var_os(name)), ascii }
    }

    /// Decides for a file: colour only if asked for by name.
    pub fn for_file(when: ColorWhen, ascii: bool) -> Self {
        Self { color: when == ColorWhen::Always, ascii }
    }

    /// The text in a role's colour, or as it is.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.color || tone == Tone::Plain {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", tone.sgr())
    }

    /// A verdict as symbol and word: "✓ applied", or "+ applied" in ASCII.
    pub fn verdict(self, verdict: Verdict) -> String {
        let (unicode, ascii, tone) = mark(verdict);
        self.paint(tone, &format!("{} {}", self.symbol(unicode, ascii), verdict.word()))
    }

    /// A severity as symbol and word.
    pub fn severity(self, severity: Severity) -> String {
        let (unicode, ascii, tone) = severity_mark(severity);
        self.paint(tone, &format!("{} {severity}", self.symbol(unicode, ascii)))
    }

    /// One of two symbols.
    pub fn symbol(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }
}

impl Tone {
    /// Parameters of ECMA-48's SGR; basic colours, which every palette maps to something legible.
    const fn sgr(self) -> &'static str {
        match self {
            Self::Good => "34",
            Self::Notice => "36",
            Self::Bad => "1;31",
            Self::Unsure => "35",
            Self::Dim => "2",
            Self::Plain => "0",
        }
    }
}

/// Symbol, ASCII symbol and role of a severity.
pub const fn severity_mark(severity: Severity) -> (&'static str, &'static str, Tone) {
    match severity {
        Severity::Info => ("·", "-", Tone::Notice),
        Severity::Warning => ("▲", "!", Tone::Unsure),
        Severity::Error => ("✗", "x", Tone::Bad),
    }
}

/// Symbol, ASCII symbol and role of a verdict; no two verdicts share a symbol in either alphabet.
pub const fn mark(verdict: Verdict) -> (&'static str, &'static str, Tone) {
    match verdict {
        Verdict::Applied => ("✓", "+", Tone::Good),
        Verdict::Cleared => ("○", "o", Tone::Good),
        Verdict::Pending => ("…", ".", Tone::Dim),
        Verdict::Unknown => ("?", "?", Tone::Unsure),
        Verdict::Missing => ("∅", "-", Tone::Bad),
        Verdict::Orphaned => ("⊘", "/", Tone::Bad),
        Verdict::Stale => ("▲", "!", Tone::Bad),
        Verdict::Mismatch => ("✗", "x", Tone::Bad),
    }
}

/// `--color` before the environment; <https://no-color.org>: set and not empty means no.
fn wants_color(when: ColorWhen, terminal: bool, env: impl Fn(&str) -> Option<std::ffi::OsString>) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            terminal
                && env("NO_COLOR").is_none_or(|v| v.is_empty())
                && env("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn with(name: &'static str, value: &'static str) -> impl Fn(&str) -> Option<OsString> {
        move |asked| (asked == name).then(|| OsString::from(value))
    }

    #[test]
    fn auto_means_a_terminal_without_no_color() {
        let bare = |_: &str| None;
        assert!(wants_color(ColorWhen::Auto, true, bare));
        assert!(!wants_color(ColorWhen::Auto, false, bare));
        assert!(!wants_color(ColorWhen::Auto, true, with("NO_COLOR", "1")));
        assert!(wants_color(ColorWhen::Auto, true, with("NO_COLOR", "")));
        assert!(!wants_color(ColorWhen::Auto, true, with("TERM", "dumb")));
    }

    #[test]
    fn the_option_wins_over_terminal_and_environment() {
        assert!(wants_color(ColorWhen::Always, false, with("NO_COLOR", "1")));
        assert!(!wants_color(ColorWhen::Never, true, |_| None));
    }

    #[test]
    fn without_colour_no_escape_is_written() {
        assert_eq!(Style::PLAIN.paint(Tone::Bad, "stale"), "stale");
        let colour = Style { color: true, ascii: false };
        assert_eq!(colour.paint(Tone::Bad, "stale"), "\u{1b}[1;31mstale\u{1b}[0m");
        assert_eq!(colour.paint(Tone::Plain, "x"), "x");
    }

    #[test]
    fn each_verdict_has_its_own_symbol_and_its_word() {
        let symbols: std::collections::HashSet<_> = Verdict::ALL.map(|v| mark(v).0).into();
        let ascii: std::collections::HashSet<_> = Verdict::ALL.map(|v| mark(v).1).into();
        assert_eq!((symbols.len(), ascii.len()), (8, 8));
        assert_eq!(Style::PLAIN.verdict(Verdict::Stale), "! stale");
        assert_eq!(Style { color: false, ascii: false }.verdict(Verdict::Applied), "✓ applied");
        assert!(Verdict::ALL.iter().all(|v| Style::PLAIN.verdict(*v).is_ascii()));
    }

    #[test]
    fn ascii_picks_the_ascii_symbol() {
        assert_eq!(Style::PLAIN.symbol("✓", "+"), "+");
        assert_eq!(Style { color: false, ascii: false }.symbol("✓", "+"), "✓");
    }
}
