//! The state machine: events in, events and conclusions out.

use super::{
    heard::Heard,
    objects::Objects,
    open::{OpenFindings, Touched},
    rounds::Rounds,
    section::Patch,
};
use crate::{
    arch::Arch,
    elf::built_for::BuiltFor,
    journal::{Body, Event, Lookup, Memory, Nearest, PatchRef},
    model::{Address, FindingId, Severity, Verdict},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Keeps the state of every livepatch relocation and says what follows from each event.
#[derive(Debug)]
pub struct Verifier {
    pub(super) arch: Arch,
    /// Whether the kernel clears relocation targets when an object goes.
    pub(super) clears: bool,
    /// The running kernel.
    pub(super) kernel: BuiltFor,
    /// How the session reads memory.
    pub(super) memory: Memory,
    pub(super) objects: Objects,
    /// By address of the patch's `struct module`.
    pub(super) patches: BTreeMap<u64, Patch>,
    pub(super) loads: BTreeMap<Arc<str>, u32>,
    pub(super) symbols: BTreeMap<SymbolKey, Lookup>,
    /// Which symbol an address belongs to, as far as it was asked.
    pub(super) places: BTreeMap<u64, Nearest>,
    /// Livepatches, by name, whose sections could not be read.
    pub(super) unread: BTreeSet<Arc<str>>,
    pub(super) findings: BTreeMap<FindingId, u32>,
    /// Those of them that hold.
    pub(super) open: OpenFindings,
    worst: Option<Severity>,
    pub(super) lost: u64,
    pub(super) losses: u64,
    /// KLP013 was said and not everything was read again since.
    pub(super) loss_open: bool,
    /// What the kernel's own log said.
    pub(super) heard: Heard,
    /// The patch whose transition was completed last.
    pub(super) completed: Option<Arc<str>>,
    /// Reads that belong together and are not over yet.
    pub(super) rounds: Rounds,
}

/// Object, symbol, sympos.
pub(super) type SymbolKey = (Arc<str>, Arc<str>, u64);

/// A symbol whose value is needed to judge a section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededSymbol {
    /// The object that has it.
    pub object: Arc<str>,
    /// Its own name.
    pub symbol: Arc<str>,
    /// Its position among its namesakes.
    pub sympos: u64,
}

/// A section that has to be read (again) before it can be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// Address of the patch's `struct module`.
    pub patch: Address,
    /// The section's index.
    pub section: u32,
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The gravest finding.
    pub worst: Option<Severity>,
    /// The gravest of those that hold.
    pub open: Option<Severity>,
    /// Relocations whose verdict is bad now (missing, orphaned, stale, mismatch).
    pub bad: u64,
    /// Relocations whose verdict is `unknown` now, and livepatches that could not be read at all.
    pub unknown: u64,
    /// Records known to be lost.
    pub lost: u64,
    /// Times that records were lost, or may have been.
    pub losses: u64,
}

impl Outcome {
    /// Of this session and another, as one.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            worst: self.worst.max(other.worst),
            open: self.open.max(other.open),
            bad: self.bad.saturating_add(other.bad),
            unknown: self.unknown.saturating_add(other.unknown),
            lost: self.lost.saturating_add(other.lost),
            losses: self.losses.saturating_add(other.losses),
        }
    }
}

impl Verifier {
    /// A verifier that has seen nothing. Whether the kernel clears is taken from the session event, and not
    /// before; of an architecture whose kernels never do it is not believed.
    pub fn new(arch: Arch) -> Self {
        Self {
            arch,
            clears: false,
            kernel: BuiltFor::default(),
            memory: Memory::default(),
            objects: Objects::default(),
            patches: BTreeMap::new(),
            loads: BTreeMap::new(),
            symbols: BTreeMap::new(),
            places: BTreeMap::new(),
            unread: BTreeSet::new(),
            findings: BTreeMap::new(),
            open: OpenFindings::default(),
            worst: None,
            lost: 0,
            losses: 0,
            loss_open: false,
            heard: Heard::default(),
            completed: None,
            rounds: Rounds::default(),
        }
    }

    /// The same, on a kernel of this release (`uname -r`): some relocations are written by certain kernels alone.
    #[must_use]
    pub fn on(self, release: &str) -> Self {
        Self { kernel: BuiltFor::release(release), ..self }
    }

