//! Which modules are there, load by load.

use crate::{
    journal::{ModuleUsage, ObjectRef},
    model::Address,
};
use std::{collections::BTreeMap, sync::Arc};

/// Where a module stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// Not loaded.
    Absent,
    /// klp_module_coming was entered and has not returned.
    Coming,
    /// Loaded.
    Live,
    /// Found being unloaded: klp_module_going has perhaps not returned, or not been entered.
    Unloading,
    /// klp_module_going was entered.
    Going,
}

/// A section that apply_relocate_add refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    /// Address of the patch.
    pub patch: u64,
    /// Index of the section.
    pub section: u32,
    /// The relocation whose target was not zero before, where there is one: the kernel stopped there.
    pub stopped_at: Option<u32>,
}

/// One module name and its current load.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub name: Arc<str>,
    pub address: Option<Address>,
    /// Counts loads of this name from 1; 0: never seen loaded.
    pub load: u32,
    pub presence: Presence,
    /// What the kernel refused to write during the coming under way.
    pub failures: Vec<Failure>,
    /// What keeps this load, where that was looked at.
    pub usage: Option<ModuleUsage>,
}

impl Object {
    pub(super) fn is_there(&self) -> bool {
        matches!(self.presence, Presence::Coming | Presence::Live | Presence::Unloading)
    }

    pub(super) fn is_live(&self) -> bool {
        self.presence == Presence::Live
    }

    pub(super) fn reference(&self) -> ObjectRef {
        ObjectRef {
            name: Arc::clone(&self.name),
            address: self.address,
            load: (self.load > 0).then_some(self.load),
        }
    }
}

/// All modules that were ever heard of and matter.
#[derive(Debug, Default)]
pub(super) struct Objects(BTreeMap<Arc<str>, Object>);

/// The kernel itself, as livepatch names it.
pub(super) const VMLINUX: &str = "vmlinux";

impl Objects {
    pub(super) fn get(&self, name: &str) -> Option<&Object> {
        self.0.get(name)
    }

    pub(super) fn entry(&mut self, name: &Arc<str>) -> &mut Object {
        self.0.entry(Arc::clone(name)).or_insert_with(|| Object {
            name: Arc::clone(name),
            address: None,
            load: 0,
            presence: Presence::Absent,
            failures: Vec::new(),
            usage: None,
        })
    }

    /// Whether a module is known not to be there: what was never heard of may be.
    pub(super) fn lacks(&self, name: &str) -> bool {
        self.get(name).is_some_and(|object| !object.is_there())
    }

    /// A reference to the object of that name as it is now.
    pub(super) fn reference(&self, name: &Arc<str>) -> ObjectRef {
        self.0.get(name).map_or_else(
            || ObjectRef { name: Arc::clone(name), address: None, load: None },
            Object::reference,
        )
    }

    /// Whether it is being loaded, as far as is known.
    pub(super) fn is_coming(&self, name: &str) -> bool {
        self.get(name).is_some_and(|object| object.presence == Presence::Coming)
    }

    /// The object is being loaded: a new load begins, unless its beginning was found before it was seen.
    pub(super) fn coming(&mut self, name: &Arc<str>, address: Option<Address>) {
        let object = self.entry(name);
        let found = object.presence == Presence::Coming
            && object.address.is_none_or(|found| address.is_none_or(|address| address == found));
        if !found {
            object.load += 1;
        }
        object.address = address;
        object.presence = Presence::Coming;
        object.failures.clear();
        object.usage = None;
    }

    /// The object is known to be loaded; a new load, when it was not, or at another address. True when new.
    pub(super) fn live(&mut self, name: &Arc<str>, address: Option<Address>) -> bool {
        let object = self.entry(name);
        let moved = address.is_some() && object.address.is_some() && object.address != address;
        let new = !object.is_there() || moved;
        if new {
            object.load += 1;
            object.failures.clear();
            object.usage = None;
        }
        object.address = address.or(object.address);
        object.presence = Presence::Live;
        new
    }

    /// Whether it is loaded, and neither coming nor going.
    pub(super) fn is_live(&self, name: &str) -> bool {
        self.get(name).is_some_and(Object::is_live)
    }

    /// The object was found on its way. True when that is news: a new load, or one that was believed to be elsewhere.
    pub(super) fn found(&mut self, name: &Arc<str>, address: Option<Address>, presence: Presence) -> bool {
        let before = self.get(name).map(|object| object.presence);
        let new = self.live(name, address);
        self.entry(name).presence = presence;
        new || before != Some(presence)
    }

    pub(super) fn going(&mut self, name: &Arc<str>) {
        if let Some(object) = self.0.get_mut(name) {
            object.presence = Presence::Going;
        }
    }

    /// The object is not there any more. True when it was.
    pub(super) fn gone(&mut self, name: &Arc<str>) -> bool {
        // That it is not there is known from now on, also of one that was never heard of.
        let object = self.entry(name);
        let was = object.presence != Presence::Absent;
        object.presence = Presence::Absent;
        object.address = None;
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told_from_what_was_never_heard_of() {
        let name: Arc<str> = "tmod".into();
        let mut objects = Objects::default();
        assert!(!objects.lacks(&name));
        assert!(!objects.gone(&name) && objects.lacks(&name));
        assert!(objects.live(&name, None) && !objects.lacks(&name));
        assert!(objects.gone(&name) && objects.lacks(&name));
    }

    #[test]
    fn loads_are_counted_from_the_first_that_is_seen() {
        let name: Arc<str> = "tmod".into();
        let mut objects = Objects::default();
        objects.entry(&name);
        assert_eq!(objects.reference(&name).load, None, "heard of, and never seen loaded");
        for load in 1..3 {
            objects.coming(&name, None);
            assert_eq!(objects.reference(&name).load, Some(load));
            objects.gone(&name);
        }
    }

    #[test]
    fn a_load_that_was_found_before_it_was_seen_is_one() {
        let name: Arc<str> = "tmod".into();
        let mut objects = Objects::default();
        assert!(objects.found(&name, None, Presence::Coming), "news");
        assert!(!objects.found(&name, None, Presence::Coming));
        objects.coming(&name, Some(Address(0x1000)));
        assert_eq!(objects.reference(&name).load, Some(1));
        objects.coming(&name, Some(Address(0x2000)));
        assert_eq!(objects.reference(&name).load, Some(2), "the end of the other was not seen");
        assert!(!objects.live(&name, None));
        assert!(objects.found(&name, None, Presence::Coming), "it was believed to have come");
    }
}
