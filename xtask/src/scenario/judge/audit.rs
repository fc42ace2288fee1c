//! What `klp-trace audit` said, without having traced anything, against what `klp-trace watch` had come to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{relocs, step};
use crate::scenario::exchange::{AuditBy, Poked, StepReport};
use crate::scenario::format::Found;
use crate::scenario::instance::{Counts, Instance};
use crate::scenario::journal::{Follower, Journal, Said};

/// Of one kind of defect so many are shown.
const SHOWN: usize = 3;

/// Where an audit cannot know what a trace does. All such places are here.
const EXCEPTIONS: [Exception; 4] = [
    // The loader goes on to rewrite code after it has relocated it (returns, alternatives, call thunks). Only a trace has
    // seen the bytes in between; what stands there later is no verdict, good or bad.
    Exception { object: Some("vmlinux"), trace: "applied", audit: "unknown", reason: Some("rewritten") },
    // A load that fails resolves the symbols of a section before it writes the first of its relocations. What it never
    // wrote looks, afterwards, like what was written and cleared: a value is on record, and the target is zero.
    Exception { object: None, trace: "pending", audit: "cleared", reason: None },
    // What the patch's .init held, only a trace has seen before it was freed.
    Exception { object: None, trace: "pending", audit: "unknown", reason: Some("target-freed") },
    Exception { object: None, trace: "applied", audit: "unknown", reason: Some("target-freed") },
];

/// A verdict of an audit that may stand for another one of a trace.
struct Exception {
    /// The object; none: any.
    object: Option<&'static str>,
    trace: &'static str,
    audit: &'static str,
    reason: Option<&'static str>,
}

/// An audit, and what it is held against.
pub struct Audit<'a> {
    /// The run.
    pub instance: &'a Instance,
    /// What klp-trace watch had said by then; none when it did not run, or was killed.
    pub watch: Option<&'a Journal>,
    /// The verdicts that the scenario gives for the trace.
    pub verdicts: &'a Counts,
    /// Those that it gives for the audit, where they are others.
    pub given: &'a Counts,
    /// The findings it gives for the audit.
    pub findings: Option<&'a BTreeMap<String, Found>>,
    /// What was changed in memory before.
    pub poked: Option<&'a Poked>,
    /// What it had to take the truth from.
    pub by: Option<AuditBy>,
}

impl Audit<'_> {
    /// Judges it; nothing when the step was no audit.
    pub fn judge(&self, seen: &StepReport, folder: &Path, wrong: &mut Vec<String>) -> anyhow::Result<()> {
        let Some(file) = &seen.audit else { return Ok(()) };
        if ![0, 1, 5].contains(&seen.rc) {
            wrong.push(format!("klp-trace audit ended with {}: {}", seen.rc, seen.output.trim()));
            return Ok(());
        }
        let mut follower = Follower::default();
        follower.advance(&folder.join(file), u64::MAX)?;
        let journal = follower.journal;
        wrong.extend(journal.problems.iter().take(SHOWN).map(|problem| format!("the audit's {problem}")));
        if journal.session.is_none() || journal.end.is_none() {
            wrong.push("the audit's journal has no session, or no session_end".to_owned());
        }
        if !journal.lost.is_empty() {
            wrong.push(format!("an audit that lost events: {:?}", journal.lost.first()));
        }
        self.verdicts(seen, &journal, wrong);
        relocs::each(self.instance, &self.awaited(), seen, &journal, 0, wrong);
        exit(seen, &journal, wrong);
        self.witness(&journal, wrong);
        if let Some(findings) = self.findings {
            step::exactly(findings, &journal.findings, wrong);
        }
        if let Some(poked) = self.poked {
            names_what_was_poked(poked, &journal, wrong);
        }
        Ok(())
    }

    /// The scenario's counts for the audit: those of the trace, but where others are given.
    fn awaited(&self) -> Counts {
        let mut counts = self.verdicts.clone();
        counts.extend(self.given.clone());
        counts
    }

    fn verdicts(&self, seen: &StepReport, journal: &Journal, wrong: &mut Vec<String>) {
        let counts = journal.counts(&seen.modules);
        let awaited = self.awaited();
        let (found, expected): (BTreeSet<&String>, BTreeSet<&String>) =
            (counts.keys().collect(), awaited.keys().collect());
        if found != expected {
            wrong.push(format!("the audit speaks of {found:?}, expected {expected:?}"));
        }
        for (group, awaited) in &awaited {
            let Some(found) = counts.get(group) else { continue };
            // Counts that differ within the exceptions are right: what follows looks at each relocation.
            let each = self.watch.filter(|_| !self.given.contains_key(group));
            if each.is_none() && found != awaited {
                let one =
                    |counts: &BTreeMap<_, _>| relocs::shown(&Counts::from([(group.clone(), counts.clone())]));
                wrong.push(format!("the audit says {}, expected {}", one(found), one(awaited)));
            }
        }
        if let Some(watch) = self.watch {
            self.same(seen, watch, journal, wrong);
        }
    }

    /// Whether each relocation has the verdict that the trace gave it last.
    fn same(&self, seen: &StepReport, watch: &Journal, journal: &Journal, wrong: &mut Vec<String>) {
        let traced: BTreeMap<_, &Said> = watch
            .current(&seen.modules)
            .map(|(key, said)| ((key.patch.as_str(), key.section.as_str(), key.index), said))
            .collect();
        let mut others: Vec<String> = Vec::new();
        for (key, said) in journal.current(&seen.modules) {
            let place = (key.patch.as_str(), key.section.as_str(), key.index);
            if self.given.contains_key(&format!("{}>{}", key.patch, said.object)) {
                continue;
            }
            let Some(traced) = traced.get(&place) else {
                others.push(format!("{place:?}: the trace never spoke of it"));
                continue;
            };
            if !agree(traced, said) {
                let (trace, audit) = (traced.verdict(), said.verdict());
                let reason = said.reason.as_deref().unwrap_or("no reason");
                others.push(format!("{place:?}: {trace} by the trace, {audit} ({reason}) by the audit"));
            }
        }
        let more = others.len().saturating_sub(SHOWN);
        wrong.extend(others.into_iter().take(SHOWN));
        if more > 0 {
            wrong.push(format!("and {more} more on which trace and audit do not agree"));
        }
    }

    fn witness(&self, journal: &Journal, wrong: &mut Vec<String>) {
        let wanted = match self.by {
            Some(AuditBy::File | AuditBy::Kcore) => "file",
            Some(AuditBy::NoFile) => "memory",
            None => return,
        };
        for (patch, witnesses) in &journal.witnesses {
            if witnesses.iter().any(|witness| witness != wanted) {
                wrong.push(format!("{patch}: the ELF witness is {witnesses:?}, expected {wanted}"));
            }
        }
        let patches = self.verdicts.keys().filter_map(|group| Some(group.split_once('>')?.0));
        for patch in patches.filter(|patch| !journal.witnesses.contains_key(*patch)) {
            wrong.push(format!("{patch}: no ELF witness is named"));
        }
    }
}

