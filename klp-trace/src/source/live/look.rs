//! A look at what is loaded: at the start, and after records were lost.

use super::{Live, Out, Reader};
use crate::{
    journal::{Body, ModuleAction, ModuleEvent, TransitionStep},
    kernel::{
        kallsyms::Query,
        modules::{Module, Modules, State},
    },
    model::Address,
};
use std::{collections::BTreeMap, sync::Arc};

impl<R: Reader> Live<R> {
    /// Looks; false where the list of modules cannot be read, and nothing was looked at.
    pub(super) fn look(&mut self, out: Out) -> bool {
        let Ok(modules) = Modules::read(&self.root) else { return false };
        self.refresh(&modules);
        let livepatches: Vec<&Module> = modules.iter().filter(|module| module.is_livepatch()).collect();
        self.forget_gone(&modules, out);
        for module in self.gates.union(&self.thirds).cloned().collect::<Vec<_>>() {
            self.tell_module(module, out);
        }
        self.meet_all(&livepatches, out);
        true
    }

    /// The table of modules, from the kernel's own list; addresses already known are kept.
    fn refresh(&mut self, modules: &Modules) {
        let known = std::mem::take(&mut self.modules);
        self.on_their_way = self.on_their_way_in(modules);
        let listed: Vec<&Module> = modules.iter().filter(|module| !self.has_departed(module)).collect();
        for module in listed {
            let name: Arc<str> = Arc::from(module.name.as_str());
            let address = known.get(&name).copied().flatten();
            self.modules.insert(name, address);
        }
    }

    /// Looks whether those have come, or gone, that were found on their way: where the end of it was not seen, nothing else
    /// says so.
    pub(super) fn watch_those_on_their_way(&mut self, out: Out) {
        if !self.on_their_way.keys().any(|name| self.concerns(name, false)) {
            return;
        }
        let Ok(modules) = Modules::read(&self.root) else { return };
        let now = self.on_their_way_in(&modules);
        let before = std::mem::replace(&mut self.on_their_way, now);
        for (name, state) in before {
            if self.on_their_way.get(&name) == Some(&state) {
                continue;
            }
            if modules.get(&name).is_none_or(|module| self.has_departed(module)) {
                self.modules.remove(&name);
            }
            if self.concerns(&name, false) {
                self.tell_module(name, out);
            }
        }
    }

    /// The modules that have not come yet, or have begun to go.
    fn on_their_way_in(&self, modules: &Modules) -> BTreeMap<Arc<str>, State> {
        let names = modules.iter().filter(|module| module.state != State::Live && !self.has_departed(module));
        names.map(|module| (Arc::from(module.name.as_str()), module.state)).collect()
    }

    /// Whether a module is listed alone: livepatch has done with it.
    fn has_departed(&self, module: &Module) -> bool {
        module.state == State::Unloading && self.departed.contains(module.name.as_str())
    }

    /// Whether a module is there, and, if it is and has symbols that others use, where these are.
    fn tell_module(&mut self, module: Arc<str>, out: Out) {
        let third = self.thirds.contains(&module).then(|| Arc::clone(&module));
        self.tell_presence(module, out);
        if let Some(third) = third.filter(|third| self.modules.contains_key(third)) {
            self.find_third(&third, out);
        }
    }

    fn forget_gone(&mut self, modules: &Modules, out: Out) {
        let gone: Vec<(u64, Arc<str>)> = self
            .patches
            .iter()
            .filter(|(_, facts)| modules.get(&facts.name).is_none())
            .map(|(address, facts)| (*address, Arc::clone(&facts.name)))
            .collect();
        for (address, name) in gone {
            self.forget_patch(address, &name, out);
        }
    }

    pub(super) fn tell_presence(&mut self, object: Arc<str>, out: Out) {
        if &*object == crate::kernel::kallsyms::VMLINUX {
            return;
        }
        let action = self.presence(&object);
        let address = self.address_of(&object);
        let module = ModuleEvent::new(action, object, address, false);
        self.say(None, Body::Module(module), out);
    }

    /// Where a module stands by the list of modules and what the hooks have said since.
    pub(super) fn presence(&self, module: &str) -> ModuleAction {
        match self.on_their_way.get(module) {
            _ if !self.modules.contains_key(module) => ModuleAction::Absent,
            _ if self.coming.contains(module) => ModuleAction::Loading,
            Some(State::Loading) => ModuleAction::Loading,
            Some(State::Unloading) => ModuleAction::Unloading,
            Some(State::Live) | None => ModuleAction::Present,
        }
    }

    /// Has the sections of all livepatches read whose state is not known.
    fn meet_all(&mut self, livepatches: &[&Module], out: Out) {
        let unknown: Vec<&Module> = livepatches
            .iter()
            .filter(|module| !self.patches.values().any(|facts| *facts.name == *module.name))
            .copied()
            .collect();
        if !unknown.is_empty() {
            let mut query = Query::new();
            for module in &unknown {
                query.want_module(&module.name);
            }
            let symbols = query.read().ok();
            for module in unknown {
                if let Some(address) = symbols.as_ref().and_then(|symbols| symbols.this_module(&module.name))
                {
                    self.first_look(address, module, out);
                }
            }
        }
        for (address, step) in self.steps() {
            if self.verifier.knows(Address(address)) {
                self.tell_step(address, step, out);
                self.tell_listed(address, out);
            } else if let Some(facts) = self.patches.get_mut(&address) {
                facts.step = Some(step);
            }
        }
        self.read_unread(out);
    }

    fn first_look(&mut self, address: u64, module: &Module, out: Out) {
        let name: Arc<str> = Arc::from(module.name.as_str());
        self.modules.insert(Arc::clone(&name), Some(address));
        self.meet(address, &name);
        let event = ModuleEvent::new(ModuleAction::Present, name, Some(Address(address)), true);
        self.say(None, Body::Module(event), out);
    }

    /// Where each patch stands by sysfs: livepatch lists the enabled ones alone. One whose init adds it to that list is
    /// neither; its hooks say when it is.
    fn steps(&self) -> Vec<(u64, TransitionStep)> {
        let step = |(address, facts): (&u64, &super::PatchFacts)| {
            let step = match self.sysfs.patch(&facts.name).ok()? {
                Some(patch) if patch.enabled => TransitionStep::Patching,
                Some(patch) if patch.transition => TransitionStep::Unpatching,
                Some(_) => return None,
                None => TransitionStep::Detached,
            };
            Some((*address, step))
        };
        self.patches.iter().filter_map(step).collect()
    }

    /// Reads sections that the verifier has never heard of; the others it asks for itself.
    fn read_unread(&mut self, out: Out) {
        let addresses: Vec<u64> = self.patches.keys().copied().collect();
        for address in addresses {
            let Ok(sections) = self.reader.sections(address, &mut self.queue) else { continue };
            for section in sections {
                if !self.verifier.has_section(Address(address), section.relsec) {
                    let _ = self.reader.read_section(address, section.relsec, &mut self.queue);
                }
            }
        }
        self.take_all(out);
    }
}
