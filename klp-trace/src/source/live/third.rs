//! The modules that symbols of relocations are in, other than the objects that gate these and the kernel: whether they are there,
//! and what keeps them.

use super::{Live, Out, Reader, convert};
use crate::{
    journal::{Body, ModuleEvent},
    kernel::modules::Modules,
    model::Address,
};
use std::{collections::BTreeSet, sync::Arc};

impl<R: Reader> Live<R> {
    /// Says of those that were not known whether they are there. Where one is a gate too, that has been said.
    pub(super) fn tell_thirds(&mut self, known: &BTreeSet<Arc<str>>, out: Out) {
        let new = self.thirds.difference(known).filter(|third| !self.gates.contains(*third));
        for third in new.cloned().collect::<Vec<_>>() {
            self.tell_presence(third, out);
        }
    }

    /// Says where the symbols of one are that has come, for the relocations that hold what was written for an earlier load.
    pub(super) fn find_third(&mut self, third: &str, out: Out) {
        let needed = self.verifier.third_symbols(third);
        if needed.is_empty() {
            return;
        }
        for lookup in self.lookups.look_up(&needed, &|_| false, &|_| None) {
            self.say(None, Body::SymbolLookup(lookup), out);
        }
    }

    /// Says what keeps the modules of a section's symbols, where that is not as it was said last.
    pub(super) fn tell_usage(&mut self, patch: Address, section: u32, out: Out) {
        let thirds = self.verifier.section_thirds(patch, section);
        if thirds.is_empty() {
            return;
        }
        let Ok(modules) = Modules::read(&self.root) else { return };
        for third in thirds {
            // Of one that the hooks have seen go nothing is said, whatever the list has by now.
            let usage = convert::usage(&modules, &third).filter(|_| self.modules.contains_key(&third));
            let Some(usage) = usage.filter(|usage| self.usages.get(&third) != Some(usage)) else { continue };
            self.usages.insert(Arc::clone(&third), usage.clone());
            let address = self.address_of(&third);
            let action = self.presence(&third);
            let event = ModuleEvent::new(action, third, address, false);
            self.say(None, Body::Module(ModuleEvent { usage: Some(usage), ..event }), out);
        }
    }
}
