//! Audits of a livepatch in a core file, with /proc and /sys in a folder.

use super::*;
use crate::{
    arch::Arch,
    journal::recording::replay_from,
    journal::{EventsLost, Journal, LossCause, Memory, Unread, testing::origin},
    kernel::{livepatch_memory::tests as core, patch_file::Finder},
    model::{FindingId, Reason, Verdict},
    probe::event::{HookEvent, KernelName, Module, ModuleState, Stamp, Symbol, Task},
};
use std::{fs, ops::ControlFlow, path::Path};

const VALUE: u64 = 0xffff_ffff_c070_0010;
const MODULES: &str = "lp 16384 1 - Live 0xffffffffc0802000 (OEK)\n";

/// A host on which `lp` is loaded, and what else /proc/modules says.
fn host(modules: &str, patch_enabled: bool) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("proc/modules", modules);
    put("sys/module/lp/sections/.gnu.linkonce.this_module", &format!("{:#x}\n", core::MODULE));
    if patch_enabled {
        put("sys/kernel/livepatch/lp/enabled", "1\n");
        put("sys/kernel/livepatch/lp/transition", "0\n");
        put("sys/kernel/livepatch/lp/tmod/patched", "0\n");
    }
    root
}

fn session() -> Session {
    Session {
        command: vec![],
        hooks: vec![],
        clears: true,
        ring_bytes: 0,
        memory: Memory::Kcore,
        kernel_base: None,
        kernel_log: false,
        redacted: false,
        derived: None,
    }
}

fn audit<R: Reader>(root: &Path, reader: R) -> (Vec<Event>, Audit<R>) {
    run(root, reader, false)
}

fn run<R: Reader>(root: &Path, reader: R, watched: bool) -> (Vec<Event>, Audit<R>) {
    let finder = Finder::new(root, "6.1", vec![]);
    let mut audit = Audit::new(Parts { reader, arch: Arch::X86_64, root: root.to_owned(), finder }, watched);
    audit.patience = Duration::ZERO;
    let mut events = Vec::new();
    audit.run(session(), &mut |event| events.push(event)).unwrap();
    (events, audit)
}

fn reader(bytes: [u64; 2], recorded: u64) -> KcoreReader {
    KcoreReader::new(core::open(&core::livepatch(bytes, recorded)), core::OFFSETS, Arch::X86_64)
}

/// The verdicts last said, by relocation.
fn verdicts(events: &[Event]) -> BTreeMap<u32, (Verdict, Option<Reason>)> {
    let states = events.iter().filter_map(|event| match &event.body {
        Body::RelocState(state) => Some((state.reloc.index, (state.verdict?, state.reason))),
        _ => None,
    });
    states.collect()
}

fn findings(events: &[Event]) -> Vec<FindingId> {
    let ids = events.iter().filter_map(|event| match &event.body {
        Body::Finding(finding) => Some(finding.id),
        _ => None,
    });
    ids.collect()
}

fn both(verdict: Verdict, reason: Option<Reason>) -> BTreeMap<u32, (Verdict, Option<Reason>)> {
    BTreeMap::from([(0, (verdict, reason)), (1, (verdict, reason))])
}

/// The values of the core file's two R_X86_64_64 entries, with addends 4 and 8.
const WRITTEN: [u64; 2] = [VALUE + 4, VALUE + 8];

#[test]
fn what_is_gated_on_an_absent_object_is_told_by_the_recorded_value() {
    let root = host(MODULES, true);
    for (bytes, recorded, verdict) in
        [([0, 0], 0, Verdict::Pending), ([0, 0], VALUE, Verdict::Cleared), (WRITTEN, VALUE, Verdict::Stale)]
    {
        let (events, audit) = audit(root.path(), reader(bytes, recorded));
        assert_eq!(verdicts(&events), both(verdict, None));
        let stale = if verdict == Verdict::Stale { vec![FindingId::Klp001] } else { vec![] };
        assert_eq!(findings(&events), stale);
        assert_eq!(audit.livepatches(), 1);
    }
}

