//! What a session has shown: everything that a policy can ask about.

use super::{Step, Subject};
use crate::{
    journal::{
        Body, Elf, Event, EventsLost, Finding, FindingClosed, HookEvent, ModuleAction, ModuleEvent,
        PatchMetadata, RelocState, SectionRead, Totals, Transition, TransitionStep,
    },
    model::{FindingEnd, FindingId, Hook, Phase, Severity, Verdict},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Relocations of a section that are kept for a closer look.
pub(super) const KEPT: usize = 64;

/// Findings of a session that are kept one by one; of those beyond, how many there are and how grave the gravest is.
pub(super) const FINDINGS: usize = 4096;

/// Everything of one session that a policy can ask about. Takes the events that the verifier says, in order.
#[derive(Debug, Default)]
pub struct Observed {
    /// The hooks that the session says are attached.
    pub(super) attached: BTreeSet<Hook>,
    /// By the patch's address and the section's index.
    pub(super) sections: BTreeMap<(u64, u32), Section>,
    /// By name.
    pub(super) patches: BTreeMap<Arc<str>, Patch>,
    /// Whether objects are loaded, of those that were heard of.
    pub(super) objects: BTreeMap<Arc<str>, bool>,
    pub(super) stories: BTreeMap<Subject, Vec<Step>>,
    pub(super) findings: Vec<Found>,
    /// Those beyond [`FINDINGS`].
    pub(super) beyond: BTreeMap<FindingId, (u64, Severity)>,
    pub(super) lost: u64,
    pub(super) losses: Vec<EventsLost>,
    pub(super) applies: Longest,
    pub(super) transitions: Longest,
    /// Writes that began: by thread, patch and section.
    applying: BTreeMap<(u32, u64, u32), u64>,
    span: Option<(u64, u64)>,
}

/// A finding of the session.
#[derive(Debug)]
pub(super) struct Found {
    pub finding: Finding,
    /// What ended it; none while it holds.
    pub over: Option<FindingEnd>,
}

/// A section of a loaded patch.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub patch: Arc<str>,
    pub object: Arc<str>,
    pub name: Arc<str>,
    pub total: u64,
    /// Relocations of which something was said.
    said: u64,
    verdicts: Totals,
    /// Those that are bad or unknown now, the first of them.
    pub notable: BTreeMap<u32, RelocState>,
}

/// A livepatch that is loaded, or was.
#[derive(Debug, Default)]
pub(super) struct Patch {
    address: u64,
    pub loaded: bool,
    pub enabled: Option<bool>,
    /// Since when a transition is under way.
    pub transition: Option<u64>,
    pub file: Option<String>,
}

/// The longest of what was timed.
#[derive(Debug, Default)]
pub(super) struct Longest {
    /// Nanoseconds.
    pub nanos: Option<u64>,
    /// Of what.
    pub of: String,
    /// How many were timed.
    pub number: u64,
}

impl Longest {
    fn take(&mut self, nanos: u64, of: impl FnOnce() -> String) {
        self.number += 1;
        if self.nanos.is_none_or(|longest| nanos > longest) {
            self.nanos = Some(nanos);
            self.of = of();
        }
    }
}

impl Section {
    /// Relocations by verdict; those never read are `unknown`.
    pub(super) fn verdicts(&self) -> Totals {
        let mut verdicts = self.verdicts.clone();
        let unread = self.total.saturating_sub(self.said);
        if unread > 0 {
            *verdicts.entry(Verdict::Unknown).or_default() += unread;
        }
        verdicts.retain(|_, number| *number > 0);
        verdicts
    }

    /// Whether [`Section::notable`] has all that are bad or unknown.
    pub(super) fn has_kept_all(&self) -> bool {
        self.notable.len() < KEPT
    }

