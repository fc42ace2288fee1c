//! The running kernel as a source: records of the probes become events, in the kernel's order, and the verifier's
//! wishes become reads.
//!
//! [`Live::start`] takes a first look at what is loaded, after the probes were attached; [`Live::step`] then moves on
//! as far as there is something to do, and never waits.

mod blind;
pub(super) mod convert;
mod look;
pub(super) mod patches;
mod probes;
mod reader;
pub(super) mod rewrites;
mod stall;
pub(super) mod symbols;
mod take;
mod third;
pub(super) mod walks;

pub use probes::hook_info;
pub use reader::Reader;

use crate::{
    arch::Arch,
    journal::{Body, Event, EventsLost, ModuleUsage, Session, Task},
    kernel::{kmsg::Kmsg, modules::State, patch_file::Finder, sysfs::Sysfs},
    model::Address,
    probe::event::RawEvent,
    verify::{Verifier, Want},
};
use patches::PatchFacts;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};
use symbols::Lookups;
use walks::{Walk, Walks};

/// Where the events and conclusions go.
pub type Out<'a> = &'a mut dyn FnMut(Event);

/// How often a section that would not hold still is read in one step.
const ATTEMPTS: u32 = 3;

/// What a live source is made of.
pub struct Parts<R> {
    /// The probes.
    pub reader: R,
    /// Of this kernel.
    pub arch: Arch,
    /// Where /proc and /sys are mounted: `/`.
    pub root: PathBuf,
    /// Finds the files of patches and objects.
    pub finder: Finder,
}

/// The running kernel, and the verifier that judges it.
pub struct Live<R> {
    reader: R,
    arch: Arch,
    verifier: Verifier,
    root: PathBuf,
    sysfs: Sysfs,
    lookups: Lookups,
    queue: VecDeque<RawEvent>,
    walks: Walks,
    /// Load-time writes whose section has no name yet, by patch and section.
    held: BTreeMap<(u64, u32), Walk>,
    patches: BTreeMap<u64, PatchFacts>,
    /// Every module loaded: its `struct module`, where that is known. Kept current from the hooks.
    modules: BTreeMap<Arc<str>, Option<u64>>,
    /// Objects between the entry and the exit of klp_module_coming.
    coming: BTreeSet<Arc<str>>,
    /// Modules that were found being loaded or unloaded, until that is known to be over.
    on_their_way: BTreeMap<Arc<str>, State>,
    /// Modules whose klp_module_going was seen to return: gone for livepatch, and listed until they are freed.
    departed: BTreeSet<Arc<str>>,
    /// Modules whose klp_module_coming was seen, until they go.
    seen_coming: BTreeSet<u64>,
    /// The objects that sections are gated on.
    gates: BTreeSet<Arc<str>>,
    /// The modules that symbols of relocations are in, other than those and the kernel.
    thirds: BTreeSet<Arc<str>>,
    /// What was told last of what keeps these.
    usages: BTreeMap<Arc<str>, ModuleUsage>,
    /// Calls that write relocations and have not returned: thread and hook.
    writing: BTreeSet<(u32, u32)>,
    /// How often relocations were, or may have been, written.
    writes: u64,
    /// The transition under way: livepatch has one at a time.
    transitioning: Option<stall::UnderWay>,
    blind: blind::Blindness,
    /// The kernel's own log, where it can be read.
    log: Option<Kmsg>,
    /// Something was lost: the kernel is to be looked at again.
    look_again: bool,
    /// Records taken from the ring.
    taken: u64,
}

impl<R: Reader> Live<R> {
    /// A source that has seen nothing.
    pub fn new(parts: Parts<R>) -> Self {
        let Parts { reader, arch, root, finder } = parts;
        Self {
            reader,
            arch,
            verifier: Verifier::new(arch).on(finder.release()),
            sysfs: Sysfs::new(&root),
            lookups: Lookups { sysfs: Sysfs::new(&root), finder },
            root,
            queue: VecDeque::new(),
            walks: Walks::default(),
            held: BTreeMap::new(),
            patches: BTreeMap::new(),
            modules: BTreeMap::new(),
            coming: BTreeSet::new(),
            on_their_way: BTreeMap::new(),
            departed: BTreeSet::new(),
            seen_coming: BTreeSet::new(),
            gates: BTreeSet::new(),
            thirds: BTreeSet::new(),
            usages: BTreeMap::new(),
            writing: BTreeSet::new(),
            writes: 0,
            transitioning: None,
            blind: blind::Blindness::default(),
            log: None,
            look_again: false,
            taken: 0,
        }
    }

    /// Reads the kernel's own log beside the hooks, which wake it: a witness that corroborates.
    #[must_use]
    pub fn hearing(mut self, log: Option<Kmsg>) -> Self {
        self.log = log;
        self
    }

