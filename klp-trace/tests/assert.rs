//! `klp-trace assert --from` and `klp-trace policy`, as scripts meet them: exit codes, reports, precedence.

#![allow(clippy::expect_used, reason = "a test")]

use klp_trace::{
    arch::Arch,
    journal::{
        Body, Clock, Elf, EndReason, EntryRead, Event, EventsLost, Host, Journal, Kernel, Lookup, LossCause,
        Memory, MetaEntry, ModuleAction, ModuleEvent, ObjectRef, Origin, PatchMetadata, PatchRef,
        SectionRead, SectionRef, Session, SymbolLookup, SymbolSet, SymbolSource, Tool, Transition,
        TransitionStep,
    },
    model::{Address, Bytes, Hook},
    verify::Verifier,
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::Arc,
};

const BASE: u64 = 0xffff_ffff_c03f_7000;

/// What a session shows of `lp`, which has one relocation against `tmod`.
#[derive(Clone, Copy, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one way in which a session differs")]
struct Shown {
    /// The object is gone, and its value is still there.
    stale: bool,
    /// The relocation is never read.
    unread: bool,
    /// Records were lost, and the relocation read again.
    lossy: bool,
    /// Another architecture's.
    foreign: bool,
}

/// A journal with one session after the other.
fn journal(folder: &Path, sessions: &[Shown]) -> PathBuf {
    let mut bytes = Vec::new();
    for (number, shown) in (0..).zip(sessions) {
        let arch = if shown.foreign { "riscv64" } else { "x86_64" };
        let origin = Origin {
            host: Arc::new(Host {
                id: String::new(),
                name: "node7".into(),
                boot_id: "0d6a2c6e-1f5e-4a51-9f39-0f0a6ad5d3f1".into(),
                kernel: Kernel { release: "6.1.0-40-amd64".into(), arch: arch.into() },
            }),
            tool: Arc::new(Tool { version: "0.1.0".into() }),
            clock: Clock::new(1_795_500_000_000_000_000, 0),
        };
        let mut journal = Journal::new(origin);
        let mut verifier = Verifier::new(Arch::X86_64);
        let mut keep = |event: &Event| journal.append(event, &mut bytes);
        for body in story(*shown) {
            // At a time of its own: by that a session is known.
            verifier.feed(Event { mono_ns: 10 * number + 5, task: None, body }, &mut |event| keep(&event));
        }
        verifier.finish(&mut |event| keep(&event));
        let end = verifier.end(EndReason::Signal);
        keep(&Event { mono_ns: 10 * number + 9, task: None, body: Body::SessionEnd(end) });
    }
    let path = folder.join("journal.ndjson");
    std::fs::write(&path, bytes).expect("a journal is written");
    path
}

fn story(shown: Shown) -> Vec<Body> {
    let patch = || PatchRef { name: "lp".into(), address: Address(0xffff_ffff_c080_0000), load: 0 };
    let object = || ObjectRef { name: "tmod".into(), address: Some(Address(BASE)), load: None };
    let section = || SectionRef { index: 7, name: ".klp.rela.tmod..data".into() };
    let module = |action, name: &str, address, livepatch| {
        Body::Module(ModuleEvent::new(action, name.into(), Some(Address(address)), livepatch))
    };
    let read = |read, value: u64| {
        let entry = EntryRead {
            index: 0,
            address: Address(0xffff_ffff_c080_1000),
            bytes: Some(value.to_le_bytes()),
            recorded: Some(Address(BASE + 0x10)),
        };
        Body::SectionRead(SectionRead {
            patch: patch(),
            section: section(),
            object: object(),
            read,
            ret: None,
            total: 1,
            lost: 0,
            entries: vec![entry],
            rewrites: None,
        })
    };
    let mut bodies = vec![
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
        }),
        module(ModuleAction::Present, "lp", 0xffff_ffff_c080_0000, true),
        Body::PatchMetadata(PatchMetadata {
            patch: patch(),
            section: section(),
            object: "tmod".into(),
            elf: Elf::File { path: "/lib/modules/lp.ko".into(), build_id: None },
            target: ".data".into(),
            writable: false,
            total: 1,
            entries: vec![MetaEntry {
                index: 0,
                file_index: None,
                offset: Address(0),
                rtype: 1,
                addend: 0,
                symbol: ".klp.sym.tmod.a,0".into(),
                original: Bytes::new([0; 8], 8),
            }],
        }),
        module(ModuleAction::Present, "tmod", BASE, false),
        Body::Transition(Transition { patch: Some(patch()), step: TransitionStep::Patching, replace: None }),
    ];
    if shown.unread {
        return bodies;
    }
    let lookup = || {
        Body::SymbolLookup(SymbolLookup {
            object: object(),
            symbol: "a".into(),
            sympos: 0,
            outcome: Lookup::Found {
                address: Address(BASE + 0x10),
                set: SymbolSet::Core,
                from: SymbolSource::Kallsyms,
            },
        })
    };
    bodies.push(lookup());
    bodies.push(read(Hook::Demand, BASE + 0x10));
    if shown.stale {
        bodies.push(module(ModuleAction::Absent, "tmod", BASE, false));
        bodies.push(read(Hook::Demand, BASE + 0x10));
    }
    if shown.lossy {
        bodies.push(Body::EventsLost(EventsLost {
            hook: Hook::KlpModuleGoing,
            cause: LossCause::RingFull,
            count: 3,
        }));
        // What was looked up before may be of another load.
        bodies.push(lookup());
        bodies.push(read(Hook::Demand, BASE + 0x10));
    }
    bodies
}

