//! Names that want to drive the terminal.

use super::{Person, SIZES, screen};
use crate::event::testing::{any, object, one_of_each, origin, patch, section, state};
use crate::event::{Body, Event};
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
            state.patch = crate::event::PatchRef { name: Arc::clone(&name), ..patch() };
            state.object = crate::event::ObjectRef { name: Arc::clone(&name), ..object() };
            state.section = crate::event::SectionRef { name: Arc::clone(&name), ..section() };
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
