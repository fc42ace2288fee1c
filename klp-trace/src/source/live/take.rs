//! One record of the probes after the other.

use super::{Live, Out, Reader, convert, patches::PatchFacts, rewrites, symbols, walks::Walk};
use crate::{
    elf::notes,
    journal::{
        Body, EventsLost, HookEvent, Livepatch, Lookup, LossCause, ModuleAction, ModuleEvent, ObjectRef,
        PatchRef, SectionRead, SectionRef, SymbolLookup, Transition, TransitionStep,
    },
    kernel::kallsyms::VMLINUX,
    model::{Address, Hook, Phase, Reason},
    probe::event as raw,
    verify::NeededSymbol,
};
use std::{collections::BTreeSet, sync::Arc};

impl<R: Reader> Live<R> {
    pub(super) fn take(&mut self, event: raw::RawEvent, out: Out) {
        self.taken += 1;
        match event {
            raw::RawEvent::Enter(event) => self.entered(&event, out),
            raw::RawEvent::Exit(event) => self.left(&event, out),
            raw::RawEvent::WalkBegin(begin) => {
                let quiet_since = self.writing.is_empty().then_some(self.writes);
                self.walks.begin(*begin, quiet_since);
            }
            raw::RawEvent::Chunk(chunk) => self.walks.chunk(&chunk),
            raw::RawEvent::WalkEnd(end) => {
                if let Some(walk) = self.walks.end(&end, self.writes) {
                    self.walked(walk, out);
                }
            }
            raw::RawEvent::ModuleLoad(event) => self.loaded(&event, out),
            raw::RawEvent::ModuleFree(event) => self.freed(&event, out),
            raw::RawEvent::Transition(transition) => self.transition(&transition, out),
            raw::RawEvent::Malformed { .. } => {
                let lost = EventsLost { hook: Hook::Demand, cause: LossCause::Incomplete, count: 1 };
                self.lost(lost, out);
            }
            // Answers to questions are taken where they are asked.
            raw::RawEvent::Symbol(_)
            | raw::RawEvent::Module(_)
            | raw::RawEvent::Header(_)
            | raw::RawEvent::Block(_) => {}
        }
    }

    /// Whether a hook's call writes relocations that somebody judges.
    fn writes(&self, event: &raw::HookEvent, name: &str) -> bool {
        match event.hook {
            raw::Hook::Apply | raw::Hook::Clear => true,
            raw::Hook::Coming | raw::Hook::Going | raw::Hook::Cleanup => self.gates.contains(name),
            _ => false,
        }
    }

    fn entered(&mut self, event: &raw::HookEvent, out: Out) {
        let name = convert::name(&event.module.name);
        if event.hook == raw::Hook::Coming {
            self.seen_coming.insert(event.module.address);
            self.modules.insert(Arc::clone(&name), Some(event.module.address));
            self.coming.insert(Arc::clone(&name));
            self.departed.remove(&name);
            self.usages.remove(&name);
        }
        if self.writes(event, &name) {
            self.writing.insert((event.task.pid, event.hook as u32));
            self.writes += 1;
        }
        self.say_hook(event, Phase::Enter, name, out);
    }

    fn left(&mut self, event: &raw::HookEvent, out: Out) {
        let name = convert::name(&event.module.name);
        match event.hook {
            raw::Hook::Coming => {
                self.coming.remove(&name);
                self.on_their_way.remove(&name);
                if event.ret.is_some_and(|ret| ret < 0) {
                    self.modules.remove(&name);
                    // Neither klp_module_going nor module_free follows (kernel/module/main.c, `load_module`): the next load at
                    // this address is one whose coming has not been seen.
                    self.seen_coming.remove(&event.module.address);
                }
            }
            raw::Hook::Going => {
                self.modules.remove(&name);
                self.departed.insert(Arc::clone(&name));
                self.on_their_way.remove(&name);
                self.seen_coming.remove(&event.module.address);
            }
            raw::Hook::ModuleLoad => return,
            _ => {}
        }
        self.writing.remove(&(event.task.pid, event.hook as u32));
        if self.writes(event, &name) {
            self.writes += 1;
        }
        if event.hook == raw::Hook::Coming && event.ret.is_some_and(|ret| ret < 0) {
            self.look_for_absent(&name, out);
        }
        let refused = event.hook == raw::Hook::Apply && event.ret.is_some_and(|ret| ret < 0);
        if refused || matches!(event.hook, raw::Hook::Coming | raw::Hook::Going) {
            // The kernel has said all that it says of this section, or load, by now.
            self.hear(out);
        }
        if event.hook == raw::Hook::Going && event.module.livepatch {
            self.look_for_missing(Address(event.module.address), out);
        }
        self.say_hook(event, Phase::Exit, Arc::clone(&name), out);
        if event.hook == raw::Hook::Coming && self.thirds.contains(&name) {
            self.find_third(&name, out);
        }
        if event.hook == raw::Hook::Going && event.module.livepatch {
            self.patches.remove(&event.module.address);
            self.held.retain(|(patch, _), _| *patch != event.module.address);
        }
    }

