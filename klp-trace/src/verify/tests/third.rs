//! KLP016: symbols of a module that is neither the object nor the kernel, and that comes and goes by itself.

use super::story::Story;
use crate::{
    journal::{
        Body, EventsLost, Finding, Lookup, LossCause, ModuleAction, ModuleEvent, ModuleUsage, ObjectRef,
        SectionRef, SymbolLookup, TransitionStep,
    },
    model::{Address, FindingId, Hook, Phase, Reason, Severity, Verdict},
};

const THIRD: u64 = 0xffff_ffff_c0a0_0000;
/// Where its symbol is in it.
const OFFSET: u64 = 0x40;
const AT: u64 = THIRD + OFFSET;
const ELSEWHERE: u64 = AT + 0x5000;

type Said = Vec<(u32, Option<Verdict>, Option<Reason>)>;

fn section(gate: &str) -> SectionRef {
    SectionRef { index: 9, name: format!(".klp.rela.{gate}..text").into() }
}

fn third() -> ObjectRef {
    ObjectRef { name: "third".into(), address: Some(Address(THIRD)), load: None }
}

/// A patch that calls `far` of third: gated on tmod, which is loaded, or on vmlinux.
fn applied(gate: &str) -> Story {
    let mut story = Story::new(true);
    story.module(ModuleAction::Loaded, "lp", Some(super::PATCH), true);
    let symbols = [".klp.sym.third.far,0"];
    story.another_of(&section(gate), gate, &symbols, 1, false);
    story.module(ModuleAction::Present, "third", Some(THIRD), false);
    story.step(TransitionStep::Patching);
    if gate == "tmod" {
        story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
    }
    story.symbol(third(), "far", AT);
    let said = read(&mut story, gate, Hook::ApplyRelocateAdd, AT, AT);
    assert_eq!(said, [(0, Some(Verdict::Applied), None)]);
    story
}

fn read(story: &mut Story, gate: &str, hook: Hook, bytes: u64, recorded: u64) -> Said {
    let ret = (hook == Hook::ApplyRelocateAdd).then_some(0);
    let whole = story.section_read(section(gate), hook, ret, &[(bytes, recorded)]);
    story.feed(Body::SectionRead(whole));
    story.verdicts()
}

fn goes(story: &mut Story) {
    story.module_hook(Hook::KlpModuleGoing, Phase::Enter, None, third());
    assert_eq!((story.verdicts(), story.findings()), (vec![], vec![]), "it is still there");
    story.module_hook(Hook::KlpModuleGoing, Phase::Exit, None, third());
}

fn comes(story: &mut Story) {
    story.module_hook(Hook::KlpModuleComing, Phase::Enter, None, third());
    story.module_hook(Hook::KlpModuleComing, Phase::Exit, Some(0), third());
    story.module(ModuleAction::Loaded, "third", Some(THIRD), false);
}

fn kept(story: &mut Story, refcount: Option<i64>, holders: &[&str]) {
    let holders = holders.iter().map(|holder| (*holder).into()).collect();
    let usage = Some(ModuleUsage { refcount, permanent: false, holders });
    let event = ModuleEvent::new(ModuleAction::Present, "third".into(), Some(Address(THIRD)), false);
    story.feed(Body::Module(ModuleEvent { usage, ..event }));
}

/// Passes over what was said until now.
fn forget(story: &mut Story) {
    story.said.clear();
}

fn gone() -> Said {
    vec![(0, Some(Verdict::Stale), Some(Reason::SymbolModuleGone))]
}

fn one(findings: &[Finding]) -> &Finding {
    let [finding] = findings else { panic!("{findings:?}") };
    assert_eq!((finding.id, finding.relocations), (FindingId::Klp016, 1));
    finding
}

#[test]
fn it_is_said_the_moment_the_module_goes_and_once() {
    for gate in ["tmod", "vmlinux"] {
        let mut story = applied(gate);
        goes(&mut story);
        assert_eq!(story.verdicts(), gone());
        let findings = story.findings();
        let finding = one(&findings);
        assert_eq!(
            (finding.severity, finding.object.as_ref().map(|of| &*of.name)),
            (Severity::Error, Some(gate))
        );
        assert!(finding.message.contains("far of third"), "{finding:?}");
        assert_eq!(story.verifier.outcome().bad, 1);
        // It is freed; the section is looked at again: no news.
        story.module(ModuleAction::Freed, "third", Some(THIRD), false);
        assert_eq!(read(&mut story, gate, Hook::Demand, AT, AT), []);
        assert_eq!(story.findings(), []);
    }
}

