//! What a rule says.

use serde::Serialize;

use crate::model::{FindingId, Severity};

/// One thing that is wrong, in one place. Names in it are escaped already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Finding {
    /// The stable id.
    pub id: FindingId,
    /// The id's name.
    pub name: &'static str,
    /// The rule, whose name is stable too; several rules may share an id.
    pub rule: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// Whether the user allowed it (`--allow`): shown, not counted.
    pub allowed: bool,
    /// Why, where a policy allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The relocation section; none when it is the file as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<Place>,
    /// The relocations of that section, counted from 0; none when it is the section as a whole.
    pub relocations: Vec<u32>,
    /// The symbol, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// What is wrong, in one sentence without a full stop.
    pub what: String,
    /// What the kernel will do with it.
    pub kernel: String,
    /// What to do.
    pub remedy: String,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Place {
    /// Its index in the section headers.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// What was not checked, and why: never a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Unchecked {
    /// The finding that could not be looked for.
    pub id: FindingId,
    /// What it is about: an object's name.
    pub subject: String,
    /// Why, and what would help.
    pub why: String,
    /// Why it is let pass, where a policy allows its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the rules said of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What could not be checked.
    pub unchecked: Vec<Unchecked>,
}

impl Report {
    /// The findings that count: those the user did not allow.
    pub fn counted(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|f| !f.allowed)
    }

    /// Notes what was not checked, once.
    pub fn not_checked(&mut self, unchecked: Unchecked) {
        if !self.unchecked.contains(&unchecked) {
            self.unchecked.push(unchecked);
        }
    }

    /// The worst severity of those that count.
    pub fn worst(&self) -> Option<Severity> {
        self.counted().map(|f| f.severity).max()
    }
}

/// Indices as people write them: "0-3, 7".
pub fn ranges(indices: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*index) => *last = *index,
            _ => runs.push((*index, *index)),
        }
    }
    let run = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_shown_in_runs() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[5]), "5");
        assert_eq!(ranges(&[0, 1, 2, 7, 9, 10, u32::MAX]), "0-2, 7, 9-10, 4294967295");
    }
}