    /// A load was refused: perhaps for symbols that the object does not have.
    fn look_for_absent(&mut self, object: &str, out: Out) {
        let needed = self.verifier.gated_symbols(object);
        if needed.is_empty() {
            return;
        }
        for lookup in self.lookups.absent(&needed) {
            self.say(None, Body::SymbolLookup(lookup), out);
        }
    }

    /// A patch goes: perhaps because an object that was there before it does not have a symbol.
    fn look_for_missing(&mut self, patch: Address, out: Out) {
        let needed = self.verifier.unresolved(patch);
        if needed.is_empty() {
            return;
        }
        let missing = |lookup: &SymbolLookup| match lookup.outcome {
            Lookup::Failed { why } => matches!(why, Reason::SymbolNotFound | Reason::SymbolAmbiguous),
            Lookup::Found { .. } => false,
        };
        for lookup in self.lookups.look_up(&needed, &|_| false, &|_| None).into_iter().filter(missing) {
            self.say(None, Body::SymbolLookup(lookup), out);
        }
    }

    fn say_hook(&mut self, event: &raw::HookEvent, phase: Phase, name: Arc<str>, out: Out) {
        if !self.concerns(&name, event.module.livepatch) {
            return;
        }
        let address = Address(event.module.address);
        let on_section = matches!(event.hook, raw::Hook::Apply | raw::Hook::Clear);
        let section = event.relsec.filter(|_| on_section).map(|index| SectionRef {
            index,
            name: self.verifier.section_name(address, index).unwrap_or_else(|| Arc::from("")),
        });
        let body = Body::Hook(HookEvent {
            hook: convert::hook(event.hook),
            phase,
            ret: event.ret.filter(|_| phase == Phase::Exit),
            cpu: event.stamp.cpu,
            patch: on_section.then(|| PatchRef { name: Arc::clone(&name), address, load: 0 }),
            object: (!on_section).then_some(ObjectRef { name, address: Some(address), load: None }),
            section,
        });
        self.say_at(event.stamp.mono_ns, Some(convert::task(&event.task)), body, out);
    }

    fn loaded(&mut self, event: &raw::HookEvent, out: Out) {
        let name = convert::name(&event.module.name);
        let address = event.module.address;
        self.modules.insert(Arc::clone(&name), Some(address));
        self.on_their_way.remove(&name);
        let blind = !self.seen_coming.contains(&address);
        if event.module.livepatch {
            self.meet(address, &name);
        }
        if self.concerns(&name, event.module.livepatch) {
            let livepatch = event.module.livepatch;
            let action = ModuleAction::Loaded;
            let module = ModuleEvent::new(action, name, Some(Address(address)), livepatch);
            let task = Some(convert::task(&event.task));
            self.say_at(event.stamp.mono_ns, task, Body::Module(module), out);
        }
        if blind {
            // Said once a load.
            self.seen_coming.insert(address);
            self.blind_window(out);
        }
    }

    fn freed(&mut self, event: &raw::HookEvent, out: Out) {
        let name = convert::name(&event.module.name);
        let address = event.module.address;
        self.seen_coming.remove(&address);
        self.departed.remove(&name);
        let livepatch = event.module.livepatch || self.verifier.knows(Address(address));
        if self.modules.get(&name).copied().flatten() == Some(address) {
            self.modules.remove(&name);
        }
        if self.concerns(&name, livepatch) {
            let (action, name) = (ModuleAction::Freed, Arc::clone(&name));
            let module = ModuleEvent::new(action, name, Some(Address(address)), livepatch);
            self.say_at(event.stamp.mono_ns, Some(convert::task(&event.task)), Body::Module(module), out);
        }
        self.patches.remove(&address);
        self.held.retain(|(patch, _), _| *patch != address);
    }