#[test]
fn when_it_is_back_elsewhere_the_symbol_has_moved_and_at_the_same_place_all_is_right() {
    for gate in ["tmod", "vmlinux"] {
        for (now, verdict, reason) in
            [(ELSEWHERE, Verdict::Stale, Some(Reason::SymbolMoved)), (AT, Verdict::Applied, None)]
        {
            let mut story = applied(gate);
            goes(&mut story);
            forget(&mut story);
            comes(&mut story);
            assert_eq!(story.verifier.third_symbols("third").len(), 1, "where it is has to be looked up");
            assert_eq!((story.verifier.wants(), story.findings()), (vec![], vec![]));
            story.symbol(third(), "far", now);
            assert_eq!(story.verdicts(), [(0, Some(verdict), reason)], "its memory has not changed");
            assert_eq!(story.verifier.third_symbols("third").len(), 0);
            assert_eq!(read(&mut story, gate, Hook::Demand, AT, AT), []);
            let findings = story.findings();
            if reason.is_some() {
                assert_eq!(one(&findings).severity, Severity::Error);
                // And it goes once more.
                goes(&mut story);
                assert_eq!(story.verdicts(), gone());
                one(&story.findings());
            } else {
                assert_eq!(findings, []);
                assert_eq!(story.verifier.outcome().bad, 0);
            }
        }
    }
}

#[test]
fn neither_value_is_a_wrong_value() {
    let mut story = applied("tmod");
    goes(&mut story);
    forget(&mut story);
    assert_eq!(read(&mut story, "tmod", Hook::Demand, 7, AT), [(0, Some(Verdict::Mismatch), None)]);
    assert_eq!(story.findings().iter().map(|finding| finding.id).collect::<Vec<_>>(), [FindingId::Klp006]);
}

#[test]
fn what_is_written_anew_is_right_again() {
    let mut story = applied("tmod");
    goes(&mut story);
    forget(&mut story);
    comes(&mut story);
    story.symbol(third(), "far", ELSEWHERE);
    assert_eq!(story.verdicts(), [(0, Some(Verdict::Stale), Some(Reason::SymbolMoved))]);
    one(&story.findings());
    let said = read(&mut story, "tmod", Hook::ApplyRelocateAdd, ELSEWHERE, ELSEWHERE);
    assert_eq!(said, [(0, Some(Verdict::Applied), None)]);
    assert_eq!((story.findings(), story.verifier.outcome().bad), (vec![], 0));
    // A second story of the same kind: it is said again.
    goes(&mut story);
    one(&story.findings());
}

#[test]
fn an_audit_tells_it_by_what_the_kernel_has_on_record() {
    for (gate, action, reason) in [
        ("tmod", ModuleAction::Absent, Reason::SymbolModuleGone),
        ("vmlinux", ModuleAction::Absent, Reason::SymbolModuleGone),
        ("tmod", ModuleAction::Present, Reason::SymbolMoved),
        ("vmlinux", ModuleAction::Present, Reason::SymbolMoved),
    ] {
        let mut story = Story::new(true);
        story.another_of(&section(gate), gate, &[".klp.sym.third.far,0"], 1, false);
        story.step(TransitionStep::Patching);
        story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
        story.module(action, "third", None, false);
        if action == ModuleAction::Present {
            story.symbol(third(), "far", ELSEWHERE);
        }
        let said = read(&mut story, gate, Hook::Demand, AT, AT);
        // Nobody was ever told of such a module by an absent one alone: it has to be known that it is not there.
        assert_eq!(said, [(0, Some(Verdict::Stale), Some(reason))], "{gate} {action:?}");
        one(&story.findings());
    }
}

#[test]
fn of_a_patch_out_of_use_it_is_a_warning() {
    let mut story = applied("tmod");
    story.step(TransitionStep::Unpatching);
    story.step(TransitionStep::Detached);
    goes(&mut story);
    assert_eq!(story.verdicts(), gone());
    let findings = story.findings();
    assert_eq!(one(&findings).severity, Severity::Warning);
    assert_eq!(read(&mut story, "tmod", Hook::Demand, AT, AT), []);
    assert_eq!(story.findings(), [], "KLP004 is of objects that have gone");
    // A task may still be inside.
    let mut story = applied("tmod");
    story.step(TransitionStep::Unpatching);
    story.step(TransitionStep::Forced);
    story.step(TransitionStep::Detached);
    goes(&mut story);
    let findings = story.findings();
    assert_eq!(one(&findings).severity, Severity::Error);
}

