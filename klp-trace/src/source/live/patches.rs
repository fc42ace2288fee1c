//! The ELF witness of each loaded patch: its file, held against what the kernel has.

use super::{convert, reader::Reader, walks::Walk};
use crate::{
    elf::{
        klp,
        matching::{BuildIds, Loaded, Rela, compare},
        notes,
        patch::{KlpReloc, PatchFile},
    },
    journal::{Elf, MetaEntry, PatchMetadata, PatchRef, SectionRef, TransitionStep},
    kernel::patch_file::Finder,
    model::{Address, Bytes},
    probe::event::RawEvent,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// Entries of one metadata event: keeps a journal's lines short.
const ENTRIES: usize = 512;

/// `SHF_WRITE` (ELF specification).
const SHF_WRITE: u64 = 1;

/// What is known of one loaded patch.
#[derive(Debug)]
pub(in crate::source) struct PatchFacts {
    pub name: Arc<str>,
    /// The files that may be it, best first.
    files: Vec<Arc<PatchFile>>,
    /// Why there is none.
    why_none: String,
    build_id: Option<Vec<u8>>,
    /// Whole symbol names by index, as the kernel has them.
    symbols: BTreeMap<u32, Arc<str>>,
    /// A step of its transition that the verifier has yet to be told, once it knows the patch.
    pub step: Option<TransitionStep>,
}

impl PatchFacts {
    pub(in crate::source) fn new(name: Arc<str>, build_id: Option<Vec<u8>>, finder: &Finder) -> Self {
        let found = finder.patch(&name, build_id.as_deref());
        let why_none = found.rejected.first().map_or_else(
            || "no file of that name was found; name it with --ko".to_owned(),
            |rejected| format!("{} is not used: {}", crate::elf::names::path(&rejected.path), rejected.why),
        );
        let files = found.files.into_iter().map(|found| Arc::new(found.file)).collect();
        Self { name, files, why_none, build_id, symbols: BTreeMap::new(), step: None }
    }

    /// The metadata of the section that a walk found, in parts; empty when the section's name is not a livepatch
    /// section's.
    pub(in crate::source) fn describe<R: Reader>(
        &mut self,
        walk: &Walk,
        reader: &mut R,
        queue: &mut VecDeque<RawEvent>,
    ) -> Vec<PatchMetadata> {
        let info = &walk.begin.section;
        let Some(raw) = &info.name else { return Vec::new() };
        let Some(object) = klp::section_object(&raw.0) else { return Vec::new() };
        let object: Arc<str> = Arc::from(crate::elf::names::display(object));
        self.learn_symbols(walk, reader, queue);
        let loaded = self.loaded(walk);
        let (elf, trusted) = self.witness(&loaded);
        let entries: Vec<MetaEntry> = match trusted.and_then(|held| from_file(&held, info.relsec)) {
            Some(entries) => entries,
            None => self.kernels_own(walk),
        };
        let target = info.target_name.as_ref().map_or_else(|| Arc::from("?"), convert::name);
        let whole = PatchMetadata {
            patch: PatchRef { name: Arc::clone(&self.name), address: Address(walk.begin.module), load: 0 },
            section: SectionRef { index: info.relsec, name: convert::name(raw) },
            object,
            elf,
            target,
            writable: info.target_flags & SHF_WRITE != 0,
            total: walk.total,
            entries: Vec::new(),
        };
        if entries.is_empty() {
            return vec![whole];
        }
        entries
            .chunks(ENTRIES)
            .map(|part| PatchMetadata { entries: part.to_vec(), ..whole.clone() })
            .collect()
    }

    /// Asks the kernel for the names of the symbols that a walk's entries refer to.
    fn learn_symbols<R: Reader>(&mut self, walk: &Walk, reader: &mut R, queue: &mut VecDeque<RawEvent>) {
        for rela in walk.entries.values().filter_map(|entry| entry.rela) {
            if self.symbols.contains_key(&rela.symbol) {
                continue;
            }
            if let Ok(symbol) = reader.symbol(walk.begin.module, rela.symbol, queue)
                && !symbol.unreadable
                && !symbol.name_cut
            {
                self.symbols.insert(rela.symbol, convert::name(&symbol.name));
            }
        }
    }

    fn loaded(&self, walk: &Walk) -> Loaded {
        let info = &walk.begin.section;
        let entries = walk.entries.iter().filter_map(|(&index, entry)| {
            let rela = entry.rela?;
            let (offset, rtype, addend, symbol) = (rela.offset, rela.r_type, rela.addend, rela.symbol);
            Some((index, Rela { offset, rtype, addend, symbol }))
        });
        Loaded {
            index: info.relsec,
            name: info.name.as_ref().filter(|_| !info.name_cut).map(|name| convert::name(name).to_string()),
            target_index: info.target_section,
            total: walk.total,
            entries: entries.collect(),
            symbols: self.symbols.iter().map(|(index, name)| (*index, name.to_string())).collect(),
        }
    }

    /// Which copy of the ELF is the witness: a file that agrees with all that the kernel holds, where there is one.
    fn witness(&self, loaded: &Loaded) -> (Elf, Option<Held>) {
        let mut first = None;
        for file in &self.files {
            let (elf, order) = self.hold(file, loaded);
            if matches!(elf, Elf::File { .. }) {
                return (elf, Some(Held { file: Arc::clone(file), order }));
            }
            first.get_or_insert(elf);
        }
        (first.unwrap_or_else(|| Elf::Memory { why: self.why_none.clone() }), None)
    }

    /// Holds one file against the kernel: also where it has the kernel's entries, if these are sorted. A file that was not
    /// compared in full is no witness.
    fn hold(&self, file: &PatchFile, loaded: &Loaded) -> (Elf, BTreeMap<u32, u32>) {
        let none = BTreeMap::new();
        let path = crate::elf::names::path(&file.path);
        let ids = BuildIds::compare(file.build_id.as_deref(), self.build_id.as_deref());
        if ids == BuildIds::Differ {
            return (Elf::Differs { path, difference: ids.to_string() }, none);
        }
        let comparison = compare(file, loaded);
        if let Some(first) = comparison.differences.first() {
            let more = comparison.different.saturating_sub(1);
            let others = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            return (Elf::Differs { path, difference: format!("{first}{others}") }, none);
        }
        if !comparison.agrees() {
            let why = format!("{path} could not be compared with all of the kernel's entries");
            return (Elf::Memory { why }, none);
        }
        (Elf::File { path, build_id: file.build_id.as_deref().map(notes::hex) }, comparison.order)
    }

    /// The kernel's own entries as the (weaker) witness.
    fn kernels_own(&self, walk: &Walk) -> Vec<MetaEntry> {
        // Before the module's init nothing gated on a module has been written: what stands there is the original.
        let pristine = walk.begin.hook == crate::probe::event::Hook::ModuleLoad;
        let entry = |(&index, entry): (&u32, &crate::probe::event::Entry)| {
            let rela = entry.rela?;
            let original = entry.bytes.filter(|_| pristine).unwrap_or(0).to_le_bytes();
            Some(MetaEntry {
                index,
                file_index: None,
                offset: Address(rela.offset),
                rtype: rela.r_type,
                addend: rela.addend,
                symbol: self.symbols.get(&rela.symbol).map_or_else(|| Arc::from("?"), Arc::clone),
                original: Bytes::new(original, 8),
            })
        };
        walk.entries.iter().filter_map(entry).collect()
    }
}

/// A file that agrees with what was loaded.
struct Held {
    file: Arc<PatchFile>,
    /// Where the file has each of the kernel's entries; empty where both have one order.
    order: BTreeMap<u32, u32>,
}

/// A section's entries as the file has them, in the kernel's order.
fn from_file(held: &Held, section: u32) -> Option<Vec<MetaEntry>> {
    let Held { file, order } = held;
    let section = file.sections.iter().find(|known| known.index == section)?;
    let mut names: BTreeMap<u32, Arc<str>> = BTreeMap::new();
    let mut name = |index: u32| {
        let of =
            |index| file.symbols.get(&index).map_or_else(|| Arc::from("?"), |s| Arc::from(s.raw.as_str()));
        Arc::clone(names.entry(index).or_insert_with(|| of(index)))
    };
    let mut entry = |index: u32, reloc: &KlpReloc| MetaEntry {
        index,
        file_index: (reloc.index != index).then_some(reloc.index),
        offset: Address(reloc.offset),
        rtype: reloc.rtype,
        addend: reloc.addend,
        symbol: name(reloc.symbol),
        original: Bytes::new(reloc.original, 8),
    };
    if order.is_empty() {
        return Some(section.relocs.iter().map(|reloc| entry(reloc.index, reloc)).collect());
    }
    let place = |file: u32| section.relocs.get(usize::try_from(file).ok()?);
    Some(order.iter().filter_map(|(index, file)| Some(entry(*index, place(*file)?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{arch::Arch, elf::testing};
    use std::path::Path;

    #[test]
    fn entries_stand_in_the_kernels_order_beside_the_files() {
        let mut file = PatchFile::parse(&testing::livepatch(), Path::new("lp.ko")).unwrap();
        file.arch = Arch::Ppc64le;
        let section = file.sections[0].clone();
        let held = |order: &[(u32, u32)]| Held {
            file: Arc::new(file.clone()),
            order: order.iter().copied().collect(),
        };
        let places = |held: &Held| -> Vec<(u32, Option<u32>, u64)> {
            let entries = from_file(held, section.index).unwrap();
            entries.iter().map(|entry| (entry.index, entry.file_index, entry.offset.0)).collect()
        };
        let offsets = [section.relocs[0].offset, section.relocs[1].offset];
        assert_eq!(places(&held(&[])), [(0, None, offsets[0]), (1, None, offsets[1])]);
        assert_eq!(places(&held(&[(0, 1), (1, 0)])), [(0, Some(1), offsets[1]), (1, Some(0), offsets[0])]);
    }
}
