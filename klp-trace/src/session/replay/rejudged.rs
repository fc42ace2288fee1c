//! A journal is evidence: whoever judges it again, with its conclusions or without, concludes the same.

mod many;

use crate::arch::Arch;
use crate::journal::recording::replay_from;
use crate::journal::testing::{any, origin};
use crate::journal::*;
use crate::model::{Address, Bytes, Hook, Phase, Reason};
use crate::verify::Verifier;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::ops::ControlFlow;

const PATCHES: [(&str, u64); 2] = [("lp_one", 0xffff_ffff_c080_0000), ("lp_two", 0xffff_ffff_c090_0000)];
/// Sections by index, with the objects that gate them.
const SECTIONS: [(u32, &str); 3] = [(7, "tmod"), (8, "tmod"), (9, "vmlinux")];
const OBJECTS: [&str; 3] = ["tmod", "vmlinux", "third"];
/// R_X86_64_64, R_X86_64_PC32, R_X86_64_NONE, one that the loader does not know.
const TYPES: [u32; 4] = [1, 2, 0, 77];

fn patch() -> impl Strategy<Value = PatchRef> {
    select(PATCHES.as_slice()).prop_map(|(name, at)| PatchRef {
        name: name.into(),
        address: Address(at),
        load: 0,
    })
}

fn section() -> impl Strategy<Value = (SectionRef, &'static str)> {
    select(SECTIONS.as_slice())
        .prop_map(|(index, gate)| (SectionRef { index, name: format!(".klp.rela.{gate}.x").into() }, gate))
}

fn object() -> impl Strategy<Value = ObjectRef> {
    (select(OBJECTS.as_slice()), of(Just(Address(0xffff_ffff_c070_0000)))).prop_map(|(name, address)| {
        ObjectRef { name: name.into(), address: address.filter(|_| name != "vmlinux"), load: None }
    })
}

/// A few values, so that what is there is often what is expected, or what was there before.
fn value() -> impl Strategy<Value = u64> {
    select([0_u64, 0xffff_ffff_c070_0010, 0xffff_ffff_c070_0020, 0xdead_beef].as_slice())
}

/// A value in memory, a recorded one, and what follows a narrow field.
type Value = (Option<u64>, Option<u64>, [u8; 4]);

fn session() -> Body {
    Body::Session(Session {
        command: vec![],
        hooks: vec![],
        clears: false,
        ring_bytes: 4096,
        memory: Memory::Bpf,
        kernel_base: None,
        kernel_log: false,
        redacted: false,
        derived: None,
    })
}

fn metadata() -> impl Strategy<Value = Body> {
    let elf = prop_oneof![
        4 => Just(Elf::File { path: "lp.ko".into(), build_id: None }),
        1 => Just(Elf::Memory { why: "none found".into() }),
        1 => Just(Elf::Differs { path: "lp.ko".into(), difference: "addend".into() }),
    ];
    (patch(), section(), elf, any::<bool>()).prop_map(|(patch, (section, gate), elf, writable)| {
        let entry = |(index, rtype): (u32, u32)| MetaEntry {
            index,
            file_index: None,
            offset: Address(u64::from(index) * 8),
            rtype,
            addend: i64::from(index) * -4,
            // The second one is of a module that is neither.
            symbol: format!(".klp.sym.{}.s{},0", if index == 1 { "third" } else { gate }, index % 2).into(),
            original: Bytes::new([0; 8], 8),
        };
        Body::PatchMetadata(PatchMetadata {
            patch,
            section,
            object: gate.into(),
            elf,
            target: ".text".into(),
            writable,
            total: 4,
            entries: (0..).zip(TYPES).map(entry).collect(),
        })
    })
}

