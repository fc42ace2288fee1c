use super::*;
use crate::journal::reader::{Damage, Fault};
use crate::journal::testing::{
    any, at, entry, finding, golden, object, one_of_each, origin, patch, reloc, section, section_read, state,
};
use crate::journal::{
    Elf, Event, HookEvent, Integrity, ModuleAction, ModuleEvent, ObjectRef, PatchMetadata, RelocState,
    SectionRef,
};
use crate::model::{Bytes, Hook, Phase, Reason, Verdict};
use proptest::prelude::*;

const APPLY: Option<Hook> = Some(Hook::ApplyRelocateAdd);
const GOING: Option<Hook> = Some(Hook::KlpModuleGoing);

/// A patch is loaded, its object comes and goes, and may not come back.
fn story() -> Vec<Event> {
    let mut events = one_of_each();
    let end = events.pop().unwrap();
    // What an audit finds is no part of this watch, and no transition stalls; the kernel is silent.
    events.truncate(events.len() - 4);
    let (lost, _closed, found) = (events.pop().unwrap(), events.pop().unwrap(), events.pop().unwrap());
    let (session, mut metadata) = (events.remove(0), events.remove(0));
    if let Body::PatchMetadata(meta) = &mut metadata.body {
        meta.total = 14;
    }
    let module = |action| Body::Module(ModuleEvent::new(action, "klp_target".into(), None, false));
    let refused = Body::Hook(HookEvent {
        hook: Hook::ApplyRelocateAdd,
        phase: Phase::Exit,
        ret: Some(-8),
        cpu: 0,
        patch: Some(patch()),
        object: Some(ObjectRef { load: Some(2), ..object() }),
        section: Some(section()),
    });
    let became = |mono_ns, number, read, previous, verdict| {
        (0..number).map(move |index| at(mono_ns, Body::RelocState(state(index, read, previous, verdict))))
    };
    let mut wrong = state(12, GOING, Some(Verdict::Applied), Verdict::Mismatch);
    wrong.reason = Some(Reason::WrittenAtRunTime);
    wrong.actual = Some(Bytes::new([0xaa, 0xbb, 0xcc, 0xdd, 0, 0, 0, 0], 4));
    let mut none = state(13, APPLY, None, Verdict::Applied);
    none.verdict = None;
    none.reloc.rtype = "R_X86_64_NONE".into();

    let mut all = vec![session, metadata];
    all.extend(became(5_100_000_000, 13, None, None, Verdict::Pending));
    all.push(at(6_000_000_000, module(ModuleAction::Loaded)));
    all.extend(became(6_000_200_000, 13, APPLY, Some(Verdict::Pending), Verdict::Applied));
    all.push(at(6_000_200_000, Body::RelocState(none)));
    all.push(at(6_000_200_000, Body::SectionRead(section_read(APPLY.unwrap(), 14, vec![entry(0)]))));
    all.extend(became(6_900_000_000, 12, GOING, Some(Verdict::Applied), Verdict::Stale));
    all.push(at(6_900_000_000, Body::RelocState(wrong)));
    all.push(at(6_900_000_000, Body::SectionRead(section_read(GOING.unwrap(), 14, vec![]))));
    all.push(found);
    all.push(at(7_000_500_000, module(ModuleAction::Freed)));
    all.push(at(7_050_000_000, refused));
    all.push(lost);
    all.push(end);
    all
}

fn lines(mut text: Text, events: &[Event]) -> String {
    text.set_origin(&origin());
    let mut out = Vec::new();
    for event in events {
        text.event(event, &mut out);
    }
    text.summary(1, "a finding at or above --fail-on", &mut out);
    out.push(String::new());
    out.join("\n")
}

fn plain(filter: &str) -> Text {
    Text::new(Style { ascii: false, ..Style::PLAIN }, filter.parse().unwrap())
}

#[test]
fn the_story_told_quietly() {
    golden("output/text/quiet.golden", &lines(plain(""), &story()));
}

#[test]
fn the_story_told_in_full() {
    golden("output/text/verbose.golden", &lines(plain("").verbose(true), &story()));
}

#[test]
fn the_story_in_ascii_and_colour() {
    let text = Text::new(Style { color: true, ..Style::PLAIN }, Filter::default());
    let told = lines(text, &story());
    assert!(told.is_ascii());
    golden("output/text/colour.golden", &told);
}

