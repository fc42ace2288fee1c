//! What the loader made of a section against vmlinux after it relocated it: where a sort has put each entry of a table, and
//! which places in code have to be held against the patch's tables. A source asks before it has the section judged.

use super::{
    conclude::{Target, Traits, World, context, judgement},
    judge::Context,
    section::{Reloc, Section},
    verifier::{SymbolKey, Verifier},
};
use crate::{
    arch::{Arch, Sorted},
    journal::{Lookup, Rewrites, SectionRead},
    model::{Address, Bytes, Reason},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What is rewritten at a place is looked up by what should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// The relocation's index.
    pub index: u32,
    /// Where it is.
    pub address: Address,
    /// What is there.
    pub actual: Bytes,
    /// The symbol's own name.
    pub symbol: Arc<str>,
    /// Where the relocation's distance leads from its end, by an independent lookup; none where it is no distance.
    pub leads_to: Option<u64>,
}

impl Verifier {
    /// Whether a read is of a section that the loader went on to work on, and that will be judged by it.
    pub fn asks_for_rewrites(&self, read: &SectionRead) -> bool {
        self.section_and_context(read).is_some_and(|(_, _, context)| context == Context::Later)
    }

    fn section_and_context(&self, read: &SectionRead) -> Option<(bool, &Section, Context)> {
        let patch = self.patches.get(&read.patch.address.0)?;
        let section = patch.sections.get(&read.section.index)?;
        let context = context(section, &self.objects, Traits::of(patch), read)?;
        Some((patch.differs(), section, context))
    }

    /// The places of a read whose bytes only the patch's tables can explain.
    pub fn rewritten(&self, read: &SectionRead) -> Vec<Rewritten> {
        let Some((differs, section, context)) = self.section_and_context(read) else { return Vec::new() };
        let Self { arch, memory, .. } = *self;
        let world = World { arch, symbols: &self.symbols, objects: &self.objects, memory };
        let target = Target::of(section, read);
        let unexplained = |entry: &&crate::journal::EntryRead| {
            let reloc = section.relocs.get(&entry.index).filter(|reloc| !reloc.stands())?;
            let judged = judgement(world, differs, target, reloc, Some(**entry), context);
            let actual = judged.actual.filter(|_| judged.reason == Some(Reason::Rewritten))?;
            let leads_to =
                judged.expected.filter(|expected| expected.as_slice().len() == 4).map(|expected| {
                    let mut four = [0; 4];
                    four.iter_mut().zip(expected.as_slice()).for_each(|(to, from)| *to = *from);
                    (entry.address.0 + 4).wrapping_add_signed(i64::from(i32::from_le_bytes(four)))
                });
            let (index, symbol) = (entry.index, Arc::clone(&reloc.r.symbol));
            Some(Rewritten { index, address: entry.address, actual, symbol, leads_to })
        };
        read.entries.iter().filter_map(|entry| unexplained(&entry)).collect()
    }

    /// Puts each entry of a read where the kernel's sort has taken it: `table` is all that the table holds now, from address
    /// `base` on. Entries are told by their values, as members of a set: two that are equal stand for each other. One whose
    /// value is nowhere is put to the free place that holds the most similar one.
    pub fn find_sorted(&self, read: &mut SectionRead, base: u64, table: &[u8]) {
        let Some((_, section, _)) = self.section_and_context(read) else { return };
        let Some(sorted) = section.table else { return };
        let places = Places { arch: self.arch, sorted, base, table };
        let found = places.assign(section, &self.symbols);
        for entry in &mut read.entries {
            let place = found.get(&entry.index).and_then(|offset| Some((*offset, places.bytes(*offset, 8)?)));
            if let Some((offset, bytes)) = place {
                let size = section.relocs.get(&entry.index).and_then(|reloc| self.arch.size(reloc.rtype));
                let kept = Bytes::new(bytes, size.unwrap_or(8));
                let mut bytes = [0; 8];
                bytes.iter_mut().zip(kept.as_slice()).for_each(|(to, from)| *to = *from);
                entry.address = Address(base.wrapping_add(offset));
                entry.bytes = Some(bytes);
            }
        }
        read.rewrites.get_or_insert_with(Rewrites::default).sorted = true;
    }
}

/// Pairs of a wrong value and a free place that are compared: beyond, nothing of the table is right.
const COMPARED: usize = 1 << 20;

