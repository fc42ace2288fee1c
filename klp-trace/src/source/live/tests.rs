//! The live source's own rules, with a reader that tells what the test wants told.

use super::*;
use crate::{
    journal::{EventsLost, LossCause, ModuleAction, Unread},
    probe::event::{HookEvent, KernelName, Module, ModuleState, SectionInfo, Stamp, Symbol, Task},
};

/// Hands over what it was given, and counts how often it was asked for losses.
#[derive(Default)]
struct Told {
    events: VecDeque<RawEvent>,
    asked: u32,
    lost: bool,
}

impl Reader for Told {
    fn drain(&mut self, queue: &mut VecDeque<RawEvent>) {
        queue.append(&mut self.events);
    }

    fn loss(&mut self) -> Vec<EventsLost> {
        self.asked += 1;
        Vec::new()
    }

    fn may_have_lost(&mut self) -> bool {
        std::mem::take(&mut self.lost)
    }

    fn sections(&mut self, _: u64, _: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        Ok(Vec::new())
    }

    fn read_section(&mut self, _: u64, _: u32, _: &mut VecDeque<RawEvent>) -> Result<(), Unread> {
        Err(Unread::Gone)
    }

    fn symbol(&mut self, _: u64, _: u32, _: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        Err(Unread::Gone)
    }
}

fn live() -> (tempfile::TempDir, Live<Told>) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("proc")).unwrap();
    std::fs::write(root.path().join("proc/modules"), "").unwrap();
    let finder = Finder::new(root.path(), "6.1", vec![]);
    let parts = Parts { reader: Told::default(), arch: Arch::X86_64, root: root.path().to_owned(), finder };
    (root, Live::new(parts))
}

const ADDRESS: u64 = 0xffff_ffff_c000_1000;

fn hook(hook: crate::probe::Hook, ret: Option<i64>) -> HookEvent {
    let name = |text: &str| KernelName(text.as_bytes().to_vec());
    HookEvent {
        hook,
        stamp: Stamp { mono_ns: 1, cpu: 0 },
        task: Task { pid: 1, tgid: 1, ppid: None, uid: 0, auid: None, comm: name("insmod") },
        module: Module {
            address: ADDRESS,
            name: name("tmod"),
            state: ModuleState::Coming,
            livepatch: false,
            klp_info: false,
            unreadable: false,
        },
        ret,
        relsec: None,
        walks: 0,
    }
}

fn blind(live: &mut Live<Told>, events: Vec<RawEvent>) -> usize {
    live.reader.events.extend(events);
    let mut blind = 0;
    live.step(&mut |event| {
        if let Body::EventsLost(EventsLost { cause: LossCause::BlindWindow, .. }) = event.body {
            blind += 1;
        }
    });
    blind
}

#[test]
fn a_coming_that_failed_does_not_stand_for_the_next_load_at_its_address() {
    use crate::probe::Hook;
    let coming =
        |ret| vec![RawEvent::Enter(hook(Hook::Coming, None)), RawEvent::Exit(hook(Hook::Coming, Some(ret)))];
    let loaded = || vec![RawEvent::ModuleLoad(hook(Hook::ModuleLoad, None))];
    let (_root, mut live) = live();
    assert_eq!(blind(&mut live, coming(0)), 0);
    assert_eq!(blind(&mut live, loaded()), 0, "its coming was seen");
    let gone =
        vec![RawEvent::Exit(hook(Hook::Going, None)), RawEvent::ModuleFree(hook(Hook::ModuleFree, None))];
    assert_eq!(blind(&mut live, gone), 0);
    // Refused: nothing of it is seen any more.
    assert_eq!(blind(&mut live, coming(-22)), 0);
    // With ftrace off the next load shows by its tracepoint alone.
    assert_eq!(blind(&mut live, loaded()), 1);
}

#[test]
fn losses_are_looked_for_at_each_tick_and_where_there_is_a_sign_of_one() {
    let (_root, mut live) = live();
    for _ in 0..5 {
        live.step(&mut |_| {});
    }
    assert_eq!(live.reader.asked, 0, "not at each wake-up");
    live.tick(&mut |_| {});
    assert_eq!(live.reader.asked, 1);
    live.reader.lost = true;
    live.step(&mut |_| {});
    assert_eq!(live.reader.asked, 2);
    live.finish(&mut |_| {});
    assert_eq!(live.reader.asked, 3, "nor is the end reported before a last look");
}

