//! What is known of one load of a patch: its sections and their relocations.

use super::{
    counts::{Counted, Counts, Known},
    gathered::Gathered,
    judge::Judgement,
    third::SaidOfThird,
};
use crate::{
    arch::{Arch, NextLoad, Sorted},
    elf::{
        built_for::{BuiltFor, PER_CPU},
        klp, names, target,
    },
    journal::{
        Elf, EntryRead, MetaEntry, PatchMetadata, PatchRef, RelocRef, RelocState, SectionRef, Witnesses,
    },
    model::{Address, Bytes, FindingId, Hook, Reason, Verdict},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// One load of a patch.
#[derive(Debug)]
pub(super) struct Patch {
    pub r: PatchRef,
    /// Its init ran far enough for relocations of loaded objects to have been written.
    pub enabled: bool,
    /// It has left livepatch's list, and the kernel no longer touches it.
    pub detached: Option<Detached>,
    /// Its disabling has begun.
    pub unpatching: bool,
    /// A transition that takes it out of use was forced: by that of this patch.
    pub forced_by: Option<Arc<str>>,
    /// The objects that it lists, where that was told.
    pub objects: Option<BTreeSet<Arc<str>>>,
    /// Its module is referenced although it is detached.
    pub referenced: bool,
    /// What KLP016 was said of, by the object that gates the sections and the module that has the symbols.
    pub said_third: BTreeMap<(Arc<str>, Arc<str>), SaidOfThird>,
    /// What is said of a patch once: KLP011, and KLP010 of the transition under way.
    pub said: BTreeSet<FindingId>,
    pub names: Names,
    pub sections: BTreeMap<u32, Section>,
}

/// How a patch left livepatch's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detached {
    /// It was disabled.
    Disabled,
    /// An atomic replace took its place: by the patch of this name.
    Replaced(Arc<str>),
    /// One of the two, before the tool looked.
    Unseen,
}

/// How long the memory is there that a section relocates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lasting {
    /// As long as the patch.
    Always,
    /// Until the patch's init is done: .init.
    UntilInit,
    /// Until the patch is loaded, before its init: the template of per-CPU variables, which is never laid out.
    UntilLoaded {
        /// The kernel writes what is against vmlinux before it copies them (from 6.16 on).
        in_time: bool,
    },
}

impl Lasting {
    fn of(target: &str, kernel: &BuiltFor) -> Self {
        if target::is_per_cpu(target) {
            Self::UntilLoaded { in_time: kernel.before(PER_CPU) == Ok(false) }
        } else if target::is_init(target) {
            Self::UntilInit
        } else {
            Self::Always
        }
    }

    /// Whether it is gone when a hook reads it. While the patch's init runs, the kernel writes for objects that are there.
    pub(super) fn is_over(self, read: Hook) -> bool {
        match self {
            Self::Always => false,
            Self::UntilInit => !matches!(read, Hook::ModuleLoad | Hook::ApplyRelocateAdd),
            Self::UntilLoaded { .. } => true,
        }
    }
}

/// One `.klp.rela.*` section.
#[derive(Debug)]
pub(super) struct Section {
    pub r: SectionRef,
    /// The object that gates it.
    pub object: Arc<str>,
    /// The patch does not list that object: the kernel never writes the section.
    pub orphan: bool,
    pub elf: Elf,
    pub writable: bool,
    /// The table that it relocates, where that is one that the kernel sorts.
    pub table: Option<Sorted>,
    /// How long there is anything to relocate.
    pub lasting: Lasting,
    pub total: u32,
    /// The modules that symbols of it are in, other than that object and the kernel.
    pub thirds: BTreeSet<Arc<str>>,
    /// The load of the object for which the kernel reported success in writing this section; 0: none.
    pub written_for: u32,
    /// A read is wanted: records were lost, or nothing was read since something changed.
    pub wanted: bool,
    pub relocs: BTreeMap<u32, Reloc>,
    /// Of these, by verdict.
    pub counts: Counts,
    /// How many relocations KLP007 was said for.
    pub said_orphan: u32,
    /// The loads of the object for which KLP005 and KLP006 were said.
    pub said_missing: Option<u32>,
    pub said_wrong: Option<u32>,
    /// The load of the object for which it was said that its values are still there.
    pub said_stale: Option<u32>,
    /// How many relocations KLP003 was said for.
    pub said_failed: u32,
}

/// One relocation.
#[derive(Debug)]
pub(super) struct Reloc {
    pub r: Arc<RelocRef>,
    pub rtype: u32,
    pub original: [u8; 8],
    /// The object that has the symbol, and whether the symbol's name was well-formed.
    pub symbol_object: Option<Arc<str>>,
    /// That object is neither the one that gates the section nor the kernel.
    pub third: bool,
    pub address: Option<Address>,
    pub bytes: Option<[u8; 8]>,
    pub recorded: Option<Address>,
    /// The bytes that should be there, by the last judgement.
    pub expected: Option<Bytes>,
    /// What a load of the object left or should have left there.
    pub earlier: Option<Bytes>,
    /// It was stale before the last read too.
    pub leftover: bool,
    /// Whether anything was said of it yet.
    pub said: bool,
    pub verdict: Option<Verdict>,
    pub reason: Option<Reason>,
    /// The last verdict that was not `unknown`.
    pub known: Option<Known>,
}