fn read() -> impl Strategy<Value = Body> {
    let hook = select(
        [
            Hook::ApplyRelocateAdd,
            Hook::ClearRelocateAdd,
            Hook::KlpModuleGoing,
            Hook::KlpCleanupModulePatchesLimited,
            Hook::KlpModuleComing,
            Hook::Demand,
        ]
        .as_slice(),
    );
    let entry = (of(value()), of(value()), any::<[u8; 4]>());
    let ret = of(select([0_i64, -8].as_slice()));
    let lost = prop_oneof![9 => Just(0_u32), 1 => 1..4_u32];
    let entries = prop::collection::vec(entry, 4);
    (patch(), section(), hook, ret, lost, entries).prop_map(
        |(patch, (section, gate), read, ret, lost, values)| {
            let place = patch.address.0 + u64::from(section.index) * 4096;
            let entry = |(index, (value, recorded, rest)): (u32, Value)| {
                // What follows a field of four bytes is none of its business, and not in the journal.
                let narrow = index == 1;
                let bytes = value.map(|value| {
                    let mut bytes = value.to_le_bytes();
                    if narrow {
                        bytes[4..].copy_from_slice(&rest);
                    }
                    bytes
                });
                let address = Address(place + u64::from(index) * 8);
                EntryRead { index, address, bytes, recorded: recorded.map(Address) }
            };
            let entries = (0..).zip(values).map(entry).filter(|entry| entry.index >= lost).collect();
            let object = ObjectRef { name: gate.into(), address: None, load: None };
            Body::SectionRead(SectionRead {
                patch,
                section,
                object,
                read,
                ret,
                total: 4,
                lost,
                entries,
                rewrites: None,
            })
        },
    )
}

fn evidence() -> impl Strategy<Value = Body> {
    let lookup = (object(), 0..2_u32, of(value())).prop_map(|(object, symbol, address)| {
        let found = |address| Lookup::Found {
            address: Address(address),
            set: SymbolSet::Core,
            from: SymbolSource::Kallsyms,
        };
        let outcome = address.map_or(Lookup::Failed { why: Reason::SymbolsGone }, found);
        Body::SymbolLookup(SymbolLookup { object, symbol: format!("s{symbol}").into(), sympos: 0, outcome })
    });
    let action = select(
        [
            ModuleAction::Present,
            ModuleAction::Loading,
            ModuleAction::Unloading,
            ModuleAction::Absent,
            ModuleAction::Loaded,
            ModuleAction::Freed,
            ModuleAction::Unsettled,
        ]
        .as_slice(),
    );
    let which = (prop::bool::weighted(0.2), select(["tmod", "third"].as_slice()), of(0_i64..2));
    let module = (action, which, patch()).prop_map(|(action, (livepatch, name, refcount), patch)| {
        if livepatch {
            return Body::Module(ModuleEvent::new(action, patch.name, Some(patch.address), true));
        }
        let usage = (name == "third").then(|| ModuleUsage { refcount, permanent: false, holders: vec![] });
        Body::Module(ModuleEvent { usage, ..ModuleEvent::new(action, name.into(), None, false) })
    });
    let hook = (
        select([Hook::KlpModuleComing, Hook::KlpModuleGoing, Hook::ApplyRelocateAdd].as_slice()),
        select([Phase::Enter, Phase::Exit].as_slice()),
        of(select([0_i64, -8].as_slice())),
        (patch(), section(), object()),
    )
        .prop_map(|(hook, phase, ret, (patch, (section, _), object))| {
            let apply = hook == Hook::ApplyRelocateAdd;
            Body::Hook(HookEvent {
                hook,
                phase,
                ret: ret.filter(|_| phase == Phase::Exit),
                cpu: 0,
                patch: apply.then_some(patch),
                object: (!apply).then_some(object),
                section: apply.then_some(section),
            })
        });
    let step =
        select([TransitionStep::Patching, TransitionStep::Complete, TransitionStep::Detached].as_slice());
    let transition = (patch(), step)
        .prop_map(|(patch, step)| Body::Transition(Transition { patch: Some(patch), step, replace: None }));
    let cause = select([LossCause::RingFull, LossCause::BlindWindow, LossCause::Incomplete].as_slice());
    let lost = cause
        .prop_map(|cause| Body::EventsLost(EventsLost { hook: Hook::ApplyRelocateAdd, cause, count: 2 }));
    prop_oneof![
        3 => metadata(),
        10 => read(),
        4 => lookup,
        3 => module,
        6 => hook,
        1 => transition,
        1 => lost,
    ]
}

