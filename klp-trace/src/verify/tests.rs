//! Whole stories, told as sources tell them.

use super::Verifier;
use crate::{
    arch::Arch,
    event::{
        Body, Elf, EntryRead, Event, EventsLost, Finding, HookEvent, Lookup, LossCause, MetaEntry,
        ModuleAction, ModuleEvent, ObjectRef, PatchMetadata, PatchRef, RelocState, SectionRead, SectionRef,
        Session, SymbolLookup, SymbolSet, SymbolSource, Transition, TransitionStep,
    },
    model::{Address, Bytes, FindingId, Hook, Phase, Reason, Severity, Verdict},
};

const PATCH: u64 = 0xffff_ffff_c080_0000;
const PLACE: u64 = 0xffff_ffff_c080_1000;
const ABS64: u32 = 1;

/// A patch with two R_X86_64_64 relocations (symbols `a`, `b`) against `tmod`, and one R_X86_64_NONE.
struct Story {
    verifier: Verifier,
    base: u64,
    said: Vec<Body>,
}

impl Story {
    fn new(clears: bool) -> Self {
        let mut story = Self { verifier: Verifier::new(Arch::X86_64), base: 0, said: Vec::new() };
        story.feed(Body::Session(Session { command: vec![], hooks: vec![], clears, ring_bytes: 4096 }));
        story
    }

    fn feed(&mut self, body: Body) {
        let said = &mut self.said;
        self.verifier.feed(Event { mono_ns: 0, task: None, body }, &mut |event| said.push(event.body));
    }

    fn patch() -> PatchRef {
        PatchRef { name: "lp".into(), address: Address(PATCH), load: 0 }
    }

    fn object(base: u64) -> ObjectRef {
        ObjectRef { name: "tmod".into(), address: Some(Address(base)), load: None }
    }

    fn section() -> SectionRef {
        SectionRef { index: 7, name: ".klp.rela.tmod..data".into() }
    }

