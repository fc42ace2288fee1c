//! How many relocations there must be: `applied == 12`, `stale < 1`, `pending in 0..4`.

use crate::model::Verdict;
use serde::Deserialize;
use std::fmt;

/// A demand on the number of relocations with one verdict, or on all of them (`total`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Count {
    /// The verdict; none for all relocations.
    pub verdict: Option<Verdict>,
    /// The least number that will do.
    min: u64,
    /// The greatest number that will do.
    max: u64,
    /// `!=`: every number will do but those from `min` to `max`.
    not: bool,
    text: String,
}

/// Whether a number that is known within bounds will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// Whatever the number is.
    Yes,
    /// Whatever the number is.
    No,
    /// It depends on what is not known.
    CannotTell,
}

impl Count {
    /// Whether a number will do.
    pub fn holds(&self, number: u64) -> bool {
        (self.min..=self.max).contains(&number) != self.not
    }

    /// Whether a number from `least` to `most` will do.
    pub fn met(&self, least: u64, most: u64) -> Met {
        // What is allowed is one range or the outside of one: the ends, and the range's own ends, decide.
        let inside = |number: &u64| (least..=most).contains(number);
        let ends = [least, most, self.min, self.max, self.min.saturating_sub(1), self.max.saturating_add(1)];
        let mut held = ends.iter().filter(|number| inside(number)).map(|number| self.holds(*number));
        let first = held.next().unwrap_or(false);
        match (first, held.all(|one| one == first)) {
            (true, true) => Met::Yes,
            (false, true) => Met::No,
            (_, false) => Met::CannotTell,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Count {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [what, operator, value] = words[..] else {
            return Err(format!(
                "\"{text}\" is no count: write it as \"applied == 12\" or \"pending in 0..4\""
            ));
        };
        let verdict = match what {
            "total" => None,
            word => {
                Some(Verdict::ALL.into_iter().find(|verdict| verdict.word() == word).ok_or_else(|| {
                    let words = Verdict::ALL.iter().map(|verdict| verdict.word()).chain(["total"]);
                    format!("\"{word}\" is no verdict{}", super::file::meant(word, words))
                })?)
            }
        };
        let number =
            |text: &str| text.parse::<u64>().map_err(|_| format!("\"{text}\" is not a whole number"));
        let past = |text: &str| {
            let than = if operator == "<" { "less" } else { "greater" };
            format!("\"{operator} {text}\" never holds: no number is {than} than {text}")
        };
        let (min, max, not) = match operator {
            "==" => (number(value)?, number(value)?, false),
            "!=" => (number(value)?, number(value)?, true),
            ">=" => (number(value)?, u64::MAX, false),
            "<=" => (0, number(value)?, false),
            ">" => (number(value)?.checked_add(1).ok_or_else(|| past(value))?, u64::MAX, false),
            "<" => (0, number(value)?.checked_sub(1).ok_or_else(|| past(value))?, false),
            "in" => {
                let (min, max) = value.split_once("..").ok_or_else(|| {
                    format!("\"{value}\" is no range: write it as 0..4, both ends included")
                })?;
                (number(min)?, number(max)?, false)
            }
            _ => {
                return Err(format!(
                    "\"{operator}\" is no comparison: use ==, !=, <, <=, >, >= or \"in\" and a range"
                ));
            }
        };
        if min > max {
            return Err(format!("\"{value}\" is an empty range"));
        }
        Ok(Self { verdict, min, max, not, text: words.join(" ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(text: &str) -> Count {
        Count::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn each_comparison() {
        let holds = |text: &str| (0..5).filter(|number| count(text).holds(*number)).collect::<Vec<_>>();
        assert_eq!(holds("applied == 2"), [2]);
        assert_eq!(holds("applied != 2"), [0, 1, 3, 4]);
        assert_eq!(holds("applied < 2"), [0, 1]);
        assert_eq!(holds("applied <= 2"), [0, 1, 2]);
        assert_eq!(holds("applied > 2"), [3, 4]);
        assert_eq!(holds("applied >= 2"), [2, 3, 4]);
        assert_eq!(holds("total in 1..3"), [1, 2, 3]);
    }

    #[test]
    fn what_is_no_count_says_why() {
        let why = |text: &str| Count::try_from(text.to_owned()).unwrap_err();
        assert!(why("applied=12").contains("write it as"));
        assert!(why("aplied == 1").contains("applied"), "{}", why("aplied == 1"));
        assert!(why("stale < 0").contains("no number"));
        assert!(why("stale =< 1").contains("no comparison"));
        assert!(why("stale in 4..1").contains("empty"));
        assert!(why("stale == -1").contains("whole number"));
    }

    proptest! {
        /// Against trying every number.
        #[test]
        fn bounds_are_judged_as_each_number_would_be(
            operator in prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]),
            value in 1u64..8, least in 0u64..8, more in 0u64..8,
        ) {
            let count = count(&format!("stale {operator} {value}"));
            let held: Vec<bool> = (least..=least + more).map(|number| count.holds(number)).collect();
            let expected = match (held.contains(&true), held.contains(&false)) {
                (true, false) => Met::Yes,
                (false, true) => Met::No,
                _ => Met::CannotTell,
            };
            prop_assert_eq!(count.met(least, least + more), expected);
        }
    }
}
