//! What is known now, counted: by patch and by object.

use super::{section::Section, verifier::Verifier};
use crate::{
    journal::{Elf, ElfWitness, PatchRef, Totals},
    model::{FindingId, Verdict},
};
use std::{collections::BTreeMap, sync::Arc};

/// One loaded patch, counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// The patch.
    pub patch: PatchRef,
    /// The weakest witness that any of its sections has; none where it has no section.
    pub witness: Option<ElfWitness>,
    /// Its relocations by verdict, of each object that gates any.
    pub objects: BTreeMap<Arc<str>, Totals>,
}

impl Verifier {
    /// The patches that have livepatch relocations, in order of address. All counts together are [`Verifier::totals`].
    pub fn survey(&self) -> Vec<Surveyed> {
        let one = |patch: &super::section::Patch| {
            let mut objects: BTreeMap<Arc<str>, Totals> = BTreeMap::new();
            let mut witness = None;
            for section in patch.sections.values() {
                section.add_totals(objects.entry(Arc::clone(&section.object)).or_default());
                witness = Some(weaker(witness, section.witness()));
            }
            Surveyed { patch: patch.r.clone(), witness, objects }
        };
        self.patches.values().map(one).collect()
    }

    /// How many findings of each kind hold now; only those above zero.
    pub fn open_findings(&self) -> BTreeMap<FindingId, u32> {
        self.open.counts()
    }

    /// The livepatches, by name, whose sections could not be read: nothing is known of their relocations.
    pub fn unread(&self) -> impl Iterator<Item = &Arc<str>> {
        self.unread.iter()
    }
}

fn weaker(one: Option<ElfWitness>, other: ElfWitness) -> ElfWitness {
    let rank = |witness| match witness {
        ElfWitness::File => 0,
        ElfWitness::Memory => 1,
        ElfWitness::Differs => 2,
    };
    match one {
        Some(one) if rank(one) >= rank(other) => one,
        _ => other,
    }
}

impl Section {
    const fn witness(&self) -> ElfWitness {
        match self.elf {
            Elf::File { .. } => ElfWitness::File,
            Elf::Memory { .. } => ElfWitness::Memory,
            Elf::Differs { .. } => ElfWitness::Differs,
        }
    }

    /// Adds its relocations by verdict. What was never read counts as `unknown`.
    pub(super) fn add_totals(&self, totals: &mut Totals) {
        for verdict in Verdict::ALL {
            let count = u64::from(self.counts.now(verdict));
            if count > 0 {
                *totals.entry(verdict).or_default() += count;
            }
        }
        let entries = u64::from(self.total).max(self.relocs.len() as u64);
        let unread = entries.saturating_sub(u64::from(self.counts.said()));
        if unread > 0 {
            *totals.entry(Verdict::Unknown).or_default() += unread;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ElfWitness::{Differs, File, Memory};

    #[test]
    fn a_patch_has_the_weakest_witness_of_its_sections() {
        let of = |all: &[ElfWitness]| all.iter().fold(None, |one, other| Some(weaker(one, *other)));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[File, File]), Some(File));
        assert_eq!(of(&[File, Memory, File]), Some(Memory));
        assert_eq!(of(&[Differs, File, Memory]), Some(Differs));
    }
}
