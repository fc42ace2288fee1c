//! `--allow` and `--deny`: which findings count, by id or by rule.

use std::fmt;
use std::str::FromStr;

use super::finding::Report;
use super::{Finding, built_in, rules, sympos, third};
use crate::model::nearest::meant;
use crate::model::{FindingId, Severity};

/// An id with all its rules, or one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Every finding of an id.
    Id(FindingId),
    /// The findings of a rule.
    Rule(&'static str),
}

/// The rules that need other files than the patch's.
pub const OTHERS: &[rules::About] = &[
    sympos::ORDER,
    sympos::NOT_FOUND,
    sympos::IN_INIT,
    sympos::NOT_CODE,
    sympos::NO_SITE,
    built_in::BUILT_IN,
    third::THIRD,
];

/// Every rule, those that need other files among them.
pub fn abouts() -> impl Iterator<Item = rules::About> {
    rules::ALL.iter().map(|rule| rule.about()).chain(OTHERS.iter().copied())
}

impl Selector {
    /// Whether findings of an id may be picked.
    pub fn concerns(self, id: FindingId) -> bool {
        match self {
            Self::Id(own) => own == id,
            Self::Rule(rule) => abouts().any(|about| about.rule == rule && about.id == id),
        }
    }

    /// Whether it picks a finding.
    pub fn picks(self, finding: &Finding) -> bool {
        match self {
            Self::Id(id) => finding.id == id,
            Self::Rule(rule) => finding.rule == rule,
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Rule(rule) => f.pad(rule),
        }
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = |about: &rules::About| {
            text.eq_ignore_ascii_case(&about.id.to_string()) || text == about.id.name()
        };
        if let Some(about) = abouts().find(id) {
            return Ok(Self::Id(about.id));
        }
        if let Some(about) = abouts().find(|about| about.rule == text) {
            return Ok(Self::Rule(about.rule));
        }
        let names: Vec<String> =
            abouts().flat_map(|a| [a.id.to_string(), a.id.name().to_owned(), a.rule.to_owned()]).collect();
        let meant = meant(text, names.iter().map(String::as_str));
        Err(format!("no finding or rule of inspect{meant} (klp-trace explain lists them)"))
    }
}

/// What the user allows and denies; where both pick a finding, it is denied.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Shown, not counted.
    pub allow: Vec<Selector>,
    /// Errors, whatever their severity was.
    pub deny: Vec<Selector>,
}

impl Policy {
    /// Whether findings of an id do not count: then it does not matter that they were not looked for.
    pub fn allows(&self, id: FindingId) -> bool {
        let all_of = |list: &[Selector]| list.contains(&Selector::Id(id));
        all_of(&self.allow) && !all_of(&self.deny)
    }

    /// Marks the findings.
    pub fn apply(&self, report: &mut Report) {
        for finding in &mut report.findings {
            if self.deny.iter().any(|s| s.picks(finding)) {
                finding.severity = Severity::Error;
            } else if self.allow.iter().any(|s| s.picks(finding)) {
                finding.allowed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_names_and_rules_are_understood_and_the_nearest_is_named() {
        assert_eq!("klp012".parse(), Ok(Selector::Id(FindingId::Klp012)));
        assert_eq!("orphan-gate".parse(), Ok(Selector::Id(FindingId::Klp007)));
        assert_eq!("target-in-init".parse(), Ok(Selector::Rule("target-in-init")));
        let error = "target-init".parse::<Selector>().unwrap_err();
        assert!(error.contains("target-in-init"), "{error}");
        assert!("KLP001".parse::<Selector>().is_err(), "not one that inspect can make");
    }

    #[test]
    fn denied_wins_over_allowed() {
        let finding = Finding {
            id: FindingId::Klp012,
            name: "unsafe-target-section",
            rule: "klp-arch-leftover",
            severity: Severity::Warning,
            allowed: false,
            reason: None,
            section: None,
            relocations: Vec::new(),
            symbol: None,
            what: String::new(),
            kernel: String::new(),
            remedy: String::new(),
        };
        let applied = |allow: &[Selector], deny: &[Selector]| {
            let mut report = Report { findings: vec![finding.clone()], ..Report::default() };
            Policy { allow: allow.to_vec(), deny: deny.to_vec() }.apply(&mut report);
            (report.findings[0].allowed, report.findings[0].severity, report.worst())
        };
        let (id, rule) = (Selector::Id(FindingId::Klp012), Selector::Rule("klp-arch-leftover"));
        assert_eq!(applied(&[], &[]), (false, Severity::Warning, Some(Severity::Warning)));
        assert_eq!(applied(&[id], &[]), (true, Severity::Warning, None));
        assert_eq!(applied(&[id], &[rule]), (false, Severity::Error, Some(Severity::Error)));
        assert_eq!(
            applied(&[Selector::Rule("other")], &[]),
            (false, Severity::Warning, Some(Severity::Warning))
        );
    }
}