    fn transition(&mut self, event: &raw::Transition, out: Out) {
        let Some(step) = convert::step(event) else { return };
        self.hear(out);
        let named = event.module.map(|address| PatchRef {
            name: convert::name(&event.name),
            address: Address(address),
            load: 0,
        });
        // The functions that end a transition take no argument: it is the one that began last.
        let under_way = self.transitioning.as_ref().filter(|_| named.is_none());
        let replace = event.replace.or_else(|| under_way.and_then(|under_way| under_way.replace));
        let patch = named.or_else(|| under_way.map(|under_way| under_way.patch.clone()));
        match step {
            TransitionStep::Patching | TransitionStep::Unpatching => {
                self.began(patch.clone(), event.replace, event.stamp.mono_ns);
            }
            TransitionStep::Complete => self.transitioning = None,
            TransitionStep::Forced | TransitionStep::Detached => {}
        }
        if let Some(address) = event.module
            && !self.verifier.knows(Address(address))
            && let Some(facts) = self.patches.get_mut(&address)
        {
            facts.step = Some(step);
        }
        let body = Body::Transition(Transition { patch, step, replace });
        self.say_at(event.stamp.mono_ns, Some(convert::task(&event.task)), body, out);
        if let (TransitionStep::Patching, Some(address)) = (step, event.module) {
            self.tell_listed(address, out);
        }
    }

    /// Takes note of a patch, and finds its file.
    pub(super) fn meet(&mut self, address: u64, name: &Arc<str>) {
        if self.patches.get(&address).is_some_and(|facts| facts.name == *name) {
            return;
        }
        let note = self.sysfs.build_id_note(name).ok().flatten();
        let build_id = note.and_then(|note| notes::build_id(&note).ok().flatten());
        self.patches.insert(address, PatchFacts::new(Arc::clone(name), build_id, &self.lookups.finder));
    }

    pub(super) fn forget_patch(&mut self, address: u64, name: &Arc<str>, out: Out) {
        self.patches.remove(&address);
        let (action, name) = (ModuleAction::Absent, Arc::clone(name));
        let module = ModuleEvent::new(action, name, Some(Address(address)), true);
        self.say(None, Body::Module(module), out);
    }

    /// A walk is complete, or as complete as it will be.
    fn walked(&mut self, mut walk: Walk, out: Out) {
        let key = (walk.begin.module, walk.begin.section.relsec);
        if walk.begin.hook == raw::Hook::Demand && walk.disturbed {
            return; // still wanted; it will be read again
        }
        if walk.begin.section.name.is_none() {
            if let Some(name) = self.verifier.section_name(Address(key.0), key.1) {
                walk.begin.section.name = Some(raw::KernelName(name.as_bytes().to_vec()));
            } else {
                self.held.insert(key, walk);
                return;
            }
        }
        if let Some(mut held) = self.held.remove(&key) {
            held.begin.section = walk.begin.section.clone();
            self.read(&held, out);
        }
        self.read(&walk, out);
    }

