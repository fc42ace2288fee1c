//! What is gated on one object, read at a moment when nothing moves.

use super::Audit;
use crate::{
    journal::{
        Body, Lookup, LossCause, ModuleAction, ModuleEvent, ModuleUsage, ObjectRef, PatchRef, SectionRead,
        SectionRef, SymbolLookup,
    },
    kernel::{
        kallsyms::{Query, Symbols, VMLINUX},
        modules::{Modules, State},
        presence::Presence,
    },
    model::{Address, Hook, Reason},
    source::live::{Out, Reader, convert, rewrites, symbols, walks::Walk},
    verify::NeededSymbol,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// How often it is tried at least, however slow the machine.
const ATTEMPTS: u32 = 5;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(3);

/// Everything on which the reading of one object's sections rests, at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Surroundings {
    object: Presence,
    /// Modules that symbols of its sections are in, other than it and the kernel.
    thirds: BTreeMap<Arc<str>, Presence>,
    /// By address: the patch's module, and (where livepatch lists it) whether it is enabled.
    patches: BTreeMap<u64, (Presence, Option<bool>)>,
}

impl Surroundings {
    fn is_steady(&self) -> bool {
        self.object.is_steady()
            && self.thirds.values().all(Presence::is_steady)
            && self.patches.values().all(|(patch, _)| patch.state == Some(State::Live))
    }
}

/// A look at all sections that are gated on one object.
struct Look {
    present: bool,
    /// Modules that symbols of its sections are in, other than it and the kernel: what keeps each; none: it is not there.
    thirds: BTreeMap<Arc<str>, Option<ModuleUsage>>,
    walks: Vec<Walk>,
    /// By address of the patch: where its symbols are.
    lookups: BTreeMap<u64, Vec<SymbolLookup>>,
}

impl<R: Reader> Audit<R> {
    /// Reads and judges all that is gated on an object, as soon as it holds still.
    pub(super) fn settle(&mut self, gate: &Arc<str>, out: Out) {
        let started = Instant::now();
        let mut attempts = 0;
        while attempts < ATTEMPTS || started.elapsed() < self.patience {
            if attempts > 0 {
                thread::sleep(PAUSE);
            }
            attempts += 1;
            self.drop_vanished(out);
            let members = self.members(gate);
            if members.is_empty() {
                return;
            }
            if let Some(look) = self.look(gate, &members) {
                self.judge(gate, look, out);
                return;
            }
        }
        let event = ModuleEvent::new(ModuleAction::Unsettled, Arc::clone(gate), None, false);
        self.say(Body::Module(event), out);
    }

    /// The patches that have sections gated on an object, and which.
    fn members(&self, gate: &str) -> BTreeMap<u64, Vec<u32>> {
        let of = |patch: &super::Patch| -> Vec<u32> {
            patch.sections.iter().filter(|(_, of)| **of == *gate).map(|(index, _)| *index).collect()
        };
        let members = self.patches.iter().map(|(address, patch)| (*address, of(patch)));
        members.filter(|(_, sections)| !sections.is_empty()).collect()
    }

    /// Says which patches are no longer loaded.
    fn drop_vanished(&mut self, out: Out) {
        let Ok(modules) = Modules::read(&self.root) else { return };
        let gone: Vec<(u64, Arc<str>)> = self
            .patches
            .iter()
            .filter(|(_, patch)| modules.get(&patch.name).is_none())
            .map(|(address, patch)| (*address, Arc::clone(&patch.name)))
            .collect();
        for (address, name) in gone {
            self.vanished(address, &name, out);
        }
    }

    fn surroundings(&self, gate: &str, members: &BTreeMap<u64, Vec<u32>>) -> Option<(Surroundings, Modules)> {
        let modules = Modules::read(&self.root).ok()?;
        let patch = |address: &u64| {
            let name = &*self.patches.get(address)?.name;
            let enabled = self.sysfs.patch(name).ok()?.map(|patch| patch.enabled);
            Some((*address, (Presence::of(name, &modules, &self.sysfs), enabled)))
        };
        let patches = members.keys().map(patch).collect::<Option<_>>()?;
        let object = Presence::of(gate, &modules, &self.sysfs);
        let thirds = self.thirds(members).into_iter().map(|third| {
            let presence = Presence::of(&third, &modules, &self.sysfs);
            (third, presence)
        });
        Some((Surroundings { object, thirds: thirds.collect(), patches }, modules))
    }

    /// The modules that symbols of some sections are in, other than their gate and the kernel.
    fn thirds(&self, members: &BTreeMap<u64, Vec<u32>>) -> BTreeSet<Arc<str>> {
        let sections =
            members.iter().flat_map(|(patch, sections)| sections.iter().map(move |index| (*patch, *index)));
        sections.flat_map(|(patch, index)| self.verifier.section_thirds(Address(patch), index)).collect()
    }

    /// Reads everything once (twice where no hook watches); `None` when something moved meanwhile.
    fn look(&mut self, gate: &Arc<str>, members: &BTreeMap<u64, Vec<u32>>) -> Option<Look> {
        let _ = self.take_all();
        let _ = self.missed();
        self.stirred.clear();
        let (before, modules) = self.surroundings(gate, members)?;
        if !before.is_steady() {
            return None;
        }
        let walks = self.walks(members)?;
        let present = &**gate == VMLINUX || before.object.state.is_some();
        let lookups = if present { self.look_up(gate, members, &modules) } else { BTreeMap::new() };
        let unsettled = Lookup::Failed { why: Reason::Unsettled };
        if lookups.values().flatten().any(|lookup| lookup.outcome == unsettled) {
            return None;
        }
        if !self.watched {
            let again = self.walks(members)?;
            if !walks.iter().zip(&again).all(|(first, second)| first.entries == second.entries) {
                return None;
            }
        }
        let _ = self.take_all();
        let moved = self.missed()
            || self.stirred.contains(gate)
            || before.thirds.keys().any(|third| self.stirred.contains(third))
            || members
                .keys()
                .filter_map(|address| self.patches.get(address))
                .any(|patch| self.stirred.contains(&patch.name));
        let (after, _) = self.surroundings(gate, members)?;
        let thirds = before.thirds.keys().map(|third| (Arc::clone(third), convert::usage(&modules, third)));
        let thirds = thirds.collect();
        (!moved && before == after).then_some(Look { present, thirds, walks, lookups })
    }

