//! For tests: any event whatever.

use crate::journal::*;
use crate::model::{Address, Bytes, FindingEnd, FindingId, Hook, Phase, Reason, Severity, Verdict};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;

fn name() -> impl Strategy<Value = Arc<str>> {
    // Quotes, backslashes, controls, and what could be taken for the journal's own syntax.
    prop_oneof![any::<String>(), Just(",\"hash\":\"".to_owned()), "[a-z_]{1,9}"].prop_map(Into::into)
}

fn text() -> impl Strategy<Value = String> {
    name().prop_map(|name| name.to_string())
}

fn address() -> impl Strategy<Value = Address> {
    any::<u64>().prop_map(Address)
}

fn bytes() -> impl Strategy<Value = Bytes> {
    (any::<[u8; 8]>(), 0usize..=8).prop_map(|(data, len)| Bytes::new(data, len))
}

fn patch() -> impl Strategy<Value = PatchRef> {
    (name(), address(), any::<u32>()).prop_map(|(name, address, load)| PatchRef { name, address, load })
}

fn object() -> impl Strategy<Value = ObjectRef> {
    (name(), of(address()), of(any::<u32>())).prop_map(|(name, address, load)| ObjectRef {
        name,
        address,
        load,
    })
}

fn section() -> impl Strategy<Value = SectionRef> {
    (any::<u32>(), name()).prop_map(|(index, name)| SectionRef { index, name })
}

fn reloc() -> impl Strategy<Value = RelocRef> {
    let place = (any::<u32>(), of(any::<u32>()));
    (place, address(), name(), name(), any::<u64>(), any::<i64>()).prop_map(
        |((index, file_index), offset, rtype, symbol, sympos, addend)| RelocRef {
            index,
            file_index,
            offset,
            rtype,
            symbol,
            sympos,
            addend,
        },
    )
}

fn hook() -> impl Strategy<Value = Hook> {
    select(Hook::ALL.as_slice())
}

fn verdict() -> impl Strategy<Value = Verdict> {
    select(Verdict::ALL.as_slice())
}

fn memory() -> impl Strategy<Value = Memory> {
    select([Memory::Bpf, Memory::Kcore].as_slice())
}

fn witnesses() -> impl Strategy<Value = Witnesses> {
    let elf = select([ElfWitness::File, ElfWitness::Memory, ElfWitness::Differs].as_slice());
    let symbols = of(select([SymbolSource::Kallsyms, SymbolSource::ObjectFile].as_slice()));
    (elf, symbols, memory()).prop_map(|(elf, symbols, memory)| Witnesses { elf, symbols, memory })
}

fn address_lookup() -> impl Strategy<Value = Body> {
    let nearest = (name(), name(), any::<u64>()).prop_map(|(object, symbol, offset)| Nearest {
        object,
        symbol,
        offset,
    });
    (address(), of(nearest))
        .prop_map(|(address, nearest)| Body::AddressLookup(AddressLookup { address, nearest }))
}

fn livepatch() -> impl Strategy<Value = Body> {
    let standing = select(
        [Standing::Enabled, Standing::Enabling, Standing::Disabling, Standing::Detached, Standing::Loading]
            .as_slice(),
    );
    let objects = of(proptest::collection::vec(name(), 0..3));
    (
        patch(),
        standing,
        any::<u32>(),
        of(text().prop_map(|text| Unread::of(&text))),
        of(any::<i64>()),
        objects,
    )
        .prop_map(|(patch, standing, sections, unread, refcount, objects)| {
            Body::Livepatch(Livepatch { patch, standing, sections, unread, refcount, objects })
        })
}

fn session() -> impl Strategy<Value = Body> {
    let info = (hook(), of(text()), of(text())).prop_map(|(name, mechanism, reason)| HookInfo {
        name,
        mechanism,
        reason,
    });
    (
        prop::collection::vec(text(), 0..4),
        prop::collection::vec(info, 0..4),
        any::<bool>(),
        any::<u32>(),
        memory(),
    )
        .prop_map(|(command, hooks, clears, ring_bytes, memory)| {
            Body::Session(Session {
                command,
                hooks,
                clears,
                ring_bytes,
                memory,
                kernel_base: None,
                kernel_log: false,
                redacted: false,
                derived: None,
            })
        })
}