    fn metadata(&mut self, elf: Elf) {
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

    fn patch_loaded() -> Elf {
        Elf::File { path: "lp.ko".into(), build_id: None }
    }

    fn hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>) {
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

    fn symbols(&mut self) {
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

    fn read(&mut self, read: Hook, ret: Option<i64>, bytes: [u64; 2], recorded: [u64; 2]) {
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

    fn load_patch(&mut self) {
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

    fn values(&self) -> [u64; 2] {
        [self.base + 0x10, self.base + 0x20]
    }

    fn load_target(&mut self, base: u64) {
        self.base = base;
        self.hook(Hook::KlpModuleComing, Phase::Enter, None);
        self.symbols();
        self.read(Hook::ApplyRelocateAdd, Some(0), self.values(), self.values());
        self.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(0));
        self.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    }

    fn unload_target(&mut self, after: [u64; 2], cleared: bool) {
        self.hook(Hook::KlpModuleGoing, Phase::Enter, None);
        let recorded = self.values();
        if cleared {
            self.read(Hook::ClearRelocateAdd, None, after, recorded);
        }
        self.read(Hook::KlpCleanupModulePatchesLimited, None, after, recorded);
        self.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    }

    /// The verdicts said since the last call, relocation by relocation.
    fn verdicts(&mut self) -> Vec<(u32, Option<Verdict>, Option<Reason>)> {
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

    fn findings(&mut self) -> Vec<Finding> {
        let findings = self.said.iter().filter_map(|body| match body {
            Body::Finding(finding) => Some(finding.clone()),
            _ => None,
        });
        let findings = findings.collect();
        self.said.retain(|body| !matches!(body, Body::Finding(_)));
        findings
    }
}

fn both(verdict: Verdict, reason: Option<Reason>) -> Vec<(u32, Option<Verdict>, Option<Reason>)> {
    vec![(0, Some(verdict), reason), (1, Some(verdict), reason)]
}

#[test]
fn a_kernel_that_clears() {
    let mut story = Story::new(true);
    story.load_patch();
    let mut first = both(Verdict::Pending, None);
    first.push((2, None, None));
    assert_eq!(story.verdicts(), first, "NONE is listed once, without a verdict");
    story.load_target(0x1000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    story.unload_target([0, 0], true);
    assert_eq!(story.verdicts(), both(Verdict::Cleared, None), "once, though read twice");
    story.load_target(0x2000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    assert_eq!(story.findings(), []);
    assert_eq!(story.verifier.outcome(), super::Outcome::default());
}

#[test]
fn a_kernel_that_never_clears_refuses_the_reload() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    let old = story.values();
    story.unload_target(old, false);
    assert_eq!(story.verdicts(), both(Verdict::Stale, None));
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!((finding.id, finding.severity, finding.relocations), (FindingId::Klp001, Severity::Error, 2));
    assert!(finding.message.contains("next load of tmod will be refused"), "{}", finding.message);

    story.base = 0x9000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), old, story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
    story.read(Hook::KlpCleanupModulePatchesLimited, Some(-8), old, story.values());
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
    assert_eq!(story.verdicts(), [], "still stale: nothing new");
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp009);
    assert!(finding.why.contains("stale target of patch lp from the previous load"), "{}", finding.why);
    assert_eq!(finding.first.unwrap().index, 0);
}

#[test]
fn a_failed_load_leaves_its_values() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.base = 0x1000;
    for attempt in 0..2 {
        story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        story.symbols();
        let ret = if attempt == 0 { 0 } else { -8 };
        story.read(Hook::ApplyRelocateAdd, Some(ret), story.values(), story.values());
        story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(ret));
        story.read(Hook::KlpCleanupModulePatchesLimited, Some(-19), story.values(), story.values());
        story.hook(Hook::KlpModuleComing, Phase::Exit, Some(if attempt == 0 { -19 } else { -8 }));
    }
    let states = story.verdicts();
    assert_eq!(states.get(..2), Some(&both(Verdict::Applied, None)[..]));
    assert_eq!(story.verifier.totals().get(&Verdict::Stale), Some(&2));
    let ids: Vec<_> = story.findings().iter().map(|finding| (finding.id, finding.why.clone())).collect();
    assert_eq!(
        ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [FindingId::Klp003, FindingId::Klp009, FindingId::Klp009]
    );
    assert!(ids[2].1.contains("stale target of patch lp from a load that failed"), "{}", ids[2].1);
}

#[test]
fn a_partial_clear() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.findings();
    story.unload_target([0, story.values()[1]], true);
    assert_eq!(
        story.verdicts().split_off(5),
        [(0, Some(Verdict::Cleared), None), (1, Some(Verdict::Stale), None)]
    );
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!((finding.id, finding.relocations), (FindingId::Klp002, 1));
}

#[test]
fn lost_records_make_everything_unknown_until_it_is_read_again() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.verdicts();
    story.feed(Body::EventsLost(EventsLost {
        hook: Hook::ApplyRelocateAdd,
        cause: LossCause::RingFull,
        count: 3,
    }));
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::EventsLost)));
    assert_eq!(story.findings()[0].id, FindingId::Klp013);
    assert_eq!(story.verifier.wants().len(), 1);
    story.feed(Body::EventsLost(EventsLost {
        hook: Hook::ApplyRelocateAdd,
        cause: LossCause::RingFull,
        count: 2,
    }));
    assert_eq!(story.findings(), [], "said once until settled");
    story.symbols();
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    assert_eq!((story.verifier.wants().len(), story.verifier.outcome().lost), (0, 5));
    assert_eq!(story.verifier.outcome().unknown, 0);
}

#[test]
fn a_patch_whose_loading_was_lost_is_unknown_until_it_is_read() {
    let mut story = Story::new(true);
    story.feed(Body::EventsLost(EventsLost { hook: Hook::ModuleLoad, cause: LossCause::RingFull, count: 3 }));
    story.metadata(Story::patch_loaded());
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    let mut states = both(Verdict::Unknown, Some(Reason::EventsLost));
    states.extend(both(Verdict::Pending, None));
    states.push((2, None, None));
    assert_eq!(story.verdicts(), states);
}

