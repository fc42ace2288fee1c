//! What a read is about to be called wrong for: so that a source can ask, before it is judged, where the values point to.

use super::{
    conclude::{Target, Traits, World, context, judgement},
    verifier::Verifier,
};
use crate::{
    journal::SectionRead,
    model::{Address, Verdict},
};
use std::collections::BTreeSet;

/// Addresses told of one section: a person reads the first few.
const MOST: usize = 64;

impl Verifier {
    /// The addresses that the wrong values of a read point to, and of which it is not known yet what is there.
    pub fn suspects(&self, read: &SectionRead) -> BTreeSet<Address> {
        let mut found = BTreeSet::new();
        let Some(patch) = self.patches.get(&read.patch.address.0) else { return found };
        let Some(section) = patch.sections.get(&read.section.index) else { return found };
        let Some(context) = context(section, &self.objects, Traits::of(patch), read) else { return found };
        let Self { arch, memory, .. } = *self;
        let world = World { arch, symbols: &self.symbols, objects: &self.objects, memory };
        let differs = patch.differs();
        for entry in &read.entries {
            let Some(reloc) = section.relocs.get(&entry.index) else { continue };
            let judged = judgement(world, differs, Target::of(section, read), reloc, Some(*entry), context);
            let Some(actual) = judged.actual.filter(|_| judged.verdict == Some(Verdict::Mismatch)) else {
                continue;
            };
            let points_to = self.arch.symbol(reloc.rtype, actual, reloc.r.addend, entry.address.0);
            found.extend(points_to.filter(|to| !self.places.contains_key(to)).map(Address));
            if found.len() >= MOST {
                break;
            }
        }
        found
    }
}
