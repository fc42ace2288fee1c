//! Names that want to drive the terminal.

use super::{Person, SIZES, screen};
use crate::journal::testing::{any, object, one_of_each, origin, patch, section, state};
use crate::journal::{Body, Event};
use crate::model::{Hook, Verdict};
use crate::tui::picture::Picture;
use ratatui::layout::Size;
use ratatui::text::Span;
use std::sync::Arc;

const NAMES: [&str; 6] = [
    "evil\u{1b}[2J\u{1b}]52;c;AAAA\u{7}",
    "left\u{202e}thgir\u{2066}x",
    "中文模块名称中文模块名称中文模块名称中文模块名称中文模块名称",
    "e\u{301}\u{301}\u{301}\u{301}\u{200d}👨\u{200d}👩\u{200d}👧",
    "\u{9b}31m\u{0}\u{85}\u{2028}",
    "a_name_of_one_hundred_and_twenty_seven_bytes_a_name_of_one_hundred_and_twenty_seven_bytes_a_name_of_one_hundred_and_twenty_se",
];

fn hostile(name: &str) -> Picture {
    let name: Arc<str> = name.into();
    let mut picture = Picture::new(origin());
    let mut apply = |mono_ns, body| picture.apply(Event { mono_ns, task: None, body });
    for event in one_of_each() {
        apply(event.mono_ns, rename(event.body, &name));
    }
    for verdict in Verdict::ALL {
        for index in 0..4 {
            let mut state = state(index, Some(Hook::Demand), None, verdict);
            state.patch = crate::journal::PatchRef { name: Arc::clone(&name), ..patch() };
            state.object = crate::journal::ObjectRef { name: Arc::clone(&name), ..object() };
            state.section = crate::journal::SectionRef { name: Arc::clone(&name), ..section() };
            state.section.index = 100 + verdict as u32;
            state.reloc.symbol = Arc::clone(&name);
            state.reloc.rtype = Arc::clone(&name);
            apply(6_000_000_000, Body::RelocState(state));
        }
    }
    picture
}

fn rename(body: Body, name: &Arc<str>) -> Body {
    match body {
        Body::Finding(mut finding) => {
            for text in [&mut finding.message, &mut finding.why, &mut finding.action] {
                text.push_str(name);
            }
            Body::Finding(finding)
        }
        Body::Module(mut module) => {
            module.name = Arc::clone(name);
            Body::Module(module)
        }
        Body::Session(mut session) => {
            for hook in &mut session.hooks {
                hook.reason = hook.reason.take().map(|reason| format!("{reason}{name}"));
            }
            Body::Session(session)
        }
        other => other,
    }
}

/// Every line takes the screen's width, and no cell holds what a terminal would act on.
fn is_whole(person: &mut Person) {
    let buffer = person.screen();
    for cell in &buffer.content {
        let symbol = cell.symbol();
        assert!(!symbol.chars().any(char::is_control), "{symbol:?}");
        assert!(!symbol.contains(['\u{202e}', '\u{2066}', '\u{2028}', '\u{200d}']), "{symbol:?}");
    }
    let width = usize::from(buffer.area.width);
    for line in screen::text(&buffer).lines() {
        assert!(Span::raw(line).width() <= width, "{line:?}");
    }
    // The frames stand where they stand without such names.
    for y in 1..buffer.area.height.saturating_sub(2) {
        let last = buffer[(buffer.area.width - 1, y)].symbol();
        assert!(["│", "┐", "┘"].contains(&last), "line {y} ends in {last:?}: {}", screen::text(&buffer));
    }
}

#[test]
fn the_screen_stays_whole_whatever_names_hold() {
    for name in NAMES {
        for size in SIZES {
            let mut person = Person::live(hostile(name), 7_000_000_000, size);
            for keys in ["", "tab enter", "esc 1 enter", "esc 2 v", "enter", "esc 3", "4", "/ x", "esc n"] {
                person.press(keys);
                is_whole(&mut person);
                person.press("y");
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 16, ..Default::default() })]

    #[test]
    fn the_screen_stays_whole_whatever_events_hold(
        events in proptest::collection::vec(any::event(), 1..60), width in 80u16..140, height in 24u16..50,
    ) {
        let mut picture = Picture::new(origin());
        for event in events {
            picture.apply(event);
        }
        let mut person = Person::live(picture, 7_000_000_000, Size { width, height });
        for keys in ["", "2 v", "3", "4", "tab tab enter", "enter"] {
            person.press(keys);
            is_whole(&mut person);
        }
    }
}

/// A recording's lines with one digit of one relocation's bytes changed, with the last lines gone, and whole.
fn variants() -> [(Vec<u8>, Option<&'static str>); 3] {
    use std::io::Read as _;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    let packed = std::fs::read(folder.join("7-reload.ndjson.zst")).unwrap();
    let mut text = String::new();
    crate::journal::zstd::Frames::new(&packed[..]).read_to_string(&mut text).unwrap();
    let at = text.find("\"actual\":\"").unwrap() + 10;
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    let altered = format!("{}{digit}{}", &text[..at], &text[at + 1..]);
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let cut = lines[..lines.len() / 2].concat();
    [
        (altered.into_bytes(), Some("DAMAGED line")),
        (cut.into_bytes(), Some("NO END")),
        (text.into_bytes(), None),
    ]
}

#[test]
fn that_a_recording_is_damaged_stands_on_the_first_line_at_every_width() {
    use crate::tui::replay::Recorded;
    for (bytes, mark) in variants() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        for width in [20, 40, 60, 79, 80, 100, 120, 180, 250] {
            let mut person =
                Person::replay(Recorded::Files(file.path().to_owned()), Size { width, height: 24 });
            let screen = person.text();
            let first = screen.lines().next().unwrap_or_default();
            let told = mark.is_some_and(|mark| first.contains(mark))
                || first.contains("the journal is damaged")
                || first.contains("the journal ends without");
            assert_eq!(told, mark.is_some(), "{width}: {first}");
        }
    }
}

#[test]
fn every_session_of_a_recording_is_judged() {
    use crate::model::Severity;
    use crate::tui::replay::Recorded;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let stale = std::fs::read(folder.join("journals/event-1.ndjson")).unwrap();
    let [.., (good, _)] = variants();
    for journal in [[stale.clone(), good.clone()].concat(), [good, stale].concat()] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), journal).unwrap();
        let recorded = Recorded::Files(file.path().to_owned());
        let (picture, _, integrity, outcome) = recorded.whole().unwrap();
        assert!(integrity.is_sound(), "{:?}", integrity.first);
        assert_eq!(outcome.worst, Some(Severity::Error));
        assert!(!picture.findings.list().is_empty(), "what an earlier session found is still told");
    }
}