impl Patch {
    /// A .ko that is not what was loaded proves nothing, not even where a section of it happens to agree.
    pub(super) fn differs(&self) -> bool {
        self.sections.values().any(|section| matches!(section.elf, Elf::Differs { .. }))
    }

    pub(super) fn new(r: PatchRef) -> Self {
        Self {
            r,
            enabled: false,
            detached: None,
            unpatching: false,
            forced_by: None,
            objects: None,
            referenced: false,
            said_third: BTreeMap::new(),
            said: BTreeSet::new(),
            names: Names::default(),
            sections: BTreeMap::new(),
        }
    }
}

impl Reloc {
    /// Whether it is where the kernel stopped: that of x86 writes over zero alone (arch/x86/kernel/module.c,
    /// `__write_relocate_add`), and something was there before, left by a load of the object or in the patch's own file.
    pub(super) fn is_in_the_way(&self, arch: Arch) -> bool {
        arch.next_load() == NextLoad::Refused && (self.leftover || self.is_in_the_file(arch))
    }

    /// Whether a later look does not change what was said of it, of a relocation against the kernel itself: it is written once.
    pub(super) fn stands(&self) -> bool {
        self.said && self.verdict != Some(Verdict::Unknown) && !self.third
    }

    /// Whether the patch's own file has something there, which is there still.
    fn is_in_the_file(&self, arch: Arch) -> bool {
        let written = arch.size(self.rtype).map(|size| self.original.get(..size).unwrap_or_default());
        let there = |bytes: [u8; 8]| written.is_some_and(|written| bytes.starts_with(written));
        self.verdict == Some(Verdict::Pending)
            && written.is_some_and(|written| written.iter().any(|byte| *byte != 0))
            && self.bytes.is_some_and(there)
    }
}

impl Section {
    pub(super) fn new(arch: Arch, metadata: &PatchMetadata, kernel: &BuiltFor) -> Self {
        Self {
            r: metadata.section.clone(),
            object: Arc::clone(&metadata.object),
            orphan: false,
            elf: metadata.elf.clone(),
            writable: metadata.writable,
            table: arch.sorted(&metadata.target),
            lasting: Lasting::of(&metadata.target, kernel),
            total: metadata.total,
            thirds: BTreeSet::new(),
            written_for: 0,
            wanted: true,
            relocs: BTreeMap::new(),
            counts: Counts::default(),
            said_orphan: 0,
            said_missing: None,
            said_wrong: None,
            said_stale: None,
            said_failed: 0,
        }
    }

    /// Counts those of its relocations that a finding covers.
    pub(super) fn add_to(&self, gathered: &mut Gathered, covered: impl Fn(&Reloc) -> bool) {
        let mut of = self.relocs.values().filter(|reloc| covered(reloc)).peekable();
        let first = of.peek().map(|reloc| Arc::clone(&reloc.r));
        gathered.add(&self.r, u32::try_from(of.count()).unwrap_or(u32::MAX), first.as_ref());
    }

    pub(super) fn count(&self, verdict: Verdict) -> u32 {
        self.counts.now(verdict)
    }
}

impl Reloc {
    /// It holds what an earlier load of the object left.
    pub(super) fn is_left(&self) -> bool {
        self.verdict == Some(Verdict::Stale) && !self.reason.is_some_and(Reason::is_of_third)
    }

    pub(super) fn new(arch: Arch, entry: &MetaEntry, names: &mut Names) -> Self {
        let (symbol_object, symbol, sympos) = names.symbol(&entry.symbol);
        let rtype = names.rtype(arch, entry.rtype);
        let mut original = [0; 8];
        for (to, from) in original.iter_mut().zip(entry.original.as_slice()) {
            *to = *from;
        }
        Self {
            r: Arc::new(RelocRef {
                index: entry.index,
                file_index: entry.file_index,
                offset: entry.offset,
                rtype,
                symbol,
                sympos,
                addend: entry.addend,
            }),
            rtype: entry.rtype,
            original,
            symbol_object,
            third: false,
            address: None,
            bytes: None,
            recorded: None,
            expected: None,
            earlier: None,
            leftover: false,
            said: false,
            verdict: None,
            reason: None,
            known: None,
        }
    }

    /// What its section counts of it.
    pub(super) const fn counted(&self) -> Counted {
        Counted { said: self.said, verdict: self.verdict, known: self.known }
    }

