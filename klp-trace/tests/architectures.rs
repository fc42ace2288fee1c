//! Journals of other architectures than x86-64, made by hand of what their kernels were seen to do (7.3.4 under QEMU), and
//! judged here: nothing clears, nothing is refused over a value that is not zero, entries stand in the kernel's order.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use klp_trace::journal::{
    Body, Clock, Elf, EntryRead, Event, HookEvent, Host, Journal, Kernel, Lookup, Memory, MetaEntry,
    ModuleAction, ModuleEvent, ObjectRef, Origin, PatchMetadata, PatchRef, RelocRef, RelocState, SectionRead,
    SectionRef, Session, SymbolLookup, SymbolSet, SymbolSource, Tool, Transition, TransitionStep,
};
use klp_trace::model::{Address, Bytes, Hook, Phase};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

const PATCH: u64 = 0xc008_0000_0014_0000;
const PLACE: u64 = 0xc008_0000_0015_0000;

/// What an architecture's journal is made of: its plain address, and a type that is not judged.
#[derive(Clone, Copy)]
struct Of {
    arch: &'static str,
    address: u32,
    call: u32,
    big_endian: bool,
}

const PPC64LE: Of = Of { arch: "ppc64le", address: 38, call: 10, big_endian: false };
const S390X: Of = Of { arch: "s390x", address: 22, call: 20, big_endian: true };
const S390X_SLOT: Of = Of { call: 26, ..S390X };
const AARCH64: Of = Of { arch: "aarch64", address: 257, call: 283, big_endian: false };
const LOONGARCH64: Of = Of { arch: "loongarch64", address: 2, call: 66, big_endian: false };
const X86_64: Of = Of { arch: "x86_64", address: 1, call: 4, big_endian: false };

/// A journal of a patch with two addresses in `.data` and one call in `.text`.
struct Story {
    of: Of,
    journal: Journal,
    lines: Vec<u8>,
    now: u64,
    base: u64,
}

impl Story {
    fn new(of: Of) -> Self {
        let origin = Origin {
            host: Arc::new(Host {
                id: String::new(),
                name: "host".into(),
                boot_id: "b".into(),
                kernel: Kernel { release: "7.3.4".into(), arch: of.arch.into() },
            }),
            tool: Arc::new(Tool { version: "0.1.0".into() }),
            clock: Clock::new(1_700_000_000_000_000_000, 0),
        };
        let mut story = Self { of, journal: Journal::new(origin), lines: Vec::new(), now: 0, base: 0 };
        // As recorded by a klp-trace that took the empty clear_relocate_add for one that clears.
        story.say(Body::Session(Session {
            command: vec![],
            hooks: vec![],
            clears: true,
            ring_bytes: 65536,
            memory: Memory::Bpf,
            kernel_base: None,
            kernel_log: false,
            redacted: false,
            derived: None,
        }));
        story
    }

    fn say(&mut self, body: Body) {
        self.now += 1_000_000;
        let event = Event { mono_ns: self.now, task: None, body };
        self.journal.append(&event, &mut self.lines);
    }

    fn patch() -> PatchRef {
        PatchRef { name: "lp".into(), address: Address(PATCH), load: 0 }
    }

    fn object(&self) -> ObjectRef {
        ObjectRef { name: "tmod".into(), address: Some(Address(self.base)), load: None }
    }

    fn section(data: bool) -> SectionRef {
        let (index, name) = if data { (8, ".klp.rela.tmod..data") } else { (7, ".klp.rela.tmod..text") };
        SectionRef { index, name: name.into() }
    }

    fn load_patch(&mut self) {
        let (name, address) = ("lp".into(), Some(Address(PATCH)));
        self.say(Body::Module(ModuleEvent::new(ModuleAction::Loaded, name, address, true)));
        for data in [false, true] {
            let entry = |index: u32, rtype, symbol: &str| MetaEntry {
                index,
                file_index: None,
                offset: Address(u64::from(index) * 8),
                rtype,
                addend: 0,
                symbol: format!(".klp.sym.tmod.{symbol},0").into(),
                original: Bytes::new([0; 8], 8),
            };
            let entries = if data {
                vec![entry(0, self.of.address, "a"), entry(1, self.of.address, "b")]
            } else {
                vec![entry(0, self.of.call, "f")]
            };
            self.say(Body::PatchMetadata(PatchMetadata {
                patch: Self::patch(),
                section: Self::section(data),
                object: "tmod".into(),
                elf: Elf::File { path: "lp.ko".into(), build_id: None },
                target: if data { ".data" } else { ".text" }.into(),
                writable: data,
                total: entries.len().try_into().unwrap(),
                entries,
            }));
            self.read(data, Hook::ModuleLoad, None, None);
        }
        self.say(Body::Transition(Transition {
            patch: Some(Self::patch()),
            step: TransitionStep::Patching,
            replace: None,
        }));
    }

