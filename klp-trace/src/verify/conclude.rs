//! A section was read: the verdicts of its relocations.

use super::{
    judge::{Context, Facts, Judgement, Loader, Third, judge},
    moved,
    objects::{Object, Objects, Presence, VMLINUX},
    rules,
    section::{Basis, Lasting, Patch, Reloc, Section},
    verifier::{SymbolKey, Verifier},
};
use crate::{
    arch::{Arch, Sorted},
    journal::{
        Body, Elf, ElfWitness, EntryRead, Lookup, Memory, ObjectRef, PatchRef, Rewrites, SectionRead,
        Witnesses,
    },
    model::{Address, FindingId, Hook, Reason, Verdict},
};
use std::{collections::BTreeMap, sync::Arc};

impl Verifier {
    pub(super) fn section_read(&mut self, mut read: SectionRead, say: &mut dyn FnMut(Body)) {
        let (arch, index) = (self.arch, read.section.index);
        let Self { patches, objects, symbols, losses, memory, .. } = self;
        let world = World { arch, symbols, objects, memory: *memory };
        let Some(patch) = patches.get_mut(&read.patch.address.0) else {
            say(Body::SectionRead(read));
            return;
        };
        read.patch = patch.r.clone();
        let traits = Traits::of(patch);
        let differs = patch.differs();
        let Some(section) = patch.sections.get_mut(&index) else {
            say(Body::SectionRead(read));
            return;
        };
        read.section = section.r.clone();
        read.object = objects.reference(&section.object);
        if read.lost > 0 {
            section.wanted = true;
            unknown(&patch.r, section, &read.object, Reason::EventsLost, arch, say);
            let (hook, lost) = (read.read, u64::from(read.lost));
            read.entries.clear();
            read.rewrites = None;
            say(Body::SectionRead(read));
            self.incomplete(hook, lost, say);
            return;
        }
        let never_said = section.relocs.values().all(|reloc| !reloc.said);
        if read.read == Hook::Demand && *losses > 0 && never_said {
            // Its records are among those that were lost: until this read nobody could tell.
            unknown(&patch.r, section, &read.object, Reason::EventsLost, arch, say);
        }
        let context = context(section, objects, traits, &read);
        if let Some(context) = context {
            let listed = judge_section(world, differs, &patch.r, section, &read, context, say);
            read.entries.retain(|entry| listed.binary_search(&entry.index).is_ok());
            section.wanted = false;
            if context == Context::Active {
                section.written_for = objects.get(&section.object).map_or(1, |object| object.load.max(1));
            } else {
                section.written_for = 0;
            }
            if read.read == Hook::ApplyRelocateAdd
                && &*section.object != VMLINUX
                && read.ret.unwrap_or(0) >= 0
            {
                patch.enabled = true;
            }
        } else {
            read.entries.clear();
            read.rewrites = None;
            section.wanted = false;
        }
        say(Body::SectionRead(read.clone()));
        self.note_wrong(&read);
        self.note_thirds(&read);
        self.settled();
    }

    fn incomplete(&mut self, hook: Hook, lost: u64, say: &mut dyn FnMut(Body)) {
        let event =
            crate::journal::EventsLost { hook, cause: crate::journal::LossCause::Incomplete, count: lost };
        self.note_loss(&event, say);
    }

    /// KLP011, once a patch.
    pub(super) fn differs(&mut self, patch: u64, say: &mut dyn FnMut(Body)) {
        let Some(patch) =
            self.patches.get_mut(&patch).filter(|patch| !patch.said.contains(&FindingId::Klp011))
        else {
            return;
        };
        let difference = patch.sections.values().find_map(|section| match &section.elf {
            Elf::Differs { path, difference } => Some((section.r.clone(), path.clone(), difference.clone())),
            Elf::File { .. } | Elf::Memory { .. } => None,
        });
        if let Some((section, path, difference)) = difference {
            patch.said.insert(FindingId::Klp011);
            let finding = rules::file_differs(&patch.r, section, &path, &difference);
            self.say_finding(finding, say);
        }
    }

