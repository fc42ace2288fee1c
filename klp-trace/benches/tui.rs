//! What the live picture costs with 100,000 relocations and 1,000,000 events: run by `cargo xtask bench tui`, which is
//! how to run it; it exits with 1 when a promise is not kept.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench tells people numbers"
)]

use klp_trace::journal::record::Record;
use klp_trace::journal::{
    Body, Clock, ElfWitness, Event, Host, Journal, Kernel, Memory, ObjectRef, Origin, PatchRef, RelocRef,
    RelocState, SectionRef, SymbolSource, Task, Tool, Witnesses,
};
use klp_trace::model::{Address, Bytes, Hook, Verdict};
use klp_trace::tui::keymap::Key;
use klp_trace::tui::picture::Picture;
use klp_trace::tui::state::{Source, State};
use klp_trace::tui::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Size;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZE: Size = Size { width: 200, height: 50 };
const SECTIONS: u32 = 100;
const ROUNDS: u64 = 10;
const FRAMES: usize = 301;

fn main() -> std::process::ExitCode {
    let mut kept = true;
    let mut promise = |what: &str, found: f64, unit: &str, most: f64| {
        let fine = found <= most;
        println!("{what}: {found:.2}{unit} (at most {most}{unit}){}", if fine { "" } else { "  NOT KEPT" });
        kept &= fine;
    };
    let (large, applied) = watched(1000);
    let (small, _) = watched(10);
    println!("{} relocations, {} events", large.counts.total(), large.events);
    let parsed = parsing();
    println!("an event: {parsed:?} to parse from JSON, {applied:?} to apply");
    promise("applying, against parsing", applied.as_secs_f64() / parsed.as_secs_f64(), "x", 1.0 / 20.0);
    let [empty, of_small, of_large] = frames([None, Some(&small), Some(&large)]);
    println!(
        "a frame of {}x{}: {empty:?} empty, {of_small:?} with 1,000, {of_large:?} with 100,000",
        SIZE.width, SIZE.height
    );
    promise("a frame with 100,000, against an empty one", ratio(of_large, empty), "x", 6.0);
    promise("a frame with 100,000, against one with 1,000", ratio(of_large, of_small), "x", 1.2);
    promise("resident memory", resident() / 1024.0, " MiB", 256.0);
    if kept { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// A picture after all rounds over so many relocations a section, and the time that an event took.
fn watched(each: u32) -> (Picture, Duration) {
    let (mut picture, names) = (Picture::new(origin()), Names::new());
    let (mut took, mut events) = (Duration::ZERO, 0u32);
    for round in 0..ROUNDS {
        for section in 0..SECTIONS {
            let batch: Vec<Event> = (0..each).map(|index| event(&names, round, section, index)).collect();
            events += each;
            let begun = Instant::now();
            for event in batch {
                picture.apply(event);
            }
            took += begun.elapsed();
        }
    }
    (picture, took / events)
}

/// The time that it takes to read an event from its line.
fn parsing() -> Duration {
    let (mut journal, names) = (Journal::new(origin()), Names::new());
    // Each in a record of its own, as when one happens at a time.
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for index in 0..20_000u32 {
        journal.event(&event(&names, 1, index / 1000, index % 1000));
        journal.flush();
        lines.extend(journal.next_line().map(<[u8]>::to_vec));
    }
    let begun = Instant::now();
    for line in &lines {
        black_box(serde_json::from_slice::<Record>(line).ok());
    }
    begun.elapsed() / 20_000
}

/// The median times of frames, the selection moving; without a picture, of empty ones. They are drawn by turns, so that
/// what else the machine does slows all alike.
fn frames(pictures: [Option<&Picture>; 3]) -> [Duration; 3] {
    let mut drawers = pictures.map(Drawer::new);
    for at in 0..FRAMES {
        for drawer in &mut drawers {
            drawer.frame(at);
        }
    }
    drawers.map(|mut drawer| {
        drawer.times.sort_unstable();
        drawer.times.get(FRAMES / 2).copied().unwrap_or_default()
    })
}

/// One terminal, and what is drawn on it.
struct Drawer<'a> {
    terminal: Terminal<TestBackend>,
    state: State,
    picture: Option<&'a Picture>,
    keys: Vec<Key>,
    times: Vec<Duration>,
}

impl<'a> Drawer<'a> {
    fn new(picture: Option<&'a Picture>) -> Self {
        let terminal = match Terminal::new(TestBackend::new(SIZE.width, SIZE.height)) {
            Ok(terminal) => terminal,
            Err(error) => match error {},
        };
        let keys = ["tab", "down"].iter().filter_map(|key| key.parse().ok()).collect();
        Self { terminal, state: State::new(Source::Live, SIZE), picture, keys, times: Vec::new() }
    }

    fn frame(&mut self, at: usize) {
        let Self { terminal, state, picture, keys, times } = self;
        let picture = *picture;
        if let (Some(picture), Some(key)) = (picture, keys.get(at.min(1))) {
            state.key(*key, picture);
        }
        let begun = Instant::now();
        let drawn = terminal.draw(|frame| {
            if let Some(picture) = picture {
                state.sync(picture);
                view::draw(frame, state, picture);
            }
        });
        times.push(begun.elapsed());
        black_box(drawn.is_ok());
    }
}

/// VmRSS, KiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::MAX)
}