#[test]
fn an_incomplete_read_judges_nothing() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    let lost = SectionRead {
        patch: Story::patch(),
        section: Story::section(),
        object: Story::object(0x1000),
        read: Hook::ApplyRelocateAdd,
        ret: Some(0),
        total: 3,
        lost: 1,
        entries: vec![],
    };
    story.feed(Body::SectionRead(lost));
    assert_eq!(story.verdicts(), both(Verdict::Unknown, Some(Reason::EventsLost)));
    assert_eq!(story.verifier.wants().len(), 1);
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp013);
    assert!(finding.message.contains("apply_relocate_add"), "{}", finding.message);
}

#[test]
fn a_differing_file_proves_nothing() {
    let mut story = Story::new(true);
    story.metadata(Elf::Differs { path: "lp.ko".into(), difference: "entry 1: addend 4, loaded 0".into() });
    assert_eq!(story.findings()[0].id, FindingId::Klp011);
    story.load_target(0x1000);
    let mut states = both(Verdict::Unknown, Some(Reason::FileDiffers));
    states.push((2, None, None));
    assert_eq!(story.verdicts(), states);
    assert_eq!(story.findings(), [], "once a patch");
}

#[test]
fn enabled_but_not_written() {
    let mut story = Story::new(true);
    story.load_patch();
    story.verdicts();
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert_eq!(story.verifier.wants().len(), 1);
    story.symbols();
    story.read(Hook::Demand, None, [0, 0], [0, 0]);
    assert_eq!(story.verdicts(), both(Verdict::Missing, None));
    assert_eq!(story.findings()[0].id, FindingId::Klp005);
    assert_eq!(story.verifier.outcome().bad, 2);
}

#[test]
fn what_was_never_read_is_unknown() {
    let mut story = Story::new(true);
    story.metadata(Story::patch_loaded());
    assert_eq!(story.verifier.totals().get(&Verdict::Unknown), Some(&3));
    assert_eq!(story.verifier.wants().len(), 1);
}

#[test]
fn a_patch_that_goes_leaves_no_state() {
    let mut story = Story::new(true);
    story.load_patch();
    assert_eq!(story.verifier.patches().count(), 1);
    story.feed(Body::Module(ModuleEvent {
        action: ModuleAction::Freed,
        name: "lp".into(),
        address: Some(Address(PATCH)),
        livepatch: true,
    }));
    assert_eq!(story.verifier.patches().count(), 0);
    assert!(story.verifier.totals().is_empty());
    story.load_patch();
    assert_eq!(story.verifier.patches().next().unwrap().load, 2);
}

#[test]
fn what_was_left_before_the_first_look_is_found() {
    for (clears, step, severity, words) in [
        (false, TransitionStep::Patching, Severity::Error, "will be refused"),
        (true, TransitionStep::Patching, Severity::Error, "will be refused"),
        (true, TransitionStep::Detached, Severity::Warning, "which is not loaded"),
    ] {
        let mut story = Story::new(clears);
        story.metadata(Story::patch_loaded());
        story.feed(Body::Transition(Transition { patch: Some(Story::patch()), step }));
        story.base = 0x1000;
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.verdicts().get(..2), Some(&both(Verdict::Stale, None)[..]));
        let [finding] = story.findings().try_into().unwrap();
        assert_eq!((finding.id, finding.severity, finding.relocations), (FindingId::Klp001, severity, 2));
        assert!(finding.message.ends_with(words), "{}", finding.message);
        story.read(Hook::Demand, None, story.values(), story.values());
        assert_eq!(story.findings(), [], "said once");
    }
}

#[test]
fn what_is_read_only_after_the_unload_is_said_all_the_same() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.hook(Hook::KlpModuleGoing, Phase::Enter, None);
    story.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    assert_eq!(story.findings(), []);
    assert_eq!(story.verifier.wants().len(), 1, "judged present, and gone");
    story.read(Hook::Demand, None, old, old);
    assert_eq!(story.findings()[0].id, FindingId::Klp001);
}

/// The events said, as a journal keeps them, lead to the same conclusions.
#[test]
fn what_was_said_replays_to_the_same() {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    let said = story.said.clone();
    let mut replay = Story { verifier: Verifier::new(Arch::X86_64), base: 0, said: Vec::new() };
    for body in said.clone() {
        replay.feed(body);
    }
    assert_eq!(replay.said, said);
}
