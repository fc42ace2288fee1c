//! Where referenced symbols really are: an independent lookup by the kernel's rules.

use crate::{
    elf::{matching::BuildIds, names, notes, symbols::ObjectFile},
    journal::{AddressLookup, Lookup, ObjectRef, SymbolLookup, SymbolSet, SymbolSource},
    kernel::{
        kallsyms::{self, KallsymsError, Query, Symbols, VMLINUX},
        nearest::nearest,
        patch_file::Finder,
        resolve::{FileOccurrence, Listed, Question, resolve},
        sysfs::Sysfs,
    },
    model::{Address, Reason},
    verify::NeededSymbol,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Which symbols addresses belong to; none where kallsyms does not show.
pub(in crate::source) fn places(addresses: &BTreeSet<Address>) -> Vec<AddressLookup> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let wanted: BTreeSet<u64> = addresses.iter().map(|address| address.0).collect();
    let mut found = nearest(Path::new(kallsyms::PATH), &wanted).unwrap_or_default();
    let lookup = |address: u64| AddressLookup { address: Address(address), nearest: found.remove(&address) };
    wanted.into_iter().map(lookup).collect()
}

/// Looks up symbols.
pub(in crate::source) struct Lookups {
    pub sysfs: Sysfs,
    pub finder: Finder,
}

impl Lookups {
    /// Looks up all of `needed`: where `own` can answer the whole query, from the modules' own symbol tables, so, else
    /// in one pass over kallsyms. `coming` says which objects were being loaded when the kernel resolved their symbols.
    pub(in crate::source) fn look_up(
        &self,
        needed: &BTreeSet<NeededSymbol>,
        coming: &dyn Fn(&str) -> bool,
        own: &dyn Fn(&Query) -> Option<Symbols>,
    ) -> Vec<SymbolLookup> {
        let mut query = Query::new();
        for symbol in needed {
            query.want(names::bytes(&symbol.object), names::bytes(&symbol.symbol));
        }
        // What is in vmlinux does not come and go.
        let of_vmlinux = needed.iter().all(|symbol| &*symbol.object == VMLINUX);
        let known = if of_vmlinux { None } else { own(&query) };
        let (listed, from) = if let Some(known) = known {
            (Ok(known), SymbolSource::ModuleMemory)
        } else if of_vmlinux {
            (query.read_file(Path::new(kallsyms::PATH)), SymbolSource::Kallsyms)
        } else {
            (query.read(), SymbolSource::Kallsyms)
        };
        let files = self.files(needed.iter().filter(|symbol| symbol.sympos > 0));
        needed.iter().map(|symbol| self.one(symbol, (&listed, from), &files, coming)).collect()
    }

    /// Those of `needed` that the files of their objects cannot give while these are loading: why a load was refused, which
    /// is over by now.
    pub(in crate::source) fn absent(&self, needed: &BTreeSet<NeededSymbol>) -> Vec<SymbolLookup> {
        let files = self.files(needed.iter());
        let gone = (&Ok(Symbols::default()), SymbolSource::Kallsyms);
        let known = |lookup: &SymbolLookup| match lookup.outcome {
            Lookup::Failed { why } => matches!(why, Reason::SymbolNotFound | Reason::SymbolAmbiguous),
            Lookup::Found { .. } => false,
        };
        let of_modules = needed.iter().filter(|symbol| &*symbol.object != VMLINUX);
        of_modules.map(|symbol| self.one(symbol, gone, &files, &|_| true)).filter(known).collect()
    }

    /// The files of objects, where a position counts: only they tell .init's symbols from the others.
    fn files<'a>(&self, needed: impl Iterator<Item = &'a NeededSymbol>) -> BTreeMap<String, ObjectFile> {
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for symbol in needed.filter(|symbol| &*symbol.object != VMLINUX) {
            wanted.entry(symbol.object.to_string()).or_default().insert(symbol.symbol.to_string());
        }
        let find = |(object, names): (String, BTreeSet<String>)| {
            let note = self.sysfs.build_id_note(&object).ok().flatten();
            let build_id = note.and_then(|note| notes::build_id(&note).ok().flatten());
            let found = self.finder.object(&object, build_id.as_deref(), &names);
            let same = found.files.into_iter().find(|found| found.build_ids != BuildIds::Differ)?;
            Some((object, same.file))
        };
        wanted.into_iter().filter_map(find).collect()
    }

    fn one(
        &self,
        symbol: &NeededSymbol,
        (listed, from): (&Result<Symbols, KallsymsError>, SymbolSource),
        files: &BTreeMap<String, ObjectFile>,
        coming: &dyn Fn(&str) -> bool,
    ) -> SymbolLookup {
        let object = &*symbol.object;
        let listed = match listed {
            Ok(symbols) if object == VMLINUX || symbols.present(names::bytes(object)) => {
                Listed::Here(symbols.addresses(names::bytes(object), names::bytes(&symbol.symbol)))
            }
            Ok(_) => Listed::Gone,
            Err(KallsymsError::Unsettled) => Listed::Unsettled,
            Err(_) => Listed::Hidden,
        };
        let file = files.get(object).map(|file| self.occurrences(object, file, &symbol.symbol));
        let set = if object != VMLINUX && coming(object) { SymbolSet::Full } else { SymbolSet::Core };
        let question = Question { sympos: symbol.sympos, set, listed, file: file.as_deref() };
        let outcome = match resolve(&question) {
            Ok(found) => {
                let from = if found.source == SymbolSource::Kallsyms { from } else { found.source };
                Lookup::Found { address: Address(found.address), set: found.set, from }
            }
            Err(error) => Lookup::Failed { why: error.reason() },
        };
        SymbolLookup {
            object: ObjectRef { name: symbol.object.clone(), address: None, load: None },
            symbol: symbol.symbol.clone(),
            sympos: symbol.sympos,
            outcome,
        }
    }

    fn occurrences(&self, object: &str, file: &ObjectFile, symbol: &str) -> Vec<FileOccurrence> {
        let bases = self.sysfs.sections(object).unwrap_or_default();
        let address = |section: &Option<String>, value: u64| {
            // Zero: hidden from this user.
            let base = bases.get(section.as_ref()?).filter(|base| **base != 0)?;
            Some(base.wrapping_add(value))
        };
        file.occurrences(symbol)
            .iter()
            .map(|found| FileOccurrence { core: found.core, address: address(&found.section, found.value) })
            .collect()
    }
}