impl Exception {
    fn holds_of(&self, audited: &Said) -> bool {
        self.object.is_none_or(|object| audited.object == object)
            && audited.verdict() == self.audit
            && audited.reason.as_deref() == self.reason
    }
}

/// A clean exit is for relocations that are all right.
fn exit(seen: &StepReport, journal: &Journal, wrong: &mut Vec<String>) {
    let bad = journal.current(&seen.modules).find(|(_, said)| {
        // What a patch wrote to its own data is a warning, and the exit code is for errors.
        matches!(said.verdict(), "unknown" | "mismatch" | "missing")
            && said.reason.as_deref() != Some("written-at-run-time")
            && !EXCEPTIONS.iter().any(|exception| exception.holds_of(said))
    });
    if let Some((key, said)) = bad.filter(|_| seen.rc == 0) {
        wrong.push(format!("exit code 0, and {} {} is {}", key.section, key.index, said.verdict()));
    }
}

fn agree(traced: &Said, audited: &Said) -> bool {
    traced.verdict() == audited.verdict()
        || EXCEPTIONS
            .iter()
            .any(|exception| exception.trace == traced.verdict() && exception.holds_of(audited))
}

/// The changed relocation is a mismatch with both values, and a finding names them and where the wrong one leads. Made
/// zero, it is missing.
fn names_what_was_poked(poked: &Poked, journal: &Journal, wrong: &mut Vec<String>) {
    let Some(said) = journal.relocs.values().find(|said| said.address == Some(poked.address)) else {
        wrong.push(format!("the audit says nothing of {:#x}, where a byte was changed", poked.address));
        return;
    };
    let told = (said.verdict(), said.expected.as_deref(), said.actual.as_deref());
    let zero = poked.after.bytes().all(|digit| digit == b'0');
    let verdict = if zero { "missing" } else { "mismatch" };
    if told != (verdict, Some(poked.before.as_str()), Some(poked.after.as_str())) {
        wrong.push(format!("the audit says {told:?} of {poked:x?}"));
    }
    if zero {
        return; // the scenario says what KLP005 has to say
    }
    let names = |text: &str| {
        let symbol = poked.symbols.iter().any(|symbol| text.contains(symbol.as_str()));
        symbol && text.contains(&poked.before) && text.contains(&poked.after)
    };
    let made: Vec<String> = journal
        .findings
        .iter()
        .filter(|f| f.id == "KLP006")
        .map(super::super::journal::Finding::brief)
        .collect();
    if !made.iter().any(|text| names(text)) {
        wrong.push(format!("no KLP006 names expected, actual and the symbol of {poked:x?}: {made:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(object: &str, verdict: &str, reason: Option<&str>) -> Said {
        Said {
            object: object.to_owned(),
            verdicts: vec![verdict.to_owned()],
            reason: reason.map(str::to_owned),
            ..Said::default()
        }
    }

    #[test]
    fn exceptions_hold_of_nothing_else() {
        let traced = said("vmlinux", "applied", None);
        assert!(agree(&traced, &said("vmlinux", "applied", None)));
        assert!(agree(&traced, &said("vmlinux", "unknown", Some("rewritten"))));
        assert!(!agree(&traced, &said("vmlinux", "unknown", Some("never-read"))));
        assert!(!agree(&traced, &said("vmlinux", "mismatch", Some("rewritten"))));
        assert!(!agree(&said("t", "applied", None), &said("t", "unknown", Some("rewritten"))));
        assert!(agree(&said("t", "pending", None), &said("t", "cleared", None)));
        assert!(!agree(&said("t", "cleared", None), &said("t", "pending", None)));
        assert!(!agree(&said("t", "applied", None), &said("t", "cleared", None)));
        assert!(!agree(&said("vmlinux", "stale", None), &said("vmlinux", "unknown", Some("rewritten"))));
    }
}