    /// The bytes of a value in memory.
    fn bytes(&self, value: u64) -> [u8; 8] {
        if self.of.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// A section as it is when its values are those of the object at `from`.
    fn read(&mut self, data: bool, read: Hook, ret: Option<i64>, from: Option<u64>) {
        let value = |offset: u64| from.map_or(0, |from| from + offset);
        let entry = |index: u32, offset: u64| EntryRead {
            index,
            address: Address(PLACE + u64::from(data) * 0x1000 + u64::from(index) * 8),
            bytes: Some(self.bytes(value(offset))),
            recorded: Some(Address(value(offset))),
        };
        let entries = if data { vec![entry(0, 0x10), entry(1, 0x20)] } else { vec![entry(0, 0x30)] };
        // What a section_read found stands in the records before it.
        for entry in &entries {
            let state = RelocState {
                patch: Self::patch(),
                object: self.object(),
                section: Self::section(data),
                reloc: RelocRef {
                    index: entry.index,
                    file_index: None,
                    offset: Address(u64::from(entry.index) * 8),
                    rtype: "?".into(),
                    symbol: "?".into(),
                    sympos: 0,
                    addend: 0,
                },
                address: Some(entry.address),
                expected: None,
                actual: entry.bytes.map(|bytes| Bytes::new(bytes, 8)),
                recorded: entry.recorded,
                live: None,
                witnesses: None,
                read: Some(read),
                verdict: None,
                reason: None,
                previous: None,
            };
            self.say(Body::RelocState(state));
        }
        let read = SectionRead {
            patch: Self::patch(),
            section: Self::section(data),
            object: self.object(),
            read,
            ret,
            total: entries.len().try_into().unwrap(),
            lost: 0,
            rewrites: None,
            entries,
        };
        self.say(Body::SectionRead(read));
    }

    fn hook(&mut self, hook: Hook, phase: Phase, ret: Option<i64>) {
        let object = Some(self.object());
        self.say(Body::Hook(HookEvent { hook, phase, ret, cpu: 0, patch: None, object, section: None }));
    }

    fn load_target(&mut self, base: u64) {
        self.base = base;
        self.hook(Hook::KlpModuleComing, Phase::Enter, None);
        for (offset, symbol) in [(0x10, "a"), (0x20, "b"), (0x30, "f")] {
            let address = Address(base + offset);
            let (set, from) = (SymbolSet::Core, SymbolSource::Kallsyms);
            self.say(Body::SymbolLookup(SymbolLookup {
                object: self.object(),
                symbol: symbol.into(),
                sympos: 0,
                outcome: Lookup::Found { address, set, from },
            }));
        }
        for data in [false, true] {
            self.read(data, Hook::ApplyRelocateAdd, Some(0), Some(base));
        }
        self.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    }

    /// What the kernel does off x86: nothing. The values stay.
    fn unload_target(&mut self) {
        self.hook(Hook::KlpModuleGoing, Phase::Enter, None);
        for data in [false, true] {
            self.read(data, Hook::KlpCleanupModulePatchesLimited, None, Some(self.base));
        }
        self.hook(Hook::KlpModuleGoing, Phase::Exit, None);
    }

    fn journal(&self, folder: &Path) -> std::path::PathBuf {
        let path = folder.join(format!("{}.ndjson", self.of.arch));
        std::fs::write(&path, &self.lines).unwrap();
        path
    }
}

fn klp_trace(args: &[&str], journal: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_klp-trace")).args(args).arg("--from").arg(journal).output().unwrap()
}

/// The records that `watch --from` comes to, and its exit code.
fn judged(story: &Story) -> (Vec<Value>, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let done = klp_trace(&["watch", "--json"], &story.journal(folder.path()));
    let text = String::from_utf8(done.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), done.status.code())
}

fn findings(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["event"]["kind"] == "finding").collect()
}

/// The last verdict of each relocation that has one.
fn verdicts(records: &[Value]) -> Vec<(String, String)> {
    let mut last = std::collections::BTreeMap::new();
    for record in records.iter().filter(|record| record["event"]["kind"] == "section_state") {
        for reloc in record["relocations"].as_array().unwrap() {
            let place = format!("{} {}", record["section"]["name"], reloc["index"]).replace('"', "");
            last.insert(place, record["verdict"].as_str().unwrap_or("-").to_owned());
        }
    }
    last.into_iter().collect()
}

fn all(text: &str, call: &str) -> Vec<(String, String)> {
    [(".klp.rela.tmod..data 0", text), (".klp.rela.tmod..data 1", text), (".klp.rela.tmod..text 0", call)]
        .map(|(place, verdict)| (place.to_owned(), verdict.to_owned()))
        .to_vec()
}

