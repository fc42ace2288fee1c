//! Every view, from recordings of real VM runs, at three sizes. Each snapshot holds the text, the styles of the default
//! palette, what the other palettes make of each style (a test that no style becomes two), and the screen in ASCII.
//! `INSTA_UPDATE=always cargo test -p klp-trace --lib -- tui::` writes them anew.

use super::{Person, SIZES, recorded, screen};
use crate::model::FindingId;
use crate::tui::picture::Picture;
use crate::tui::replay::Recorded;
use crate::tui::theme::{Palette, Theme};
use ratatui::layout::Size;
use std::fmt::Write as _;

/// Every view: a name, and the keys that lead to it.
const VIEWS: [(&str, &str); 8] = [
    ("findings", ""),
    ("events", "2"),
    ("timeline", "3"),
    ("hooks", "4"),
    ("relocation", "tab enter"),
    ("finding", "1 enter"),
    ("filtered", "/ v e r d i c t = s t a l e enter"),
    ("help", "?"),
];

fn snapshot(name: &str, person: &Person) {
    let mut all = String::new();
    for size in SIZES {
        let screen_in = |palette, ascii| person.clone().sized(size).themed(Theme { palette, ascii }).screen();
        let default = screen_in(Palette::Default, false);
        let _ = writeln!(all, "== {}x{}", size.width, size.height);
        all.push_str(&screen::text(&default));
        let _ = writeln!(all, "-- styles");
        all.push_str(&screen::styles(&default));
        for (palette, word) in [(Palette::ColourBlind, "colour-blind"), (Palette::Mono, "mono")] {
            let _ = writeln!(all, "-- {word}");
            for (style, becomes) in screen::mapping(&default, &screen_in(palette, false)) {
                if style != becomes {
                    let _ = writeln!(all, "{style} -> {becomes}");
                }
            }
        }
        for palette in [Palette::Default, Palette::ColourBlind, Palette::Mono] {
            let ascii = screen_in(palette, true);
            assert!(screen::text(&ascii).is_ascii(), "{name}: --ascii draws ASCII alone");
        }
        if size == SIZES[0] {
            let _ = writeln!(all, "-- ascii");
            all.push_str(&screen::text(&screen_in(Palette::Default, true)));
        }
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, all);
    });
}

fn views(host: &str, names: &[&str], person: &Person) {
    for (view, keys) in VIEWS.iter().filter(|(view, _)| names.contains(view)) {
        let mut person = person.clone();
        person.press(keys);
        snapshot(&format!("{host}-{view}"), &person);
    }
}

#[test]
fn a_stale_host_in_every_view() {
    let all: Vec<_> = VIEWS.iter().map(|(view, _)| *view).collect();
    views("6.1-stale", &all, &Person::replay(Recorded::Demo, SIZES[0]));
}

#[test]
fn a_failed_load_that_left_its_values() {
    views(
        "6.1-r1",
        &["findings", "events", "timeline", "relocation"],
        &Person::replay(recorded("6.1-r1-callback"), SIZES[0]),
    );
}

#[test]
fn a_clean_host() {
    views(
        "7-clean",
        &["findings", "events", "timeline", "relocation"],
        &Person::replay(recorded("7-patch-first"), SIZES[0]),
    );
}

#[test]
fn a_host_where_events_were_lost() {
    views(
        "6.1-lost",
        &["findings", "events", "hooks"],
        &Person::replay(recorded("6.1-ftrace-off"), SIZES[0]),
    );
}

#[test]
fn a_host_without_livepatches() {
    let (picture, tape, ..) = recorded("7-unrelated-module").whole().unwrap();
    let person = Person::live(picture, tape.now_ns, SIZES[0]);
    views("empty", &["findings", "events", "timeline", "hooks"], &person);
}

#[test]
fn a_transition_that_stalls() {
    let recording = recorded("6.1-stall");
    let events = recording.whole().unwrap().1.events;
    let mut at = (1..=events).map(|position| recording.at(position).unwrap());
    let stalls = |picture: &Picture| {
        picture.transition.is_some()
            && picture.findings.list().iter().any(|found| found.finding.id == FindingId::Klp010)
    };
    let (picture, now) = at.find(|(picture, _)| stalls(picture)).unwrap();
    let person = Person::live(picture, now, SIZES[0]);
    views("stalled", &["findings", "finding", "events", "timeline"], &person);
}

#[test]
fn a_terminal_that_is_too_small_says_how_small() {
    for (width, height) in [(79, 24), (80, 23), (20, 3), (1, 1)] {
        let mut person = Person::replay(Recorded::Demo, Size { width, height });
        let text: String = person.text().split_whitespace().collect::<Vec<_>>().join(" ");
        if width > 60 {
            assert_eq!(text, format!("klp-trace tui needs 80x24; this is {width}x{height}"));
        }
        person.press("j ? tab /");
        person.screen();
    }
}