fn origin() -> Origin {
    Origin {
        host: Arc::new(Host {
            id: String::new(),
            name: "bench".into(),
            boot_id: String::new(),
            kernel: Kernel { release: "6.12".into(), arch: "x86_64".into() },
        }),
        tool: Arc::new(Tool { version: "0".into() }),
        clock: Clock::new(0, 0),
    }
}

/// The names in events. Whoever says them, the verifier, has each once, and events share it.
struct Names {
    patches: Vec<Arc<str>>,
    objects: Vec<Arc<str>>,
    sections: Vec<Arc<str>>,
    symbols: Vec<Arc<str>>,
    rtype: Arc<str>,
    task: Arc<Task>,
}

impl Names {
    fn new() -> Self {
        let named = |count: u32, name: &dyn Fn(u32) -> String| (0..count).map(|n| name(n).into()).collect();
        let task = Task { pid: 812, tgid: 812, ppid: Some(1), uid: 0, auid: None, comm: "modprobe".into() };
        Self {
            patches: named(SECTIONS / 20, &|patch| format!("lp_{patch}")),
            objects: named(SECTIONS / 10, &|object| format!("object_{object}")),
            sections: named(SECTIONS, &|section| {
                format!(".klp.rela.object_{}..text.{section}", section / 10)
            }),
            symbols: named(1000, &|symbol| format!("symbol_{symbol}")),
            rtype: "R_X86_64_PC32".into(),
            task: Arc::new(task),
        }
    }
}

fn share(names: &[Arc<str>], at: u32) -> Arc<str> {
    names.get(at as usize).map(Arc::clone).unwrap_or_default()
}

fn event(names: &Names, round: u64, section: u32, index: u32) -> Event {
    let (now, before) = if round.is_multiple_of(2) {
        (Verdict::Applied, (round > 0).then_some(Verdict::Cleared))
    } else {
        (Verdict::Cleared, Some(Verdict::Applied))
    };
    let bytes = Bytes::new([0x2c, 0x70, 0xff, 0xff, 0, 0, 0, 0], 4);
    let address = Address(0xffff_ffff_c040_0010 + u64::from(section) * 0x10000 + u64::from(index) * 8);
    Event {
        mono_ns: round * 1_000_000_000 + u64::from(section) * 1_000_000 + u64::from(index),
        task: Some(Arc::clone(&names.task)),
        body: Body::RelocState(RelocState {
            patch: PatchRef {
                name: share(&names.patches, section / 20),
                address: Address(0xffff_ffff_c000_0000 + u64::from(section / 20)),
                load: 1,
            },
            object: ObjectRef {
                name: share(&names.objects, section / 10),
                address: Some(Address(1)),
                load: Some(1),
            },
            section: SectionRef { index: section, name: share(&names.sections, section) },
            reloc: RelocRef {
                index,
                file_index: None,
                offset: Address(u64::from(index) * 8),
                rtype: Arc::clone(&names.rtype),
                symbol: share(&names.symbols, index),
                sympos: 0,
                addend: -4,
            },
            address: Some(address),
            expected: Some(bytes),
            actual: Some(bytes),
            recorded: Some(address),
            live: Some(address),
            witnesses: Some(Witnesses {
                elf: ElfWitness::File,
                symbols: Some(SymbolSource::Kallsyms),
                memory: Memory::Bpf,
            }),
            read: Some(Hook::ApplyRelocateAdd),
            verdict: Some(now),
            reason: None,
            previous: before,
        }),
    }
}