#[test]
fn an_unload_leaves_stale_values_and_no_clear_stopped() {
    for (of, severity, next, action) in [
        (
            PPC64LE,
            "warning",
            "unless it comes to another address and the patch has no stubs left",
            "if tmod is refused",
        ),
        (S390X, "info", "the next load of tmod writes over them", "nothing: tmod can be loaded again"),
        (S390X_SLOT, "error", "but not over the slots of the patch's GOT", "before tmod is loaded again"),
        (AARCH64, "info", "the next load of tmod writes over them", "nothing: tmod can be loaded again"),
        (LOONGARCH64, "info", "the next load of tmod writes over them", "nothing: tmod can be loaded again"),
    ] {
        let mut story = Story::new(of);
        story.load_patch();
        story.load_target(0xc008_0000_0020_0000);
        story.unload_target();
        let (records, _) = judged(&story);
        assert_eq!(verdicts(&records), all("stale", "unknown"), "{}", of.arch);
        let [found] = findings(&records)[..] else { panic!("{}: {:?}", of.arch, findings(&records)) };
        let finding = &found["finding"];
        let text = |field: &str| finding[field].as_str().unwrap().to_owned();
        assert_eq!((&*text("id"), &*text("severity")), ("KLP001", severity), "{}", of.arch);
        assert_eq!(finding["relocations"], 2);
        assert!(text("message").ends_with(next), "{}", text("message"));
        assert!(text("action").starts_with(action), "{}", text("action"));
        assert!(text("why").starts_with(&format!("kernels of {} never clear", of.arch)), "{}", text("why"));
        let all = format!("{} {} {}", text("message"), text("why"), text("action"));
        assert!(
            !all.contains("will be refused") && !all.contains("x86") && !all.contains("ENOEXEC"),
            "{all}"
        );
        // Told as what it is, whatever the journal says.
        assert_eq!(records[0]["session"]["clears"], false, "{}", of.arch);
    }
}

#[test]
fn a_reload_writes_over_them_and_is_right_again() {
    for of in [PPC64LE, S390X, AARCH64, LOONGARCH64] {
        for (base, again) in [(0x20_0000, 0x20_0000), (0x20_0000, 0x30_0000)] {
            let mut story = Story::new(of);
            story.load_patch();
            story.load_target(base);
            story.unload_target();
            story.load_target(again);
            let (records, code) = judged(&story);
            assert_eq!(verdicts(&records), all("applied", "unknown"), "{}", of.arch);
            assert_eq!(findings(&records).len(), 1, "{}: of the unload", of.arch);
            assert_eq!(code, Some(5), "{}: the call is not judged", of.arch);
        }
    }
}

#[test]
fn a_refused_load_is_not_put_down_to_stale_values() {
    let mut story = Story::new(PPC64LE);
    story.load_patch();
    story.load_target(0x20_0000);
    story.unload_target();
    story.base = 0x30_0000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    // .data, whose relocations hold what the last load left: they are judged, and must not be blamed.
    story.read(true, Hook::ApplyRelocateAdd, Some(-2), Some(0x20_0000));
    let (patch, section) = (Some(Story::patch()), Some(Story::section(true)));
    let (hook, phase, ret) = (Hook::ApplyRelocateAdd, Phase::Exit, Some(-2));
    story.say(Body::Hook(HookEvent { hook, phase, ret, cpu: 0, patch, object: None, section }));
    for data in [false, true] {
        story.read(data, Hook::KlpCleanupModulePatchesLimited, Some(-2), Some(0x20_0000));
    }
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-2));
    let (records, _) = judged(&story);
    let refused = findings(&records).into_iter().find(|found| found["finding"]["id"] == "KLP009").unwrap();
    let why = refused["finding"]["why"].as_str().unwrap();
    assert!(why.contains("no stale target explains it"), "{why}");
    assert_eq!(refused["finding"]["relocations"], 0);
}

#[test]
fn x86_says_what_it_said() {
    let mut story = Story::new(X86_64);
    story.load_patch();
    story.load_target(0x20_0000);
    story.unload_target();
    let (records, code) = judged(&story);
    assert_eq!(code, Some(1));
    let ids: Vec<_> = findings(&records).iter().map(|found| found["finding"]["id"].clone()).collect();
    assert!(ids.contains(&"KLP002".into()), "its session clears, and this clear stopped: {ids:?}");
    assert_eq!(records[0]["session"]["clears"], true);
}

#[test]
fn every_command_takes_such_journals() {
    let folder = tempfile::tempdir().unwrap();
    for of in [PPC64LE, S390X, AARCH64] {
        let mut story = Story::new(of);
        story.load_patch();
        story.load_target(0x20_0000);
        let journal = story.journal(folder.path());
        let watch = klp_trace(&["watch"], &journal);
        let text = String::from_utf8_lossy(&watch.stdout).into_owned();
        assert!(text.contains("this kernel does not clear relocations"), "{text}");
        let assert = klp_trace(&["assert"], &journal);
        assert_eq!((watch.status.code(), assert.status.code()), (Some(5), Some(5)), "{}", of.arch);
        let redacted = klp_trace(&["watch", "--redact-addresses"], &journal);
        assert_eq!(redacted.status.code(), Some(4), "which bytes hold addresses is not known");
    }
    let mut story = Story::new(Of { arch: "riscv64", ..AARCH64 });
    story.load_patch();
    let refused = klp_trace(&["watch"], &story.journal(folder.path()));
    assert_eq!(refused.status.code(), Some(4));
}