fn metadata() -> impl Strategy<Value = Body> {
    let elf = prop_oneof![
        (text(), of(text())).prop_map(|(path, build_id)| Elf::File { path, build_id }),
        text().prop_map(|why| Elf::Memory { why }),
        (text(), text()).prop_map(|(path, difference)| Elf::Differs { path, difference }),
    ];
    let place = (any::<u32>(), of(any::<u32>()));
    let entry = (place, address(), any::<u32>(), any::<i64>(), name(), bytes()).prop_map(
        |((index, file_index), offset, rtype, addend, symbol, original)| MetaEntry {
            index,
            file_index,
            offset,
            rtype,
            addend,
            symbol,
            original,
        },
    );
    let entries = prop::collection::vec(entry, 0..4);
    (patch(), section(), name(), elf, name(), any::<bool>(), any::<u32>(), entries).prop_map(
        |(patch, section, object, elf, target, writable, total, entries)| {
            Body::PatchMetadata(PatchMetadata {
                patch,
                section,
                object,
                elf,
                target,
                writable,
                total,
                entries,
            })
        },
    )
}

fn lookup() -> impl Strategy<Value = Body> {
    let set = select([SymbolSet::Full, SymbolSet::Core].as_slice());
    let from = select([SymbolSource::Kallsyms, SymbolSource::ObjectFile].as_slice());
    let outcome = prop_oneof![
        (address(), set, from).prop_map(|(address, set, from)| Lookup::Found { address, set, from }),
        Just(Lookup::Failed { why: Reason::SymbolsGone }),
    ];
    (object(), name(), any::<u64>(), outcome).prop_map(|(object, symbol, sympos, outcome)| {
        Body::SymbolLookup(SymbolLookup { object, symbol, sympos, outcome })
    })
}

fn module() -> impl Strategy<Value = Body> {
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
    let usage = (of(any::<i64>()), any::<bool>(), prop::collection::vec(name(), 0..3));
    let usage = usage.prop_map(|(refcount, permanent, holders)| ModuleUsage { refcount, permanent, holders });
    (action, name(), of(address()), any::<bool>(), of(usage)).prop_map(
        |(action, name, address, livepatch, usage)| {
            Body::Module(ModuleEvent { action, name, address, livepatch, usage })
        },
    )
}

fn hook_event() -> impl Strategy<Value = Body> {
    let phase = select([Phase::Enter, Phase::Exit].as_slice());
    (hook(), phase, of(any::<i64>()), any::<u32>(), of(patch()), of(object()), of(section())).prop_map(
        |(hook, phase, ret, cpu, patch, object, section)| {
            Body::Hook(HookEvent { hook, phase, ret, cpu, patch, object, section })
        },
    )
}

fn state() -> impl Strategy<Value = Body> {
    let who = (patch(), object(), section(), reloc());
    let memory = (
        (of(address()), of(bytes()), of(bytes())),
        (of(address()), of(address()), of(witnesses())),
        of(hook()),
    );
    let reason = of(select([Reason::EventsLost, Reason::WrittenAtRunTime].as_slice()));
    (who, memory, of(verdict()), reason, of(verdict())).prop_map(
        |(
            (patch, object, section, reloc),
            ((address, expected, actual), (recorded, live, witnesses), read),
            verdict,
            reason,
            previous,
        )| {
            Body::RelocState(RelocState {
                patch,
                object,
                section,
                reloc,
                address,
                expected,
                actual,
                recorded,
                live,
                witnesses,
                read,
                verdict,
                reason,
                previous,
            })
        },
    )
}

fn section_read() -> impl Strategy<Value = Body> {
    let place = (any::<u32>(), name(), prop::collection::vec(bytes(), 0..3))
        .prop_map(|(index, table, allowed)| ListedPlace { index, table, allowed });
    let rewrites = (any::<bool>(), prop::collection::vec(place, 0..3))
        .prop_map(|(sorted, listed)| Rewrites { sorted, listed });
    (patch(), section(), object(), hook(), of(any::<i64>()), any::<u32>(), any::<u32>(), of(rewrites))
        .prop_map(|(patch, section, object, read, ret, total, lost, rewrites)| {
            Body::SectionRead(SectionRead {
                patch,
                section,
                object,
                read,
                ret,
                total,
                lost,
                entries: Vec::new(),
                rewrites,
            })
        })
}

fn transition() -> impl Strategy<Value = Body> {
    let step = select(
        [
            TransitionStep::Patching,
            TransitionStep::Unpatching,
            TransitionStep::Complete,
            TransitionStep::Forced,
            TransitionStep::Detached,
        ]
        .as_slice(),
    );
    (of(patch()), step, any::<Option<bool>>())
        .prop_map(|(patch, step, replace)| Body::Transition(Transition { patch, step, replace }))
}

