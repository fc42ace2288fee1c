//! How long something may take.

use serde::Deserialize;
use std::fmt;

/// A length of time: a whole number and `us`, `ms`, `s` or `m`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Limit {
    /// Nanoseconds.
    pub nanos: u64,
    text: String,
}

impl TryFrom<String> for Limit {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).unwrap_or((&text, ""));
        let scale = match unit {
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            _ => 0,
        };
        let nanos = number.parse::<u64>().ok().and_then(|number| number.checked_mul(scale));
        match nanos {
            Some(nanos) if nanos > 0 => Ok(Self { nanos, text }),
            _ => Err(format!(
                "\"{text}\" is no length of time: write a whole number and us, ms, s or m, as in \"250ms\""
            )),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Nanoseconds for people: `850 ns`, `12.5 us`, `3.2 ms`, `4.0 s`.
pub(super) fn shown(nanos: u64) -> String {
    let (divisor, unit) = match nanos {
        0..1_000 => return format!("{nanos} ns"),
        1_000..1_000_000 => (1_000, "us"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let tenths = nanos / (divisor / 10);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_and_times() {
        let nanos = |text: &str| Limit::try_from(text.to_owned()).map(|limit| limit.nanos);
        assert_eq!(nanos("250us"), Ok(250_000));
        assert_eq!(nanos("10ms"), Ok(10_000_000));
        assert_eq!(nanos("5s"), Ok(5_000_000_000));
        assert_eq!(nanos("2m"), Ok(120_000_000_000));
        for wrong in ["", "5", "0s", "1.5s", "-1s", "5h", "99999999999999999999s", "18446744073709551615s"] {
            assert!(nanos(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            [850, 12_500, 3_210_000, 4_000_000_000].map(shown),
            ["850 ns", "12.5 us", "3.2 ms", "4.0 s"]
        );
    }
}