/// A sorted table in memory.
struct Places<'a> {
    arch: Arch,
    sorted: Sorted,
    base: u64,
    table: &'a [u8],
}

/// A relocation that looks for its place: its offset in the table, S + A, and that of what the loader may put for S.
struct Looking<'a> {
    reloc: &'a Reloc,
    offset: u64,
    value: u64,
    other: Option<u64>,
}

impl Places<'_> {
    fn bytes(&self, offset: u64, size: usize) -> Option<[u8; 8]> {
        let start = usize::try_from(offset).ok()?;
        let mut bytes = [0; 8];
        // The last field of a table may be shorter than eight bytes.
        let held = self.table.get(start..)?;
        bytes.iter_mut().zip(held).take(size).for_each(|(to, from)| *to = *from);
        Some(bytes)
    }

    /// S + A, as the bytes at `offset` give it for this relocation's type, without the loader's bits.
    fn value(&self, rtype: u32, offset: u64) -> Option<u64> {
        let bytes = Bytes::new(self.bytes(offset, 8)?, self.arch.size(rtype)?);
        let value = self.arch.symbol(rtype, bytes, 0, self.base.wrapping_add(offset))?;
        Some(value & !self.sorted.loader_bits(offset))
    }

    /// The offsets of all entries' fields like that at `offset`.
    fn alike(&self, offset: u64) -> impl Iterator<Item = u64> + use<> {
        let (entry, length) = (self.sorted.entry, self.table.len() as u64);
        (0..length / entry).map(move |at| at * entry + offset % entry)
    }

    /// By index, where each relocation's entry is now.
    fn assign(&self, section: &Section, symbols: &BTreeMap<SymbolKey, Lookup>) -> BTreeMap<u32, u64> {
        let looking = section.relocs.values().filter_map(|reloc| {
            let Lookup::Found { address, .. } = super::conclude::lookup_of(symbols, reloc)? else {
                return None;
            };
            let offset = reloc.r.offset.0;
            let sum =
                |symbol: u64| symbol.wrapping_add_signed(reloc.r.addend) & !self.sorted.loader_bits(offset);
            let other = super::conclude::exchanged_value(self.arch, symbols, reloc).map(sum);
            let looking = Looking { reloc, offset, value: sum(address.0), other };
            self.sorted.is_adjusted(offset).then_some(looking)
        });
        let mut kinds: BTreeMap<(u64, u32), Vec<Looking<'_>>> = BTreeMap::new();
        for one in looking {
            kinds.entry((one.offset % self.sorted.entry, one.reloc.rtype)).or_default().push(one);
        }
        kinds.into_values().flat_map(|of_a_kind| self.assign_alike(&of_a_kind)).collect()
    }

    fn assign_alike(&self, looking: &[Looking<'_>]) -> BTreeMap<u32, u64> {
        let Some(first) = looking.first() else { return BTreeMap::new() };
        let rtype = first.reloc.rtype;
        let mut free: BTreeSet<u64> = self.alike(first.offset).collect();
        let mut holding: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for offset in &free {
            if let Some(value) = self.value(rtype, *offset) {
                holding.entry(value).or_default().insert(*offset);
            }
        }
        let mut found: BTreeMap<u32, u64> = BTreeMap::new();
        // Who has not been moved stays; the others take what is left of their value.
        for own in [true, false] {
            for one in looking {
                if found.contains_key(&one.reloc.r.index) {
                    continue;
                }
                let place = [Some(one.value), one.other].into_iter().flatten().find_map(|value| {
                    let places = holding.get_mut(&value)?;
                    if own { places.take(&one.offset) } else { places.pop_first() }
                });
                if let Some(place) = place {
                    free.remove(&place);
                    found.insert(one.reloc.r.index, place);
                }
            }
        }
        let lost: Vec<&Looking<'_>> =
            looking.iter().filter(|one| !found.contains_key(&one.reloc.r.index)).collect();
        let few = lost.len().saturating_mul(free.len()) <= COMPARED;
        for one in lost.into_iter().filter(|_| few) {
            let differing = |offset: &u64| {
                let value = self.value(rtype, *offset).unwrap_or(0);
                ((value ^ one.value).count_ones(), *offset != one.offset, *offset)
            };
            if let Some(place) = free.iter().copied().min_by_key(differing) {
                free.remove(&place);
                found.insert(one.reloc.r.index, place);
            }
        }
        found
    }
}
