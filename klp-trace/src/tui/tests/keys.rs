//! Every binding does what its help says.

use super::{Person, SIZES};
use crate::tui::keymap::{Action, TABLE};
use crate::tui::replay::Recorded;
use crate::tui::state::{Effect, Focus, Page, Sort, Tab};

fn person() -> Person {
    Person::replay(Recorded::Demo, SIZES[0])
}

fn live() -> Person {
    let (picture, tape, ..) = Recorded::Demo.whole().unwrap();
    Person::live(picture, tape.now_ns, SIZES[0])
}

/// Runs the check of an action with each of its keys.
fn each(action: Action, check: &dyn Fn(&str)) {
    let entry = TABLE.iter().find(|entry| entry.action == action).unwrap();
    for key in entry.keys {
        check(key);
    }
}

/// One check for each action: a new one does not compile without its own.
fn check(action: Action, key: &str) {
    let mut p = person();
    match action {
        Action::Up => {
            p.press(&format!("down down {key}"));
            assert_eq!(p.state.tree.selected, 1);
        }
        Action::Down => {
            p.press(key);
            assert_eq!(p.state.tree.selected, 1);
        }
        Action::Left => {
            p.press(&format!("down {key}"));
            assert_eq!(p.state.rows.tree.len(), 2, "the patch is folded away");
            p.press(&format!("right down {key} {key}"));
            assert_eq!(p.state.tree.selected, 1, "to its parent");
            p.press(&format!("tab {key}"));
            assert_eq!(p.state.focus, Focus::Tree);
            p.press(&format!("2 {key}"));
            assert_eq!(p.state.tab, Tab::Findings);
        }
        Action::Right => {
            p.press(&format!("down left {key}"));
            assert_eq!(p.state.rows.tree.len(), 5, "the patch is open again");
            p.press(key);
            assert_eq!(p.state.focus, Focus::Relocs);
            p.press(&format!("4 {key}"));
            assert_eq!(p.state.tab, Tab::Findings, "after the last tab comes the first");
        }
        Action::PageUp => {
            p.press(&format!("tab end {key}"));
            assert_eq!(p.state.relocs.selected, 10);
        }
        Action::PageDown => {
            p.press(&format!("tab {key}"));
            assert_eq!(p.state.relocs.selected, 7);
        }
        Action::First => {
            p.press(&format!("tab end {key}"));
            assert_eq!(p.state.relocs.selected, 0);
        }
        Action::Last => {
            p.press(&format!("tab {key}"));
            assert_eq!(p.state.relocs.selected, 17);
            p.press("2 up up");
            assert!(!p.state.follow);
            p.press(key);
            assert!(p.state.follow);
        }
        Action::NextPane => {
            let went = [0; 3].map(|_| {
                p.press(key);
                p.state.focus
            });
            assert_eq!(went, [Focus::Relocs, Focus::Tabs, Focus::Tree]);
        }
        Action::PreviousPane => {
            p.press(key);
            assert_eq!(p.state.focus, Focus::Tabs);
        }
        Action::Open => {
            p.press(key);
            assert_eq!(p.state.focus, Focus::Relocs);
            p.press(key);
            assert!(matches!(p.state.page, Some(Page::Reloc(_))));
            p.press(key);
            assert_eq!(p.state.page, None, "the same key closes it");
            p.press(&format!("1 {key}"));
            assert_eq!(p.state.page, Some(Page::Finding(2)));
            p.press(&format!("esc 2 {key}"));
            assert!(matches!(p.state.page, Some(Page::Event(_))));
        }
        Action::Back => {
            p.press(&format!("? {key}"));
            assert_eq!(p.state.page, None);
            p.press("/ s y m b o l = x enter");
            assert!(!p.state.filter.is_empty() && p.state.rows.relocs.is_empty());
            p.press(key);
            assert!(p.state.filter.is_empty() && p.state.rows.relocs.len() == 18);
        }
        Action::Findings | Action::Events | Action::Timeline | Action::Hooks => {
            p.press(&format!("3 esc {key}"));
            let tab = match action {
                Action::Findings => Tab::Findings,
                Action::Events => Tab::Events,
                Action::Timeline => Tab::Timeline,
                _ => Tab::Hooks,
            };
            assert_eq!((p.state.tab, p.state.focus), (tab, Focus::Tabs));
        }
        Action::Filter => {
            p.press(key);
            p.type_text("section=*data verdict=stale");
            assert!(p.text().contains("filter: section=*data verdict=stale_"));
            p.press("enter");
            assert_eq!((p.state.rows.relocs.len(), p.state.rows.all), (7, 18));
            p.press(&format!("{key} ctrl-u"));
            p.type_text("verdikt=stale");
            p.press("enter");
            assert!(p.text().contains("there is no filter key \"verdikt\"; did you mean verdict?"));
            p.press("ctrl-w backspace esc");
            assert_eq!(p.state.filter_text, "section=*data verdict=stale", "the old one stays");
        }
        Action::NextMatch => {
            p.press(key);
            assert_eq!((p.state.focus, p.state.relocs.selected), (Focus::Relocs, 0));
            p.press(&format!("{key} {key} {key}"));
            assert_eq!(p.state.relocs.selected, 4, "what is listed and not judged is passed over");
            p.press("/ s y m b o l = * t a b l e enter home");
            p.press(key);
            assert_eq!(p.state.relocs.selected, 1);
        }
        Action::PreviousMatch => {
            p.press(&format!("tab {key}"));
            assert_eq!(p.state.relocs.selected, 17, "it goes round");
            p.press(key);
            assert_eq!(p.state.relocs.selected, 16);
        }
        Action::Sort => {
            let sorts = [0; 4].map(|_| {
                p.press(key);
                p.state.sort
            });
            assert_eq!(sorts, [Sort::Verdict, Sort::Symbol, Sort::Type, Sort::Place]);
            p.press(&format!("{key} tab end"));
            let last = p.state.rows.reloc(&p.picture, 17).unwrap().4;
            assert_eq!(last.verdict, None, "the worst first: what is not judged is last");
        }
        Action::Verbose => {
            p.press("2");
            let before = p.state.rows.events.len();
            p.press(key);
            assert!(p.state.rows.events.len() > before + 20);
        }
        Action::Pause => {
            let mut p = live();
            assert_eq!(p.press(key), Effect::Pause(true));
            assert!(p.text().contains("PAUSED"));
            assert_eq!(p.press(key), Effect::Pause(false));
            assert!(p.text().contains("LIVE"));
            let mut p = person();
            assert_eq!(p.press(key), Effect::Draw);
            assert!(p.text().contains("holds still by itself"));
        }
        Action::StepBack => {
            p.press(key);
            assert_eq!(p.tape().position, p.tape().events - 1);
        }
        Action::StepForward => {
            p.press(&format!("[ [ {key}"));
            assert_eq!(p.tape().position, p.tape().events - 1);
            p.press(&format!("{key} {key} {key}"));
            assert_eq!(p.tape().position, p.tape().events, "the end is the end");
        }
        Action::NewsBack => {
            for _ in 0..60 {
                p.press(key);
            }
            assert_eq!(p.tape().position, 0);
            assert!(p.picture.patches.is_empty());
        }
        Action::NewsForward => {
            p.seek(0);
            let mut moved = 0;
            while p.tape().position < p.tape().events {
                p.press(key);
                moved += 1;
            }
            assert!((5..p.tape().events).contains(&moved), "{moved}");
            assert_eq!(p.picture.counts.total(), 16);
        }
        Action::Audit => {
            assert_eq!(live().press(key), Effect::Audit);
            assert_eq!(p.press(key), Effect::Draw);
            assert!(p.text().contains("a recording is not read again"));
        }
        Action::Journal => assert_eq!(p.press(key), Effect::Journal),
        Action::Copy => {
            let Effect::Copy(text) = p.press(&format!("tab {key}")) else { panic!("nothing copied") };
            assert!(
                text.starts_with("stale: lp_one -> klp_target .klp.rela.klp_target..text [0] R_X86_64_64"),
                "{text}"
            );
            let Effect::Copy(text) = p.press(&format!("1 {key}")) else { panic!("nothing copied") };
            assert!(text.contains("\ndo: disable patch lp_one"), "{text}");
            for tab in ["2", "3", "4", "esc backtab backtab"] {
                assert!(
                    matches!(p.press(&format!("{tab} {key}")), Effect::Copy(text) if !text.is_empty()),
                    "{tab}"
                );
            }
        }
        Action::Help => {
            p.press(key);
            assert_eq!(p.state.page, Some(Page::Help));
            p.press(key);
            assert_eq!(p.state.page, None);
        }
        Action::Redraw => assert_eq!(p.press(key), Effect::Redraw),
        Action::Suspend => assert_eq!(p.press(key), Effect::Suspend),
        Action::Quit => assert_eq!(p.press(key), Effect::Quit),
    }
}

#[test]
fn every_key_does_what_its_help_says() {
    for entry in TABLE {
        each(entry.action, &|key| check(entry.action, key));
    }
}

#[test]
fn the_help_names_every_binding() {
    let mut p = person();
    p.press("?");
    let mut seen = p.text();
    for _ in 0..10 {
        p.press("pagedown");
        seen.push_str(&p.text());
    }
    for entry in TABLE {
        let keys = entry.keys.join(" ");
        assert!(seen.contains(&keys) && seen.contains(entry.help), "{}: {seen}", entry.name);
    }
}

#[test]
fn pages_scroll_to_their_end_and_back() {
    let mut p = person();
    p.press("? end");
    let end = p.state.scroll;
    assert!(end > 0 && p.text().contains("such as: patch=lp* verdict=stale,mismatch"));
    p.press("down");
    assert_eq!(p.state.scroll, end, "the last line stays at the bottom");
    p.press("up pageup home");
    assert_eq!(p.state.scroll, 0);
}