#[test]
fn it_is_foretold_when_nothing_keeps_the_module() {
    for (refcount, holders, foretold) in [
        (Some(0), vec![], true),
        (Some(1), vec!["tmod"], false),
        (Some(1), vec!["lp"], false),
        (Some(1), vec!["between", "tmod"], false),
        (Some(3), vec![], false),
        (None, vec![], false),
    ] {
        let mut story = applied("tmod");
        assert_eq!(story.findings(), [], "not looked at");
        kept(&mut story, refcount, &holders);
        let findings = story.findings();
        if foretold {
            let finding = one(&findings);
            assert_eq!(finding.severity, Severity::Info);
            assert!(finding.message.contains("nothing keeps third loaded"), "{finding:?}");
            assert!(finding.action.contains("tmod or lp"), "{finding:?}");
            kept(&mut story, refcount, &holders);
        }
        assert_eq!(findings.len(), usize::from(foretold), "{holders:?}");
        assert_eq!(story.findings(), []);
        assert_eq!(story.verifier.outcome().bad, 0);
    }
}

#[test]
fn a_load_is_refused_for_a_module_that_is_not_there() {
    let mut story = applied("tmod");
    goes(&mut story);
    forget(&mut story);
    story.base = 0x1000;
    story.hook(Hook::KlpModuleGoing, Phase::Enter, None);
    read(&mut story, "tmod", Hook::ClearRelocateAdd, 0, AT);
    story.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    assert_eq!(story.findings(), []);
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-22));
    let findings = story.findings();
    let of = |id| findings.iter().find(|finding| finding.id == id).unwrap();
    let refused = of(FindingId::Klp009);
    assert!(refused.why.contains("symbol far,0 of patch lp is in third, which is not loaded"), "{refused:?}");
    assert!(refused.action.contains("load third, then tmod"), "{refused:?}");
    let absent = of(FindingId::Klp014);
    assert!(absent.message.contains("symbol far,0 of third, which is not loaded"), "{absent:?}");
}

#[test]
fn where_records_were_lost_it_is_not_known_where_the_symbol_is() {
    for gate in ["tmod", "vmlinux"] {
        let mut story = applied(gate);
        let lost = EventsLost { hook: Hook::KlpModuleGoing, cause: LossCause::RingFull, count: 1 };
        story.feed(Body::EventsLost(lost));
        assert_eq!(story.verdicts(), [(0, Some(Verdict::Unknown), Some(Reason::EventsLost))]);
        assert_eq!(story.verifier.wants().len(), 1);
        story.findings();
        story.module(ModuleAction::Absent, "third", None, false);
        assert_eq!(read(&mut story, gate, Hook::Demand, AT, AT), gone());
        one(&story.findings());
    }
}

#[test]
fn of_the_kernels_own_symbols_beside_them_nothing_is_judged_again() {
    let mut story = Story::new(true);
    let symbols = [".klp.sym.third.far,0", ".klp.sym.vmlinux._printk,0"];
    story.another_of(&section("vmlinux"), "vmlinux", &symbols, 2, false);
    story.module(ModuleAction::Present, "third", Some(THIRD), false);
    story.symbol(third(), "far", AT);
    story.symbol(ObjectRef { name: "vmlinux".into(), address: None, load: None }, "_printk", 0x7000);
    let whole = |story: &Story, hook, ret, printk| {
        story.section_read(section("vmlinux"), hook, ret, &[(AT, AT), (printk, 0x7000)])
    };
    let written = whole(&story, Hook::ApplyRelocateAdd, Some(0), 0x7000);
    story.feed(Body::SectionRead(written));
    story.verdicts();
    goes(&mut story);
    assert_eq!(story.verdicts(), gone());
    comes(&mut story);
    story.symbol(third(), "far", AT);
    assert_eq!(story.verdicts(), [(0, Some(Verdict::Applied), None)]);
    // The loader has rewritten the call of _printk since.
    let later = whole(&story, Hook::Demand, None, 0x1234);
    story.feed(Body::SectionRead(later));
    assert_eq!(story.verdicts(), []);
}

