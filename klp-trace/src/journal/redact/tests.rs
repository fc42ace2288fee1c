use super::*;
use crate::arch::Arch;
use crate::arch::x86_64::SPACE;
use crate::journal::testing::{at, section_read};
use crate::journal::{Elf, EntryRead, MetaEntry};
use crate::model::{Hook, Verdict};
use proptest::prelude::*;

const TYPES: [u32; 6] = [1, 2, 4, 10, 11, 24];

/// What is left of the bytes at `place`, of a relocation of this type.
fn shown(base: u64, rtype: u32, place: u64, bytes: [u8; 8], original: [u8; 8]) -> EntryRead {
    let mut redactor = Redactor::new(Arch::X86_64, Address(base)).unwrap();
    let mut read = section_read(Hook::Demand, 1, vec![]);
    read.entries = vec![EntryRead { index: 0, address: Address(place), bytes: Some(bytes), recorded: None }];
    let meta = PatchMetadata {
        patch: read.patch.clone(),
        section: read.section.clone(),
        object: "tmod".into(),
        elf: Elf::Memory { why: String::new() },
        target: ".text".into(),
        writable: false,
        total: 1,
        entries: vec![MetaEntry {
            index: 0,
            file_index: None,
            offset: Address(0),
            rtype,
            addend: 0,
            symbol: ".klp.sym.tmod.s,0".into(),
            original: Bytes::new(original, 8),
        }],
    };
    redactor.redact(at(1, Body::PatchMetadata(meta)));
    let Body::SectionRead(read) = redactor.redact(at(2, Body::SectionRead(read))).body else { panic!() };
    read.entries[0]
}

proptest! {
    /// What the formula gives for S and P is moved to what it gives for the moved ones, and so is what was stored though it
    /// did not fit.
    #[test]
    fn right_values_stay_right(
        slide in 0u64..504, in_image: bool, symbol in 0u64..0x200_0000, place in 0u64..0x3000_0000, addend in -64i64..64,
        index in 0usize..6,
    ) {
        let base = SPACE.unmoved + slide * (2 << 20);
        let rtype = TYPES[index];
        let symbol = if in_image { base } else { SPACE.last_base } + symbol;
        let place = SPACE.last_base + place;
        let redactor = Redactor::new(Arch::X86_64, Address(base)).unwrap();
        let bytes = Arch::X86_64.stored(rtype, symbol, addend, place).unwrap();
        let mut memory = [0x5a; 8];
        memory[..bytes.as_slice().len()].copy_from_slice(bytes.as_slice());
        let there = shown(base, rtype, place, memory, [0; 8]);
        prop_assert_eq!(there.address.0, place - (base - SPACE.unmoved));
        let moved = Bytes::new(there.bytes.unwrap(), bytes.as_slice().len());
        // A sum beyond the ends of where addresses are is none.
        prop_assume!((base..SPACE.end).contains(&symbol.wrapping_add_signed(addend)) || !matches!(rtype, 1 | 10 | 11));
        prop_assert_eq!(Arch::X86_64.stored(rtype, redactor.moved(symbol), addend, there.address.0), Some(moved));
        let fits = |s, p| Arch::X86_64.expected(rtype, s, addend, p).is_ok();
        prop_assert_eq!(fits(symbol, place), fits(redactor.moved(symbol), there.address.0));
    }

    /// Two boots of one kernel look alike.
    #[test]
    fn nothing_of_the_slide_is_left(slides in [0u64..504, 0u64..504], offset in 0u64..0x200_0000, index in 0usize..6) {
        let boot = |slide: u64| {
            let base = SPACE.unmoved + slide * (2 << 20);
            let value = (base + offset).to_le_bytes();
            let entry = shown(base, TYPES[index], base + 0x30_0000, value, [0; 8]);
            (entry.address, entry.bytes.filter(|_| !matches!(TYPES[index], 2 | 4 | 24)))
        };
        prop_assert_eq!(boot(slides[0]), boot(slides[1]));
    }
}