    /// The verifier, for its totals and its outcome.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The probes.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// Records taken from the ring buffer so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The probes, for what is no event.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Begins a session: says so, and takes a first look. The probes are attached by now, so that nothing falls
    /// between the look and the watching. Says whether the list of modules could be read.
    pub fn start(&mut self, session: Session, out: Out) -> bool {
        self.say(None, Body::Session(session), out);
        let looked = self.look(out);
        self.step(out);
        looked
    }

    /// Takes all that has arrived, and reads what the verifier wants read.
    pub fn step(&mut self, out: Out) {
        self.take_all(out);
        if self.reader.may_have_lost() {
            self.notice_loss(out);
        }
        if self.look_again {
            self.look_again = !self.look(out);
        }
        self.satisfy(out);
        self.verifier.rest(now(), out);
    }

    /// Takes all that has arrived, for the last time: what was lost until now is looked for wherever it shows, and what there is still to be said
    /// of what was read is said.
    pub fn finish(&mut self, out: Out) {
        self.take_all(out);
        self.notice_loss(out);
        self.step(out);
        self.verifier.finish(out);
    }

    /// Reads everything again that can have changed, whatever was seen of it. Says whether the list of modules could be read.
    pub fn read_again(&mut self, out: Out) -> bool {
        self.take_all(out);
        self.notice_loss(out);
        self.verifier.want_all();
        let looked = self.look(out);
        self.step(out);
        looked
    }

    /// What is to be done about once a second: notices that the hooks have gone blind, and that a transition does not end.
    pub fn tick(&mut self, out: Out) {
        self.watch_ftrace(out);
        self.watch_transition(out);
        self.watch_those_on_their_way(out);
        self.take_all(out);
        self.notice_loss(out);
        self.step(out);
    }

    fn take_all(&mut self, out: Out) {
        loop {
            self.reader.drain(&mut self.queue);
            let Some(raw) = self.queue.pop_front() else { break };
            self.take(raw, out);
            while let Some(raw) = self.queue.pop_front() {
                self.take(raw, out);
            }
        }
    }

    fn notice_loss(&mut self, out: Out) {
        let lost = self.reader.loss();
        if lost.is_empty() {
            return;
        }
        for lost in lost {
            self.lost(lost, out);
        }
        // What was half known is forgotten: the records that would complete it may not come.
        self.walks.clear();
        self.writing.clear();
        self.coming.clear();
        self.departed.clear();
    }

    fn lost(&mut self, lost: EventsLost, out: Out) {
        self.say(None, Body::EventsLost(lost), out);
        self.look_again = true;
    }

    /// Has every section read that the verifier wants read. What will not hold still stays wanted.
    fn satisfy(&mut self, out: Out) {
        for _ in 0..ATTEMPTS {
            let wants = self.verifier.wants();
            if wants.is_empty() || !self.writing.is_empty() {
                return;
            }
            let patches: BTreeSet<u64> = wants.iter().map(|want| want.patch.0).collect();
            for Want { patch, section } in wants {
                // A patch that cannot be read has gone, or its verdicts stay unknown.
                let _ = self.reader.read_section(patch.0, section, &mut self.queue);
                self.take_all(out);
            }
            self.drop_vanished(&patches, out);
        }
    }

    /// Tells the verifier of patches that are no longer loaded.
    fn drop_vanished(&mut self, patches: &BTreeSet<u64>, out: Out) {
        let Ok(modules) = crate::kernel::modules::Modules::read(&self.root) else { return };
        for address in patches {
            let Some(name) = self.patches.get(address).map(|facts| Arc::clone(&facts.name)) else { continue };
            if modules.get(&name).is_none() {
                self.forget_patch(*address, &name, out);
            }
        }
    }

    /// Says what the kernel's own log has said until now.
    fn hear(&mut self, out: Out) {
        for message in self.log.as_mut().map(Kmsg::messages).unwrap_or_default() {
            self.say(None, Body::KernelMessage(message), out);
        }
    }

    fn say(&mut self, task: Option<Arc<Task>>, body: Body, out: Out) {
        self.say_at(now(), task, body, out);
    }

    fn say_at(&mut self, mono_ns: u64, task: Option<Arc<Task>>, body: Body, out: Out) {
        let known = matches!(body, Body::PatchMetadata(_));
        self.verifier.feed(Event { mono_ns, task, body }, out);
        if known {
            self.gates = self.verifier.gates();
            self.thirds = self.verifier.thirds();
        }
    }

    /// Whether a module matters: a livepatch, an object that one waits for, or a module that has symbols which one uses.
    fn concerns(&self, name: &str, livepatch: bool) -> bool {
        livepatch || self.gates.contains(name) || self.thirds.contains(name)
    }

    fn address_of(&self, object: &str) -> Option<Address> {
        self.modules.get(object).copied().flatten().map(Address)
    }
}

/// CLOCK_MONOTONIC, nanoseconds: the clock of the kernel's own records.
pub fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let (seconds, nanos) =
        (u64::try_from(time.tv_sec).unwrap_or(0), u64::try_from(time.tv_nsec).unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests;
