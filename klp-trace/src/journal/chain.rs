//! The hash chain of a journal: each line carries the SHA-256 of its own bytes and the hash of the line before.
//!
//! `hash` is the lower-case hex SHA-256 of the line's bytes up to, and not including, `,"hash":`. `prev`, which those
//! bytes hold, is the hash of the line before, or 64 zeros at the start of a session. So damage shows at the line where
//! it is. Forgery does not: whoever can rewrite a line can rewrite the rest of the chain, unless its last hash is kept
//! elsewhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt;

/// What stands between a line's hashed bytes and its hash.
const LABEL: &[u8] = b",\"hash\":\"";
/// What stands after the hash.
const END: &[u8] = b"\"}";
/// Hex digits of a hash.
const DIGITS: usize = 64;

/// A SHA-256; written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The `prev` of the first line of a session.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    fn hex(self) -> [u8; DIGITS] {
        const HEX: [u8; 16] = *b"0123456789abcdef";
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
        let mut out = [0; DIGITS];
        for (pair, byte) in out.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = digit(byte >> 4);
                *low = digit(byte & 15);
            }
        }
        out
    }

    fn from_hex(digits: &[u8]) -> Option<Self> {
        // Lower case alone: one hash, one spelling.
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let mut out = [0; 32];
        if digits.len() != DIGITS {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = value(*high)? << 4 | value(*low)?;
        }
        Some(Self(out))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(&self.hex()).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_hex(text.as_bytes())
            .ok_or_else(|| D::Error::custom(format_args!("{text:?} is not a SHA-256 in lower-case hex")))
    }
}

/// Seals a line: `line` is a JSON object whose last field is `prev`; its hash is added as the last field.
pub fn seal(line: &mut Vec<u8>) -> Hash {
    if line.last() == Some(&b'}') {
        line.pop();
    }
    let hash = Hash::of(line);
    line.extend_from_slice(LABEL);
    line.extend_from_slice(&hash.hex());
    line.extend_from_slice(END);
    hash
}

/// Whether a line carries a hash where it belongs, whatever it is.
pub fn has_seal(line: &[u8]) -> bool {
    let label = line.len().checked_sub(LABEL.len() + DIGITS + END.len());
    line.ends_with(END) && label.and_then(|at| line.get(at..)).is_some_and(|end| end.starts_with(LABEL))
}

/// Whether a line (without its newline) carries the hash of its own bytes as its last field.
pub fn is_sealed(line: &[u8]) -> bool {
    sealed_with(line).is_some()
}

/// The hash that a line (without its newline) carries, if it is the hash of its own bytes.
pub fn sealed_with(line: &[u8]) -> Option<Hash> {
    let rest = line.strip_suffix(END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let hash = Hash::from_hex(digits)?;
    let hashed = rest.strip_suffix(LABEL)?;
    (Hash::of(hashed) == hash).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_hash_is_that_of_the_bytes_before_it() {
        let mut line = br#"{"seq":1,"prev":"00"}"#.to_vec();
        seal(&mut line);
        // printf '%s' '{"seq":1,"prev":"00"' | sha256sum
        let expected = "20bb0b06b3b636140fbf64bc589eee373067985f6d90f768798199c4906d9722";
        assert_eq!(
            String::from_utf8(line).unwrap(),
            format!(r#"{{"seq":1,"prev":"00","hash":"{expected}"}}"#)
        );
    }

    proptest! {
        #[test]
        fn any_changed_byte_breaks_the_seal(text in "[a-z,\"{}:]{0,40}", at: prop::sample::Index, flip in 1u8..) {
            let mut line = format!("{{{text}}}").into_bytes();
            seal(&mut line);
            prop_assert!(is_sealed(&line));
            let at = at.index(line.len());
            line[at] ^= flip;
            prop_assert!(!is_sealed(&line));
        }

        #[test]
        fn hashes_survive_json(bytes: [u8; 32]) {
            let json = serde_json::to_string(&Hash(bytes)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Hash>(&json).unwrap(), Hash(bytes));
        }

        #[test]
        fn arbitrary_lines_are_not_sealed(line: Vec<u8>) {
            prop_assert!(!is_sealed(&line));
        }
    }
}