    /// Takes note of what is wrong, once a load of the object: it is said when all sections have been read.
    fn note_wrong(&mut self, read: &SectionRead) {
        let load = read.object.load.unwrap_or(0);
        let arch = self.arch;
        let there = self.objects.get(&read.object.name).is_some_and(Object::is_there);
        let Self { patches, places, rounds, .. } = self;
        let Some(patch) = patches.get_mut(&read.patch.address.0) else { return };
        let detached = patch.detached.is_some();
        let Some(section) = patch.sections.get_mut(&read.section.index) else { return };
        let count = |verdict| section.count(verdict);
        let (wrong, orphaned, missing) =
            (count(Verdict::Mismatch), count(Verdict::Orphaned), count(Verdict::Missing));
        let found = read.read == Hook::Demand
            && (!there || detached)
            && section.said_stale != Some(load)
            && section.relocs.values().any(Reloc::is_left);
        let wrong = wrong > 0 && section.said_wrong != Some(load);
        let orphans = orphaned > std::mem::replace(&mut section.said_orphan, orphaned);
        let unwritten = missing > 0 && section.said_missing != Some(load);
        if !(found || wrong || orphans || unwritten) {
            return;
        }
        let round = rounds.of(&read.patch, &read.object, Some(read.read == Hook::Demand));
        (round.there, round.detached) = (there, detached);
        if found {
            section.said_stale = Some(load);
            section.add_to(&mut round.stale, Reloc::is_left);
        }
        if wrong {
            section.said_wrong = Some(load);
            round.wrong.take(section, arch, places);
        }
        if orphans {
            section.add_to(&mut round.orphaned, |reloc| reloc.verdict == Some(Verdict::Orphaned));
        }
        if unwritten {
            section.said_missing = Some(load);
            if round.missing.is_empty() {
                let first = section.relocs.values().find(|reloc| reloc.verdict == Some(Verdict::Missing));
                round.had = first.is_some_and(|reloc| reloc.earlier.is_some());
            }
            section.add_to(&mut round.missing, |reloc| reloc.verdict == Some(Verdict::Missing));
        }
    }
}

/// What the context rests on, of the patch.
#[derive(Clone, Copy)]
pub(super) struct Traits {
    enabled: bool,
    detached: bool,
}

impl Traits {
    pub(super) fn of(patch: &Patch) -> Self {
        Self { enabled: patch.enabled, detached: patch.detached.is_some() }
    }
}

/// What judging needs beside the relocation and its surroundings.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub arch: Arch,
    pub symbols: &'a BTreeMap<SymbolKey, Lookup>,
    pub objects: &'a Objects,
    pub memory: Memory,
}

/// What is relocated, and what the loader may have made of it since.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    writable: bool,
    table: Option<Sorted>,
    rewrites: Option<&'a Rewrites>,
}

impl<'a> Target<'a> {
    pub(super) fn of(section: &Section, read: &'a SectionRead) -> Self {
        Self { writable: section.writable, table: section.table, rewrites: read.rewrites.as_ref() }
    }

    /// Nothing was read, or nothing that the loader may have worked on since.
    pub(super) fn unread(section: &Section) -> Self {
        Self { writable: section.writable, table: section.table, rewrites: None }
    }

