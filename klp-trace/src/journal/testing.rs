//! For tests: one event of each kind, and any event.

use super::*;
use crate::model::{Address, Bytes, FindingEnd, FindingId, Hook, Phase, Severity, Verdict};
use std::sync::Arc;

pub(crate) mod any;

pub(crate) fn origin() -> Origin {
    Origin {
        host: Arc::new(Host {
            id: "6f1d2c3b4a5968778695a4b3c2d1e0ff".into(),
            name: "node7".into(),
            boot_id: "0d6a2c6e-1f5e-4a51-9f39-0f0a6ad5d3f1".into(),
            kernel: Kernel { release: "6.1.0-40-amd64".into(), arch: "x86_64".into() },
        }),
        tool: Arc::new(Tool { version: "0.1.0".into() }),
        clock: Clock::new(1_763_812_801_123_456_789, 5_000_000_000),
    }
}

pub(crate) fn patch() -> PatchRef {
    PatchRef { name: "lp_one".into(), address: Address(0xffff_ffff_c040_2000), load: 1 }
}

pub(crate) fn object() -> ObjectRef {
    ObjectRef { name: "klp_target".into(), address: Some(Address(0xffff_ffff_c03f_7040)), load: Some(1) }
}

pub(crate) fn section() -> SectionRef {
    SectionRef { index: 31, name: ".klp.rela.klp_target..text".into() }
}

pub(crate) fn reloc(index: u32) -> RelocRef {
    RelocRef {
        index,
        file_index: None,
        offset: Address(0x10 + u64::from(index) * 8),
        rtype: "R_X86_64_PC32".into(),
        symbol: "target_secret".into(),
        sympos: 0,
        addend: -4,
    }
}

pub(crate) fn at(mono_ns: u64, body: Body) -> Event {
    Event { mono_ns, task: None, body }
}

/// A relocation that became `verdict` at a read.
pub(crate) fn state(
    index: u32,
    read: Option<Hook>,
    previous: Option<Verdict>,
    verdict: Verdict,
) -> RelocState {
    RelocState {
        patch: patch(),
        object: object(),
        section: section(),
        reloc: reloc(index),
        address: Some(Address(0xffff_ffff_c040_0010 + u64::from(index) * 8)),
        expected: Some(Bytes::new([0x2c, 0x70, 0xff, 0xff, 0, 0, 0, 0], 4)),
        actual: Some(Bytes::new([0x2c, 0x70, 0xff, 0xff, 0, 0, 0, 0], 4)),
        recorded: Some(Address(0xffff_ffff_c03f_7040)),
        live: Some(Address(0xffff_ffff_c03f_7040)),
        witnesses: Some(Witnesses {
            elf: ElfWitness::File,
            symbols: Some(SymbolSource::Kallsyms),
            memory: Memory::Bpf,
        }),
        read,
        verdict: Some(verdict),
        reason: None,
        previous,
    }
}

/// What was read of the relocation that [`state`] speaks of.
pub(crate) fn entry(index: u32) -> EntryRead {
    EntryRead {
        index,
        address: Address(0xffff_ffff_c040_0010 + u64::from(index) * 8),
        bytes: Some([0x2c, 0x70, 0xff, 0xff, 0, 0, 0, 0]),
        recorded: Some(Address(0xffff_ffff_c03f_7040)),
    }
}

pub(crate) fn section_read(read: Hook, total: u32, entries: Vec<EntryRead>) -> SectionRead {
    let ret = (read == Hook::ApplyRelocateAdd).then_some(0);
    SectionRead {
        patch: patch(),
        section: section(),
        object: object(),
        read,
        ret,
        total,
        lost: 0,
        entries,
        rewrites: None,
    }
}

pub(crate) fn finding() -> Finding {
    Finding {
        id: FindingId::Klp001,
        severity: Severity::Error,
        message: "12 relocations of lp_one still hold values of klp_target, which is gone.".into(),
        why: "This kernel does not clear relocation targets when an object is unloaded (before 6.3).".into(),
        action: "Unload lp_one before klp_target is loaded again, or that load will be refused.".into(),
        commands: Vec::new(),
        patch: Some(patch()),
        object: Some(ObjectRef { address: None, ..object() }),
        section: Some(section()),
        sections: Vec::new(),
        relocations: 12,
        first: Some(Arc::new(reloc(0))),
        kernel: Vec::new(),
        opened_ns: 7_000_000_000,
    }
}

/// As 7.3 says that a target is not zero.
pub(crate) fn kernel_message() -> KernelMessage {
    let text = "module: x86/modules: Invalid relocation target, existing value is nonzero for sec 31, idx 0, type 2, loc \
                ffffffffc0400010, val ff702c";
    KernelMessage {
        number: 612,
        logged_us: 20_918_273,
        text: text.into(),
        says: Some(Says::TargetNotZero),
        patch: None,
        object: None,
        symbol: None,
        sympos: None,
        section: Some(31),
        index: Some(0),
        rtype: Some(2),
        address: Some(Address(0xffff_ffff_c040_0010)),
        value: Some(Address(0xff_702c)),
        error: None,
    }
}

