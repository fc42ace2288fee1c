//! Names from the kernel and from ELF files are hostile input: made harmless before a terminal or a log sees them.
//!
//! Control characters can drive a terminal, format characters can reorder or hide what it shows, and a module
//! may be named with any bytes. What could do so is written as text: `\x1b` for a byte, `\u{202e}` for a
//! character, `\\` for the backslash itself, so that the original can be told from the escaped text.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Characters that are never shown as they are, beside the control characters (Cc), as inclusive ranges.
///
/// Unicode 17: all format characters (Cf), the line and paragraph separators (Zl, Zp), private use (Co), the
/// noncharacters of the BMP, and the rest of `Default_Ignorable_Code_Point`, which terminals render as nothing.
/// A table rather than a crate: the crates that know general categories carry tables of all of Unicode.
const HIDDEN: [(u32, u32); 37] = [
    (0x00AD, 0x00AD),   // soft hyphen
    (0x034F, 0x034F),   // combining grapheme joiner
    (0x0600, 0x0605),   // Arabic number signs
    (0x061C, 0x061C),   // Arabic letter mark (bidi)
    (0x06DD, 0x06DD),   // Arabic end of ayah
    (0x070F, 0x070F),   // Syriac abbreviation mark
    (0x0890, 0x0891),   // Arabic currency marks above
    (0x08E2, 0x08E2),   // Arabic disputed end of ayah
    (0x115F, 0x1160),   // Hangul fillers
    (0x17B4, 0x17B5),   // Khmer inherent vowels
    (0x180B, 0x180F),   // Mongolian variation selectors, vowel separator
    (0x200B, 0x200F),   // zero-width space, joiners, direction marks
    (0x2028, 0x202E),   // line and paragraph separator, bidi embeddings and overrides
    (0x2060, 0x206F),   // word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),   // Hangul filler
    (0xE000, 0xF8FF),   // private use
    (0xFDD0, 0xFDEF),   // noncharacters
    (0xFE00, 0xFE0F),   // variation selectors
    (0xFEFF, 0xFEFF),   // byte order mark
    (0xFFA0, 0xFFA0),   // halfwidth Hangul filler
    (0xFFF0, 0xFFFB),   // unassigned specials, interlinear annotation
    (0xFFFE, 0xFFFF),   // noncharacters
    (0x110BD, 0x110BD), // Kaithi number sign
    (0x110CD, 0x110CD), // Kaithi number sign above
    (0x13430, 0x1343F), // Egyptian hieroglyph format controls
    (0x1BCA0, 0x1BCA3), // shorthand format controls
    (0x1D173, 0x1D17A), // musical symbol format controls
    (0x1FFFE, 0x1FFFF), // noncharacters, here and at the end of each plane
    (0x2FFFE, 0x2FFFF),
    (0x3FFFE, 0x3FFFF),
    (0x4FFFE, 0x4FFFF),
    (0x5FFFE, 0x5FFFF),
    (0x6FFFE, 0x6FFFF),
    (0x7FFFE, 0x7FFFF),
    (0x8FFFE, 0x8FFFF),
    (0x9FFFE, 0xDFFFF),     // planes 10 to 13, unassigned
    (0xE0000, 0x0010_FFFF), // tags, variation selectors, private use planes
];

/// Bytes to be shown as one piece of text on one line; see the module for the notation.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(&'a [u8]);

impl<'a> Escaped<'a> {
    /// Wraps a name or a message, of any bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            let mut rest = chunk.valid();
            while let Some((at, c)) = rest.char_indices().find(|(_, c)| must_escape(*c)) {
                f.write_str(rest.get(..at).unwrap_or_default())?;
                write_escape(f, c)?;
                rest = rest.get(at + c.len_utf8()..).unwrap_or_default();
            }
            f.write_str(rest)?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// The same as [`Escaped`], borrowed when there is nothing to escape.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly every name is plain ASCII: told without decoding its characters, and all of them looked at, so that the
    // compiler takes many at once.
    let odd = bytes.iter().fold(false, |odd, b| odd | !matches!(b, b' '..=b'[' | b']'..=b'~'));
    match std::str::from_utf8(bytes) {
        Ok(text) if !odd => Cow::Borrowed(text),
        Ok(text) if !text.chars().any(must_escape) => Cow::Borrowed(text),
        _ => Cow::Owned(Escaped::new(bytes).to_string()),
    }
}

