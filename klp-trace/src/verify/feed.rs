//! One kind of evidence after the other.

use super::{
    misplaced::misplaced,
    objects::{Presence, VMLINUX},
    section::{Detached, Patch, Section},
    verifier::Verifier,
};
use crate::{
    journal::{
        AddressLookup, Body, Elf, EventsLost, HookEvent, Livepatch, LossCause, ModuleAction, ModuleEvent,
        PatchMetadata, PatchRef, Standing, SymbolLookup,
    },
    model::{Address, FindingId, Hook, Phase, Reason},
};
use std::sync::Arc;

/// Addresses whose symbol is remembered: bounds what a hostile journal can take.
const PLACES: usize = 1 << 16;

impl Verifier {
    pub(super) fn module(&mut self, mut module: ModuleEvent, say: &mut dyn FnMut(Body)) {
        let name = Arc::clone(&module.name);
        let address = module.address;
        let action = module.action;
        if module.livepatch || address.is_some_and(|address| self.knows(address)) {
            module.livepatch = true;
            say(Body::Module(module));
            self.third_module(&name, action, address, say);
            match action {
                ModuleAction::Absent | ModuleAction::Freed => self.drop_patch(&name, address),
                ModuleAction::Unsettled => self.unsettled(&|patch, _| patch.r.name == name, say),
                ModuleAction::Present
                | ModuleAction::Loading
                | ModuleAction::Unloading
                | ModuleAction::Loaded => {}
            }
            return;
        }
        let usage = module.usage.clone();
        say(Body::Module(module));
        match action {
            ModuleAction::Present
            | ModuleAction::Loading
            | ModuleAction::Unloading
            | ModuleAction::Loaded => {
                let was_coming = self.objects.is_coming(&name);
                let new = match action {
                    ModuleAction::Loading => self.objects.found(&name, address, Presence::Coming),
                    ModuleAction::Unloading => self.objects.found(&name, address, Presence::Unloading),
                    _ => self.objects.live(&name, address),
                };
                if new {
                    self.forget_symbols(&name);
                    self.want_gated_on(&name);
                    self.third_came(&name);
                } else if was_coming && self.objects.is_live(&name) {
                    self.has_come(&name);
                }
                if let Some(usage) = usage {
                    self.objects.entry(&name).usage = Some(usage);
                    self.say_thirds(say);
                }
            }
            ModuleAction::Absent | ModuleAction::Freed => {
                if self.objects.gone(&name) {
                    self.forget_symbols(&name);
                    self.want_gated_on(&name);
                    self.third_went(&name, say);
                }
            }
            ModuleAction::Unsettled => self.unsettled(&|_, section| section.object == name, say),
        }
    }

    /// Nothing can be told of these sections: their surroundings kept changing.
    fn unsettled(&mut self, of: &dyn Fn(&Patch, &Section) -> bool, say: &mut dyn FnMut(Body)) {
        let (arch, objects) = (self.arch, &self.objects);
        for patch in self.patches.values_mut() {
            let mut sections = std::mem::take(&mut patch.sections);
            for section in sections.values_mut().filter(|section| of(patch, section)) {
                let object = objects.reference(&section.object);
                super::conclude::unknown(&patch.r, section, &object, Reason::Unsettled, arch, say);
            }
            patch.sections = sections;
        }
    }

    pub(super) fn livepatch(&mut self, mut found: Livepatch, say: &mut dyn FnMut(Body)) {
        if let Some(patch) = self.patches.get_mut(&found.patch.address.0) {
            found.patch = patch.r.clone();
            match found.standing {
                Standing::Enabled | Standing::Enabling | Standing::Disabling => {
                    patch.enabled = true;
                    patch.detached = None;
                }
                Standing::Detached => {
                    patch.detached.get_or_insert(Detached::Unseen);
                }
                Standing::Loading => {}
            }
            if matches!(found.standing, Standing::Enabled | Standing::Detached) {
                patch.said.remove(&FindingId::Klp010);
            }
            patch.referenced =
                found.standing == Standing::Detached && found.refcount.is_some_and(|count| count > 0);
            if let Some(objects) = &found.objects {
                patch.objects = Some(objects.iter().cloned().collect());
                patch.find_orphans();
            }
        }
        if found.unread.is_some() {
            self.unread.insert(Arc::clone(&found.patch.name));
        } else {
            self.unread.remove(&found.patch.name);
        }
        say(Body::Livepatch(found));
    }

    pub(super) fn address(&mut self, lookup: AddressLookup, say: &mut dyn FnMut(Body)) {
        if let Some(nearest) = lookup.nearest.clone().filter(|_| self.places.len() < PLACES) {
            self.places.insert(lookup.address.0, nearest);
        }
        say(Body::AddressLookup(lookup));
    }