    fn take(&mut self, state: &RelocState) {
        match state.previous.and_then(|previous| self.verdicts.get_mut(&previous)) {
            Some(number) => *number = number.saturating_sub(1),
            None => self.said += 1,
        }
        if let Some(verdict) = state.verdict {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
        let index = state.reloc.index;
        let notable = state.verdict.is_some_and(|verdict| verdict.is_bad() || verdict == Verdict::Unknown);
        if !notable {
            self.notable.remove(&index);
        } else if self.notable.len() < KEPT || self.notable.contains_key(&index) {
            self.notable.insert(index, state.clone());
        }
    }
}

impl Observed {
    /// Takes one event.
    pub fn take(&mut self, event: &Event) {
        let at = event.mono_ns;
        self.span = Some((self.span.map_or(at, |(first, _)| first), at));
        match &event.body {
            Body::Session(session) => {
                let attached = session.hooks.iter().filter(|hook| hook.mechanism.is_some());
                self.attached = attached.map(|hook| hook.name).collect();
            }
            Body::PatchMetadata(meta) => self.metadata(meta),
            Body::Module(module) => self.module(module),
            Body::Hook(hook) => self.hook(hook, at, event.task.as_ref().map_or(hook.cpu, |task| task.pid)),
            Body::RelocState(state) => {
                let key = (state.patch.address.0, state.section.index);
                let section = self.sections.entry(key).or_default();
                if section.patch.is_empty() {
                    section.patch = Arc::clone(&state.patch.name);
                    section.object = Arc::clone(&state.object.name);
                    section.name = Arc::clone(&state.section.name);
                }
                section.take(state);
            }
            Body::SectionRead(read) => self.section_read(read),
            Body::Transition(transition) => self.transition(transition, at, event.task.is_some()),
            Body::Finding(finding) if self.findings.len() >= FINDINGS => {
                let (number, severity) = self.beyond.entry(finding.id).or_insert((0, finding.severity));
                *number += 1;
                *severity = (*severity).max(finding.severity);
            }
            Body::Finding(finding) => {
                self.findings.push(Found { finding: finding.clone(), over: None });
            }
            Body::FindingClosed(closed) => self.close(closed),
            Body::EventsLost(lost) => {
                self.lost = self.lost.saturating_add(lost.count);
                self.losses.push(lost.clone());
            }
            // Nothing that a policy asks about.
            _ => {}
        }
    }

    /// CLOCK_MONOTONIC of the first and the last event, nanoseconds.
    pub fn span(&self) -> Option<(u64, u64)> {
        self.span
    }

    /// The findings, in order, those that are over too: no more of them than are kept.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().map(|found| &found.finding)
    }

    fn close(&mut self, closed: &FindingClosed) {
        for found in &mut self.findings {
            if found.over.is_none() && closed.ends(&found.finding) {
                found.over = Some(closed.end);
            }
        }
    }

    /// Relocations by verdict, of the patches loaded at the end.
    pub fn totals(&self) -> Totals {
        let mut all = Totals::new();
        for (verdict, number) in self.sections.values().flat_map(Section::verdicts) {
            *all.entry(verdict).or_default() += number;
        }
        all
    }

    /// What happened to a patch or an object; repeats of a step count once.
    pub fn story(&self, subject: &Subject) -> &[Step] {
        self.stories.get(subject).map_or(&[], Vec::as_slice)
    }

    fn step(&mut self, subject: Subject, step: Step) {
        let story = self.stories.entry(subject).or_default();
        if story.last() != Some(&step) {
            story.push(step);
        }
    }

    fn metadata(&mut self, meta: &PatchMetadata) {
        let section = self.sections.entry((meta.patch.address.0, meta.section.index)).or_default();
        // The first of a section's records: its relocations start from nothing.
        if meta.entries.first().is_none_or(|entry| entry.index == 0) {
            *section = Section::default();
        }
        section.patch = Arc::clone(&meta.patch.name);
        section.object = Arc::clone(&meta.object);
        section.name = Arc::clone(&meta.section.name);
        section.total = u64::from(meta.total);
        let patch = self.patch(&meta.patch.name, meta.patch.address.0);
        if let Elf::File { path, .. } | Elf::Differs { path, .. } = &meta.elf {
            patch.file = Some(path.clone());
        }
    }

    /// A patch that is loaded, at this address.
    fn patch(&mut self, name: &Arc<str>, address: u64) -> &mut Patch {
        let patch = self.patches.entry(Arc::clone(name)).or_default();
        if !patch.loaded || patch.address != address {
            *patch = Patch { loaded: true, address, ..Patch::default() };
        }
        patch
    }

