//! A journal of very many relocations is small, and leads to the same verdicts.

use crate::arch::Arch;
use crate::journal::recording::replay_from;
use crate::journal::testing::{at, one_of_each, origin};
use crate::journal::*;
use crate::model::{Address, Bytes, Hook, Verdict};
use crate::verify::Verifier;
use std::ops::ControlFlow;

const MANY: u32 = 10_000;

/// What an audit of 20,000 relocations comes to, as the fixture `lp_many` has them.
#[test]
fn twenty_thousand_relocations_take_at_most_six_megabytes_and_are_judged_alike() {
    let symbol = |index: u32| Address(0xffff_ffff_c03f_7040 + u64::from(index % 50) * 16);
    let mut verifier = Verifier::new(Arch::X86_64);
    let (mut journal, mut lines, mut said) = (Journal::new(origin()), Vec::new(), Vec::new());
    let mut evidence = vec![one_of_each().remove(0).body];
    evidence.push(Body::Module(ModuleEvent::new(ModuleAction::Present, "klp_many".into(), None, false)));
    for index in 0..50 {
        let address = symbol(index);
        let outcome = Lookup::Found { address, set: SymbolSet::Core, from: SymbolSource::Kallsyms };
        let (object, symbol) = (
            ObjectRef { name: "klp_many".into(), address: None, load: None },
            format!("klp_many_fn_{index}"),
        );
        evidence.push(Body::SymbolLookup(SymbolLookup { object, symbol: symbol.into(), sympos: 0, outcome }));
    }
    // R_X86_64_PC32 in .text, R_X86_64_64 in .data; every thousandth holds something else.
    for (number, target, rtype, size) in [(31, ".text", 2_u32, 4), (32, ".data", 1, 8)] {
        let section = SectionRef { index: number, name: format!(".klp.rela.klp_many.{target}").into() };
        let patch = PatchRef { name: "lp_many".into(), address: Address(0xffff_ffff_c040_2000), load: 0 };
        let place = |index: u32| Address(0xffff_ffff_c050_0000 + u64::from(number * 0x1_0000 + index) * 8);
        for first in (0..MANY).step_by(1000) {
            let entry = |index: u32| MetaEntry {
                index,
                file_index: None,
                offset: Address(u64::from(index) * 8),
                rtype,
                addend: if size == 4 { -4 } else { 0 },
                symbol: format!(".klp.sym.klp_many.klp_many_fn_{},0", index % 50).into(),
                original: Bytes::new([0; 8], 8),
            };
            evidence.push(Body::PatchMetadata(PatchMetadata {
                patch: patch.clone(),
                section: section.clone(),
                object: "klp_many".into(),
                elf: Elf::File { path: "/lib/modules/lp_many.ko".into(), build_id: None },
                target: target.into(),
                writable: size == 8,
                total: MANY,
                entries: (first..first + 1000).map(entry).collect(),
            }));
        }
        let entry = |index: u32| {
            let value = if size == 8 {
                symbol(index).0
            } else {
                symbol(index).0.wrapping_sub(4).wrapping_sub(place(index).0)
            };
            let value = if index % 1000 == 999 { value ^ 0x0100 } else { value };
            let bytes = Bytes::new(value.to_le_bytes(), size).as_slice().to_vec();
            let mut all = [0; 8];
            all[..size].copy_from_slice(&bytes);
            EntryRead { index, address: place(index), bytes: Some(all), recorded: Some(symbol(index)) }
        };
        evidence.push(Body::SectionRead(SectionRead {
            patch,
            section,
            object: ObjectRef { name: "klp_many".into(), address: None, load: None },
            read: Hook::Demand,
            ret: None,
            total: MANY,
            lost: 0,
            entries: (0..MANY).map(entry).collect(),
            rewrites: None,
        }));
    }
    for body in evidence {
        verifier.feed(at(6_000_000_000, body), &mut |event| {
            journal.append(&event, &mut lines);
            said.push(event);
        });
    }
    let end = verifier.end(EndReason::Complete);
    journal.append(&at(6_000_000_000, Body::SessionEnd(end)), &mut lines);
    let totals = verifier.totals();
    assert_eq!((totals.get(&Verdict::Applied), totals.get(&Verdict::Mismatch)), (Some(&19_980), Some(&20)));
    assert!(lines.len() <= 6_000_000, "{} bytes", lines.len());
    assert!(lines.split(|byte| *byte == b'\n').all(|line| line.len() < 1 << 20));

    let mut again = Verifier::new(Arch::X86_64);
    let mut judged = Vec::new();
    let integrity = replay_from(&mut lines.as_slice(), "test", &mut |_, event| {
        again.feed(event, &mut |event| judged.push(event));
        ControlFlow::Continue(())
    });
    assert!(integrity.unwrap().is_sound());
    assert_eq!(judged.len(), said.len());
    assert!(judged == said, "judged otherwise");
}