/// One event of each kind, in an order in which they could happen.
pub(crate) fn one_of_each() -> Vec<Event> {
    let modprobe = Arc::new(Task {
        pid: 812,
        tgid: 812,
        ppid: Some(811),
        uid: 0,
        auid: Some(1000),
        comm: "modprobe".into(),
    });
    let mut events = vec![
        at(
            5_000_000_000,
            Body::Session(Session {
                command: vec!["klp-trace".into(), "watch".into()],
                hooks: vec![
                    HookInfo { name: Hook::KlpModuleComing, mechanism: Some("fentry".into()), reason: None },
                    HookInfo {
                        name: Hook::ClearRelocateAdd,
                        mechanism: None,
                        reason: Some("this kernel has no such function".into()),
                    },
                ],
                clears: false,
                ring_bytes: 8 << 20,
                memory: Memory::Bpf,
                kernel_base: Some(Address(0xffff_ffff_9a00_0000)),
                kernel_log: true,
                redacted: false,
                derived: None,
            }),
        ),
        at(
            5_000_100_000,
            Body::PatchMetadata(PatchMetadata {
                patch: patch(),
                section: section(),
                object: object().name,
                elf: Elf::File {
                    path: "/lib/modules/6.1.0-40-amd64/updates/lp_one.ko".into(),
                    build_id: Some("7c0ffee0".into()),
                },
                target: ".text".into(),
                writable: false,
                total: 1,
                entries: vec![MetaEntry {
                    index: 0,
                    file_index: None,
                    offset: Address(0x10),
                    rtype: 2,
                    addend: -4,
                    symbol: ".klp.sym.klp_target.target_secret,0".into(),
                    original: Bytes::new([0; 8], 8),
                }],
            }),
        ),
        at(
            5_000_200_000,
            Body::SymbolLookup(SymbolLookup {
                object: object(),
                symbol: "target_secret".into(),
                sympos: 0,
                outcome: Lookup::Found {
                    address: Address(0xffff_ffff_c03f_7040),
                    set: SymbolSet::Full,
                    from: SymbolSource::Kallsyms,
                },
            }),
        ),
        at(
            6_000_000_000,
            Body::Module(ModuleEvent::new(
                ModuleAction::Loaded,
                "klp_target".into(),
                Some(Address(0xffff_ffff_c03f_7040)),
                false,
            )),
        ),
        at(
            6_000_100_000,
            Body::Hook(HookEvent {
                hook: Hook::ApplyRelocateAdd,
                phase: Phase::Exit,
                ret: Some(0),
                cpu: 1,
                patch: Some(patch()),
                object: Some(object()),
                section: Some(section()),
            }),
        ),
        at(
            6_000_200_000,
            Body::RelocState(state(
                0,
                Some(Hook::ApplyRelocateAdd),
                Some(Verdict::Pending),
                Verdict::Applied,
            )),
        ),
        at(6_000_200_000, Body::SectionRead(section_read(Hook::ApplyRelocateAdd, 1, vec![entry(0)]))),
        at(
            6_500_000_000,
            Body::Transition(Transition {
                patch: Some(patch()),
                step: TransitionStep::Complete,
                replace: None,
            }),
        ),
        at(7_000_000_000, Body::Finding(finding())),
        at(
            7_050_000_000,
            Body::FindingClosed(FindingClosed {
                id: finding().id,
                severity: finding().severity,
                patch: finding().patch,
                object: finding().object,
                opened_ns: 7_000_000_000,
                end: FindingEnd::Written,
            }),
        ),
        at(
            7_100_000_000,
            Body::EventsLost(EventsLost { hook: Hook::KlpModuleGoing, cause: LossCause::RingFull, count: 3 }),
        ),
        at(
            7_200_000_000,
            Body::AddressLookup(AddressLookup {
                address: Address(0xffff_ffff_8123_4567),
                nearest: Some(Nearest { object: "vmlinux".into(), symbol: "_printk".into(), offset: 7 }),
            }),
        ),
        at(
            7_300_000_000,
            Body::Livepatch(Livepatch {
                patch: patch(),
                standing: Standing::Enabled,
                sections: 1,
                unread: None,
                refcount: Some(1),
                objects: Some(vec!["nfsd".into()]),
            }),
        ),
        at(
            7_400_000_000,
            Body::Stall(Stall {
                patch: patch(),
                found: Stalled {
                    waited_ns: Some(10_000_000_000),
                    tasks: 1,
                    blocking: vec![Blocking {
                        pid: 812,
                        tgid: 812,
                        comm: "nfsd".into(),
                        patch_state: 0,
                        stack: vec!["svc_recv+0x4d/0x90 [sunrpc]".to_owned()],
                    }],
                    looked: None,
                },
            }),
        ),
        at(7_500_000_000, Body::KernelMessage(kernel_message())),
        at(
            8_000_000_000,
            Body::SessionEnd(SessionEnd {
                reason: EndReason::Signal,
                verdicts: Totals::from([(Verdict::Stale, 12)]),
                findings: [(FindingId::Klp001, 1)].into(),
                open: [(FindingId::Klp001, 1)].into(),
                lost: 3,
                derived: None,
            }),
        ),
    ];
    for event in &mut events {
        if matches!(event.body, Body::Module(_) | Body::Hook(_)) {
            event.task = Some(modprobe.clone());
        }
    }
    events
}

/// Compares a text with the file that keeps it (`file` under klp-trace/src); with KLP_TRACE_BLESS=1 in the environment
/// it becomes the new file, to be looked at before it is committed.
pub(crate) fn golden(file: &str, actual: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
    if std::env::var_os("KLP_TRACE_BLESS").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (number, (actual, kept)) in actual.lines().zip(kept.lines()).enumerate() {
        assert_eq!(actual, kept, "{file}:{}", number + 1);
    }
    assert_eq!(actual, kept, "{file}");
}