    /// Takes one event; says it, with loads numbered, and everything that follows from it. Conclusions among the
    /// events are ignored: they are derived anew.
    pub fn feed(&mut self, event: Event, out: &mut dyn FnMut(Event)) {
        let Event { mono_ns, task, body } = event;
        self.heard.forget(mono_ns);
        self.close_before(&body, out);
        self.rounds.now = (mono_ns, task.clone());
        let touched = Touched::by(&body);
        let say = &mut |body: Body| out(Event { mono_ns, task: task.clone(), body });
        match body {
            Body::Session(mut session) => {
                session.clears = self.arch.clears(session.clears);
                self.clears = session.clears;
                self.memory = session.memory;
                say(Body::Session(session));
            }
            Body::Module(module) => self.module(module, say),
            Body::Livepatch(found) => self.livepatch(found, say),
            Body::AddressLookup(lookup) => self.address(lookup, say),
            Body::Hook(hook) => self.hook(hook, say),
            Body::PatchMetadata(metadata) => self.metadata(metadata, say),
            Body::SymbolLookup(lookup) => self.symbol(lookup, say),
            Body::SectionRead(read) => self.section_read(read, say),
            Body::Transition(transition) => self.transition(transition, say),
            Body::Stall(stall) => self.stall(stall, say),
            Body::KernelMessage(message) => self.kernel_message(mono_ns, message, say),
            Body::EventsLost(lost) => self.events_lost(&lost, say),
            Body::RelocState(_) | Body::Finding(_) | Body::FindingClosed(_) | Body::SessionEnd(_) => {}
        }
        self.close_findings(&touched, say);
    }

    /// Whether a patch at this address is known.
    pub fn knows(&self, patch: Address) -> bool {
        self.patches.contains_key(&patch.0)
    }

    /// The patches known, in order of address.
    pub fn patches(&self) -> impl Iterator<Item = &PatchRef> {
        self.patches.values().map(|patch| &patch.r)
    }

    /// Whether the metadata of a section is known.
    pub fn has_section(&self, patch: Address, section: u32) -> bool {
        self.section(patch, section).is_some()
    }

    /// How many sections of a patch are known.
    pub fn sections(&self, patch: Address) -> usize {
        self.patches.get(&patch.0).map_or(0, |patch| patch.sections.len())
    }

    fn section(&self, patch: Address, section: u32) -> Option<&super::section::Section> {
        self.patches.get(&patch.0)?.sections.get(&section)
    }

    /// A section's name, where its metadata is known.
    pub fn section_name(&self, patch: Address, section: u32) -> Option<Arc<str>> {
        self.section(patch, section).map(|section| Arc::clone(&section.r.name))
    }

    /// The object that gates a section, where its metadata is known.
    pub fn gate(&self, patch: Address, section: u32) -> Option<Arc<str>> {
        self.section(patch, section).map(|section| Arc::clone(&section.object))
    }

    /// Wants every section read that can still change: nothing is known to have been lost, but nothing is seen.
    pub fn want_all(&mut self) {
        for section in self.patches.values_mut().flat_map(|patch| patch.sections.values_mut()) {
            section.wanted |= &*section.object != super::objects::VMLINUX;
        }
    }

    /// The objects that any section is gated on.
    pub fn gates(&self) -> BTreeSet<Arc<str>> {
        self.patches
            .values()
            .flat_map(|patch| patch.sections.values())
            .map(|s| Arc::clone(&s.object))
            .collect()
    }

    /// The modules that symbols of relocations are in, other than the objects that gate these and the kernel.
    pub fn thirds(&self) -> BTreeSet<Arc<str>> {
        let sections = self.patches.values().flat_map(|patch| patch.sections.values());
        sections.flat_map(|section| section.thirds.iter().cloned()).collect()
    }

    /// Those of one section.
    pub fn section_thirds(&self, patch: Address, section: u32) -> BTreeSet<Arc<str>> {
        self.section(patch, section).map(|section| section.thirds.clone()).unwrap_or_default()
    }

    /// The sections that have to be read before they can be judged.
    pub fn wants(&self) -> Vec<Want> {
        self.patches
            .iter()
            .flat_map(|(&address, patch)| {
                let wanted = patch.sections.values().filter(|section| section.wanted);
                wanted.map(move |section| Want { patch: Address(address), section: section.r.index })
            })
            .collect()
    }

    /// All symbols that judging a section needs.
    pub fn section_symbols(&self, patch: Address, section: u32) -> BTreeSet<NeededSymbol> {
        let section = self.section(patch, section);
        let relocs = section.into_iter().flat_map(|section| section.relocs.values());
        let needed = relocs.filter_map(|reloc| {
            let (object, symbol) = (reloc.symbol_object.clone()?, Arc::clone(&reloc.r.symbol));
            Some(NeededSymbol { object, symbol, sympos: reloc.r.sympos })
        });
        let mut needed: BTreeSet<NeededSymbol> = needed.collect();
        if section.is_some_and(|section| section.table.is_some()) {
            let others: Vec<NeededSymbol> =
                needed.iter().filter_map(|needed| self.exchanged(needed)).collect();
            needed.extend(others);
        }
        needed
    }