fn finding() -> impl Strategy<Value = Body> {
    let id = select(FindingId::ALL);
    let severity = select([Severity::Info, Severity::Warning, Severity::Error].as_slice());
    let said = (text(), text(), text(), prop::collection::vec(text(), 0..3), any::<u32>());
    let covered = (any::<u32>(), name(), any::<u32>()).prop_map(|(index, name, relocations)| Covered {
        index,
        name,
        relocations,
    });
    let sections = (of(section()), prop::collection::vec(covered, 0..3));
    let kernel = prop::collection::vec(name(), 0..3);
    (id, severity, said, of(patch()), of(object()), sections, of(reloc()), (kernel, any::<u64>())).prop_map(
        |(
            id,
            severity,
            (message, why, action, commands, relocations),
            patch,
            object,
            (section, sections),
            first,
            (kernel, opened_ns),
        )| {
            let first = first.map(Arc::new);
            Body::Finding(Finding {
                id,
                severity,
                message,
                why,
                action,
                commands,
                patch,
                object,
                section,
                sections,
                relocations,
                first,
                kernel,
                opened_ns,
            })
        },
    )
}

fn kernel_message() -> impl Strategy<Value = Body> {
    let says =
        of(select([Says::TargetNotZero, Says::Refused, Says::Reverting, Says::NotInitialized].as_slice()));
    let log = (any::<u64>(), any::<u64>(), text(), says);
    let names = (of(name()), of(name()), of(name()), of(any::<u64>()));
    let place = (of(any::<u32>()), of(any::<u32>()), of(any::<u32>()), of(address()), of(address()));
    (log, names, place, of(any::<i64>())).prop_map(
        |(
            (number, logged_us, text, says),
            (patch, object, symbol, sympos),
            (section, index, rtype, address, value),
            error,
        )| {
            Body::KernelMessage(KernelMessage {
                number,
                logged_us,
                text: text.into(),
                says,
                patch,
                object,
                symbol,
                sympos,
                section,
                index,
                rtype,
                address,
                value,
                error,
            })
        },
    )
}

fn lost() -> impl Strategy<Value = Body> {
    let cause = select(
        [
            LossCause::RingFull,
            LossCause::Recursion,
            LossCause::MissedExit,
            LossCause::MapFull,
            LossCause::CallsFull,
            LossCause::HelperRefused,
            LossCause::BlindWindow,
            LossCause::FtraceDisabled,
            LossCause::Incomplete,
        ]
        .as_slice(),
    );
    (hook(), cause, any::<u64>())
        .prop_map(|(hook, cause, count)| Body::EventsLost(EventsLost { hook, cause, count }))
}

fn closed() -> impl Strategy<Value = Body> {
    let end = select(FindingEnd::ALL.as_slice());
    (finding(), any::<u64>(), end).prop_map(|(finding, opened_ns, end)| {
        let Body::Finding(Finding { id, severity, patch, object, .. }) = finding else { return finding };
        Body::FindingClosed(FindingClosed { id, severity, patch, object, opened_ns, end })
    })
}

fn end() -> impl Strategy<Value = Body> {
    let reason = select(
        [
            EndReason::Signal,
            EndReason::Duration,
            EndReason::EndOfRecording,
            EndReason::OutputClosed,
            EndReason::Failure,
            EndReason::Complete,
        ]
        .as_slice(),
    );
    let verdicts = prop::collection::btree_map(verdict(), any::<u64>(), 0..4);
    let findings = prop::collection::btree_map(select(FindingId::ALL), any::<u32>(), 0..4);
    let open = prop::collection::btree_map(select(FindingId::ALL), any::<u32>(), 0..4);
    (reason, verdicts, (findings, open), any::<u64>()).prop_map(
        |(reason, verdicts, (findings, open), lost)| {
            Body::SessionEnd(SessionEnd { reason, verdicts, findings, open, lost, derived: None })
        },
    )
}

/// Any event of any kind; a `SectionRead` without entries.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    let task = (any::<[u32; 3]>(), of(any::<u32>()), of(any::<u32>()), name())
        .prop_map(|([pid, tgid, uid], ppid, auid, comm)| Arc::new(Task { pid, tgid, ppid, uid, auid, comm }));
    let body = prop_oneof![
        session(),
        metadata(),
        lookup(),
        address_lookup(),
        livepatch(),
        module(),
        hook_event(),
        state(),
        section_read(),
        transition(),
        finding(),
        closed(),
        kernel_message(),
        lost(),
        end(),
    ];
    (any::<u64>(), of(task), body).prop_map(|(mono_ns, task, body)| Event { mono_ns, task, body })
}