    fn loader(self, world: World<'_>, reloc: &Reloc) -> Loader<'a> {
        if let Some(table) = self.table {
            let offset = reloc.r.offset.0;
            let found = self.rewrites.is_some_and(|rewrites| rewrites.sorted) && table.is_adjusted(offset);
            let other = exchanged_value(world.arch, world.symbols, reloc);
            return Loader::Sorted { found, bits: table.loader_bits(offset), other };
        }
        let mut listed = self.rewrites.into_iter().flat_map(|rewrites| &rewrites.listed);
        match listed.find(|place| place.index == reloc.r.index) {
            Some(place) => Loader::Listed(&place.allowed),
            None => Loader::NotAsked,
        }
    }
}

/// The surroundings of a read; none when it is no ground for a new judgement.
pub(super) fn context(
    section: &Section,
    objects: &Objects,
    patch: Traits,
    read: &SectionRead,
) -> Option<Context> {
    let failed = read.ret.is_some_and(|ret| ret < 0);
    if &*section.object == VMLINUX {
        let judged =
            section.relocs.values().all(|reloc| reloc.said && reloc.verdict != Some(Verdict::Unknown));
        return match read.read {
            Hook::ApplyRelocateAdd if failed => Some(Context::Failed),
            Hook::ApplyRelocateAdd => Some(Context::Active),
            // The loader rewrites code after it relocated it: what was judged then stands. But symbols of modules may move.
            _ if judged && section.thirds.is_empty() => None,
            read if section.lasting.is_over(read) => Some(match section.lasting {
                Lasting::UntilLoaded { in_time: false } => Context::Freed,
                _ => Context::Gone,
            }),
            _ => Some(Context::Later),
        };
    }
    if section.lasting.is_over(read.read) {
        return Some(Context::Freed);
    }
    if section.orphan {
        return Some(Context::Orphan);
    }
    let object = objects.get(&section.object);
    Some(match read.read {
        Hook::ApplyRelocateAdd if failed => Context::Failed,
        Hook::ApplyRelocateAdd => Context::Active,
        Hook::ClearRelocateAdd | Hook::KlpModuleGoing => Context::Absent,
        Hook::KlpModuleComing => Context::Failed,
        Hook::KlpCleanupModulePatchesLimited => match object.map(|object| object.presence) {
            Some(Presence::Coming) => Context::Failed,
            _ => Context::Absent,
        },
        _ => match object.filter(|object| object.is_there()) {
            None => Context::Absent,
            Some(object) if object.presence == Presence::Unloading => Context::OnItsWay,
            Some(object) if section.written_for == object.load => Context::Active,
            Some(_) if patch.detached => Context::Detached,
            Some(object) if patch.enabled && object.presence == Presence::Live => Context::Active,
            Some(_) if patch.enabled => Context::OnItsWay,
            Some(_) => Context::NotEnabled,
        },
    })
}

/// Judges every relocation of a section and says what is news. Returns the indices that were read and said, in order.
fn judge_section(
    world: World<'_>,
    differs: bool,
    patch: &PatchRef,
    section: &mut Section,
    read: &SectionRead,
    context: Context,
    say: &mut dyn FnMut(Body),
) -> Vec<u32> {
    let elf = match section.elf {
        _ if differs => ElfWitness::Differs,
        Elf::File { .. } => ElfWitness::File,
        Elf::Memory { .. } => ElfWitness::Memory,
        Elf::Differs { .. } => ElfWitness::Differs,
    };
    moved::recognise(world.arch, section, read, context);
    let mut listed = Vec::new();
    let mut entries = read.entries.iter().peekable();
    let (target, r) = (Target::of(section, read), section.r.clone());
    for (&index, reloc) in &mut section.relocs {
        while entries.next_if(|entry| entry.index < index).is_some() {}
        let mut entry: Option<EntryRead> = entries.next_if(|entry| entry.index == index).copied();
        if context == Context::Later && reloc.stands() {
            continue;
        }
        if let Some(freed) = entry.as_mut().filter(|_| matches!(context, Context::Freed | Context::Gone)) {
            // Whoever has the memory now may write there: no change of this relocation.
            freed.bytes = None;
        }
        let judgement = judgement(world, differs, target, reloc, entry, context);
        let basis = basis(world, elf, reloc, context);
        let hook = entry.map(|_| read.read);
        if let Some(news) =
            reloc.settle(&judgement, entry, hook, world.arch, Some(basis), &mut section.counts)
        {
            if entry.is_some() {
                listed.push(index);
            }
            say(Body::RelocState(news.state(patch, &read.object, &r, reloc)));
        }
    }
    listed
}

/// The judgement of one relocation, with what was just read of it or else was last.
pub(super) fn judgement(
    world: World<'_>,
    differs: bool,
    target: Target<'_>,
    reloc: &Reloc,
    entry: Option<EntryRead>,
    context: Context,
) -> Judgement {
    let World { arch, symbols, objects, .. } = world;
    if differs && !arch.is_none(reloc.rtype) {
        let size = arch.size(reloc.rtype).unwrap_or(8);
        let bytes = entry.map_or(reloc.bytes, |entry| entry.bytes);
        return Judgement::unknown(Reason::FileDiffers, bytes.map(|b| crate::model::Bytes::new(b, size)));
    }
    match entry.map(|entry| entry.address).or(reloc.address) {
        None => Judgement::unknown(Reason::NeverRead, None),
        Some(address) => judge(&Facts {
            arch,
            rtype: reloc.rtype,
            addend: reloc.r.addend,
            place: address.0,
            bytes: entry.map_or(reloc.bytes, |entry| entry.bytes),
            original: reloc.original,
            symbol: value_of(symbols, reloc),
            recorded: entry.map_or(reloc.recorded, |entry| entry.recorded).map(|value| value.0),
            earlier: reloc.earlier,
            was_stale: reloc.verdict == Some(Verdict::Stale),
            was_pending: reloc.verdict == Some(Verdict::Pending),
            writable: target.writable,
            loader: target.loader(world, reloc),
            third: third(reloc, objects),
            context,
        }),
    }
}

/// Where the module of a relocation's symbol stands, if that is a module of its own.
fn third(reloc: &Reloc, objects: &Objects) -> Third {
    match reloc.symbol_object.as_ref().filter(|_| reloc.third) {
        None => Third::No,
        Some(of) if objects.lacks(of) => Third::Gone,
        Some(_) => Third::There,
    }
}

/// Which witnesses a judgement in these surroundings rests on: an object that is gone needs no symbols.
fn basis(world: World<'_>, elf: ElfWitness, reloc: &Reloc, context: Context) -> Basis {
    let needed = !matches!(context, Context::Absent | Context::Failed);
    let found = match lookup_of(world.symbols, reloc) {
        Some(Lookup::Found { address, from, .. }) if needed => Some((*address, *from)),
        _ => None,
    };
    let witnesses = Witnesses { elf, symbols: found.map(|(_, from)| from), memory: world.memory };
    Basis { live: found.map(|(address, _): (Address, _)| address), witnesses }
}

/// The value of a relocation's symbol by independent lookup.
fn value_of(symbols: &BTreeMap<SymbolKey, Lookup>, reloc: &Reloc) -> Result<u64, Reason> {
    if reloc.symbol_object.is_none() {
        return Err(Reason::SymbolMalformed);
    }
    match lookup_of(symbols, reloc) {
        Some(Lookup::Found { address, .. }) => Ok(address.0),
        Some(Lookup::Failed { why }) => Err(*why),
        None => Err(Reason::SymbolsGone),
    }
}

/// The value of the symbol that the loader may put in place of a relocation's own in a sorted table.
pub(super) fn exchanged_value(
    arch: Arch,
    symbols: &BTreeMap<SymbolKey, Lookup>,
    reloc: &Reloc,
) -> Option<u64> {
    let other = arch.exchanged(&reloc.r.symbol)?;
    match symbols.get(&(Arc::clone(reloc.symbol_object.as_ref()?), other.into(), 0))? {
        Lookup::Found { address, .. } => Some(address.0),
        Lookup::Failed { .. } => None,
    }
}

pub(super) fn lookup_of<'a>(symbols: &'a BTreeMap<SymbolKey, Lookup>, reloc: &Reloc) -> Option<&'a Lookup> {
    let object = reloc.symbol_object.as_ref()?;
    symbols.get(&(Arc::clone(object), Arc::clone(&reloc.r.symbol), reloc.r.sympos))
}

