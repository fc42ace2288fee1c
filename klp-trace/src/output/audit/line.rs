//! An audit in one line, for a log or a prompt.

use super::Report;
use crate::model::Verdict;
use crate::output::text::layout::{count, name};

impl Report {
    /// `host: 2 livepatches, 16 relocations: stale 7, applied 9; 1 finding (error); exit 1: …`.
    pub fn line(&self, exit_code: u8, meaning: &str) -> String {
        let host = name(&self.origin.host.name);
        if self.livepatches.is_empty() {
            return format!("{host}: no livepatch is loaded, nothing to audit; exit {exit_code}: {meaning}");
        }
        let totals = self.totals();
        let relocations: u64 = totals.values().sum();
        let patches = count(self.livepatches.len() as u64, "livepatch").replace("livepatchs", "livepatches");
        let verdicts: Vec<String> = totals
            .iter()
            .rev()
            .map(|(verdict, count)| format!("{} {count}", Verdict::word(*verdict)))
            .collect();
        let verdicts = if verdicts.is_empty() {
            "no klp relocations, nothing to check".to_owned()
        } else {
            format!("{}: {}", count(relocations, "relocation"), verdicts.join(", "))
        };
        let unread = self.livepatches.values().filter(|patch| patch.is_unread()).count();
        let unread = if unread > 0 {
            format!("; {unread} of the livepatches could not be read")
        } else {
            String::new()
        };
        let findings = match self.worst() {
            None if self.hidden > 0 => {
                format!("{} hidden by the filter", count(self.hidden as u64, "finding"))
            }
            None => "no findings".to_owned(),
            Some(worst) => format!("{} (worst: {worst})", count(self.findings.len() as u64, "finding")),
        };
        format!("{host}: {patches}, {verdicts}{unread}; {findings}; exit {exit_code}: {meaning}")
    }
}
