//! Every relocation of every loaded patch: in the journal, in the file, in memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::exchange::{StepReport, hex_of};
use crate::scenario::instance::{Counts, Expected, Instance};
use crate::scenario::journal::{Journal, Said, hex};
use crate::scenario::ko::Reloc;

/// Of one kind of defect so many are shown.
const SHOWN: usize = 3;
/// How it is said that the bytes are not those that the journal tells.
const CHANGED: &str = "the journal has the bytes";

/// Judges the verdicts of a step, and holds them against the patch's file and the guest's memory.
pub fn judge(
    instance: &Instance,
    expected: &Expected,
    seen: &StepReport,
    journal: &Journal,
    wrong: &mut Vec<String>,
) {
    let counts = journal.counts(&seen.modules);
    if counts != expected.verdicts {
        wrong.push(format!("verdicts {}, expected {}", shown(&counts), shown(&expected.verdicts)));
    }
    let unseen = each(instance, &expected.verdicts, seen, journal, expected.unseen, wrong);
    if unseen != expected.unseen {
        wrong.push(format!("{unseen} relocations changed unseen, expected {}", expected.unseen));
    }
}

/// Holds every relocation of the patches that `verdicts` names against the patch's file and the guest's memory. Of
/// `unseen` relocations the bytes may have changed since the journal told of them; of how many they have.
pub fn each(
    instance: &Instance,
    verdicts: &Counts,
    seen: &StepReport,
    journal: &Journal,
    unseen: usize,
    wrong: &mut Vec<String>,
) -> usize {
    let mut changed = 0;
    let patches: BTreeSet<&str> =
        verdicts.keys().filter_map(|group| Some(group.split_once('>')?.0)).collect();
    for patch in patches {
        let mut said: BTreeMap<(&str, u32), &Said> = journal
            .current(&seen.modules)
            .filter(|(key, _)| key.patch == patch)
            .map(|(key, said)| ((key.section.as_str(), key.index), said))
            .collect();
        let mut defects = Vec::new();
        for reloc in instance.relocs.get(patch).into_iter().flatten() {
            let place = format!("{patch} {}[{}]", reloc.section, reloc.index);
            match said.remove(&(reloc.section.as_str(), reloc.index)) {
                Some(said) => {
                    let base = seen.sections.get(patch).and_then(|sections| sections.get(&reloc.target));
                    let mut found = one(reloc, said, base.copied(), &seen.memory);
                    if found.iter().any(|what| what.starts_with(CHANGED)) {
                        changed += 1;
                        found.retain(|what| changed > unseen || !what.starts_with(CHANGED));
                    }
                    defects.extend(found.into_iter().map(|what| format!("{place}: {what}")));
                }
                None => defects.push(format!("{place}: the journal says nothing of it")),
            }
        }
        for (section, index) in said.keys() {
            defects.push(format!("{patch} {section}[{index}]: judged, and the file has no such relocation"));
        }
        let more = defects.len().saturating_sub(SHOWN);
        wrong.extend(defects.into_iter().take(SHOWN));
        if more > 0 {
            wrong.push(format!("{patch}: and {more} more of that kind"));
        }
    }
    changed
}