    fn module(&mut self, module: &ModuleEvent) {
        if module.action == ModuleAction::Unsettled {
            // Its relocations are told unknown; where it stands cannot be.
            return;
        }
        let there =
            matches!(module.action, ModuleAction::Present | ModuleAction::Loading | ModuleAction::Loaded);
        if !module.livepatch {
            self.objects.insert(Arc::clone(&module.name), there);
            return;
        }
        let address = module.address.map_or(0, |address| address.0);
        match module.action {
            ModuleAction::Present | ModuleAction::Loading | ModuleAction::Unloading => {
                self.patch(&module.name, address);
            }
            ModuleAction::Loaded => {
                self.patch(&module.name, address);
                self.step(Subject::Patch(Arc::clone(&module.name)), Step::Loaded);
            }
            ModuleAction::Absent | ModuleAction::Freed | ModuleAction::Unsettled => {
                self.patches.insert(Arc::clone(&module.name), Patch::default());
                self.sections.retain(|_, section| section.patch != module.name);
                if module.action == ModuleAction::Freed {
                    self.step(Subject::Patch(Arc::clone(&module.name)), Step::Unloaded);
                }
            }
        }
    }

    fn hook(&mut self, hook: &HookEvent, at: u64, thread: u32) {
        if let (Hook::ApplyRelocateAdd, Some(patch), Some(section)) = (hook.hook, &hook.patch, &hook.section)
        {
            let key = (thread, patch.address.0, section.index);
            if hook.phase == Phase::Enter {
                self.applying.insert(key, at);
            } else if let Some(began) = self.applying.remove(&key) {
                let known = self.sections.get(&(patch.address.0, section.index));
                let name = known.map_or_else(|| Arc::clone(&section.name), |known| Arc::clone(&known.name));
                self.applies.take(at.saturating_sub(began), || format!("{name} of patch {}", patch.name));
            }
        }
        let Some(object) = hook.object.as_ref() else { return };
        if self
            .patches
            .get(&object.name)
            .is_some_and(|patch| patch.loaded && object.address.is_some_and(|a| a.0 == patch.address))
        {
            return;
        }
        let subject = || Subject::Object(Arc::clone(&object.name));
        match (hook.hook, hook.phase) {
            (Hook::KlpModuleComing, Phase::Enter) => self.step(subject(), Step::Coming),
            (Hook::KlpModuleComing, Phase::Exit) => {
                let refused = hook.ret.is_some_and(|ret| ret < 0);
                self.objects.insert(Arc::clone(&object.name), !refused);
                if refused {
                    self.step(subject(), Step::Refused);
                }
            }
            (Hook::KlpModuleGoing, Phase::Enter) => self.step(subject(), Step::Going),
            (Hook::KlpModuleGoing, Phase::Exit) => {
                self.objects.insert(Arc::clone(&object.name), false);
            }
            _ => {}
        }
    }

    fn section_read(&mut self, read: &SectionRead) {
        let step = match read.read {
            Hook::ApplyRelocateAdd if read.ret.is_some_and(|ret| ret < 0) => Step::ApplyFailed,
            Hook::ApplyRelocateAdd => Step::Apply,
            Hook::ClearRelocateAdd => Step::Clear,
            _ => return,
        };
        self.step(Subject::Object(Arc::clone(&read.object.name)), step);
    }

    /// `seen`: it happened now. Else it is what a look at the patch found.
    fn transition(&mut self, transition: &Transition, at: u64, seen: bool) {
        let Some(r) = &transition.patch else { return };
        let began = {
            let patch = self.patch(&r.name, r.address.0);
            let began = patch.transition;
            match transition.step {
                TransitionStep::Patching | TransitionStep::Unpatching => {
                    patch.enabled = Some(transition.step == TransitionStep::Patching);
                    if seen {
                        patch.transition = Some(at);
                    }
                }
                TransitionStep::Complete => patch.transition = None,
                TransitionStep::Forced => {}
                TransitionStep::Detached => {
                    patch.enabled = Some(false);
                    patch.transition = None;
                }
            }
            began
        };
        if !seen {
            return;
        }
        if let (TransitionStep::Complete, Some(began)) = (transition.step, began) {
            self.transitions.take(at.saturating_sub(began), || format!("patch {}", r.name));
        }
        let step = match transition.step {
            TransitionStep::Patching => Step::Patching,
            TransitionStep::Unpatching => Step::Unpatching,
            TransitionStep::Complete => Step::Complete,
            TransitionStep::Forced => Step::Forced,
            TransitionStep::Detached => Step::Detached,
        };
        self.step(Subject::Patch(Arc::clone(&r.name)), step);
    }
}
