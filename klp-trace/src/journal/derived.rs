//! What a journal says of the one that it was made of, when that one is not whole: the damage goes where the evidence goes.

use super::chain::Hash;
use super::reader::Integrity;
use crate::model::escape::escape;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Damages that are named; the others are counted.
const NAMED: usize = 8;

/// That a journal was made of one that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Derived {
    /// The last hash that the first of its sources carried: names that source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// Damages of all sources.
    pub damages: u64,
    /// The first of them, each in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
    /// Whether the last session of each source had its end.
    pub ended: bool,
}

impl Derived {
    /// What is to be said of a journal that is made of this one; none when this one is sound. Of a source that was itself
    /// made of a damaged one, the first source's hash stays.
    pub fn of(source: &Integrity) -> Option<Self> {
        if source.is_sound() {
            return None;
        }
        let earlier = source.derived.clone();
        let hash = earlier.as_ref().map_or(source.last_hash, |earlier| earlier.hash);
        let mut first = earlier.as_ref().map(|earlier| earlier.first.clone()).unwrap_or_default();
        first.extend(source.listed().map(ToString::to_string));
        first.truncate(NAMED);
        let before = earlier.as_ref().map_or(0, |earlier| earlier.damages);
        Some(Self {
            hash,
            damages: before.saturating_add(source.damages),
            first,
            ended: source.ended && source.cut == 0 && earlier.is_none_or(|earlier| earlier.ended),
        })
    }
}

/// What was wrong with the source, fit to be shown.
impl fmt::Display for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = Vec::new();
        match (self.first.first().map(|first| escape(first.as_bytes())), self.damages) {
            (Some(first), 2..) => said.push(format!("{first} (the first of {} damages)", self.damages)),
            (Some(first), _) => said.push(first.into_owned()),
            (None, 1..) => said.push(format!("damages: {}", self.damages)),
            (None, 0) => {}
        }
        if !self.ended {
            said.push("its end was missing".to_owned());
        }
        if let Some(hash) = self.hash {
            said.push(format!("its last hash was {hash}"));
        }
        f.write_str(&said.join("; "))
    }
}
