//! A section whose entries the kernel sorts before it keeps them: compared as the multiset of entries that it is.

use super::{Comparison, Field, KlpSection, Loaded, PatchFile, Rela, named};
use std::collections::{BTreeMap, VecDeque};

/// Offset, type, symbol and addend: all that an entry is.
type Entry = (u64, u32, u32, i64);

/// Finds each of the kernel's entries in the file, each of the file's once. One that is there more often, or not at all, is a
/// difference, on either side.
pub(super) fn compare(result: &mut Comparison, file: &PatchFile, section: &KlpSection, loaded: &Loaded) {
    let mut places: BTreeMap<Entry, VecDeque<u32>> = BTreeMap::new();
    for reloc in &section.relocs {
        let entry = (reloc.offset, reloc.rtype, reloc.symbol, reloc.addend);
        places.entry(entry).or_default().push_back(reloc.index);
    }
    for (at, rela) in &loaded.entries {
        let Rela { offset, rtype, addend, symbol } = *rela;
        let entry = (offset, rtype, symbol, addend);
        let place = places.get_mut(&entry).and_then(VecDeque::pop_front);
        let reloc = place.and_then(|place| section.relocs.get(usize::try_from(place).ok()?));
        let Some(reloc) = reloc else {
            let there = if places.contains_key(&entry) { "not there so often" } else { "absent" };
            result.differ(section.index, Some(*at), Field::Entry, there.to_owned(), shown(entry));
            continue;
        };
        result.compared += 1;
        result.order.insert(*at, reloc.index);
        named(result, file, section.index, reloc, *rela, loaded);
    }
    // What was not read may be the rest.
    if result.unread == 0 {
        for (entry, left) in places {
            for place in left {
                let absent = "absent or not there so often".to_owned();
                result.differ(section.index, Some(place), Field::Entry, shown(entry), absent);
            }
        }
    }
}

fn shown((offset, rtype, symbol, addend): Entry) -> String {
    format!("offset {offset:#x}, type {rtype}, symbol {symbol}, addend {addend}")
}