#[test]
fn a_changed_word_of_data_is_a_warning_that_says_what_the_next_clear_does() {
    let root = host(MODULES, true);
    let (events, _) = audit(root.path(), reader([WRITTEN[0], 0x1234], VALUE));
    let said = verdicts(&events);
    assert_eq!(said[&0], (Verdict::Stale, None));
    assert_eq!(said[&1], (Verdict::Mismatch, Some(Reason::WrittenAtRunTime)));
    let wrong = events.iter().find_map(|event| match &event.body {
        Body::Finding(finding) if finding.id == FindingId::Klp006 => Some(finding),
        _ => None,
    });
    let wrong = wrong.unwrap();
    assert_eq!(wrong.severity, crate::model::Severity::Warning);
    assert!(wrong.message.contains("holds 3412000000000000"), "{}", wrong.message);
}

#[test]
fn the_journal_of_an_audit_is_judged_again_to_the_same() {
    let root = host(MODULES, true);
    let (events, _) = audit(root.path(), reader([WRITTEN[0], 0x1234], VALUE));
    let mut journal = Journal::new(origin());
    let mut lines = Vec::new();
    for event in &events {
        journal.append(event, &mut lines);
    }
    let mut verifier = Verifier::new(Arch::X86_64);
    let mut again = Vec::new();
    replay_from(&mut lines.as_slice(), "test", &mut |_, event| {
        verifier.feed(event, &mut |event| again.push(event));
        ControlFlow::Continue(())
    })
    .unwrap();
    verifier.finish(&mut |event| again.push(event));
    let bodies = |events: Vec<Event>| events.into_iter().map(|event| event.body).collect::<Vec<_>>();
    assert_eq!(bodies(again), bodies(events));
}

#[test]
fn a_livepatch_that_cannot_be_found_is_never_clean() {
    let root = host(MODULES, true);
    fs::write(root.path().join("sys/module/lp/sections/.gnu.linkonce.this_module"), "0x0\n").unwrap();
    let (events, audit) = audit(root.path(), reader([0, 0], 0));
    let Some(Body::Livepatch(found)) = events.last().map(|event| &event.body) else { panic!("{events:?}") };
    assert!(found.unread.is_some());
    assert_eq!(audit.verifier().outcome().unknown, 1);
}

#[test]
fn an_object_that_never_holds_still_is_unsettled() {
    let root = host(&format!("tmod 4096 0 - Unloading 0x0\n{MODULES}"), true);
    let (events, audit) = audit(root.path(), reader(WRITTEN, VALUE));
    assert_eq!(verdicts(&events), both(Verdict::Unknown, Some(Reason::Unsettled)));
    assert_eq!(audit.verifier().outcome().unknown, 2);
}

/// A reader whose section is cleared after it was read once.
struct Clearing(KcoreReader, KcoreReader, u32);

impl Reader for Clearing {
    fn drain(&mut self, _queue: &mut VecDeque<RawEvent>) {}

    fn loss(&mut self) -> Vec<EventsLost> {
        Vec::new()
    }

    fn sections(&mut self, module: u64, queue: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        self.0.sections(module, queue)
    }

    fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        queue: &mut VecDeque<RawEvent>,
    ) -> Result<(), Unread> {
        self.2 += 1;
        // Once for what it is, once for what it holds: after that it is cleared.
        let reader = if self.2 <= 2 { &mut self.0 } else { &mut self.1 };
        reader.read_section(module, relsec, queue)
    }

    fn symbol(&mut self, module: u64, index: u32, queue: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        self.0.symbol(module, index, queue)
    }
}

#[test]
fn what_the_patch_does_not_list_is_orphaned() {
    let root = host(MODULES, true);
    std::fs::rename(
        root.path().join("sys/kernel/livepatch/lp/tmod"),
        root.path().join("sys/kernel/livepatch/lp/other"),
    )
    .unwrap();
    let (events, _) = audit(root.path(), reader([0, 0], 0));
    assert_eq!(verdicts(&events), both(Verdict::Orphaned, None));
    assert_eq!(findings(&events), [FindingId::Klp007]);
}

#[test]
fn what_changes_between_two_reads_is_read_again() {
    let root = host(MODULES, true);
    let (events, audit) = audit(root.path(), Clearing(reader(WRITTEN, VALUE), reader([0, 0], VALUE), 0));
    assert_eq!(verdicts(&events), both(Verdict::Cleared, None));
    assert_eq!(audit.reader.2, 5, "described, read, read otherwise, and twice alike");
}

/// A reader whose hooks tell something, or miss something, while what is gated on `tmod` is read for the first time.
struct Hooked {
    reader: KcoreReader,
    tells: Option<Hook>,
    misses: Option<LossCause>,
    reads: u32,
}