/// What was told of a module, in order.
fn told(live: &mut Live<Told>, what: impl FnOnce(&mut Live<Told>, Out)) -> Vec<ModuleAction> {
    let mut actions = Vec::new();
    what(live, &mut |event| {
        if let Body::Module(module) = &event.body
            && !module.livepatch
        {
            actions.push(module.action);
        }
    });
    actions
}

/// A source that knows of a patch with a section gated on `klp_target`.
fn gated() -> (tempfile::TempDir, Live<Told>) {
    let (root, mut live) = live();
    for event in crate::journal::testing::one_of_each() {
        if matches!(event.body, Body::PatchMetadata(_)) {
            live.say(None, event.body, &mut |_| {});
        }
    }
    assert!(live.gates.contains("klp_target"));
    (root, live)
}

fn look(live: &mut Live<Told>, out: Out) {
    assert!(live.look(out));
}

#[test]
fn a_module_whose_load_is_under_way_is_not_there_yet_and_its_end_is_looked_for() {
    let (root, mut live) = gated();
    let list = |state: &str| {
        let line = format!("klp_target 16384 1 - {state} 0x0000000000000000\n");
        std::fs::write(root.path().join("proc/modules"), line).unwrap();
    };
    list("Loading");
    assert_eq!(told(&mut live, look), [ModuleAction::Loading]);
    assert_eq!(told(&mut live, Live::tick), [], "it still is");
    list("Live");
    assert_eq!(told(&mut live, Live::tick), [ModuleAction::Present]);
    assert_eq!(told(&mut live, Live::tick), [], "once");
    list("Loading");
    assert_eq!(told(&mut live, look), [ModuleAction::Loading]);
    std::fs::write(root.path().join("proc/modules"), "").unwrap();
    assert_eq!(told(&mut live, Live::tick), [ModuleAction::Absent], "its init failed");
    list("Unloading");
    assert_eq!(told(&mut live, look), [ModuleAction::Unloading], "its exit function runs");
    assert_eq!(told(&mut live, Live::tick), []);
    list("Loading");
    assert_eq!(told(&mut live, Live::tick), [ModuleAction::Loading], "the next load");
}

#[test]
fn a_load_whose_end_was_seen_is_looked_for_no_more() {
    let (root, mut live) = gated();
    let line = "klp_target 16384 1 - Loading 0x0000000000000000\n";
    std::fs::write(root.path().join("proc/modules"), line).unwrap();
    assert_eq!(told(&mut live, look), [ModuleAction::Loading]);
    let mut exit = hook(crate::probe::Hook::Coming, Some(0));
    exit.module.name = KernelName(b"klp_target".to_vec());
    live.reader.events.push_back(RawEvent::Exit(exit));
    told(&mut live, Live::step);
    assert!(live.on_their_way.is_empty());
    assert_eq!(told(&mut live, Live::tick), []);
}

#[test]
fn one_that_livepatch_has_done_with_is_gone_though_it_is_still_listed() {
    let (root, mut live) = gated();
    let line = "klp_target 16384 0 - Unloading 0x0000000000000000\n";
    std::fs::write(root.path().join("proc/modules"), line).unwrap();
    let named = |of: crate::probe::Hook| {
        let mut event = hook(of, None);
        event.module.name = KernelName(b"klp_target".to_vec());
        event
    };
    live.reader.events.push_back(RawEvent::Exit(named(crate::probe::Hook::Going)));
    told(&mut live, Live::step);
    assert_eq!(told(&mut live, look), [ModuleAction::Absent]);
    assert_eq!(told(&mut live, Live::tick), []);
    live.reader.events.push_back(RawEvent::ModuleFree(named(crate::probe::Hook::ModuleFree)));
    told(&mut live, Live::step);
    assert!(live.departed.is_empty());
    assert_eq!(told(&mut live, look), [ModuleAction::Unloading], "another load of it");
}
