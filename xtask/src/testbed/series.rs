//! The kernel series that klp-trace is tested on.

use std::fmt;
use std::str::FromStr;

/// A kernel series; the newest Debian package of each is resolved at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Series {
    /// 6.1 (Debian 12): never clears relocation targets.
    V6_1,
    /// 6.12 (Debian 13): clears them on a module's removal.
    V6_12,
    /// The newest 7.x (backports): clears them too, and packages its kernel differently.
    V7,
}

impl Series {
    /// Every series, oldest first.
    pub const fn all() -> [Self; 3] {
        [Self::V6_1, Self::V6_12, Self::V7]
    }

    /// What a release of this series starts with, up to a dot.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V7 => "7",
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.prefix())
    }
}

impl FromStr for Series {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::all().into_iter().find(|series| series.prefix() == text).ok_or_else(|| {
            format!("no kernel series “{text}”; there are {}", Self::all().map(|s| s.to_string()).join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_read_as_it_is_written() {
        for series in Series::all() {
            assert_eq!(series.to_string().parse(), Ok(series));
        }
        assert!("5.10".parse::<Series>().is_err_and(|e| e.contains("6.12")));
    }
}