#[test]
fn what_is_no_address_of_the_image_or_a_module() {
    let base = SPACE.unmoved + (77 << 21);
    let of = |rtype, value: u64| {
        u64::from_le_bytes(shown(base, rtype, base, value.to_le_bytes(), [0; 8]).bytes.unwrap())
    };
    for rtype in [1, 24, 99] {
        assert_eq!(of(rtype, 0xffff_8881_2345_6780), 0xffff_8000_0000_0780, "a pointer to allocated memory");
        assert_eq!(of(rtype, 0), 0);
        assert_eq!(of(rtype, 12), 12);
        assert_eq!(of(rtype, u64::MAX - 12), u64::MAX - 12);
    }
    // What the file has is no secret, and would tell the distance.
    let original = 0xffff_ffff_b234_5678_u64.to_le_bytes();
    assert_eq!(shown(base, 1, base, original, original).bytes, Some(original));
    assert!(
        Redactor::new(Arch::X86_64, Address(0)).is_none()
            && Redactor::new(Arch::X86_64, Address(u64::MAX)).is_none()
    );
}

/// A message of the kernel, redacted with the kernel moved by 2 MiB.
fn said(text: &str, rtype: u32, address: Option<u64>, value: u64) -> KernelMessage {
    let message = KernelMessage {
        text: text.into(),
        rtype: Some(rtype),
        address: address.map(Address),
        value: Some(Address(value)),
        ..crate::journal::testing::kernel_message()
    };
    let mut redactor = Redactor::new(Arch::X86_64, Address(SPACE.unmoved + 0x20_0000)).unwrap();
    let Body::KernelMessage(message) = redactor.redact(at(1, Body::KernelMessage(message))).body else {
        panic!()
    };
    message
}

#[test]
fn the_kernels_words_tell_no_address_of_this_boot() {
    let newest = said(
        "existing value is nonzero for sec 31, idx 0, type 1, loc ffffffffc0400010, val ffffffffc0276010",
        1,
        Some(0xffff_ffff_c040_0010),
        0xffff_ffff_c027_6010,
    );
    assert_eq!(
        &*newest.text,
        "existing value is nonzero for sec 31, idx 0, type 1, loc ffffffffc0200010, val ffffffffc0076010"
    );
    assert_eq!(newest.address, Some(Address(0xffff_ffff_c020_0010)));
    // A distance stays, a hashed place goes.
    let old = said(
        "nonzero for type 2, loc 00000000b1d5cf41, val ffffffffffffc0de",
        2,
        None,
        0xffff_ffff_ffff_c0de,
    );
    assert_eq!(&*old.text, "nonzero for type 2, loc ?, val ffffffffffffc0de");
    let oldest = said(
        "Skipping invalid relocation target, existing value is nonzero for type 2, loc 00000000b1d5cf41, val ffffffffc027600c",
        2,
        None,
        0xffff_ffff_c027_600c,
    );
    assert!(oldest.text.ends_with("loc ?, val ffffffffc007600c"), "{}", oldest.text);
    assert_eq!(oldest.value, Some(Address(0xffff_ffff_c007_600c)));
    let overflow = said(
        "overflow in relocation type 10 val ffffffffc0276010 sec 4 idx 2",
        10,
        None,
        0xffff_ffff_c027_6010,
    );
    assert_eq!(&*overflow.text, "overflow in relocation type 10 val ffffffffc0076010 sec 4 idx 2");
}

/// How an address may be written: hexadecimal in two ways, its bytes in memory order, decimal with and without a sign.
fn forms(address: u64) -> [String; 6] {
    [
        format!("{address:#x}"),
        format!("{address:x}"),
        format!("{address:016X}"),
        format!("{:016x}", address.swap_bytes()),
        address.to_string(),
        address.cast_signed().to_string(),
    ]
}

fn tells(text: &str, address: u64) -> Option<String> {
    let text = text.to_lowercase();
    forms(address).into_iter().find(|form| text.contains(&form.to_lowercase()))
}