#[test]
fn several_symbols_are_told_of_together() {
    let mut story = Story::new(true);
    let symbols = [".klp.sym.third.far,0", ".klp.sym.third.near,0", ".klp.sym.vmlinux._printk,0"];
    story.another_of(&section("vmlinux"), "vmlinux", &symbols, 3, false);
    story.module(ModuleAction::Present, "third", Some(THIRD), false);
    for (symbol, at) in [("far", AT), ("near", AT + 8)] {
        story.symbol(third(), symbol, at);
    }
    story.symbol(ObjectRef { name: "vmlinux".into(), address: None, load: None }, "_printk", 0x7000);
    let values = [(AT, AT), (AT + 8, AT + 8), (0x7000, 0x7000)];
    let written = story.section_read(section("vmlinux"), Hook::ApplyRelocateAdd, Some(0), &values);
    story.feed(Body::SectionRead(written));
    story.verdicts();
    goes(&mut story);
    assert_eq!(story.findings().iter().map(|finding| finding.relocations).collect::<Vec<_>>(), [2]);
    comes(&mut story);
    story.symbol(third(), "far", ELSEWHERE);
    assert_eq!(story.findings(), [], "the other one may be where it was");
    story.symbol(third(), "near", ELSEWHERE + 8);
    assert_eq!(story.findings().iter().map(|finding| finding.relocations).collect::<Vec<_>>(), [2]);
}

#[test]
fn it_is_foretold_of_all_sections_when_all_have_been_read() {
    let mut story = Story::new(true);
    story.module(ModuleAction::Loaded, "lp", Some(super::PATCH), true);
    let data = || SectionRef { index: 10, name: ".klp.rela.vmlinux..data".into() };
    for (section, symbols) in
        [(section("vmlinux"), &[".klp.sym.third.far,0"; 2][..]), (data(), &[".klp.sym.third.far,0"])]
    {
        let total = u32::try_from(symbols.len()).unwrap();
        story.another_of(&section, "vmlinux", symbols, total, false);
    }
    kept(&mut story, Some(0), &[]);
    story.symbol(third(), "far", AT);
    for (section, values) in [(section("vmlinux"), &[(AT, AT); 2][..]), (data(), &[(AT, AT)])] {
        let written = story.section_read(section, Hook::ApplyRelocateAdd, Some(0), values);
        story.feed(Body::SectionRead(written));
        let early = story.said.iter().any(|body| matches!(body, Body::Finding(_)));
        assert!(!early, "there may be more");
    }
    let findings = story.findings();
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    let sections: Vec<u32> = finding.sections.iter().map(|section| section.relocations).collect();
    assert_eq!((finding.id, finding.severity), (FindingId::Klp016, Severity::Info));
    assert_eq!((finding.relocations, sections), (3, vec![2, 1]));
}

#[test]
fn another_build_of_the_module_may_not_have_the_symbol() {
    let mut story = applied("tmod");
    goes(&mut story);
    forget(&mut story);
    comes(&mut story);
    let outcome = Lookup::Failed { why: Reason::SymbolNotFound };
    story.feed(Body::SymbolLookup(SymbolLookup {
        object: third(),
        symbol: "far".into(),
        sympos: 0,
        outcome,
    }));
    assert_eq!(story.verdicts(), [(0, Some(Verdict::Stale), Some(Reason::SymbolMoved))]);
}

#[test]
fn without_evidence_of_the_module_nothing_is_concluded_from_it() {
    // As a journal of the first schema has it: nothing was told of modules that are no object.
    let mut story = Story::new(true);
    story.another_of(&section("tmod"), "tmod", &[".klp.sym.third.far,0"], 1, false);
    story.step(TransitionStep::Patching);
    story.module(ModuleAction::Present, "tmod", Some(0x1000), false);
    let said = read(&mut story, "tmod", Hook::Demand, AT, AT);
    assert_eq!(said, [(0, Some(Verdict::Unknown), Some(Reason::SymbolsGone))]);
    assert_eq!(story.findings(), []);
}

#[test]
fn a_livepatch_can_be_the_third_module() {
    let mut story = applied("tmod");
    story.module(ModuleAction::Present, "third", Some(THIRD), true);
    assert_eq!(story.verdicts(), []);
    story.module(ModuleAction::Freed, "third", Some(THIRD), true);
    assert_eq!(story.verdicts(), gone());
    one(&story.findings());
}
