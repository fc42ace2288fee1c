//! A session's teller: what the verifier would say of a reload.

use crate::{
    journal::{
        Body, Elf, Event, EventsLost, HookEvent, HookInfo, LossCause, Memory, ModuleAction, ModuleEvent,
        PatchMetadata, Session, Transition, TransitionStep, testing,
    },
    model::{Hook, Phase, Verdict},
    policy::Observed,
};

/// A session of `lp_one`, which has two relocations against `klp_target`.
pub(crate) struct Told {
    pub(crate) seen: Observed,
    now: u64,
}

impl Told {
    pub(crate) fn new() -> Self {
        let mut told = Self { seen: Observed::default(), now: 1_000_000_000 };
        let hooks =
            Hook::ALL.map(|name| HookInfo { name, mechanism: Some("fentry".into()), reason: None }).into();
        told.say(Body::Session(Session {
            command: vec![],
            hooks,
            clears: true,
            ring_bytes: 4096,
            memory: Memory::Bpf,
            kernel_base: None,
            kernel_log: false,
            redacted: false,
            derived: None,
        }));
        told
    }

    /// Time goes by.
    pub(crate) fn wait(&mut self, nanos: u64) {
        self.now += nanos;
    }

    pub(crate) fn say(&mut self, body: Body) {
        self.seen.take(&Event { mono_ns: self.now, task: None, body });
    }

    pub(crate) fn module(&mut self, action: ModuleAction, name: &str, livepatch: bool) {
        let address = Some(testing::patch().address).filter(|_| livepatch);
        self.say(Body::Module(ModuleEvent::new(action, name.into(), address, livepatch)));
    }

    pub(crate) fn transition(&mut self, step: TransitionStep) {
        let task = testing::one_of_each().into_iter().find_map(|event| event.task);
        let body = Body::Transition(Transition { patch: Some(testing::patch()), step, replace: None });
        self.seen.take(&Event { mono_ns: self.now, task, body });
    }

    /// `klp_module_coming` and its like.
    pub(crate) fn hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>) {
        let of_section = matches!(hook, Hook::ApplyRelocateAdd | Hook::ClearRelocateAdd);
        self.say(Body::Hook(HookEvent {
            hook,
            phase,
            ret,
            cpu: 0,
            patch: of_section.then(testing::patch),
            object: (!of_section).then(testing::object),
            section: of_section.then(testing::section),
        }));
    }

    pub(crate) fn states(&mut self, previous: Option<Verdict>, verdict: Verdict) {
        for index in 0..2 {
            self.say(Body::RelocState(testing::state(index, Some(Hook::Demand), previous, verdict)));
        }
    }

    pub(crate) fn load_patch(&mut self) {
        self.module(ModuleAction::Loaded, "lp_one", true);
        self.say(Body::PatchMetadata(PatchMetadata {
            patch: testing::patch(),
            section: testing::section(),
            object: testing::object().name,
            elf: Elf::File { path: "/lib/modules/lp_one.ko".into(), build_id: None },
            target: ".text".into(),
            writable: false,
            total: 2,
            entries: vec![],
        }));
        self.transition(TransitionStep::Patching);
        self.wait(2_000_000);
        self.transition(TransitionStep::Complete);
    }

    /// The object comes; writing its section takes `nanos`.
    pub(crate) fn come(&mut self, previous: Option<Verdict>, nanos: u64) {
        self.hook(Hook::KlpModuleComing, Phase::Enter, None);
        self.hook(Hook::ApplyRelocateAdd, Phase::Enter, None);
        self.wait(nanos);
        self.states(previous, Verdict::Applied);
        self.say(Body::SectionRead(testing::section_read(Hook::ApplyRelocateAdd, 2, vec![])));
        self.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(0));
        self.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
        self.module(ModuleAction::Loaded, "klp_target", false);
    }

    /// The object goes, and leaves `verdict`.
    pub(crate) fn go(&mut self, verdict: Verdict) {
        self.hook(Hook::KlpModuleGoing, Phase::Enter, None);
        if verdict == Verdict::Cleared {
            self.say(Body::SectionRead(testing::section_read(Hook::ClearRelocateAdd, 2, vec![])));
        }
        self.states(Some(Verdict::Applied), verdict);
        self.hook(Hook::KlpModuleGoing, Phase::Exit, None);
        self.module(ModuleAction::Freed, "klp_target", false);
    }

    pub(crate) fn lose(&mut self, count: u64) {
        self.say(Body::EventsLost(EventsLost {
            hook: Hook::KlpModuleGoing,
            cause: LossCause::RingFull,
            count,
        }));
    }

    /// A patch is loaded, its object comes, goes and comes again: all as it should be.
    pub(crate) fn reload() -> Self {
        let mut told = Self::new();
        told.load_patch();
        told.come(None, 50_000);
        told.go(Verdict::Cleared);
        told.come(Some(Verdict::Cleared), 80_000);
        told
    }

    /// The object's unload leaves its values, and a finding says so.
    pub(crate) fn stale() -> Self {
        let mut told = Self::new();
        told.load_patch();
        told.come(None, 50_000);
        told.go(Verdict::Stale);
        told.say(Body::Finding(testing::finding()));
        told
    }
}
