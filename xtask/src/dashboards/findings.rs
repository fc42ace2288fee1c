//! The findings, as docs/findings lists them, and those that no alert is about.

use anyhow::ensure;

/// A row of docs/findings/README.md.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `KLP001` and so on.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it says.
    pub says: String,
}

/// Findings that no alert names, each with the reason.
#[cfg(test)]
pub const WITHOUT_ALERT: [(&str, &str); 2] = [
    ("KLP008", "about a file: klp-trace inspect makes it, klp-trace serve never does"),
    ("KLP015", "about a file: klp-trace inspect makes it, klp-trace serve never does"),
];

/// All of them, from the text of docs/findings/README.md.
pub fn listed(readme: &str) -> anyhow::Result<Vec<Finding>> {
    let row = |line: &str| {
        let (link, says) = line.strip_prefix("| [")?.strip_suffix(" |")?.split_once(" | ")?;
        let (id, rest) = link.split_once(']')?;
        let (_, name) = rest.split_once(") ")?;
        Some(Finding { id: id.to_owned(), name: name.to_owned(), says: says.to_owned() })
    };
    let found: Vec<Finding> = readme.lines().filter_map(row).collect();
    ensure!(!found.is_empty(), "docs/findings/README.md lists no finding: its table is not read any more");
    Ok(found)
}
