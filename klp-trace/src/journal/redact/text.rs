//! Addresses in text, in whatever form: as a hexadecimal number with or without `0x`, as a decimal one, as bytes.

use crate::arch::LOOKS_LIKE_AN_ADDRESS;

/// Replaces each number of a text that can be an address of the kernel's half by what `shown` makes of it. The number
/// is given as it is; `shown` gives what stands for it, to be written in the same form, or the words that stand there
/// instead.
pub fn replace(text: &str, shown: &dyn Fn(u64) -> Shown) -> String {
    all(text, false, shown)
}

/// Words instead of every such number, and of every hexadecimal one of more than 32 bits: the kernel's half of other
/// architectures is elsewhere.
pub fn hide(text: &str, words: &'static str) -> String {
    all(text, true, &|_| Shown::Words(words))
}

fn all(text: &str, low: bool, shown: &dyn Fn(u64) -> Shown) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric()) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let negative = before.ends_with('-');
        if let Some((form, address)) = Form::of(word, negative, low) {
            let sign = if matches!(form, Form::Negative) { "-" } else { "" };
            out.push_str(before.strip_suffix(sign).unwrap_or(before));
            out.push_str(&match shown(address) {
                Shown::As(address) => form.write(address),
                Shown::Words(words) => words.to_owned(),
            });
        } else {
            out.push_str(before);
            out.push_str(word);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands for an address.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// Another address, in the same form.
    As(u64),
    /// Words.
    Words(&'static str),
}

/// How a number is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// `0xffffffff81000000`.
    Prefixed,
    /// `ffffffff81000000`.
    Hex,
    /// `00000081ffffffff`: its bytes in memory order.
    Bytes,
    /// `18446744071578845184`.
    Decimal,
    /// `-2130706432`.
    Negative,
}

impl Form {
    /// How a word writes an address, if it is one.
    fn of(word: &str, negative: bool, low: bool) -> Option<(Self, u64)> {
        let address = |value: u64| LOOKS_LIKE_AN_ADDRESS.contains(&value).then_some(value);
        let hex = |digits: &str| {
            let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            all.then(|| u64::from_str_radix(digits.trim_start_matches('0'), 16).ok()).flatten()
        };
        if let Some(digits) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
            let value = hex(digits)?;
            let value = address(value).or_else(|| (low && value > u64::from(u32::MAX)).then_some(value));
            return Some((Self::Prefixed, value?));
        }
        if word.len() == 16
            && let Some(value) = hex(word)
        {
            let plain = address(value).map(|value| (Self::Hex, value));
            return plain.or_else(|| address(value.swap_bytes()).map(|value| (Self::Bytes, value)));
        }
        if !word.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        // The dash before a number that is too large for a sign is a dash.
        if negative && let Some(value) = word.parse::<i64>().ok().and_then(i64::checked_neg) {
            return address(value.cast_unsigned()).map(|value| (Self::Negative, value));
        }
        word.parse().ok().and_then(address).map(|value| (Self::Decimal, value))
    }

    fn write(self, address: u64) -> String {
        match self {
            Self::Prefixed => format!("{address:#x}"),
            Self::Hex => format!("{address:016x}"),
            Self::Bytes => format!("{:016x}", address.swap_bytes()),
            Self::Decimal => address.to_string(),
            Self::Negative => address.cast_signed().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_form_and_nothing_else_is() {
        let moved = |text: &str| replace(text, &|address| Shown::As(address - 0x1000_0000));
        for (text, shown) in [
            ("at 0xffffffffc0400010: holds", "at 0xffffffffb0400010: holds"),
            ("base=ffffffffc0400010,", "base=ffffffffb0400010,"),
            ("100040c0ffffffff", "100040b0ffffffff"),
            ("18446744072639086608", "18446744072370651152"),
            ("x -1070465008 y", "x -1338900464 y"),
            ("to-18446744072639086608.", "to-18446744072370651152."),
            ("ret -22, 7 of 4294967296", "ret -22, 7 of 4294967296"),
            ("build-id 7c0ffee07c0ffee07c0ffee07c0ffee0", "build-id 7c0ffee07c0ffee07c0ffee07c0ffee0"),
            ("0x00000000ffffffff größe", "0x00000000ffffffff größe"),
        ] {
            assert_eq!(moved(text), shown);
        }
        assert_eq!(hide("at 0xFFFFFFFF81000000", "(address)"), "at (address)");
        assert_eq!(hide("s390x: 0x3ff80001000", "(address)"), "s390x: (address)");
        assert_eq!(hide("-2130706432.", "(address)"), "(address).");
    }
}