    /// The symbol that the loader may have put in this one's place.
    fn exchanged(&self, symbol: &NeededSymbol) -> Option<NeededSymbol> {
        let other = self.arch.exchanged(&symbol.symbol)?;
        Some(NeededSymbol { object: Arc::clone(&symbol.object), symbol: other.into(), sympos: 0 })
    }

    /// All symbols that the kernel needs to write what is gated on an object.
    pub fn gated_symbols(&self, object: &str) -> BTreeSet<NeededSymbol> {
        let mut needed = BTreeSet::new();
        for (address, patch) in &self.patches {
            for section in patch.sections.values().filter(|section| &*section.object == object) {
                needed.extend(self.section_symbols(Address(*address), section.r.index));
            }
        }
        needed
    }

    /// The symbols that judging a section needs and that have not been looked up for the present load of their
    /// object.
    pub fn needed_symbols(&self, patch: Address, section: u32) -> BTreeSet<NeededSymbol> {
        self.not_looked_up(self.section_symbols(patch, section))
    }

    /// The same of all sections that are gated on `object`, of all patches.
    pub fn needed_for(&self, object: &str) -> BTreeSet<NeededSymbol> {
        self.not_looked_up(self.gated_symbols(object))
    }

    pub(super) fn not_looked_up(&self, mut needed: BTreeSet<NeededSymbol>) -> BTreeSet<NeededSymbol> {
        needed.retain(|needed| {
            let key = (Arc::clone(&needed.object), Arc::clone(&needed.symbol), needed.sympos);
            !self.symbols.contains_key(&key)
        });
        needed
    }

    /// How the session stands.
    pub fn outcome(&self) -> Outcome {
        let totals = self.totals();
        let sum =
            |wanted: fn(Verdict) -> bool| totals.iter().filter(|(v, _)| wanted(**v)).map(|(_, n)| n).sum();
        Outcome {
            worst: self.worst,
            open: self.open.worst(),
            bad: sum(Verdict::is_bad),
            unknown: sum(|verdict| verdict == Verdict::Unknown) + self.unread.len() as u64,
            lost: self.lost,
            losses: self.losses,
        }
    }

    /// Relocations by verdict, of the patches loaded now. What was never read counts as `unknown`.
    pub fn totals(&self) -> crate::journal::Totals {
        let mut totals = crate::journal::Totals::new();
        for section in self.patches.values().flat_map(|patch| patch.sections.values()) {
            section.add_totals(&mut totals);
        }
        totals
    }

    /// What the last event of a session says, but for why it ended.
    pub fn end(&self, reason: crate::journal::EndReason) -> crate::journal::SessionEnd {
        let findings = self.findings.clone();
        crate::journal::SessionEnd {
            reason,
            verdicts: self.totals(),
            findings,
            open: self.open.counts(),
            lost: self.lost,
            derived: None,
        }
    }

    pub(super) fn say_finding(&mut self, mut finding: crate::journal::Finding, say: &mut dyn FnMut(Body)) {
        *self.findings.entry(finding.id).or_default() += 1;
        self.worst = self.worst.max(Some(finding.severity));
        finding.opened_ns = self.open_finding(&finding, self.rounds.now.0);
        let finding = self.remedied(finding);
        say(Body::Finding(finding));
    }

    pub(super) fn count_loss(&mut self, records: u64) {
        self.lost = self.lost.saturating_add(records);
        self.losses += 1;
    }

    /// True when this loss is the first since everything was last read again.
    pub(super) fn open_loss(&mut self) -> bool {
        !std::mem::replace(&mut self.loss_open, true)
    }

    /// Every wanted section has been read again.
    pub(super) fn settled(&mut self) {
        if self.loss_open && self.patches.values().all(|p| p.sections.values().all(|s| !s.wanted)) {
            self.loss_open = false;
        }
    }

    pub(super) fn forget_symbols(&mut self, object: &str) {
        self.symbols.retain(|(of, _, _), _| &**of != object);
    }

    /// Sections gated on an object whose load changed unseen have to be read.
    pub(super) fn want_gated_on(&mut self, object: &str) {
        for section in self.patches.values_mut().flat_map(|patch| patch.sections.values_mut()) {
            if &*section.object == object {
                section.wanted = true;
                section.written_for = 0;
            }
        }
    }
}