#[test]
fn a_filter_hides_lines_and_not_the_summary() {
    let told = lines(plain("verdict=stale"), &story());
    golden("output/text/filtered.golden", &told);
    let table = |told: &str| told.lines().filter(|line| line.starts_with("  lp_one ")).collect::<String>();
    assert_eq!(table(&told), table(&lines(plain(""), &story())));
}

#[test]
fn every_kind_has_its_line_when_everything_is_asked_for() {
    let mut text = plain("").verbose(true);
    text.set_origin(&origin());
    for event in one_of_each() {
        let mut out = Vec::new();
        text.event(&event, &mut out);
        assert!(!out.is_empty(), "{}", event.body.kind());
    }
}

#[test]
fn each_session_of_a_recording_has_its_own_summary() {
    let mut twice = story();
    twice.extend(story());
    let told = lines(plain(""), &twice);
    let table = "▲ stale 12";
    assert_eq!(told.matches("\nsummary  ").count(), 2);
    assert_eq!(told.lines().filter(|line| line.starts_with("  lp_one") && line.ends_with(table)).count(), 2);
    assert_eq!(told.matches("no findings").count(), 0);
}

#[test]
fn modules_that_no_patch_is_about_are_not_shown() {
    let module = |name: &str, livepatch| {
        let name = name.into();
        // After all that one_of_each() has.
        at(1 << 50, Body::Module(ModuleEvent::new(ModuleAction::Loaded, name, None, livepatch)))
    };
    let mut text = plain("");
    let mut out = Vec::new();
    text.event(&module("dummy", false), &mut out);
    text.event(&module("klp_target", false), &mut out);
    assert_eq!(out, [""; 0]);
    text.event(&one_of_each().remove(1), &mut out);
    out.clear();
    text.event(&module("klp_target", false), &mut out);
    text.event(&module("lp_two", true), &mut out);
    assert_eq!(out.len(), 2, "{out:?}");
}

#[test]
fn states_of_different_sections_and_reads_are_not_thrown_together() {
    let mut text = plain("");
    let mut out = Vec::new();
    let other = RelocState {
        section: SectionRef { index: 32, name: ".klp.rela.klp_target..data".into() },
        ..state(0, APPLY, None, Verdict::Applied)
    };
    let states = [
        state(0, APPLY, None, Verdict::Applied),
        state(1, APPLY, None, Verdict::Applied),
        other,
        state(2, APPLY, None, Verdict::Applied),
        state(3, None, None, Verdict::Applied),
    ];
    for state in states {
        text.event(&at(1, Body::RelocState(state)), &mut out);
    }
    assert_eq!(out.len(), 3, "the last waits: {out:?}");
    assert!(out[0].ends_with("2 relocations"));
    text.flush(&mut out);
    text.flush(&mut out);
    assert_eq!(out.len(), 4);
}

#[test]
fn many_bad_ones_are_counted_and_the_first_named() {
    let mut text = plain("");
    let mut out = Vec::new();
    for index in 0..20_000 {
        let stale = state(index, GOING, Some(Verdict::Applied), Verdict::Stale);
        text.event(&at(1, Body::RelocState(stale)), &mut out);
    }
    text.flush(&mut out);
    assert_eq!(out.len(), 1 + 3 + 1);
    assert!(out[0].ends_with("20000 relocations, were applied") && out[4].ends_with("and 19997 more"));
}

#[test]
fn a_section_that_was_never_read_is_unknown_and_a_removed_patch_is_gone() {
    let mut text = plain("");
    let mut out = Vec::new();
    text.event(&one_of_each().remove(1), &mut out);
    text.flush(&mut out);
    assert!(out.iter().all(|line| !line.contains("unknown")), "{out:?}");
    text.summary(5, "inconclusive", &mut out);
    assert!(out.iter().any(|line| line.ends_with("? unknown 1")), "{out:?}");
    let gone = ModuleEvent::new(ModuleAction::Freed, patch().name, Some(patch().address), true);
    out.clear();
    text.event(&at(9, Body::Module(gone)), &mut out);
    text.summary(0, "clean", &mut out);
    assert!(out.iter().any(|line| line.contains("no livepatch with relocations is loaded")), "{out:?}");
}