/// Calls every relocation of a section `unknown`.
pub(super) fn unknown(
    patch: &PatchRef,
    section: &mut Section,
    object: &ObjectRef,
    reason: Reason,
    arch: Arch,
    say: &mut dyn FnMut(Body),
) {
    unknown_of(patch, section, object, reason, arch, &|_| true, say);
}

/// Calls some relocations of a section `unknown`.
pub(super) fn unknown_of(
    patch: &PatchRef,
    section: &mut Section,
    object: &ObjectRef,
    reason: Reason,
    arch: Arch,
    which: &dyn Fn(&Reloc) -> bool,
    say: &mut dyn FnMut(Body),
) {
    let r = section.r.clone();
    let judgement = Judgement::unknown(reason, None);
    let concerned = |reloc: &&mut Reloc| !arch.is_none(reloc.rtype) && which(reloc);
    for reloc in section.relocs.values_mut().filter(concerned) {
        if let Some(news) = reloc.settle(&judgement, None, None, arch, None, &mut section.counts) {
            say(Body::RelocState(news.state(patch, object, &r, reloc)));
        }
    }
}

/// Relocations of a patch gated on `object`, counted by what holds of them.
pub(super) fn gated<'a>(patch: &'a Patch, object: &'a str) -> impl Iterator<Item = &'a Section> {
    patch.sections.values().filter(move |section| &*section.object == object)
}
