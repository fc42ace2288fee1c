//! One event after the other: what each changes in the picture.

use super::story::What;
use super::tree::Patch;
use super::{Picture, hooks};
use crate::journal::{
    Body, Event, HookEvent, Livepatch, ModuleAction, ModuleEvent, PatchMetadata, PatchRef, RelocState,
    Session, Standing, Task, Transition, TransitionStep,
};
use crate::model::{Address, Hook, Phase, Verdict};
use std::sync::Arc;

impl Picture {
    /// Takes an event, as the verifier says it.
    pub fn apply(&mut self, mut event: Event) {
        self.events += 1;
        self.story.reach(event.mono_ns);
        if let Body::RelocState(state) = event.body {
            // What is listed and not judged would only come between those that are told together.
            if state.verdict.is_some() {
                self.tail.state(event.mono_ns, &state);
            }
            self.state(event.mono_ns, event.task, state);
            return;
        }
        let at = event.mono_ns;
        // The tail tells of a read, not what was read: that would take memory without end.
        match &mut event.body {
            Body::SectionRead(read) => read.entries = Vec::new(),
            Body::PatchMetadata(meta) => meta.entries = Vec::new(),
            _ => {}
        }
        match &event.body {
            Body::Session(session) => self.session(session),
            Body::PatchMetadata(meta) => self.metadata(meta),
            Body::SymbolLookup(lookup) => self.symbol(lookup),
            Body::AddressLookup(lookup) => {
                if let Some(nearest) = lookup.nearest.clone().filter(|_| self.places.len() < super::PLACES) {
                    self.places.insert(lookup.address.0, nearest);
                }
            }
            Body::Livepatch(found) => self.livepatch(at, found),
            Body::Module(module) => self.module(at, module),
            Body::Hook(hook) => self.hook(at, hook),
            Body::Transition(transition) => self.transition(at, transition),
            Body::Finding(finding) => self.findings.take(at, finding.clone()),
            Body::FindingClosed(closed) => self.findings.close(at, closed),
            Body::EventsLost(lost) => {
                self.lost = self.lost.saturating_add(lost.count);
                self.losses += 1;
                hooks::lost(&mut self.hooks, lost);
            }
            Body::SectionRead(_)
            | Body::SessionEnd(_)
            | Body::RelocState(_)
            | Body::Stall(_)
            | Body::KernelMessage(_) => {}
        }
        self.tail.event(event);
    }

    /// A new session knows nothing of the one before; what was told stays in the tail, and what was found is still to be told.
    fn session(&mut self, session: &Session) {
        let (tail, events) = (std::mem::take(&mut self.tail), self.events);
        let (origin, sessions) = (self.origin.take(), self.sessions + 1);
        let findings = std::mem::take(&mut self.findings);
        *self = Self {
            origin,
            sessions,
            findings,
            tail,
            events,
            shape: self.shape + 1,
            verdicts: self.verdicts + 1,
            begun: true,
            clears: session.clears,
            hooks: session.hooks.iter().cloned().map(hooks::HookRow::new).collect(),
            ..Self::default()
        };
    }

    /// The place of a patch, made if there is none. A load that had no number yet is the one that gets it.
    fn patch(&mut self, r: &PatchRef) -> usize {
        let same = |patch: &Patch| {
            patch.r.name == r.name
                && (patch.r.address == r.address || patch.r.address == Address(0) || r.address == Address(0))
                && (patch.r.load == r.load || patch.r.load == 0 || r.load == 0)
        };
        if let Some(at) = self.patches.iter().position(same) {
            if let Some(patch) = self.patches.get_mut(at)
                && (patch.r.load == 0 || patch.r.address == Address(0))
            {
                patch.r.load = patch.r.load.max(r.load);
                patch.r.address = Address(patch.r.address.0.max(r.address.0));
            }
            return at;
        }
        self.patches.push(Patch::new(r.clone()));
        self.shape += 1;
        self.patches.len() - 1
    }

    fn metadata(&mut self, meta: &PatchMetadata) {
        let at = self.patch(&meta.patch);
        let Some(patch) = self.patches.get_mut(at) else { return };
        let object = patch.object(&meta.object);
        let Some(object) = patch.objects.get_mut(object) else { return };
        let section = object.section(&meta.section);
        let Some(section) = object.sections.get_mut(section) else { return };
        section.r = meta.section.clone();
        section.target = Arc::clone(&meta.target);
        section.writable = meta.writable;
        section.total = meta.total;
        section.elf = Some(meta.elf.clone());
        self.shape += 1;
    }

    fn state(&mut self, mono_ns: u64, task: Option<Arc<Task>>, state: RelocState) {
        let (patch_at, object_at, section_at) = self.find(&state);
        self.last = (patch_at, object_at, section_at);
        let verdict = state.verdict;
        if let Some(verdict) = verdict.filter(|verdict| Some(*verdict) != state.previous) {
            self.story.mark(mono_ns, &state.patch.name, true, What::Verdict(verdict));
        }
        let Some(patch) = self.patches.get_mut(patch_at) else { return };
        let Some(object) = patch.objects.get_mut(object_at) else { return };
        let Some(section) = object.sections.get_mut(section_at) else { return };
        let known = section.relocs.len();
        let (before, now) = section.take(mono_ns, task, state);
        if section.relocs.len() != known {
            self.shape += 1;
        }
        self.verdicts += 1;
        for counts in [&mut section.counts, &mut object.counts, &mut patch.counts, &mut self.counts] {
            if before != now {
                if let Some(before) = before {
                    counts.remove(before);
                }
                if let Some(now) = now {
                    counts.add(now);
                }
            }
        }
    }

