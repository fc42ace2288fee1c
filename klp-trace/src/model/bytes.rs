//! Bytes and addresses as they are written down.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// Up to eight bytes of memory, in memory order; written as lower-case hex without separators.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bytes {
    len: u8,
    data: [u8; 8],
}

impl Bytes {
    /// The first `len` bytes of `data`; `len` above 8 is cut to 8.
    pub fn new(data: [u8; 8], len: usize) -> Self {
        let len = len.min(8);
        let mut kept = [0; 8];
        for (to, from) in kept.iter_mut().zip(data).take(len) {
            *to = from;
        }
        Self { len: u8::try_from(len).unwrap_or(8), data: kept }
    }

    /// The bytes of `slice`, at most eight.
    pub fn from_slice(slice: &[u8]) -> Self {
        let mut data = [0; 8];
        for (to, from) in data.iter_mut().zip(slice) {
            *to = *from;
        }
        Self::new(data, slice.len())
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.data.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The bytes as a little-endian number, with `bits` of it zero.
    #[must_use]
    pub fn without(&self, bits: u64) -> Self {
        let value = u64::from_le_bytes(self.data) & !bits;
        Self { len: self.len, data: value.to_le_bytes() }
    }

    /// Its hex digits.
    fn text<'a>(&self, digits: &'a mut [u8; 16]) -> &'a str {
        for (digits, byte) in digits.as_chunks_mut().0.iter_mut().zip(self.as_slice()) {
            *digits = [digit(byte >> 4), digit(byte & 0xf)];
        }
        ascii(digits.get(..2 * usize::from(self.len)))
    }

    /// Whether every byte is zero.
    pub fn is_zero(&self) -> bool {
        self.data == [0; 8]
    }
}

/// A hex digit. Numbers are most of a journal and of a CSV file: written without the detours of `{:02x}`.
const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

/// What is ASCII, as text.
fn ascii(text: Option<&[u8]>) -> &str {
    text.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 16]))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut [0; 16]))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bad = || D::Error::custom(format_args!("{text:?} is not up to eight bytes in hex"));
        if !text.is_ascii() || text.len() % 2 != 0 || text.len() > 16 {
            return Err(bad());
        }
        let mut data = [0; 8];
        for (to, pair) in data.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            if pair.starts_with('+') {
                return Err(bad());
            }
            *to = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self::new(data, text.len() / 2))
    }
}

/// A kernel address or symbol value; written as `"0x…"`, since JSON numbers do not hold 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub u64);

impl Address {
    const ZEROS: [u8; 18] = *b"0x0000000000000000";

    /// Its digits, after `0x`.
    fn text(self, text: &mut [u8; 18]) -> &str {
        let digits = usize::try_from((64 - self.0.leading_zeros()).div_ceil(4).max(1)).unwrap_or(16);
        for (at, place) in text.iter_mut().skip(2).take(digits).rev().enumerate() {
            *place = digit((self.0 >> (4 * at)).to_le_bytes()[0] & 0xf);
        }
        ascii(text.get(..2 + digits))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut { Self::ZEROS }))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text(&mut { Self::ZEROS }))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("{text:?} is not an address (0x…)")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_survive_json(data: [u8; 8], len in 0usize..=8) {
            let bytes = Bytes::new(data, len);
            let json = serde_json::to_string(&bytes).unwrap();
            prop_assert_eq!(serde_json::from_str::<Bytes>(&json).unwrap(), bytes);
        }

        #[test]
        fn addresses_survive_json(value: u64) {
            let json = serde_json::to_string(&Address(value)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), Address(value));
        }
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(data: [u8; 8], len in 0usize..=8, value: u64, shift in 0u32..64) {
            let plain: Vec<String> = data.iter().take(len).map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(Bytes::new(data, len).to_string(), plain.concat());
            for value in [value >> shift, 1 << shift, (1 << shift) - 1] {
                prop_assert_eq!(Address(value).to_string(), format!("{value:#x}"));
            }
        }
    }

    #[test]
    fn bad_hex_is_refused() {
        for text in ["\"0\"", "\"zz\"", "\"+1\"", "\"001122334455667788\"", "\"é\""] {
            assert!(serde_json::from_str::<Bytes>(text).is_err(), "{text}");
        }
        for text in ["\"12\"", "\"0x\"", "\"0x+1\"", "\"0x10000000000000000\"", "12"] {
            assert!(serde_json::from_str::<Address>(text).is_err(), "{text}");
        }
    }
}
