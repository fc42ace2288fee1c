//! Colour and symbols for terminals: never the only carrier of meaning, and never where nobody asked for them.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::num::NonZeroU16;

use super::wrap;
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
    /// Cells of a line; none: lines are as long as they come.
    pub width: Option<NonZeroU16>,
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
    pub const PLAIN: Self = Self { color: false, ascii: true, width: None };

    /// Decides for standard output; ASCII where it is asked for or the locale and the terminal have no more.
    pub fn for_stdout(when: ColorWhen, ascii: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            color: wants_color(when, terminal, env),
            ascii: ascii || !has_unicode(env),
            width: wrap::terminal_width(),
        }
    }

    /// Decides for a file: colour only if asked for by name, lines as long as they come.
    pub fn for_file(when: ColorWhen, ascii: bool) -> Self {
        Self { color: when == ColorWhen::Always, ascii: ascii || !has_unicode(env), width: None }
    }

    /// The same, with lines of this many cells where a number is given.
    #[must_use]
    pub fn with_width(self, cells: Option<u16>) -> Self {
        cells.map_or(self, |cells| Self { width: wrap::bounded(cells), ..self })
    }

    /// A line broken so that it fits, see [`wrap::line`].
    pub fn wrap(self, line: &str) -> String {
        wrap::line(line, self.width)
    }

    /// [`Style::wrap`] of each line of a text.
    pub fn wrap_text(self, text: &str) -> String {
        wrap::text(text, self.width)
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

fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Whether the locale is one of UTF-8 (LC_ALL before LC_CTYPE before LANG, as in locale(7); none is the C locale), and the
/// terminal not one that can do nothing.
pub fn has_unicode(env: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &&str| env(name).is_some_and(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find(|name| set(name)).and_then(|name| env(name));
    let locale = locale.unwrap_or_default().to_string_lossy().to_lowercase();
    (locale.contains("utf-8") || locale.contains("utf8")) && env("TERM").is_none_or(|term| term != "dumb")
}

/// [`has_unicode`] of this process.
pub fn unicode_here() -> bool {
    has_unicode(env)
}

/// `--color` before the environment; <https://no-color.org>: set and not empty means no.
fn wants_color(when: ColorWhen, terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> bool {
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

    const UNICODE: Style = Style { ascii: false, ..Style::PLAIN };

    #[test]
    fn symbols_are_ascii_where_the_locale_or_the_terminal_has_no_more() {
        let in_env = |pairs: &'static [(&str, &str)]| {
            has_unicode(move |asked| {
                pairs.iter().find(|(name, _)| *name == asked).map(|(_, v)| OsString::from(v))
            })
        };
        assert!(in_env(&[("LANG", "C.UTF-8")]) && in_env(&[("LC_CTYPE", "de_DE.utf8"), ("LANG", "C")]));
        assert!(in_env(&[("LC_ALL", ""), ("LANG", "en_GB.UTF-8"), ("TERM", "xterm")]));
        for poor in [
            &[][..],
            &[("LC_ALL", "C"), ("LANG", "C.UTF-8")],
            &[("LC_ALL", "POSIX")],
            &[("LANG", "de_DE.ISO-8859-1")],
            &[("LANG", "C.UTF-8"), ("TERM", "dumb")],
        ] {
            assert!(!in_env(poor), "{poor:?}");
        }
    }

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
        let colour = Style { color: true, ..UNICODE };
        assert_eq!(colour.paint(Tone::Bad, "stale"), "\u{1b}[1;31mstale\u{1b}[0m");
        assert_eq!(colour.paint(Tone::Plain, "x"), "x");
    }

    #[test]
    fn each_verdict_has_its_own_symbol_and_its_word() {
        let symbols: std::collections::HashSet<_> = Verdict::ALL.map(|v| mark(v).0).into();
        let ascii: std::collections::HashSet<_> = Verdict::ALL.map(|v| mark(v).1).into();
        assert_eq!((symbols.len(), ascii.len()), (8, 8));
        assert_eq!(Style::PLAIN.verdict(Verdict::Stale), "! stale");
        assert_eq!(UNICODE.verdict(Verdict::Applied), "✓ applied");
        assert!(Verdict::ALL.iter().all(|v| Style::PLAIN.verdict(*v).is_ascii()));
    }

    #[test]
    fn ascii_picks_the_ascii_symbol() {
        assert_eq!(Style::PLAIN.symbol("✓", "+"), "+");
        assert_eq!(UNICODE.symbol("✓", "+"), "✓");
    }
}