impl Hooked {
    fn new(tells: Option<Hook>, misses: Option<LossCause>) -> Self {
        Self { reader: reader([0, 0], 0), tells, misses, reads: 0 }
    }
}

impl Reader for Hooked {
    fn drain(&mut self, queue: &mut VecDeque<RawEvent>) {
        if self.reads < 2 {
            return;
        }
        let Some(hook) = self.tells.take() else { return };
        let name = |text: &str| KernelName(text.as_bytes().to_vec());
        let event = HookEvent {
            hook,
            stamp: Stamp { mono_ns: 1, cpu: 0 },
            task: Task { pid: 1, tgid: 1, ppid: None, uid: 0, auid: None, comm: name("insmod") },
            module: Module {
                address: 1,
                name: name("tmod"),
                state: ModuleState::Coming,
                livepatch: false,
                klp_info: false,
                unreadable: false,
            },
            ret: None,
            relsec: None,
            walks: 0,
        };
        queue.push_back(match hook {
            Hook::ModuleFree => RawEvent::ModuleFree(event),
            _ => RawEvent::Enter(event),
        });
    }

    fn loss(&mut self) -> Vec<EventsLost> {
        let lost = |cause| EventsLost { hook: crate::model::Hook::KlpModuleComing, cause, count: 1 };
        if self.reads < 2 { Vec::new() } else { self.misses.take().map(lost).into_iter().collect() }
    }

    fn sections(&mut self, module: u64, queue: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        self.reader.sections(module, queue)
    }

    fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        queue: &mut VecDeque<RawEvent>,
    ) -> Result<(), Unread> {
        self.reads += 1;
        self.reader.read_section(module, relsec, queue)
    }

    fn symbol(&mut self, module: u64, index: u32, queue: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        self.reader.symbol(module, index, queue)
    }
}

#[test]
fn an_object_that_came_and_went_unseen_by_both_looks_is_read_again() {
    let root = host(MODULES, true);
    let reads = |tells, misses| run(root.path(), Hooked::new(tells, misses), true).1.reader.reads;
    assert_eq!(reads(None, None), 2, "described, read");
    assert_eq!(reads(Some(Hook::Coming), None), 3);
    assert_eq!(reads(Some(Hook::ModuleFree), None), 3);
    assert_eq!(reads(None, Some(LossCause::RingFull)), 3, "whatever was lost may have been its coming");
    assert_eq!(reads(None, Some(LossCause::Recursion)), 3);
    assert_eq!(reads(None, Some(LossCause::MissedExit)), 2, "exits are not hooked");
}

#[test]
fn a_patch_that_is_not_in_livepatchs_list_is_detached() {
    let root = host(MODULES, false);
    let (events, _) = audit(root.path(), reader([0, 0], 0));
    let standing = events.iter().find_map(|event| match &event.body {
        Body::Livepatch(found) => Some((found.standing, found.sections)),
        _ => None,
    });
    assert_eq!(standing, Some((Standing::Detached, 1)));
}

/// Has every module's symbols, and nothing else.
struct Tables;

impl Reader for Tables {
    fn drain(&mut self, _: &mut VecDeque<RawEvent>) {}

    fn loss(&mut self) -> Vec<EventsLost> {
        Vec::new()
    }

    fn sections(&mut self, _: u64, _: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        Ok(Vec::new())
    }

    fn read_section(&mut self, _: u64, _: u32, _: &mut VecDeque<RawEvent>) -> Result<(), Unread> {
        Ok(())
    }

    fn module_symbols(&self, module: u64, object: &[u8], _: &mut Query) -> bool {
        (module, object) == (core::MODULE, b"lp")
    }

    fn symbol(&mut self, _: u64, _: u32, _: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        Err(Unread::Gone)
    }
}

#[test]
fn modules_own_tables_answer_all_or_nothing() {
    let root = host(MODULES, true);
    let finder = Finder::new(root.path(), "6.1", vec![]);
    let parts = Parts { reader: Tables, arch: Arch::X86_64, root: root.path().to_owned(), finder };
    let audit = Audit::new(parts, false);
    let query = |objects: &[&str]| {
        let mut query = Query::new();
        for object in objects {
            query.want(object, "a");
        }
        query
    };
    assert!(audit.own_symbols(&query(&["lp"])).is_some());
    for objects in [["lp", "vmlinux"], ["lp", "absent"]] {
        assert!(audit.own_symbols(&query(&objects)).is_none(), "{objects:?}: the rest is asked of kallsyms");
    }
}
