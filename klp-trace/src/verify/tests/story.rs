//! A story's teller: a patch, its object, and what a source would say of them.

use crate::{
    arch::Arch,
    event::{
        Body, Elf, EntryRead, Event, Finding, HookEvent, Lookup, Memory, MetaEntry, ModuleAction,
        ModuleEvent, ObjectRef, PatchMetadata, PatchRef, RelocState, SectionRead, SectionRef, Session,
        SymbolLookup, SymbolSet, SymbolSource, Transition, TransitionStep,
    },
    model::{Address, Bytes, Hook, Phase, Reason, Verdict},
    verify::Verifier,
};

pub(super) const PATCH: u64 = 0xffff_ffff_c080_0000;
const PLACE: u64 = 0xffff_ffff_c080_1000;
const ABS64: u32 = 1;

/// A patch with two R_X86_64_64 relocations (symbols `a`, `b`) against `tmod`, and one R_X86_64_NONE.
pub(super) struct Story {
    pub verifier: Verifier,
    pub base: u64,
    pub said: Vec<Body>,
}

impl Story {
    pub(super) fn new(clears: bool) -> Self {
        let mut story = Self { verifier: Verifier::new(Arch::X86_64), base: 0, said: Vec::new() };
        story.feed(Body::Session(Session {
            command: vec![],
            hooks: vec![],
            clears,
            ring_bytes: 4096,
            memory: Memory::Bpf,
            kernel_base: None,
            kernel_log: false,
            redacted: false,
        }));
        story
    }

    pub(super) fn feed(&mut self, body: Body) {
        let said = &mut self.said;
        self.verifier.feed(Event { mono_ns: 0, task: None, body }, &mut |event| said.push(event.body));
    }

    pub(super) fn patch() -> PatchRef {
        PatchRef { name: "lp".into(), address: Address(PATCH), load: 0 }
    }

    pub(super) fn object(base: u64) -> ObjectRef {
        ObjectRef { name: "tmod".into(), address: Some(Address(base)), load: None }
    }

    pub(super) fn section() -> SectionRef {
        SectionRef { index: 7, name: ".klp.rela.tmod..data".into() }
    }

    pub(super) fn metadata(&mut self, elf: Elf) {
        let entry = |index: u32, rtype, symbol: &str| MetaEntry {
            index,
            offset: Address(u64::from(index) * 8),
            rtype,
            addend: 0,
            symbol: symbol.into(),
            original: Bytes::new([0; 8], 8),
        };
        self.feed(Body::PatchMetadata(PatchMetadata {
            patch: Self::patch(),
            section: Self::section(),
            object: "tmod".into(),
            elf,
            target: ".data".into(),
            writable: false,
            total: 3,
            entries: vec![
                entry(0, ABS64, ".klp.sym.tmod.a,0"),
                entry(1, ABS64, ".klp.sym.tmod.b,0"),
                entry(2, 0, ".klp.sym.tmod.a,0"),
            ],
        }));
    }

    pub(super) fn patch_loaded() -> Elf {
        Elf::File { path: "lp.ko".into(), build_id: None }
    }

    pub(super) fn hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>) {
        let of_patch = hook == Hook::ApplyRelocateAdd;
        self.feed(Body::Hook(HookEvent {
            hook,
            phase,
            ret,
            cpu: 0,
            patch: of_patch.then(Self::patch),
            object: (!of_patch).then(|| Self::object(self.base)),
            section: of_patch.then(Self::section),
        }));
    }

    pub(super) fn symbols(&mut self) {
        for (offset, symbol) in [(0x10, "a"), (0x20, "b")] {
            self.feed(Body::SymbolLookup(SymbolLookup {
                object: Self::object(self.base),
                symbol: symbol.into(),
                sympos: 0,
                outcome: Lookup::Found {
                    address: Address(self.base + offset),
                    set: SymbolSet::Core,
                    from: SymbolSource::Kallsyms,
                },
            }));
        }
    }

    pub(super) fn read(&mut self, read: Hook, ret: Option<i64>, bytes: [u64; 2], recorded: [u64; 2]) {
        let entry = |index: u32, bytes: u64, recorded| EntryRead {
            index,
            address: Address(PLACE + u64::from(index) * 8),
            bytes: Some(bytes.to_le_bytes()),
            recorded: Some(Address(recorded)),
        };
        self.feed(Body::SectionRead(SectionRead {
            patch: Self::patch(),
            section: Self::section(),
            object: Self::object(self.base),
            read,
            ret,
            total: 3,
            lost: 0,
            entries: vec![entry(0, bytes[0], recorded[0]), entry(1, bytes[1], recorded[1]), entry(2, 0, 0)],
        }));
    }

    pub(super) fn load_patch(&mut self) {
        self.feed(Body::Module(ModuleEvent {
            action: ModuleAction::Loaded,
            name: "lp".into(),
            address: Some(Address(PATCH)),
            livepatch: true,
        }));
        self.metadata(Self::patch_loaded());
        self.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
        self.feed(Body::Transition(Transition {
            patch: Some(Self::patch()),
            step: TransitionStep::Patching,
        }));
    }

    pub(super) fn values(&self) -> [u64; 2] {
        [self.base + 0x10, self.base + 0x20]
    }

    pub(super) fn load_target(&mut self, base: u64) {
        self.base = base;
        self.hook(Hook::KlpModuleComing, Phase::Enter, None);
        self.symbols();
        self.read(Hook::ApplyRelocateAdd, Some(0), self.values(), self.values());
        self.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(0));
        self.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    }

    pub(super) fn unload_target(&mut self, after: [u64; 2], cleared: bool) {
        self.hook(Hook::KlpModuleGoing, Phase::Enter, None);
        let recorded = self.values();
        if cleared {
            self.read(Hook::ClearRelocateAdd, None, after, recorded);
        }
        self.read(Hook::KlpCleanupModulePatchesLimited, None, after, recorded);
        self.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    }

    /// The verdicts said since the last call, relocation by relocation.
    pub(super) fn verdicts(&mut self) -> Vec<(u32, Option<Verdict>, Option<Reason>)> {
        let states = self.said.iter().filter_map(|body| match body {
            Body::RelocState(RelocState { reloc, verdict, reason, .. }) => {
                Some((reloc.index, *verdict, *reason))
            }
            _ => None,
        });
        let states = states.collect();
        self.said.retain(|body| !matches!(body, Body::RelocState(_)));
        states
    }

    pub(super) fn findings(&mut self) -> Vec<Finding> {
        let findings = self.said.iter().filter_map(|body| match body {
            Body::Finding(finding) => Some(finding.clone()),
            _ => None,
        });
        let findings = findings.collect();
        self.said.retain(|body| !matches!(body, Body::Finding(_)));
        findings
    }
}
