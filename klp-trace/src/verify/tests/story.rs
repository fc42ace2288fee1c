//! A story's teller: a patch, its object, and what a source would say of them.

use crate::{
    arch::Arch,
    journal::{
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
    /// When it happens, nanoseconds.
    pub now: u64,
    pub said: Vec<Body>,
}

impl Story {
    pub(super) fn new(clears: bool) -> Self {
        let mut story = Self { verifier: Verifier::new(Arch::X86_64), base: 0, now: 0, said: Vec::new() };
        story.feed(Body::Session(Session {
            command: vec![],
            hooks: vec![],
            clears,
            ring_bytes: 4096,
            memory: Memory::Bpf,
            kernel_base: None,
            kernel_log: false,
            redacted: false,
            derived: None,
        }));
        story
    }

    pub(super) fn on(self, release: &str) -> Self {
        Self { verifier: self.verifier.on(release), ..self }
    }

    pub(super) fn feed(&mut self, body: Body) {
        let (said, mono_ns) = (&mut self.said, self.now);
        self.verifier.feed(Event { mono_ns, task: None, body }, &mut |event| said.push(event.body));
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
            file_index: None,
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

    /// Another section of the patch, with an R_X86_64_64 for each symbol; `total` may be more than those told of.
    pub(super) fn another(
        &mut self,
        section: &SectionRef,
        object: &str,
        symbols: &[&str],
        total: u32,
        writable: bool,
    ) {
        let symbols: Vec<String> =
            symbols.iter().map(|symbol| format!(".klp.sym.{object}.{symbol},0")).collect();
        let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
        self.another_of(section, object, &symbols, total, writable);
    }

    /// The same, with the symbols' whole names.
    pub(super) fn another_of(
        &mut self,
        section: &SectionRef,
        object: &str,
        symbols: &[&str],
        total: u32,
        writable: bool,
    ) {
        let entry = |(index, symbol): (u32, &&str)| MetaEntry {
            index,
            file_index: None,
            offset: Address(u64::from(index) * 8),
            rtype: ABS64,
            addend: 0,
            symbol: (*symbol).into(),
            original: Bytes::new([0; 8], 8),
        };
        self.feed(Body::PatchMetadata(PatchMetadata {
            patch: Self::patch(),
            section: section.clone(),
            object: object.into(),
            elf: Self::patch_loaded(),
            target: ".data".into(),
            writable,
            total,
            entries: (0..).zip(symbols).map(entry).collect(),
        }));
    }

    /// A section of vmlinux's symbols in a table that the kernel reads: writable, as these are.
    pub(super) fn table(
        &mut self,
        section: &SectionRef,
        target: &str,
        symbols: &[&str],
        rtype: u32,
        offset: impl Fn(u32) -> u64,
    ) {
        let entry = |(index, symbol): (u32, &&str)| MetaEntry {
            index,
            file_index: None,
            offset: Address(offset(index)),
            rtype,
            addend: 0,
            symbol: format!(".klp.sym.vmlinux.{symbol},0").into(),
            original: Bytes::new([0; 8], 8),
        };
        let entries: Vec<_> = (0..).zip(symbols).map(entry).collect();
        self.feed(Body::PatchMetadata(PatchMetadata {
            patch: Self::patch(),
            section: section.clone(),
            object: "vmlinux".into(),
            elf: Self::patch_loaded(),
            target: target.into(),
            writable: true,
            total: u32::try_from(entries.len()).unwrap(),
            entries,
        }));
    }

    pub(super) fn patch_loaded() -> Elf {
        Elf::File { path: "lp.ko".into(), build_id: None }
    }

    pub(super) fn hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>) {
        if hook != Hook::ApplyRelocateAdd {
            self.module_hook(hook, phase, ret, Self::object(self.base));
            return;
        }
        let (patch, section) = (Some(Self::patch()), Some(Self::section()));
        self.feed(Body::Hook(HookEvent { hook, phase, ret, cpu: 0, patch, object: None, section }));
    }

    /// A module, the story's object or another, comes or goes.
    pub(super) fn module_hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>, object: ObjectRef) {
        let object = Some(object);
        self.feed(Body::Hook(HookEvent { hook, phase, ret, cpu: 0, patch: None, object, section: None }));
    }

    pub(super) fn module(&mut self, action: ModuleAction, name: &str, address: Option<u64>, livepatch: bool) {
        let (name, address) = (name.into(), address.map(Address));
        self.feed(Body::Module(ModuleEvent::new(action, name, address, livepatch)));
    }

    pub(super) fn symbols(&mut self) {
        for (offset, symbol) in [(0x10, "a"), (0x20, "b")] {
            self.symbol(Self::object(self.base), symbol, self.base + offset);
        }
    }

    pub(super) fn symbol(&mut self, object: ObjectRef, symbol: &str, address: u64) {
        self.feed(Body::SymbolLookup(SymbolLookup {
            object,
            symbol: symbol.into(),
            sympos: 0,
            outcome: Lookup::Found {
                address: Address(address),
                set: SymbolSet::Core,
                from: SymbolSource::Kallsyms,
            },
        }));
    }

    pub(super) fn read(&mut self, read: Hook, ret: Option<i64>, bytes: [u64; 2], recorded: [u64; 2]) {
        let entries = [(bytes[0], recorded[0]), (bytes[1], recorded[1]), (0, 0)];
        let whole = self.section_read(Self::section(), read, ret, &entries);
        self.feed(Body::SectionRead(whole));
    }

    /// A read of a whole section: of each relocation the bytes, and what the kernel recorded.
    pub(super) fn section_read(
        &self,
        section: SectionRef,
        read: Hook,
        ret: Option<i64>,
        entries: &[(u64, u64)],
    ) -> SectionRead {
        let entry = |(index, &(bytes, recorded)): (u32, &(u64, u64))| EntryRead {
            index,
            address: Address(PLACE + u64::from(index) * 8),
            bytes: Some(bytes.to_le_bytes()),
            recorded: Some(Address(recorded)),
        };
        let entries: Vec<_> = (0..).zip(entries).map(entry).collect();
        SectionRead {
            patch: Self::patch(),
            section,
            object: Self::object(self.base),
            read,
            ret,
            total: u32::try_from(entries.len()).unwrap(),
            lost: 0,
            entries,
            rewrites: None,
        }
    }

    pub(super) fn load_patch(&mut self) {
        self.module(ModuleAction::Loaded, "lp", Some(PATCH), true);
        self.metadata(Self::patch_loaded());
        self.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
        self.step(TransitionStep::Patching);
    }

    pub(super) fn step(&mut self, step: TransitionStep) {
        self.feed(Body::Transition(Transition { patch: Some(Self::patch()), step, replace: None }));
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

    /// The findings said since the last call, those of the reads so far among them.
    pub(super) fn findings(&mut self) -> Vec<Finding> {
        let said = &mut self.said;
        self.verifier.finish(&mut |event| said.push(event.body));
        let findings = self.said.iter().filter_map(|body| match body {
            Body::Finding(finding) => Some(finding.clone()),
            _ => None,
        });
        let findings = findings.collect();
        self.said.retain(|body| !matches!(body, Body::Finding(_)));
        findings
    }
}