/// One of each kind of event, with a text in every field that is free text, and with this address in every typed one that is
/// set.
fn saying(words: &str, address: u64) -> Vec<crate::journal::Event> {
    use crate::journal::{Derived, Unread};
    let mut events = crate::journal::testing::one_of_each();
    for event in &mut events {
        match &mut event.body {
            Body::Session(session) => {
                session.kernel_base = Some(Address(address));
                session.command.push(words.to_owned());
                session.hooks.iter_mut().for_each(|hook| hook.reason = Some(words.to_owned()));
                session.derived =
                    Some(Derived { hash: None, damages: 1, first: vec![words.to_owned()], ended: true });
            }
            Body::PatchMetadata(meta) => {
                meta.patch.address = Address(address);
                meta.elf = Elf::Differs { path: words.to_owned(), difference: words.to_owned() };
            }
            Body::SymbolLookup(lookup) => {
                lookup.object.address = Some(Address(address));
                if let crate::journal::Lookup::Found { address: found, .. } = &mut lookup.outcome {
                    *found = Address(address);
                }
            }
            Body::AddressLookup(lookup) => lookup.address = Address(address),
            Body::Livepatch(found) => {
                found.patch.address = Address(address);
                found.unread = Some(Unread::of(words));
            }
            Body::Module(module) => module.address = Some(Address(address)),
            Body::Hook(hook) => {
                hook.patch.iter_mut().for_each(|patch| patch.address = Address(address));
                hook.object.iter_mut().for_each(|object| object.address = Some(Address(address)));
            }
            Body::SectionRead(read) => {
                read.patch.address = Address(address);
                for entry in &mut read.entries {
                    entry.address = Address(address);
                    entry.recorded = Some(Address(address));
                }
            }
            Body::Stall(stall) => {
                stall.patch.address = Address(address);
                stall.found.blocking.iter_mut().for_each(|task| task.stack.push(words.to_owned()));
            }
            Body::KernelMessage(message) => {
                message.text = words.into();
                message.address = Some(Address(address));
            }
            Body::Transition(transition) => {
                transition.patch.iter_mut().for_each(|patch| patch.address = Address(address));
            }
            Body::RelocState(_)
            | Body::Finding(_)
            | Body::FindingClosed(_)
            | Body::EventsLost(_)
            | Body::SessionEnd(_) => {}
        }
    }
    events
}

/// The lines of an event; of a read, with the states that come of it.
fn lines_of(journal: &mut crate::journal::Journal, event: &Event) -> String {
    let mut lines = Vec::new();
    if let Body::SectionRead(read) = &event.body {
        for entry in &read.entries {
            let mut state =
                crate::journal::testing::state(entry.index, Some(read.read), None, Verdict::Unknown);
            (state.patch, state.section) = (read.patch.clone(), read.section.clone());
            (state.address, state.recorded, state.live) = (Some(entry.address), entry.recorded, None);
            (state.expected, state.actual) = (None, entry.bytes.map(|bytes| Bytes::new(bytes, 8)));
            journal.append(&at(event.mono_ns, Body::RelocState(state)), &mut lines);
        }
    }
    journal.append(event, &mut lines);
    journal.flush();
    while let Some(line) = journal.next_line() {
        lines.extend_from_slice(line);
    }
    String::from_utf8(lines).unwrap()
}

proptest! {
    /// Every string of every redacted record, and of every report for elsewhere, is searched for the session's address in
    /// whatever form it was said.
    #[test]
    fn no_string_of_a_record_or_report_tells_an_address_in_any_form(
        slide in 1u64..504, offset in 0u64..0x2000_0000, form in 0usize..6, before in "[ a-z=:(,-]{0,3}", after in "[ .,;)]{0,2}",
    ) {
        let base = SPACE.unmoved + slide * (2 << 20);
        // The image itself, or a module; and nothing that moves to where another form of it could be found.
        let address = base + offset;
        prop_assume!(address < SPACE.end && before.chars().last().is_none_or(|c| !c.is_alphanumeric()));
        let words = format!("{before}{}{after} x", forms(address)[form]);
        let mut redactor = Redactor::new(Arch::X86_64, Address(base)).unwrap();
        let mut journal = crate::journal::Journal::new(crate::journal::testing::origin());
        let mut open = false;
        for event in saying(&words, address) {
            let conclusion = matches!(event.body, Body::RelocState(_) | Body::Finding(_) | Body::FindingClosed(_) | Body::SessionEnd(_));
            open |= tells(&lines_of(&mut journal.clone(), &event), address).is_some();
            if conclusion {
                continue;
            }
            for line in lines_of(&mut journal, &redactor.redact(event)).lines() {
                // What stands at the end is a hash.
                let said = line.split(",\"prev\":").next().unwrap();
                prop_assert_eq!(tells(said, address), None, "{}", said);
            }
        }
        prop_assert!(open, "unredacted it is told");
        let hidden = replace(&words, &|_| Shown::Words("(address)"));
        prop_assert_eq!(tells(&hidden, address), None, "{}", hidden);
    }
}