    /// Whether a hook missed something since this was last asked. That a call's return is not seen is no miss: only its
    /// entry is hooked.
    fn missed(&mut self) -> bool {
        self.reader.loss().iter().any(|lost| lost.cause != LossCause::MissedExit)
    }

    fn walks(&mut self, members: &BTreeMap<u64, Vec<u32>>) -> Option<Vec<Walk>> {
        let mut walks = Vec::new();
        for (address, sections) in members {
            for section in sections {
                walks.push(self.walk(*address, *section).ok()?);
            }
        }
        Some(walks)
    }

    /// Looks up the symbols of each patch's sections: one pass over kallsyms for those that the kernel resolved while the
    /// object was being loaded, one for the others.
    fn look_up(
        &self,
        gate: &str,
        members: &BTreeMap<u64, Vec<u32>>,
        modules: &Modules,
    ) -> BTreeMap<u64, Vec<SymbolLookup>> {
        let mut found = BTreeMap::new();
        for was_coming in [false, true] {
            let of: Vec<(u64, BTreeSet<NeededSymbol>)> = members
                .iter()
                .filter(|(address, _)| self.came_after(gate, **address, modules) == was_coming)
                .map(|(address, sections)| {
                    let needed = |index: &u32| self.verifier.section_symbols(Address(*address), *index);
                    (*address, sections.iter().flat_map(needed).collect())
                })
                .collect();
            let all: BTreeSet<NeededSymbol> =
                of.iter().flat_map(|(_, needed)| needed.iter().cloned()).collect();
            if all.is_empty() {
                continue;
            }
            let lookups = self
                .lookups
                .look_up(&all, &|object| was_coming && object == gate, &|query| self.own_symbols(query));
            for (address, needed) in of {
                let own = lookups.iter().filter(|lookup| {
                    needed.contains(&NeededSymbol {
                        object: Arc::clone(&lookup.object.name),
                        symbol: Arc::clone(&lookup.symbol),
                        sympos: lookup.sympos,
                    })
                });
                found.insert(address, own.cloned().collect());
            }
        }
        found
    }

    /// All that a query wants, each module's from its own symbol table; `None` where one of them cannot be had so.
    pub(super) fn own_symbols(&self, query: &Query) -> Option<Symbols> {
        // A copy: half an answer is none, and must not be added to.
        let mut found = query.clone();
        for object in query.objects() {
            let module = self.this_module(std::str::from_utf8(object).ok()?)?;
            if !self.reader.module_symbols(module, object, &mut found) {
                return None;
            }
        }
        Some(found.known())
    }

    /// Whether the object was loaded after the patch, so that the kernel resolved its symbols while it was COMING:
    /// /proc/modules lists the newest first (kernel/module/main.c, `add_unformed_module`: `list_add_rcu`).
    fn came_after(&self, gate: &str, patch: u64, modules: &Modules) -> bool {
        let place = |name: &str| modules.iter().position(|module| module.name == name);
        let patch = self.patches.get(&patch).and_then(|patch| place(&patch.name));
        matches!((place(gate), patch), (Some(object), Some(patch)) if object < patch)
    }

    /// Says what a look found, patch by patch, each with the symbols as they were counted for it.
    fn judge(&mut self, gate: &Arc<str>, look: Look, out: Out) {
        let Look { present, thirds, walks, mut lookups } = look;
        let address = self.this_module(gate).map(Address).filter(|_| present);
        if &**gate != VMLINUX {
            let action = if present { ModuleAction::Present } else { ModuleAction::Absent };
            let event = ModuleEvent::new(action, Arc::clone(gate), address, false);
            self.say(Body::Module(event), out);
        }
        for (third, usage) in thirds {
            let action = if usage.is_some() { ModuleAction::Present } else { ModuleAction::Absent };
            let address = self.this_module(&third).map(Address).filter(|_| usage.is_some());
            let event = ModuleEvent::new(action, third, address, false);
            self.say(Body::Module(ModuleEvent { usage, ..event }), out);
        }
        for walk in walks {
            for lookup in lookups.remove(&walk.begin.module).unwrap_or_default() {
                self.say(Body::SymbolLookup(lookup), out);
            }
            let mut read = SectionRead {
                patch: PatchRef {
                    name: convert::name(&walk.begin.name),
                    address: Address(walk.begin.module),
                    load: 0,
                },
                section: SectionRef { index: walk.begin.section.relsec, name: Arc::from("") },
                object: ObjectRef { address, name: Arc::clone(gate), load: None },
                read: Hook::Demand,
                ret: None,
                total: walk.total,
                lost: 0,
                entries: walk.reads(),
                rewrites: None,
            };
            let kernel = (&mut self.reader, &mut self.queue);
            rewrites::look(&self.verifier, self.arch, &walk, &mut read, kernel);
            for place in symbols::places(&self.verifier.suspects(&read)) {
                self.say(Body::AddressLookup(place), out);
            }
            let task = Some(convert::task(&walk.begin.task));
            self.say_at(walk.mono_ns, task, Body::SectionRead(read), out);
        }
    }
}
