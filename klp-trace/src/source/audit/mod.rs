//! What is in memory now: every loaded livepatch read on demand, without having traced anything.
//!
//! No lock is held. What is gated on one object is read together, and counts only if the object and the patches were
//! steady before, are the same loads after, and no hook saw them stir meanwhile; otherwise it is read again, and what will
//! not settle is told `unsettled`. Where no hook watches, everything is read twice besides, and has to be the same.

mod memory;
mod settle;

pub use memory::KcoreReader;

use crate::{
    arch::Arch,
    elf::{names, notes},
    journal::{
        Body, Event, Livepatch, ModuleAction, ModuleEvent, PatchRef, Session, Stall, Standing, Task, Unread,
    },
    kernel::{
        kallsyms::Query,
        modules::{Module, Modules, ModulesError, State},
        sysfs::Sysfs,
    },
    model::Address,
    probe::event::{Hook, RawEvent, SectionInfo},
    source::live::{
        Out, Parts, Reader, convert, now,
        patches::PatchFacts,
        symbols::Lookups,
        walks::{Walk, Walks},
    },
    verify::Verifier,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// The section of a loaded module in which its `struct module` is (include/linux/module.h, `__this_module`).
const THIS_MODULE: &str = ".gnu.linkonce.this_module";

/// How long an object may keep coming and going before it is told unsettled.
const PATIENCE: Duration = Duration::from_secs(3);

/// An audit, and the verifier that judges what it finds.
pub struct Audit<R> {
    reader: R,
    arch: Arch,
    verifier: Verifier,
    root: PathBuf,
    sysfs: Sysfs,
    lookups: Lookups,
    /// Hooks are attached and see whatever changes.
    watched: bool,
    queue: VecDeque<RawEvent>,
    /// Names of modules that a hook saw come, go, or be written.
    stirred: BTreeSet<Arc<str>>,
    /// By address of their `struct module`.
    patches: BTreeMap<u64, Patch>,
    /// Livepatches found.
    found: usize,
    /// How long an object may keep coming and going before it is told unsettled.
    patience: Duration,
}

/// A livepatch that can be read.
struct Patch {
    name: Arc<str>,
    /// Its sections, with the objects that gate them.
    sections: Vec<(u32, Arc<str>)>,
}

impl<R: Reader> Audit<R> {
    /// An audit that has seen nothing. `watched`: the reader's hooks are attached, and fire.
    pub fn new(parts: Parts<R>, watched: bool) -> Self {
        let Parts { reader, arch, root, finder } = parts;
        Self {
            reader,
            arch,
            verifier: Verifier::new(arch).on(finder.release()),
            sysfs: Sysfs::new(&root),
            lookups: Lookups { sysfs: Sysfs::new(&root), finder },
            root,
            watched,
            queue: VecDeque::new(),
            stirred: BTreeSet::new(),
            patches: BTreeMap::new(),
            found: 0,
            patience: PATIENCE,
        }
    }

    /// The verifier, for its totals and its outcome.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// How many livepatches were found.
    pub fn livepatches(&self) -> usize {
        self.found
    }

    /// The whole audit.
    pub fn run(&mut self, session: Session, out: Out) -> Result<(), ModulesError> {
        self.say(Body::Session(session), out);
        let modules = Modules::read(&self.root)?;
        let livepatches: Vec<&Module> =
            modules.livepatches().filter(|module| module.state != State::Unloading).collect();
        self.found = livepatches.len();
        let addresses = self.addresses(&livepatches);
        for module in livepatches {
            self.meet(module, addresses.get(&module.name).copied(), out);
        }
        let gates: BTreeSet<Arc<str>> = self
            .patches
            .values()
            .flat_map(|patch| patch.sections.iter().map(|(_, gate)| Arc::clone(gate)))
            .collect();
        for gate in gates {
            self.settle(&gate, out);
        }
        self.verifier.finish(out);
        Ok(())
    }

    /// Where each livepatch's `struct module` is: by sysfs, which root alone may read, else by kallsyms.
    fn addresses(&self, livepatches: &[&Module]) -> BTreeMap<String, u64> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for module in livepatches {
            if let Some(address) = self.this_module(&module.name) {
                found.insert(module.name.clone(), address);
            }
        }
        if found.len() == livepatches.len() {
            return found;
        }
        let mut query = Query::new();
        for module in livepatches {
            query.want_module(&module.name);
        }
        if let Ok(symbols) = query.read() {
            for module in livepatches {
                if let Some(address) = symbols.this_module(&module.name) {
                    found.entry(module.name.clone()).or_insert(address);
                }
            }
        }
        found
    }

    /// A module's `struct module` by sysfs.
    fn this_module(&self, name: &str) -> Option<u64> {
        self.sysfs.section(name, THIS_MODULE).ok().flatten().filter(|address| *address != 0)
    }

    /// Takes note of a livepatch: what it is, where it stands, what its ELF says.
    fn meet(&mut self, module: &Module, address: Option<u64>, out: Out) {
        // /proc/modules replaces what is not UTF-8; control characters are escaped here.
        let name: Arc<str> = Arc::from(names::display(module.name.as_bytes()));
        let Some(address) = address else {
            self.tell(module, &name, 0, Err(Unread::Hidden), out);
            return;
        };
        let event = ModuleEvent::new(ModuleAction::Present, Arc::clone(&name), Some(Address(address)), true);
        self.say(Body::Module(event), out);
        let described = self.describe(module, &name, address, out);
        if described.is_err() && Modules::read(&self.root).is_ok_and(|now| now.get(&module.name).is_none()) {
            self.vanished(address, &name, out);
            return;
        }
        self.tell(module, &name, address, described, out);
    }

    /// Says what the patch's sections are; gives how many.
    fn describe(&mut self, module: &Module, name: &Arc<str>, address: u64, out: Out) -> Result<u32, Unread> {
        let sections = self.reader.sections(address, &mut self.queue)?;
        let note = self.sysfs.build_id_note(&module.name).ok().flatten();
        let build_id = note.and_then(|note| notes::build_id(&note).ok().flatten());
        let mut facts = PatchFacts::new(Arc::clone(name), build_id, &self.lookups.finder);
        let mut known = Vec::new();
        for SectionInfo { relsec, .. } in &sections {
            let walk = self.walk(address, *relsec)?;
            if convert::name(&walk.begin.name) != *name {
                return Err(Unread::OtherModule);
            }
            let metadata = facts.describe(&walk, &mut self.reader, &mut self.queue);
            let Some(object) = metadata.first().map(|part| Arc::clone(&part.object)) else {
                return Err(Unread::Misnamed(*relsec));
            };
            for part in metadata {
                self.say(Body::PatchMetadata(part), out);
            }
            known.push((*relsec, object));
        }
        let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
        self.patches.insert(address, Patch { name: Arc::clone(name), sections: known });
        Ok(count)
    }

    fn tell(
        &mut self,
        module: &Module,
        name: &Arc<str>,
        address: u64,
        sections: Result<u32, Unread>,
        out: Out,
    ) {
        let patch = PatchRef { name: Arc::clone(name), address: Address(address), load: 0 };
        let listed = self.sysfs.patch(&module.name).ok().flatten();
        let standing = standing(module, listed.as_ref());
        let moving = listed.as_ref().filter(|patch| patch.transition);
        let wanted = moving.map(|patch| i8::from(patch.enabled));
        let objects = listed.and_then(|patch| convert::objects(&patch));
        let (sections, unread) = match sections {
            Ok(sections) => (sections, None),
            Err(why) => (0, Some(why)),
        };
        let found = Body::Livepatch(Livepatch {
            patch: patch.clone(),
            standing,
            sections,
            unread,
            refcount: module.refcount,
            objects,
        });
        self.say(found, out);
        if let Some(wanted) = wanted {
            let found = convert::stalled(&self.root, wanted, None);
            self.say(Body::Stall(Stall { patch, found }), out);
        }
    }

    /// The patch is no longer loaded.
    fn vanished(&mut self, address: u64, name: &Arc<str>, out: Out) {
        self.patches.remove(&address);
        let event = ModuleEvent::new(ModuleAction::Absent, Arc::clone(name), Some(Address(address)), true);
        self.say(Body::Module(event), out);
    }

    /// One section as it is now, whole.
    fn walk(&mut self, address: u64, relsec: u32) -> Result<Walk, Unread> {
        let read = self.reader.read_section(address, relsec, &mut self.queue);
        let walk = self.take_all();
        read?;
        match walk {
            // One that was given up may arrive late: it is not this one.
            Some(walk)
                if walk.lost() == 0
                    && (walk.begin.module, walk.begin.section.relsec) == (address, relsec) =>
            {
                Ok(walk)
            }
            _ => Err(Unread::Partly(relsec)),
        }
    }

    /// Takes what has arrived: the last walk asked for, and which modules stirred.
    fn take_all(&mut self) -> Option<Walk> {
        self.reader.drain(&mut self.queue);
        let (mut walks, mut last) = (Walks::default(), None);
        while let Some(event) = self.queue.pop_front() {
            match event {
                RawEvent::Enter(event)
                | RawEvent::Exit(event)
                | RawEvent::ModuleLoad(event)
                | RawEvent::ModuleFree(event) => {
                    self.stirred.insert(convert::name(&event.module.name));
                }
                RawEvent::WalkBegin(begin) if begin.hook == Hook::Demand => walks.begin(*begin, Some(0)),
                RawEvent::Chunk(chunk) => walks.chunk(&chunk),
                RawEvent::WalkEnd(end) => last = walks.end(&end, 0).or(last),
                RawEvent::WalkBegin(_)
                | RawEvent::Transition(_)
                | RawEvent::Symbol(_)
                | RawEvent::Module(_)
                | RawEvent::Header(_)
                | RawEvent::Block(_)
                | RawEvent::Malformed { .. } => {}
            }
        }
        last
    }

    fn say(&mut self, body: Body, out: Out) {
        self.say_at(now(), None, body, out);
    }

    fn say_at(&mut self, mono_ns: u64, task: Option<Arc<Task>>, body: Body, out: Out) {
        self.verifier.feed(Event { mono_ns, task, body }, out);
    }
}

/// Where a livepatch stands; `listed`: what /sys/kernel/livepatch has of it.
fn standing(module: &Module, listed: Option<&crate::kernel::sysfs::Patch>) -> Standing {
    if module.state == State::Loading {
        return Standing::Loading;
    }
    listed.map_or(Standing::Detached, convert::standing)
}

#[cfg(test)]
mod tests;
