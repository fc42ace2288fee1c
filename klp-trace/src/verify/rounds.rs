//! What is wrong with a patch's relocations against one object is one finding, though its sections are read one after the
//! other: what each read gives is kept until the round of reads is over.
//!
//! That a round is over is told by the next event that is no part of it, so that a replay comes to the same; or by the source,
//! when there is nothing more to be read at once ([`Verifier::rest`]).

use super::{gathered::Gathered, misplaced::Misplaced, orphan, rules, verifier::Verifier, wrong};
use crate::{
    journal::{Body, Event, Finding, ObjectRef, PatchRef, SectionRead, Task},
    model::Hook,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A round of reads that no event ends is over after 1 s.
const OVER_NS: u64 = 1_000_000_000;

/// The rounds that are under way, by the patch's address and the object's name.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    open: BTreeMap<(u64, Arc<str>), Round>,
    /// The time of the event being fed, nanoseconds, and its task.
    pub now: (u64, Option<Arc<Task>>),
}

/// What the reads of one patch's sections gated on one object have given.
#[derive(Debug)]
pub(super) struct Round {
    now: (u64, Option<Arc<Task>>),
    /// Read because it was asked for, not because the kernel did something; none before the first read.
    demand: Option<bool>,
    patch: PatchRef,
    object: ObjectRef,
    /// The object is there.
    pub there: bool,
    pub detached: bool,
    pub stale: Gathered,
    pub wrong: wrong::Wrong,
    pub orphaned: Gathered,
    pub missing: Gathered,
    /// What is missing was there before.
    pub had: bool,
    pub misplaced: Misplaced,
    /// The modules of their own that symbols of these relocations are in: KLP016 waits for all sections.
    thirds: BTreeSet<Arc<str>>,
}

impl Rounds {
    /// Whether there is more to come of a patch's sections gated on an object.
    pub(super) fn awaits(&self, patch: &PatchRef, object: &Arc<str>) -> bool {
        self.open.contains_key(&(patch.address.0, Arc::clone(object)))
    }

    /// The round of a patch and an object.
    pub(super) fn of(&mut self, patch: &PatchRef, object: &ObjectRef, demand: Option<bool>) -> &mut Round {
        let now = self.now.clone();
        let round = self.open.entry((patch.address.0, Arc::clone(&object.name))).or_insert_with(|| Round {
            now: now.clone(),
            demand,
            patch: patch.clone(),
            object: object.clone(),
            there: false,
            detached: false,
            stale: Gathered::default(),
            wrong: wrong::Wrong::default(),
            orphaned: Gathered::default(),
            missing: Gathered::default(),
            had: false,
            misplaced: Misplaced::default(),
            thirds: BTreeSet::new(),
        });
        round.now = now;
        round.demand = round.demand.or(demand);
        round
    }
}

impl Round {
    /// Whether an event is no part of this round.
    fn ends_with(&self, body: &Body) -> bool {
        match body {
            Body::SectionRead(read) => {
                read.patch.address == self.patch.address
                    && read.object.name == self.object.name
                    && self.demand.is_some_and(|demand| demand != (read.read == Hook::Demand))
            }
            Body::PatchMetadata(metadata) => {
                metadata.patch.address == self.patch.address && metadata.patch.name != self.patch.name
            }
            Body::Module(module) => {
                !self.thirds.is_empty()
                    || module.name == self.object.name
                    || module.name == self.patch.name
                    || module.address == Some(self.patch.address)
            }
            Body::Hook(hook) => match hook.hook {
                Hook::ApplyRelocateAdd
                | Hook::ClearRelocateAdd
                | Hook::KlpCleanupModulePatchesLimited
                | Hook::KlpWriteObjectRelocs => self.demand != Some(false),
                _ => true,
            },
            Body::SymbolLookup(_)
            | Body::AddressLookup(_)
            | Body::KernelMessage(_)
            | Body::RelocState(_)
            | Body::Finding(_)
            | Body::FindingClosed(_) => false,
            Body::Session(_)
            | Body::Livepatch(_)
            | Body::Transition(_)
            | Body::Stall(_)
            | Body::EventsLost(_)
            | Body::SessionEnd(_) => true,
        }
    }
}

impl Verifier {
    /// Says what the reads so far have come to, as far as their rounds are over: the source has nothing more to read at once.
    /// `now`: CLOCK_MONOTONIC, nanoseconds.
    pub fn rest(&mut self, now: u64, out: &mut dyn FnMut(Event)) {
        self.close(&|round| round.demand == Some(true) || round.now.0.saturating_add(OVER_NS) <= now, out);
    }

    /// Says everything that there is still to say; what comes after is another session.
    pub fn finish(&mut self, out: &mut dyn FnMut(Event)) {
        self.close(&|_| true, out);
    }

    /// Ends the rounds that an event is no part of.
    pub(super) fn close_before(&mut self, body: &Body, out: &mut dyn FnMut(Event)) {
        if !self.rounds.open.is_empty() {
            self.close(&|round| round.ends_with(body), out);
        }
    }

    fn close(&mut self, over: &dyn Fn(&Round) -> bool, out: &mut dyn FnMut(Event)) {
        let mut done: Vec<Round> =
            self.rounds.open.extract_if(.., |_, round| over(round)).map(|(_, round)| round).collect();
        // In the order in which they were read.
        done.sort_by_key(|round| round.now.0);
        for mut round in done {
            let (mono_ns, task) = std::mem::take(&mut round.now);
            let say = &mut |body: Body| out(Event { mono_ns, task: task.clone(), body });
            // What is found now was so when it was read.
            let fed = std::mem::replace(&mut self.rounds.now.0, mono_ns);
            let thirds = !round.thirds.is_empty();
            for finding in self.found(round) {
                self.say_finding(finding, say);
            }
            if thirds {
                self.say_thirds(say);
            }
            self.rounds.now.0 = fed;
        }
    }

    /// The relocations of a section that was read have symbols in modules of their own.
    pub(super) fn note_thirds(&mut self, read: &SectionRead) {
        let patch = self.patches.get(&read.patch.address.0);
        let section = patch.and_then(|patch| patch.sections.get(&read.section.index));
        if let Some(section) = section.filter(|section| !section.thirds.is_empty()) {
            let round = self.rounds.of(&read.patch, &read.object, Some(read.read == Hook::Demand));
            round.thirds.extend(section.thirds.iter().cloned());
        }
    }

    /// KLP001 or KLP004 where the unload was not seen, KLP006, KLP007, KLP005, KLP012.
    fn found(&self, round: Round) -> Vec<Finding> {
        let Round { patch, object, there, detached, .. } = round;
        let mut found = Vec::new();
        if !round.misplaced.is_empty() {
            found.push(round.misplaced.finding(&patch, &object));
        }
        if let Some(known) = self.patches.get(&patch.address.0).filter(|_| !round.stale.is_empty()) {
            found.push(rules::found_stale(self.arch, known, &object, round.stale, self.clears, there));
        }
        if !round.wrong.is_empty() {
            let surroundings = wrong::Surroundings { arch: self.arch, clears: self.clears, detached };
            found.push(round.wrong.finding(&patch, &object, surroundings));
        }
        if !round.orphaned.is_empty() {
            found.push(orphan::never_written(&patch, &object, round.orphaned));
        }
        if !round.missing.is_empty() {
            found.push(rules::not_reapplied(&patch, &object, round.missing, round.had, detached));
        }
        found
    }
}