/// Evidence that no kernel gives, of things that are known.
fn absurd() -> impl Strategy<Value = Body> {
    (any::event(), metadata(), prop::num::u32::ANY).prop_map(|(event, metadata, number)| {
        let Body::PatchMetadata(meta) = metadata else { return event.body };
        let (patch, section) = (meta.patch.clone(), meta.section.clone());
        match event.body {
            Body::PatchMetadata(absurd) => Body::PatchMetadata(PatchMetadata { patch, section, ..absurd }),
            Body::SectionRead(absurd) => {
                let entry = |index| EntryRead {
                    index,
                    address: Address(u64::MAX),
                    bytes: Some([0xff; 8]),
                    recorded: Some(Address(u64::MAX)),
                };
                let entries = [3, number, 0, 3, u32::MAX].map(entry).to_vec();
                Body::SectionRead(SectionRead { patch, section, entries, ..absurd })
            }
            Body::Hook(absurd) => {
                Body::Hook(HookEvent { patch: Some(patch), section: Some(section), ..absurd })
            }
            body => body,
        }
    })
}

/// What a verifier says of some evidence.
fn judge(evidence: &[Event]) -> (Vec<Event>, Totals) {
    let mut verifier = Verifier::new(Arch::X86_64);
    let mut said = Vec::new();
    for event in evidence {
        verifier.feed(event.clone(), &mut |event| said.push(event));
    }
    verifier.finish(&mut |event| said.push(event));
    (said, verifier.totals())
}

fn journal(said: &[Event]) -> Vec<u8> {
    let mut journal = Journal::new(origin());
    let mut bytes = Vec::new();
    for event in said {
        journal.append(event, &mut bytes);
    }
    bytes
}

fn evidence_of(journal: &[u8]) -> (Vec<Event>, Integrity) {
    let mut events = Vec::new();
    let mut input = journal;
    let integrity = replay_from(&mut input, "test", &mut |_, event| {
        events.push(event);
        ControlFlow::Continue(())
    });
    (events, integrity.unwrap())
}

/// The journal without anything that was concluded.
fn stripped(journal: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in journal.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let record: serde_json::Map<_, _> = serde_json::from_slice(line).unwrap();
        let kind = record["event"]["kind"].clone();
        if kind == "finding" || kind == "session_end" || kind == "section_state" {
            continue;
        }
        serde_json::to_writer(&mut bytes, &record).unwrap();
        bytes.push(b'\n');
    }
    bytes
}

fn conclusions(said: &[Event]) -> Vec<&Event> {
    said.iter().filter(|event| matches!(event.body, Body::RelocState(_) | Body::Finding(_))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_judged_again_says_the_same(bodies in prop::collection::vec(evidence(), 0..40)) {
        let bodies = std::iter::once(session()).chain(bodies);
        let live: Vec<_> =
            (1..).zip(bodies).map(|(mono_ns, body)| Event { mono_ns, task: None, body }).collect();
        let (said, totals) = judge(&live);
        let written = journal(&said);

        let (evidence, integrity) = evidence_of(&written);
        prop_assert_eq!(integrity.first, None);
        let (again, again_totals) = judge(&evidence);
        prop_assert_eq!(conclusions(&again), conclusions(&said));
        prop_assert_eq!(&again_totals, &totals);
        prop_assert!(journal(&again) == written, "a replay of a replay is the same journal, byte for byte");

        let (evidence, integrity) = evidence_of(&stripped(&written));
        prop_assert!(!integrity.is_whole());
        let (again, again_totals) = judge(&evidence);
        prop_assert_eq!(conclusions(&again), conclusions(&said));
        prop_assert_eq!(again_totals, totals);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn absurd_evidence_is_judged_all_the_same(
        bodies in prop::collection::vec(prop_oneof![evidence(), absurd()], 0..24),
    ) {
        let bodies = std::iter::once(session()).chain(bodies);
        let events: Vec<_> = bodies.map(|body| Event { mono_ns: u64::MAX, task: None, body }).collect();
        let mut verifier = Verifier::new(Arch::X86_64);
        let mut said = 0_u32;
        for event in events {
            verifier.feed(event, &mut |_| said += 1);
        }
        verifier.finish(&mut |_| said += 1);
        let (_, _) = (verifier.outcome(), verifier.wants());
        prop_assert!(said > 0);
    }
}
