//! The ELF witness of each loaded patch: its file, held against what the kernel has.

use super::{convert, reader::Reader, walks::Walk};
use crate::{
    elf::{
        klp,
        matching::{BuildIds, Loaded, Rela, compare},
        notes,
        patch::{KlpSection, PatchFile},
    },
    event::{Elf, MetaEntry, PatchMetadata, PatchRef, SectionRef, TransitionStep},
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
        let section = trusted.as_ref().and_then(|file| file.sections.iter().find(|s| s.index == info.relsec));
        let entries: Vec<MetaEntry> = match (section, &trusted) {
            (Some(section), Some(file)) => from_file(section, file),
            _ => self.kernels_own(walk),
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
    fn witness(&self, loaded: &Loaded) -> (Elf, Option<Arc<PatchFile>>) {
        let mut first = None;
        for file in &self.files {
            let elf = self.hold(file, loaded);
            if matches!(elf, Elf::File { .. }) {
                return (elf, Some(Arc::clone(file)));
            }
            first.get_or_insert(elf);
        }
        (first.unwrap_or_else(|| Elf::Memory { why: self.why_none.clone() }), None)
    }

    /// Holds one file against the kernel. A file that was not compared in full is no witness.
    fn hold(&self, file: &PatchFile, loaded: &Loaded) -> Elf {
        let path = crate::elf::names::path(&file.path);
        let ids = BuildIds::compare(file.build_id.as_deref(), self.build_id.as_deref());
        if ids == BuildIds::Differ {
            return Elf::Differs { path, difference: ids.to_string() };
        }
        let comparison = compare(file, loaded);
        if let Some(first) = comparison.differences.first() {
            let more = comparison.different.saturating_sub(1);
            let others = if more > 0 { format!(" (and {more} more)") } else { String::new() };
            return Elf::Differs { path, difference: format!("{first}{others}") };
        }
        if !comparison.agrees() {
            return Elf::Memory {
                why: format!("{path} could not be held against all of the kernel's entries"),
            };
        }
        Elf::File { path, build_id: file.build_id.as_deref().map(notes::hex) }
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

fn from_file(section: &KlpSection, file: &PatchFile) -> Vec<MetaEntry> {
    let mut names: BTreeMap<u32, Arc<str>> = BTreeMap::new();
    let mut name = |index: u32| {
        let of =
            |index| file.symbols.get(&index).map_or_else(|| Arc::from("?"), |s| Arc::from(s.raw.as_str()));
        Arc::clone(names.entry(index).or_insert_with(|| of(index)))
    };
    section
        .relocs
        .iter()
        .map(|reloc| MetaEntry {
            index: reloc.index,
            offset: Address(reloc.offset),
            rtype: reloc.rtype,
            addend: reloc.addend,
            symbol: name(reloc.symbol),
            original: Bytes::new(reloc.original, 8),
        })
        .collect()
}