fn write_escape(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    match c {
        '\\' => f.write_str("\\\\"),
        c if c.is_ascii() => write!(f, "\\x{:02x}", u32::from(c)),
        c => {
            write!(f, "\\u{{{:x}", u32::from(c))?;
            f.write_char('}')
        }
    }
}

/// JSON with what could act on a terminal in it written as `\u202e`, which JSON readers take for the same. JSON itself escapes
/// ASCII's control characters alone; others stand in its strings only.
pub fn json(text: String) -> String {
    let acts = |c: char| !c.is_ascii() && must_escape(c);
    if text.is_ascii() || !text.contains(acts) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                use std::fmt::Write as _;
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character is never shown as it is: a control or format character, and the backslash, which begins an escape.
pub fn must_escape(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() || c == '\\';
    }
    c.is_control() || is_hidden(u32::from(c))
}

fn is_hidden(code: u32) -> bool {
    HIDDEN
        .binary_search_by(|(first, last)| {
            if code < *first {
                std::cmp::Ordering::Greater
            } else if code > *last {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Equal
            }
        })
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_keeps_its_meaning_and_acts_on_no_terminal() {
        let said = "a\u{202e}b\u{9b}c\u{e0001}d\u{fc}e\u{feff}\"\\";
        let plain = serde_json::to_string(said).unwrap();
        let text = json(plain.clone());
        assert_eq!(text, "\"a\\u202eb\\u009bc\\udb40\\udc01d\u{fc}e\\ufeff\\\"\\\\\"");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), said);
        assert_eq!(json("{\"a\":1}".to_owned()), "{\"a\":1}");
    }

    #[test]
    fn plain_names_stay_and_are_not_copied() {
        assert!(matches!(escape(b"tmod_secret.isra.0"), Cow::Borrowed("tmod_secret.isra.0")));
        assert_eq!(escape("größe_中".as_bytes()), "größe_中");
    }

    #[test]
    fn dangerous_ones_are_spelled_out() {
        assert_eq!(escape(b"a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
        assert_eq!(escape("x\u{202e}y\u{feff}".as_bytes()), "x\\u{202e}y\\u{feff}");
        assert_eq!(escape(b"\xff\xc3(\xed\xa0\x80"), "\\xff\\xc3(\\xed\\xa0\\x80");
        assert_eq!(escape("\u{9b}2J".as_bytes()), "\\u{9b}2J");
    }

    #[test]
    fn a_spelled_escape_differs_from_the_real_one() {
        assert_ne!(escape(b"\x1b"), escape(b"\\x1b"));
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(HIDDEN.iter().all(|(first, last)| first <= last));
        assert!(HIDDEN.windows(2).all(|w| matches!(w, [a, b] if a.1 < b.0)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

        // The categories come from proptest's own Unicode tables: a witness independent of ours.
        #[test]
        fn every_control_and_format_character_is_escaped(s in "[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]{1,16}") {
            let shown = escape(s.as_bytes());
            prop_assert!(shown.chars().all(|c| c.is_ascii_graphic()), "{s:?} -> {shown:?}");
        }

        #[test]
        fn any_bytes_become_harmless_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let shown = escape(&bytes);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(u32::from(c))), "{shown:?}");
        }

        #[test]
        fn letters_digits_and_marks_stay(s in "[\\p{L}\\p{Nd}\\p{P}--\\\\]{0,16}") {
            // Hangul fillers are letters by category, and invisible.
            prop_assume!(!s.chars().any(|c| is_hidden(u32::from(c))));
            prop_assert_eq!(escape(s.as_bytes()), s.as_str());
        }

        #[test]
        fn different_names_look_different(
            a in proptest::collection::vec(any::<u8>(), 0..8),
            b in proptest::collection::vec(any::<u8>(), 0..8),
        ) {
            prop_assert_eq!(a == b, escape(&a) == escape(&b));
        }
    }
}
