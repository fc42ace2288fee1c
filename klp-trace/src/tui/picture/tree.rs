//! The livepatches loaded now: patch, object, section, relocation, each with its members counted by verdict.

use super::counts::Counts;
use crate::journal::{
    Elf, ObjectRef, PatchRef, RelocRef, RelocState, SectionRef, Standing, Task, Unread, Witnesses,
};
use crate::model::{Address, Bytes, Hook, Reason, Verdict};
use std::sync::Arc;

/// Changes kept of each relocation: its first one and the latest ones.
pub const HISTORY: usize = 8;

/// One load of a livepatch.
#[derive(Debug, Clone)]
pub struct Patch {
    /// Which.
    pub r: PatchRef,
    /// Where it stands, as far as that is known, and since when (CLOCK_MONOTONIC, nanoseconds).
    pub standing: Option<(Standing, u64)>,
    /// Why its sections could not be read.
    pub unread: Option<Unread>,
    /// Its objects, in the order in which they were first seen.
    pub objects: Vec<Object>,
    /// Of all of them.
    pub counts: Counts,
}

/// What is gated on one object in a patch.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its name.
    pub name: Arc<str>,
    /// Its sections, in the order in which they were first seen.
    pub sections: Vec<Section>,
    /// Of all of them.
    pub counts: Counts,
}

/// One `.klp.rela.*` section.
#[derive(Debug, Clone)]
pub struct Section {
    /// Which.
    pub r: SectionRef,
    /// The object as it was loaded when a relocation was last read.
    pub object: ObjectRef,
    /// Name of the section that is relocated; empty while it is not known.
    pub target: Arc<str>,
    /// Whether the relocated section is writable at run time.
    pub writable: bool,
    /// Which ELF speaks for it.
    pub elf: Option<Elf>,
    /// Its relocations, in order of index.
    pub relocs: Vec<Reloc>,
    /// Entries of the section, where that is known.
    pub total: u32,
    /// Of its relocations; those of which nothing was said yet are `unknown`.
    pub counts: Counts,
}

/// One relocation.
#[derive(Debug, Clone)]
pub struct Reloc {
    /// As the ELF has it.
    pub r: RelocRef,
    /// Address of the target.
    pub address: Option<Address>,
    /// The bytes that should be there.
    pub expected: Option<Bytes>,
    /// The bytes that are there.
    pub actual: Option<Bytes>,
    /// The symbol's value as the kernel recorded it.
    pub recorded: Option<Address>,
    /// The symbol's value by the independent lookup.
    pub live: Option<Address>,
    /// What the verdict rests on.
    pub witnesses: Option<Witnesses>,
    /// The verdict; none for R_*_NONE.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: Option<Reason>,
    /// What was said of it, oldest first: the first and the latest, [`HISTORY`] at most.
    pub history: Vec<Change>,
    /// Changes between the first and the second of `history` that are not kept.
    pub forgotten: u32,
}

/// A change of a relocation's state.
#[derive(Debug, Clone)]
pub struct Change {
    /// When (CLOCK_MONOTONIC, nanoseconds).
    pub mono_ns: u64,
    /// The verdict from then on.
    pub verdict: Option<Verdict>,
    /// Why.
    pub reason: Option<Reason>,
    /// At which hook it was read; none when it changed without a read.
    pub read: Option<Hook>,
    /// In whose context.
    pub task: Option<Arc<Task>>,
    /// The bytes then.
    pub actual: Option<Bytes>,
}

impl Patch {
    /// A patch of which nothing is known yet.
    pub fn new(r: PatchRef) -> Self {
        Self { r, standing: None, unread: None, objects: Vec::new(), counts: Counts::default() }
    }

    /// The place of an object of that name, made if there is none.
    pub fn object(&mut self, name: &Arc<str>) -> usize {
        if let Some(at) = self.objects.iter().position(|object| object.name == *name) {
            return at;
        }
        self.objects.push(Object { name: Arc::clone(name), sections: Vec::new(), counts: Counts::default() });
        self.objects.len() - 1
    }
}

impl Object {
    /// The place of a section, made if there is none.
    pub fn section(&mut self, r: &SectionRef) -> usize {
        if let Some(at) = self.sections.iter().position(|section| section.r.index == r.index) {
            return at;
        }
        self.sections.push(Section {
            r: r.clone(),
            object: ObjectRef { name: Arc::clone(&self.name), address: None, load: None },
            target: Arc::from(""),
            writable: false,
            elf: None,
            relocs: Vec::new(),
            total: 0,
            counts: Counts::default(),
        });
        self.sections.len() - 1
    }
}

impl Section {
    /// What to call it in a narrow place: the section that it relocates.
    pub fn short(&self) -> &str {
        if !self.target.is_empty() {
            return &self.target;
        }
        let rest =
            self.r.name.strip_prefix(".klp.rela.").and_then(|rest| rest.strip_prefix(&*self.object.name));
        rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(&self.r.name)
    }

    /// Entries of which nothing was said yet.
    pub fn unsaid(&self) -> u32 {
        self.total.saturating_sub(u32::try_from(self.relocs.len()).unwrap_or(u32::MAX))
    }

    /// Takes a new state; what was counted before and what is now.
    pub(super) fn take(
        &mut self,
        mono_ns: u64,
        task: Option<Arc<Task>>,
        state: RelocState,
    ) -> (Option<Verdict>, Option<Verdict>) {
        let change = Change {
            mono_ns,
            verdict: state.verdict,
            reason: state.reason,
            read: state.read,
            task,
            actual: state.actual,
        };
        self.object = state.object;
        let index = state.reloc.index;
        // A section is nearly always said whole and in order: the index is the place.
        let guess = index as usize;
        let place = match self.relocs.get(guess) {
            Some(reloc) if reloc.r.index == index => Ok(guess),
            _ => self.relocs.binary_search_by_key(&index, |reloc| reloc.r.index),
        };
        let place = match place {
            Ok(place) => place,
            Err(place) => {
                self.relocs.insert(place, Reloc::new(state.reloc));
                place
            }
        };
        let Some(reloc) = self.relocs.get_mut(place) else { return (None, None) };
        let before = reloc.verdict;
        reloc.address = state.address.or(reloc.address);
        reloc.expected = state.expected;
        reloc.actual = state.actual;
        reloc.recorded = state.recorded;
        reloc.live = state.live;
        reloc.witnesses = state.witnesses.or(reloc.witnesses);
        reloc.verdict = state.verdict;
        reloc.reason = state.reason;
        reloc.remember(change);
        (before, state.verdict)
    }
}

impl Reloc {
    fn new(r: RelocRef) -> Self {
        Self {
            r,
            address: None,
            expected: None,
            actual: None,
            recorded: None,
            live: None,
            witnesses: None,
            verdict: None,
            reason: None,
            history: Vec::new(),
            forgotten: 0,
        }
    }

    fn remember(&mut self, change: Change) {
        if self.history.len() >= HISTORY {
            self.history.remove(1);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.history.push(change);
    }

    /// Whether somebody has to look at it.
    pub fn needs_a_look(&self) -> bool {
        self.verdict.is_some_and(|verdict| verdict.is_bad() || verdict == Verdict::Unknown)
    }
}