const GOOD: Shown = Shown { stale: false, unread: false, lossy: false, foreign: false };
const STALE: Shown = Shown { stale: true, ..GOOD };
const UNREAD: Shown = Shown { unread: true, ..GOOD };
const LOSSY: Shown = Shown { lossy: true, ..GOOD };
const FOREIGN: Shown = Shown { foreign: true, ..GOOD };

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file is written");
        path.to_str().expect("a UTF-8 path").to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a UTF-8 path").to_owned()
    }

    /// `klp-trace assert --from` a journal of these sessions.
    fn assert(&self, sessions: &[Shown], more: &[&str]) -> (i32, Output) {
        let journal = journal(self.folder.path(), sessions);
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.arg("assert").arg("--from").arg(journal).args(more).stdin(Stdio::null());
        let out = command.output().expect("klp-trace starts");
        (out.status.code().expect("an exit code"), out)
    }

    fn code(&self, sessions: &[Shown], more: &[&str]) -> i32 {
        self.assert(sessions, more).0
    }
}

#[test]
fn each_exit_code() {
    let bench = Bench::new();
    assert_eq!(bench.code(&[GOOD], &[]), 0);
    assert_eq!(bench.code(&[STALE], &[]), 1);
    assert_eq!(bench.code(&[GOOD], &["--policy", "/nonexistent.toml"]), 2);
    assert_eq!(bench.code(&[GOOD], &["--output", "/dev/full"]), 3);
    assert_eq!(bench.code(&[FOREIGN], &[]), 4);
    assert_eq!(bench.code(&[UNREAD], &[]), 5);
    assert_eq!(bench.code(&[LOSSY], &[]), 5);
}

#[test]
fn of_two_ends_the_documented_one() {
    let bench = Bench::new();
    let bad = bench.file("bad.toml", "[limts]");
    let strict = bench.file("strict.toml", "[[count]]\nthat = [\"total == 9\"]");
    assert_eq!(bench.code(&[STALE, LOSSY], &[]), 1, "1 before 5");
    assert_eq!(
        bench.code(&[UNREAD], &["--policy", &strict]),
        1,
        "a demand that is not met, before what is unknown"
    );
    assert_eq!(bench.code(&[STALE], &["--output", "/dev/full"]), 3, "3 before 1");
    assert_eq!(bench.code(&[LOSSY], &["--output", "/dev/full"]), 3, "3 before 5");
    assert_eq!(bench.code(&[STALE, FOREIGN], &[]), 4, "4 before 1");
    assert_eq!(bench.code(&[UNREAD, FOREIGN], &[]), 4, "4 before 5");
    assert_eq!(bench.code(&[FOREIGN], &["--output", "/dev/full"]), 4, "4 before 3");
    assert_eq!(bench.code(&[STALE], &["--policy", &bad]), 2, "2 before 1");
    assert_eq!(bench.code(&[FOREIGN], &["--policy", &bad]), 2, "2 before 4");
    assert_eq!(bench.code(&[GOOD], &["--policy", &bad, "--output", "/dev/full"]), 2, "2 before 3");
}

