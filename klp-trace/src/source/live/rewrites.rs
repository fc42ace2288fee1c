//! What the module loader has made of a section since it was relocated, as far as the kernel's memory shows it.

use super::{reader::Reader, symbols, walks::Walk};
use crate::{
    arch::{Arch, Place, Table, World},
    elf::names,
    journal::{ListedPlace, Rewrites, SectionRead},
    model::Address,
    probe::event::{Header, RawEvent},
    verify::{Rewritten, Verifier},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

/// `SHF_EXECINSTR` (ELF specification).
const SHF_EXECINSTR: u64 = 4;

/// Bytes of a table that are read: that of a livepatch has some thousand entries.
const TABLE: u64 = 16 << 20;

/// Adds to a read what the loader may have made of it. The symbols that the section needs have been looked up.
pub(in crate::source) fn look<R: Reader>(
    verifier: &Verifier,
    arch: Arch,
    walk: &Walk,
    read: &mut SectionRead,
    (reader, queue): (&mut R, &mut VecDeque<RawEvent>),
) {
    if read.lost > 0 || !verifier.asks_for_rewrites(read) {
        return;
    }
    let info = &walk.begin.section;
    let target = info.target_name.as_ref().map(|name| names::display(&name.0)).unwrap_or_default();
    if arch.sorted(&target).is_some() {
        let table = usize::try_from(info.target_size).ok().filter(|_| info.target_size <= TABLE);
        if let Some(table) = table.and_then(|size| reader.memory(info.target_base, size, queue)) {
            verifier.find_sorted(read, info.target_base, &table);
        }
        return;
    }
    if info.target_flags & SHF_EXECINSTR == 0 {
        return;
    }
    let places = verifier.rewritten(read);
    if places.is_empty() {
        return;
    }
    let headers = reader.headers(walk.begin.module, queue);
    let tables: Vec<Table> =
        headers.iter().filter_map(|header| table(arch, header, (&mut *reader, &mut *queue))).collect();
    if tables.is_empty() {
        return;
    }
    let mut kernel = Kernel { reader, queue, names: BTreeMap::new() };
    let listed: Vec<ListedPlace> =
        places.iter().filter_map(|place| listed(arch, &tables, place, &mut kernel)).collect();
    if !listed.is_empty() {
        read.rewrites.get_or_insert_with(Rewrites::default).listed = listed;
    }
}

fn table<R: Reader>(
    arch: Arch,
    header: &Header,
    (reader, queue): (&mut R, &mut VecDeque<RawEvent>),
) -> Option<Table> {
    let name = arch.tables().iter().find(|name| name.as_bytes() == header.name.0)?;
    let size = usize::try_from(header.size).ok().filter(|_| header.size <= TABLE)?;
    let bytes = reader.memory(header.address, size, queue)?;
    Some(Table { name: (*name).to_owned(), address: header.address, bytes })
}

fn listed<R: Reader>(
    arch: Arch,
    tables: &[Table],
    place: &Rewritten,
    kernel: &mut Kernel<'_, R>,
) -> Option<ListedPlace> {
    let (address, actual) = (place.address.0, place.actual);
    let asked = Place { address, actual, symbol: &place.symbol, leads_to: place.leads_to };
    let (table, allowed) = arch.listed(tables, &asked, kernel)?;
    Some(ListedPlace { index: place.index, table: Arc::from(table), allowed })
}

/// The running kernel's memory, and the names of what is there.
struct Kernel<'a, R> {
    reader: &'a mut R,
    queue: &'a mut VecDeque<RawEvent>,
    /// By address, asked once each.
    names: BTreeMap<u64, Option<String>>,
}

impl<R: Reader> World for Kernel<'_, R> {
    fn memory(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.reader.memory(address, length, self.queue)
    }

    fn symbol(&mut self, address: u64) -> Option<String> {
        self.names.entry(address).or_insert_with(|| named(address)).clone()
    }
}

/// The symbol that is exactly at an address, by /proc/kallsyms.
fn named(address: u64) -> Option<String> {
    let lookups = symbols::places(&BTreeSet::from([Address(address)]));
    let nearest = lookups.into_iter().find_map(|lookup| lookup.nearest)?;
    (nearest.offset == 0).then(|| nearest.symbol.to_string())
}