    pub(super) fn hook(&mut self, mut hook: HookEvent, say: &mut dyn FnMut(Body)) {
        let of_patch = hook.object.as_ref().and_then(|object| object.address).is_some_and(|a| self.knows(a));
        if let Some(object) = hook.object.as_ref().filter(|_| !of_patch).cloned() {
            match (hook.hook, hook.phase) {
                (Hook::KlpModuleComing, Phase::Enter) => {
                    self.objects.coming(&object.name, object.address);
                    self.forget_symbols(&object.name);
                }
                (Hook::KlpModuleGoing, Phase::Enter) => self.objects.going(&object.name),
                _ => {}
            }
            hook.object = Some(self.objects.reference(&object.name));
        }
        if let Some(patch) = &mut hook.patch {
            patch.load = self.patches.get(&patch.address.0).map_or(0, |known| known.r.load);
        }
        let (name, phase, ret) = (hook.hook, hook.phase, hook.ret);
        let (object, patch, section) = (hook.object.clone(), hook.patch.clone(), hook.section.clone());
        say(Body::Hook(hook));
        match (name, phase) {
            (Hook::KlpModuleComing, Phase::Exit) if !of_patch => {
                if let Some(object) = object {
                    self.came(&object.name, ret.unwrap_or(0), say);
                }
            }
            (Hook::KlpModuleGoing, Phase::Exit) => {
                if let Some(object) = object {
                    if of_patch {
                        if let Some(address) = object.address {
                            self.left(address, say);
                        }
                        self.drop_patch(&object.name, object.address);
                        self.third_module(&object.name, ModuleAction::Absent, None, say);
                    } else {
                        self.went(&object.name, say);
                    }
                }
            }
            (Hook::ApplyRelocateAdd, Phase::Exit) if ret.is_some_and(|ret| ret < 0) => {
                if let (Some(patch), Some(section)) = (patch, section) {
                    self.apply_failed(patch.address, section.index, ret.unwrap_or(0), say);
                }
            }
            _ => {}
        }
    }

    pub(super) fn metadata(&mut self, mut metadata: PatchMetadata, say: &mut dyn FnMut(Body)) {
        let arch = self.arch;
        let address = metadata.patch.address.0;
        if self.patches.get(&address).is_some_and(|known| known.r.name != metadata.patch.name) {
            // The memory was used again before the end of the earlier patch was seen.
            self.patches.remove(&address);
        }
        if !self.patches.contains_key(&address) {
            let load = self.loads.entry(Arc::clone(&metadata.patch.name)).or_default();
            *load += 1;
            let r = PatchRef { load: *load, ..metadata.patch.clone() };
            self.patches.insert(address, Patch::new(r));
        }
        let Some(patch) = self.patches.get_mut(&address) else { return };
        metadata.patch = patch.r.clone();
        let first = !patch.sections.contains_key(&metadata.section.index);
        let section = patch
            .sections
            .entry(metadata.section.index)
            .or_insert_with(|| Section::new(arch, &metadata, &self.kernel));
        if section.r.name.is_empty() {
            section.r = metadata.section.clone();
        }
        section.elf = metadata.elf.clone();
        for entry in &metadata.entries {
            let mut reloc = super::section::Reloc::new(arch, entry, &mut patch.names);
            if let Some(third) = super::third::of(&reloc, &section.object, &patch.r.name) {
                reloc.third = true;
                section.thirds.insert(third);
            }
            if let Some(before) = section.relocs.get(&entry.index) {
                // Told of again, it is unknown until it is read: what was known of it has not ended.
                reloc.known = before.known;
                section.counts.change(before.counted(), reloc.counted());
            }
            section.relocs.insert(entry.index, reloc);
        }
        patch.find_orphans();
        let differs = matches!(metadata.elf, Elf::Differs { .. });
        if first && let Some(target) = misplaced(arch, &metadata, self.clears, &self.kernel) {
            let object = self.objects.reference(&metadata.object);
            self.rounds.of(&metadata.patch, &object, None).misplaced.take(&metadata, target);
        }
        say(Body::PatchMetadata(metadata));
        if differs {
            self.disown(address, say);
        }
        self.differs(address, say);
    }

    /// What was judged by a file that turns out not to be what was loaded is unknown.
    fn disown(&mut self, patch: u64, say: &mut dyn FnMut(Body)) {
        let (arch, objects) = (self.arch, &self.objects);
        let Some(patch) = self.patches.get_mut(&patch) else { return };
        let judged = |section: &&mut Section| section.relocs.values().any(|reloc| reloc.said);
        for section in patch.sections.values_mut().filter(judged) {
            let object = objects.reference(&section.object);
            super::conclude::unknown(&patch.r, section, &object, Reason::FileDiffers, arch, say);
        }
    }

    pub(super) fn symbol(&mut self, mut lookup: SymbolLookup, say: &mut dyn FnMut(Body)) {
        let key = (Arc::clone(&lookup.object.name), Arc::clone(&lookup.symbol), lookup.sympos);
        self.symbols.insert(key, lookup.outcome);
        lookup.object = self.objects.reference(&lookup.object.name);
        say(Body::SymbolLookup(lookup.clone()));
        self.third_found(&lookup, say);
    }

    pub(super) fn events_lost(&mut self, lost: &EventsLost, say: &mut dyn FnMut(Body)) {
        let cause = lost.cause;
        say(Body::EventsLost(lost.clone()));
        self.note_loss(lost, say);
        if cause != LossCause::Incomplete {
            self.distrust(say);
        }
    }

    /// Everything that could have changed unseen is unknown until it is read again.
    fn distrust(&mut self, say: &mut dyn FnMut(Body)) {
        // An object may have gone and come back elsewhere.
        self.symbols.retain(|(object, _, _), _| &**object == VMLINUX);
        let objects = &self.objects;
        let arch = self.arch;
        for patch in self.patches.values_mut() {
            for section in patch.sections.values_mut() {
                if &*section.object == VMLINUX {
                    super::third::distrust(&patch.r, section, arch, say);
                    continue;
                }
                section.wanted = true;
                section.written_for = 0;
                let object = objects.reference(&section.object);
                super::conclude::unknown(&patch.r, section, &object, Reason::EventsLost, arch, say);
            }
        }
    }

    fn drop_patch(&mut self, name: &str, address: Option<Address>) {
        match address {
            Some(address) => {
                self.patches.remove(&address.0);
            }
            None => self.patches.retain(|_, patch| &*patch.r.name != name),
        }
    }
}