/// One relocation: is it the file's, is it where the file puts it, do the bytes bear the verdict out?
fn one(reloc: &Reloc, said: &Said, base: Option<u64>, memory: &BTreeMap<u64, String>) -> Vec<String> {
    let mut defects = Vec::new();
    let (offset, _, symbol, addend) = &said.entry;
    if hex(offset) != Some(reloc.offset) || *addend != reloc.addend || !names(&reloc.symbol, symbol) {
        defects.push(format!(
            "the journal has {symbol} {addend:+} at {offset}, the file {} {:+} at {:#x}",
            reloc.symbol, reloc.addend, reloc.offset
        ));
    }
    let Some(base) = base else {
        defects.push(format!("/sys/module gives no address of {}", reloc.target));
        return defects;
    };
    let address = base.wrapping_add(reloc.offset);
    if said.address != Some(address) {
        // Nothing has to be read of what was never written.
        if !(said.address.is_none() && said.verdict() == "pending") {
            defects.push(format!("the journal puts it at {:x?}, /sys/module at {address:#x}", said.address));
        }
        return defects;
    }
    let there = if reloc.target.starts_with(".init") {
        // Freed since, and somebody else's: there are the bytes of the journal alone, where it has any.
        let Some(actual) = &said.actual else { return defects };
        Some(actual.as_str())
    } else {
        memory.get(&address).and_then(|text| text.get(..reloc.original.len() * 2))
    };
    let Some(found) = there else {
        defects.push(format!("/proc/kcore shows nothing at {address:#x}"));
        return defects;
    };
    if said.actual.as_deref().is_some_and(|actual| actual != found) {
        // The verdict is of the bytes before.
        defects.push(format!("{CHANGED} {:?}, /proc/kcore {found}", said.actual));
        return defects;
    }
    let original = hex_of(&reloc.original);
    let zero = found.bytes().all(|digit| digit == b'0');
    let borne_out = match said.verdict() {
        "applied" | "stale" => found != original && said.actual.is_some(),
        "cleared" => zero && said.actual.is_some(),
        "pending" => found == original,
        _ => true,
    };
    if !borne_out {
        defects.push(format!("{}, and /proc/kcore has {found} (the file {original})", said.verdict()));
    }
    defects
}

/// Whether `.klp.sym.<object>.<symbol>,<sympos>` is a reference to `symbol`.
fn names(whole: &str, symbol: &str) -> bool {
    let own = whole.strip_prefix(".klp.sym.").and_then(|rest| rest.split_once('.')).map(|(_, rest)| rest);
    own.and_then(|rest| rest.rsplit_once(',')).is_some_and(|(own, _)| own == symbol)
}

/// Counts of verdicts as people read them.
pub fn shown(counts: &Counts) -> String {
    let group = |(group, counts): (&String, &BTreeMap<String, usize>)| {
        let each: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        format!("{group}: {}", each.join(", "))
    };
    let groups: Vec<String> = counts.iter().map(group).collect();
    if groups.is_empty() { "none".to_owned() } else { format!("[{}]", groups.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reloc() -> Reloc {
        Reloc {
            section: ".klp.rela.t..text".to_owned(),
            index: 0,
            object: "t".to_owned(),
            target: ".text".to_owned(),
            offset: 0x10,
            rtype: 2,
            symbol: ".klp.sym.t.fn,1".to_owned(),
            addend: -4,
            original: vec![0; 4],
        }
    }

    fn said(verdict: &str, actual: &str) -> Said {
        Said {
            object: "t".to_owned(),
            entry: ("0x10".to_owned(), "R_X86_64_PC32".to_owned(), "fn".to_owned(), -4),
            address: Some(0x1010),
            actual: Some(actual.to_owned()),
            verdicts: vec![verdict.to_owned()],
            ..Said::default()
        }
    }

    fn defects(said: &Said, memory: &str) -> usize {
        let memory = BTreeMap::from([(0x1010, memory.to_owned())]);
        one(&reloc(), said, Some(0x1000), &memory).len()
    }

    #[test]
    fn the_bytes_must_bear_the_verdict_out() {
        assert_eq!(defects(&said("applied", "01020304"), "0102030499999999"), 0);
        assert_eq!(defects(&said("stale", "01020304"), "0102030499999999"), 0);
        assert_eq!(defects(&said("cleared", "00000000"), "0000000099999999"), 0);
        assert_eq!(defects(&said("pending", "00000000"), "0000000099999999"), 0);
        assert_eq!(defects(&said("applied", "00000000"), "0000000099999999"), 1, "applied, and zero");
        assert_eq!(defects(&said("cleared", "01020304"), "0102030499999999"), 1, "cleared, and not zero");
        assert_eq!(defects(&said("applied", "01020304"), "0102030599999999"), 1, "kcore has other bytes");
    }

    #[test]
    fn the_journal_must_speak_of_the_files_relocation() {
        let mut other = said("applied", "01020304");
        other.entry.2 = "gn".to_owned();
        assert_eq!(defects(&other, "0102030400000000"), 1);
        let mut moved = said("applied", "01020304");
        moved.address = Some(0x1014);
        assert_eq!(defects(&moved, "0102030400000000"), 1);
        let mut untold = said("applied", "01020304");
        untold.actual = None;
        assert_eq!(defects(&untold, "0102030400000000"), 1);
    }
}