    /// Takes a judgement over; returns the state to be said when it is news. Evidence that is not news is not
    /// kept either, so that a journal, which holds the news alone, leads to the same states.
    pub(super) fn settle(
        &mut self,
        judgement: &Judgement,
        entry: Option<EntryRead>,
        read: Option<Hook>,
        arch: Arch,
        basis: Option<Basis>,
        counts: &mut Counts,
    ) -> Option<News> {
        let mut judgement = *judgement;
        // A value that stays is told from the one just found: a refused load stopped at one that had stayed.
        self.leftover = self.verdict == Some(Verdict::Stale) && judgement.verdict == self.verdict;
        if self.leftover && self.reason == Some(Reason::FailedLoad) {
            judgement.reason = self.reason;
        }
        let size = arch.size(self.rtype).unwrap_or(8);
        let bytes = entry.and_then(|entry| entry.bytes);
        let moved =
            entry.is_some() && self.bytes.map(|b| Bytes::new(b, size)) != bytes.map(|b| Bytes::new(b, size));
        let same =
            self.said && !moved && self.verdict == judgement.verdict && self.reason == judgement.reason;
        if same || (self.said && judgement.verdict.is_none()) {
            return None;
        }
        let (previous, before) = (self.verdict, self.counted());
        if let Some(entry) = entry {
            self.address = Some(entry.address);
            self.bytes = entry.bytes;
            self.recorded = entry.recorded;
        }
        if judgement.verdict == Some(Verdict::Applied) {
            self.earlier = judgement.expected;
        } else if judgement.verdict == Some(Verdict::Stale) {
            self.earlier = judgement.actual;
        }
        self.said = true;
        self.expected = judgement.expected;
        self.verdict = judgement.verdict;
        self.reason = judgement.reason;
        self.known = Known::of(self.verdict, self.reason).or(self.known);
        counts.change(before, self.counted());
        Some(News { previous, judgement, read, basis })
    }
}

/// Object, own name, sympos.
type SymbolParts = (Option<Arc<str>>, Arc<str>, u64);

/// Names that thousands of relocations share.
#[derive(Debug, Default)]
pub(super) struct Names {
    symbols: BTreeMap<Arc<str>, SymbolParts>,
    types: BTreeMap<u32, Arc<str>>,
}

impl Names {
    /// Object, own name and sympos of a `.klp.sym.` name; no object when the kernel would refuse the name.
    fn symbol(&mut self, whole: &Arc<str>) -> SymbolParts {
        if let Some(known) = self.symbols.get(whole) {
            return known.clone();
        }
        // Escaped text is not what the kernel parses: its widths and separators are those of the bytes.
        let text = |raw: &[u8]| Arc::<str>::from(names::display(raw));
        let parts = match klp::symbol(&names::bytes(whole)) {
            Some(name) => (Some(text(name.object)), text(name.name), name.sympos),
            None => (None, Arc::clone(whole), 0),
        };
        self.symbols.insert(Arc::clone(whole), parts.clone());
        parts
    }

    fn rtype(&mut self, arch: Arch, number: u32) -> Arc<str> {
        let name =
            || arch.type_name(number).map_or_else(|| Arc::from(format!("type {number}")), Arc::<str>::from);
        Arc::clone(self.types.entry(number).or_insert_with(name))
    }
}

/// A change of one relocation's state, to be said.
#[derive(Debug, Clone, Copy)]
pub(super) struct News {
    pub previous: Option<Verdict>,
    pub judgement: Judgement,
    pub read: Option<Hook>,
    pub basis: Option<Basis>,
}

/// What a judgement rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Basis {
    /// The symbol's value by the independent lookup, where it was needed.
    pub live: Option<Address>,
    pub witnesses: Witnesses,
}

impl News {
    pub(super) fn state(
        &self,
        patch: &PatchRef,
        object: &crate::journal::ObjectRef,
        section: &SectionRef,
        reloc: &Reloc,
    ) -> RelocState {
        RelocState {
            patch: patch.clone(),
            object: object.clone(),
            section: section.clone(),
            reloc: (*reloc.r).clone(),
            address: reloc.address,
            expected: self.judgement.expected,
            actual: self.judgement.actual,
            recorded: reloc.recorded,
            live: self.basis.and_then(|basis| basis.live),
            witnesses: self.basis.map(|basis| basis.witnesses),
            read: self.read,
            verdict: self.judgement.verdict,
            reason: self.judgement.reason,
            previous: self.previous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_name_is_parsed_by_its_bytes() {
        let raw = b".klp.sym.tmod.odd\\name\x1b,2";
        let whole: Arc<str> = names::display(raw).into();
        let (object, symbol, sympos) = Names::default().symbol(&whole);
        assert_eq!((object.as_deref(), sympos), (Some("tmod"), 2));
        assert_eq!(names::bytes(&symbol), b"odd\\name\x1b");
    }
}