#[test]
fn the_witness_is_named_once_a_load_and_a_weak_one_as_such() {
    let meta = |elf, index| {
        let Body::PatchMetadata(meta) = one_of_each().remove(1).body else { panic!() };
        let section = SectionRef { index, ..section() };
        at(1, Body::PatchMetadata(PatchMetadata { section, elf, ..meta }))
    };
    let mut text = plain("");
    let mut out = Vec::new();
    text.event(&meta(Elf::Memory { why: "no .ko of that name".into() }, 31), &mut out);
    text.event(&meta(Elf::Memory { why: "no .ko of that name".into() }, 32), &mut out);
    assert_eq!(out.len(), 1);
    assert!(out[0].contains("? no file") && out[0].contains("weaker witness"), "{out:?}");
}

#[test]
fn the_wholeness_of_a_journal_in_words() {
    let mut journal = Integrity { ended: true, ..Integrity::default() };
    assert_eq!(integrity(&journal), [""; 0]);
    journal.first = Some(Damage { line: 7, fault: Fault::Altered });
    journal.damages = 3;
    journal.ended = false;
    journal.unknown_kinds = [("ec\u{202e}lipse".to_owned(), 2)].into();
    let said = integrity(&journal).join("\n");
    assert!(said.contains("line 7: the record was altered") && said.contains("first of 3"), "{said}");
    assert!(said.contains("without a session_end") && said.contains("ec\\u{202e}lipse"), "{said}");
}

proptest! {
    #[test]
    fn whatever_happens_lines_are_harmless(
        events in prop::collection::vec(any::event(), 0..8),
        verbose: bool,
        known: bool,
    ) {
        let mut text = plain("").verbose(verbose);
        if known {
            text.set_origin(&origin());
        }
        let mut out = Vec::new();
        for event in &events {
            text.event(event, &mut out);
        }
        text.summary(0, "clean", &mut out);
        out.extend(integrity(&Integrity::default()));
        for line in out {
            let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            prop_assert!(!line.contains(bad), "{line:?}");
        }
    }

    #[test]
    fn the_counts_of_the_table_follow_the_states(
        changes in prop::collection::vec((0u32..6, prop::sample::select(Verdict::ALL.as_slice())), 0..40),
    ) {
        let mut now = std::collections::BTreeMap::new();
        let mut text = plain("");
        let mut out = Vec::new();
        for (index, verdict) in changes {
            let previous = now.insert(index, verdict);
            text.event(&at(1, Body::RelocState(state(index, None, previous, verdict))), &mut out);
        }
        out.clear();
        text.summary(0, "clean", &mut out);
        for verdict in Verdict::ALL {
            let number = now.values().filter(|now| **now == verdict).count();
            let cell = format!(" {} {number}", verdict.word());
            let said = out.iter().any(|line| line.starts_with("  lp_one") && line.contains(&cell));
            prop_assert_eq!(said, number > 0, "{} {:?}", cell, out);
        }
    }
}

#[test]
fn names_keep_their_escapes_and_gain_what_they_lack() {
    use super::layout::name;
    assert_eq!(name("a\\x1b[2J"), "a\\x1b[2J");
    assert_eq!(name("a\u{1b}[2J\\n"), "a\\x1b[2J\\n");
    let odd = crate::journal::RelocRef { sympos: 2, addend: 0, symbol: "s\n".into(), ..reloc(3) };
    assert_eq!(super::layout::relocation(&odd), "[3] R_X86_64_PC32 s\\x0a,2");
    assert_eq!(finding().id.name(), "stale-after-unload");
}

/// A read is judged after more has happened: the first line whose time goes back says why, once a session.
#[test]
fn that_times_go_back_is_explained_once_a_session() {
    let module = |second: u64, name: &str| Event {
        mono_ns: second * 1_000_000_000,
        task: None,
        body: Body::Module(ModuleEvent::new(ModuleAction::Loaded, name.into(), None, true)),
    };
    let mut text = Text::new(Style::PLAIN, Filter::default());
    let mut out = Vec::new();
    for (second, name) in [(2, "a"), (5, "b"), (3, "c"), (4, "d"), (6, "e")] {
        text.event(&module(second, name), &mut out);
    }
    let late = |out: &[String]| out.iter().filter(|line| line.contains("times may go back")).count();
    assert_eq!(late(&out), 1, "{out:#?}");
    let at = out.iter().position(|line| line.contains("times may go back")).unwrap();
    assert!(out[at - 1].contains("livepatch c"), "{out:#?}");
    text.layout.begin_anew();
    for (second, name) in [(1, "f"), (3, "g"), (2, "h")] {
        text.event(&module(second, name), &mut out);
    }
    assert_eq!(late(&out), 2, "another session: {out:#?}");
}