#[test]
fn policies_decide() {
    let bench = Bench::new();
    let allow =
        bench.file("allow.toml", "[[allow]]\nid = \"KLP001\"\nreason = \"known\"\nexpires = 2027-12-31");
    assert_eq!(bench.code(&[STALE], &["--policy", &allow]), 0);
    let late =
        bench.file("late.toml", "[[allow]]\nid = \"KLP001\"\nreason = \"known\"\nexpires = 2026-01-01");
    assert_eq!(bench.code(&[STALE], &["--policy", &late]), 1, "the journal's day decides");
    let loss = bench.file("loss.toml", "[limits]\nloss = 3");
    assert_eq!(bench.code(&[LOSSY], &["--policy", &loss]), 0);
    assert_eq!(bench.code(&[LOSSY], &["--fail-on", "warning"]), 1, "KLP013 is a warning");
}

#[test]
fn a_damaged_journal_proves_nothing() {
    let bench = Bench::new();
    let path = journal(bench.folder.path(), &[GOOD]);
    let text = std::fs::read_to_string(&path).expect("the journal is there");
    let (first, rest) = text.split_once('\n').expect("lines");
    std::fs::write(&path, format!("{}\n{rest}", first.replace("node7", "node8")))
        .expect("the journal is written");
    let out = Command::new(env!("CARGO_BIN_EXE_klp-trace")).args(["assert", "--from"]).arg(&path).output();
    let out = out.expect("klp-trace starts");
    assert_eq!(out.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&out.stdout).contains("UNKNOWN  the journal is whole"), "{out:?}");
}

#[test]
fn several_reports_at_once() {
    let bench = Bench::new();
    let kinds = ["text", "ktap", "tap", "junit", "github", "sarif", "json"];
    let options: Vec<String> =
        kinds.iter().map(|kind| format!("--report={kind}={}", bench.path(kind))).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let (code, out) = bench.assert(&[STALE], &[&["--format", "json"], &options[..]].concat());
    assert_eq!(code, 1);
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    assert_eq!(document["schema"], "klp-trace.assert/1");
    assert_eq!(document["exit"]["code"], 1);
    for kind in kinds {
        let text = std::fs::read_to_string(bench.path(kind)).expect("the report is there");
        assert!(text.contains("KLP001"), "{kind}: {text}");
    }
    let sarif = std::fs::read(bench.path("sarif")).expect("the report is there");
    let sarif: serde_json::Value = serde_json::from_slice(&sarif).expect("one JSON document");
    assert_eq!(sarif["version"], "2.1.0");
}

#[test]
fn what_cannot_be_judged_is_reported_as_skipped() {
    let bench = Bench::new();
    let (code, out) = bench.assert(&[FOREIGN], &["--format", "ktap"]);
    assert_eq!(code, 4);
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(text.contains("ok 1 this kernel can be watched # SKIP relocations of riscv64"), "{text}");
}

#[test]
fn a_policy_is_checked_and_begun() {
    let bench = Bench::new();
    let journal = journal(bench.folder.path(), &[GOOD]);
    let written = bench.path("new.toml");
    let policy = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        let out = command.arg("policy").args(arguments).output().expect("klp-trace starts");
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let journal = journal.to_str().expect("a UTF-8 path");
    assert_eq!(policy(&["init", "--from", journal, "--output", &written]).0, Some(0));
    let checked = Command::new(env!("CARGO_BIN_EXE_klp-trace")).args(["policy", "check", &written]).output();
    let checked = checked.expect("klp-trace starts");
    assert_eq!(checked.status.code(), Some(0));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert_eq!(
        said,
        format!(
            "{written}: a policy: 1 demand on a patch, 1 demand on an object, 1 demand on counts, fails on error and worse\n"
        )
    );
    assert_eq!(bench.code(&[GOOD], &["--policy", &written]), 0);
    assert_eq!(bench.code(&[STALE], &["--policy", &written]), 1);
    let bad = bench.file("bad.toml", "[limits]\nlos = 3");
    let (code, said) = policy(&["check", &bad]);
    assert_eq!(code, Some(2));
    assert!(said.contains("line 2, column 1") && said.contains("did you mean loss?"), "{said}");
    let latin = bench.path("latin.toml");
    std::fs::write(&latin, b"[limits]\nloss = 3 # gr\xfc\xdfe\n").expect("it is written");
    let (code, said) = policy(&["check", &latin]);
    assert_eq!(code, Some(2));
    assert!(said.contains("line 2: byte 0xfc at offset 22 is not UTF-8"), "{said}");
    assert!(said.contains("hint: ") && said.contains("iconv -f latin1 -t utf-8"), "{said}");
}