    /// Says what a walk found, after all that is needed to judge it.
    fn read(&mut self, walk: &Walk, out: Out) {
        let (address, index) = (Address(walk.begin.module), walk.begin.section.relsec);
        let name = convert::name(&walk.begin.name);
        self.meet(walk.begin.module, &name);
        if walk.lost() == 0 && !self.verifier.has_section(address, index) {
            self.describe(walk, out);
        }
        let Some(object) = self.verifier.gate(address, index) else { return };
        let there = |object: &str| object == VMLINUX || self.modules.contains_key(object);
        let refused = walk.begin.ret.is_some_and(|ret| ret < 0);
        // Who is leaving, or was refused, is judged by what it left: that needs no symbols. A walk that is not whole judges
        // nothing.
        let present = matches!(walk.begin.hook, raw::Hook::Apply | raw::Hook::Demand) && there(&object);
        if present && !refused && walk.lost() == 0 {
            let needed = self.verifier.needed_symbols(address, index);
            if !needed.is_empty() {
                self.look_up(&needed, &object, out);
            }
        }
        if present && walk.lost() == 0 {
            self.tell_usage(address, index, out);
        }
        let mut read = SectionRead {
            patch: PatchRef { name, address, load: 0 },
            section: SectionRef { index, name: Arc::from("") },
            object: ObjectRef { address: self.address_of(&object), name: object, load: None },
            read: convert::hook(walk.begin.hook),
            ret: walk.begin.ret,
            total: walk.total,
            lost: walk.lost(),
            entries: if walk.lost() == 0 { walk.reads() } else { Vec::new() },
            rewrites: None,
        };
        let kernel = (&mut self.reader, &mut self.queue);
        rewrites::look(&self.verifier, self.arch, walk, &mut read, kernel);
        for lookup in symbols::places(&self.verifier.suspects(&read)) {
            self.say(None, Body::AddressLookup(lookup), out);
        }
        let task = Some(convert::task(&walk.begin.task));
        self.say_at(walk.mono_ns, task, Body::SectionRead(read), out);
    }

    /// Looks up what a section needs, and in the same pass over kallsyms what others need that are gated on `object`: they
    /// come next. What is not found for those is asked for again in its turn.
    fn look_up(&mut self, needed: &BTreeSet<NeededSymbol>, object: &str, out: Out) {
        let mut all = self.verifier.needed_for(object);
        all.extend(needed.iter().cloned());
        let coming = &self.coming;
        let lookups = self.lookups.look_up(&all, &|object| coming.contains(object), &|_| None);
        // In the order of `all`.
        for (symbol, lookup) in all.iter().zip(lookups) {
            if needed.contains(symbol) || matches!(lookup.outcome, Lookup::Found { .. }) {
                self.say(None, Body::SymbolLookup(lookup), out);
            }
        }
    }

    fn describe(&mut self, walk: &Walk, out: Out) {
        let Some(facts) = self.patches.get_mut(&walk.begin.module) else { return };
        let metadata = facts.describe(walk, &mut self.reader, &mut self.queue);
        let step = facts.step;
        let Some(object) = metadata.first().map(|part| Arc::clone(&part.object)) else { return };
        if &*object != VMLINUX && !self.gates.contains(&object) {
            self.tell_presence(object, out);
        }
        let known = self.thirds.clone();
        for part in metadata {
            self.say(None, Body::PatchMetadata(part), out);
        }
        self.tell_thirds(&known, out);
        if let Some(step) = step {
            self.tell_step(walk.begin.module, step, out);
            self.tell_listed(walk.begin.module, out);
        }
    }

    /// Which objects a patch lists: livepatch makes its folders before the patch's first transition begins
    /// (kernel/livepatch/core.c, `klp_init_patch`).
    pub(super) fn tell_listed(&mut self, address: u64, out: Out) {
        let Some(facts) = self.patches.get(&address) else { return };
        let patch = PatchRef { name: Arc::clone(&facts.name), address: Address(address), load: 0 };
        let Ok(Some(listed)) = self.sysfs.patch(&patch.name) else { return };
        if listed.transition && self.transitioning.is_none() {
            self.began(Some(patch.clone()), listed.replace, super::now());
        }
        // None known may mean that their records were lost.
        let counted = match self.verifier.sections(patch.address) {
            0 => self.reader.sections(address, &mut self.queue).map(|found| found.len()),
            known => Ok(known),
        };
        let (sections, unread) = match counted {
            Ok(sections) => (u32::try_from(sections).unwrap_or(u32::MAX), None),
            Err(why) => (0, Some(why)),
        };
        let found = Livepatch {
            sections,
            standing: convert::standing(&listed),
            unread,
            refcount: None,
            objects: convert::objects(&listed),
            patch,
        };
        self.say(None, Body::Livepatch(found), out);
    }

    pub(super) fn tell_step(&mut self, address: u64, step: TransitionStep, out: Out) {
        let Some(facts) = self.patches.get_mut(&address) else { return };
        facts.step = None;
        let patch = PatchRef { name: Arc::clone(&facts.name), address: Address(address), load: 0 };
        self.say(None, Body::Transition(Transition { patch: Some(patch), step, replace: None }), out);
    }
}