    fn find(&mut self, state: &RelocState) -> (usize, usize, usize) {
        let (p, o, s) = self.last;
        if let Some(patch) = self.patches.get(p)
            && patch.r.address == state.patch.address
            && patch.r.load == state.patch.load
            && let Some(object) = patch.objects.get(o)
            && object.name == state.object.name
            && object.sections.get(s).is_some_and(|section| section.r.index == state.section.index)
        {
            return self.last;
        }
        let patch_at = self.patch(&state.patch);
        let Some(patch) = self.patches.get_mut(patch_at) else { return (0, 0, 0) };
        let object_at = patch.object(&state.object.name);
        let Some(object) = patch.objects.get_mut(object_at) else { return (0, 0, 0) };
        let known = object.sections.len();
        let section_at = object.section(&state.section);
        if let Some(section) = object.sections.get_mut(section_at)
            && section.r.name.is_empty()
        {
            section.r.name = Arc::clone(&state.section.name);
        }
        if object.sections.len() != known {
            self.shape += 1;
        }
        (patch_at, object_at, section_at)
    }

    fn livepatch(&mut self, at: u64, found: &Livepatch) {
        let place = self.patch(&found.patch);
        if let Some(patch) = self.patches.get_mut(place) {
            let since = patch.standing.filter(|(standing, _)| *standing == found.standing);
            patch.standing = Some(since.unwrap_or((found.standing, at)));
            patch.unread.clone_from(&found.unread);
        }
        self.story.mark(at, &found.patch.name, true, What::Loaded);
    }

    fn module(&mut self, at: u64, module: &ModuleEvent) {
        let what = match module.action {
            ModuleAction::Present
            | ModuleAction::Loading
            | ModuleAction::Unloading
            | ModuleAction::Loaded => What::Loaded,
            ModuleAction::Absent | ModuleAction::Freed => What::Gone,
            ModuleAction::Unsettled => return,
        };
        match module.action {
            ModuleAction::Loaded => hooks::seen(&mut self.hooks, Hook::ModuleLoad, at),
            ModuleAction::Freed => hooks::seen(&mut self.hooks, Hook::ModuleFree, at),
            _ => {}
        }
        self.story.mark(at, &module.name, module.livepatch, what);
        if module.livepatch && what == What::Gone {
            self.drop_patch(&module.name, module.address);
        }
    }

    fn drop_patch(&mut self, name: &str, address: Option<Address>) {
        let gone = |patch: &Patch| {
            *patch.r.name == *name
                && address.is_none_or(|a| patch.r.address == a || patch.r.address == Address(0))
        };
        for patch in self.patches.iter().filter(|patch| gone(patch)) {
            self.counts.subtract(&patch.counts);
        }
        let known = self.patches.len();
        self.patches.retain(|patch| !gone(patch));
        if self.patches.len() != known {
            self.shape += 1;
            self.verdicts += 1;
            self.last = (0, 0, 0);
        }
        if let Some((_, Some(patch))) = &self.transition
            && *patch.name == *name
        {
            self.transition = None;
        }
    }

    fn hook(&mut self, at: u64, hook: &HookEvent) {
        if hook.phase == Phase::Enter {
            hooks::seen(&mut self.hooks, hook.hook, at);
        }
        let Some(object) = &hook.object else { return };
        let of_patch = self.patches.iter().any(|patch| Some(patch.r.address) == object.address);
        match (hook.hook, hook.phase, hook.ret) {
            (Hook::KlpModuleComing, Phase::Exit, Some(ret)) if ret < 0 => {
                self.story.mark(at, &object.name, of_patch, What::Refused);
            }
            (Hook::KlpModuleGoing, Phase::Exit, _) if of_patch => {
                self.drop_patch(&object.name, object.address);
            }
            _ => {}
        }
    }

    fn transition(&mut self, at: u64, transition: &Transition) {
        let hook = match transition.step {
            TransitionStep::Patching | TransitionStep::Unpatching => Hook::KlpInitTransition,
            TransitionStep::Complete => Hook::KlpCompleteTransition,
            TransitionStep::Forced => Hook::KlpForceTransition,
            TransitionStep::Detached => Hook::KlpFreePatchWorkFn,
        };
        hooks::seen(&mut self.hooks, hook, at);
        let standing = match transition.step {
            TransitionStep::Patching => Some(Standing::Enabling),
            TransitionStep::Unpatching => Some(Standing::Disabling),
            TransitionStep::Detached => Some(Standing::Detached),
            TransitionStep::Complete | TransitionStep::Forced => None,
        };
        let begins = matches!(transition.step, TransitionStep::Patching | TransitionStep::Unpatching);
        let ends = transition.step == TransitionStep::Complete;
        if begins {
            self.transition = Some((at, transition.patch.clone()));
        } else if ends {
            self.transition = None;
        }
        let Some(r) = &transition.patch else { return };
        if begins || ends {
            let what = if begins { What::TransitionBegan } else { What::TransitionEnded };
            self.story.mark(at, &r.name, true, what);
        }
        let Some(patch) = self.patches.iter_mut().find(|p| p.r.name == r.name && p.r.address == r.address)
        else {
            return;
        };
        match (standing, patch.standing) {
            (Some(standing), _) => patch.standing = Some((standing, at)),
            (None, Some((Standing::Enabling, _))) if ends => patch.standing = Some((Standing::Enabled, at)),
            (None, Some((Standing::Disabling, _))) if ends => patch.standing = Some((Standing::Detached, at)),
            _ => {}
        }
    }

    /// Relocations whose verdict is `unknown`, those of which nothing was said yet among them.
    pub fn unknown(&self) -> u64 {
        let unsaid: u64 = self.sections().map(|(_, _, _, section)| u64::from(section.unsaid())).sum();
        unsaid + u64::from(self.counts.of(Verdict::Unknown))
    }
}
