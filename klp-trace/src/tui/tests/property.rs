//! Any sequence of keys, sizes and events: nothing panics, and what is selected is on the screen.

use super::Person;
use crate::journal::Event;
use crate::journal::testing::{any, origin};
use crate::tui::keymap::{Keymap, TABLE};
use crate::tui::picture::Picture;
use crate::tui::replay::Recorded;
use crate::tui::state::{Focus, Source, State, Tab, Tape};
use proptest::prelude::*;
use ratatui::layout::Size;
use ratatui::style::Modifier;

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Size(u16, u16),
    Event(Box<Event>),
}

fn step() -> impl Strategy<Value = Step> {
    let keys: Vec<String> = TABLE
        .iter()
        .flat_map(|entry| entry.keys)
        .map(ToString::to_string)
        .chain(["x".to_owned(), "=".to_owned()])
        .collect();
    prop_oneof![
        6 => prop::sample::select(keys).prop_map(Step::Key),
        1 => (0u16..220, 0u16..60).prop_map(|(width, height)| Step::Size(width, height)),
        1 => (80u16..220, 24u16..60).prop_map(|(width, height)| Step::Size(width, height)),
        4 => any::event().prop_map(|event| Step::Event(Box::new(event))),
    ]
}

/// The selected line of the pane that has the keys is drawn reversed, somewhere.
fn selection_is_seen(person: &mut Person) {
    let buffer = person.screen();
    let State { page, prompt: _, .. } = &person.state;
    if page.is_some() || person.state.panes().is_none() {
        return;
    }
    let below = 1..buffer.area.height - 1;
    let reversed = below.into_iter().any(|y| {
        (0..buffer.area.width)
            .filter(|x| buffer[(*x, y)].style().add_modifier.contains(Modifier::REVERSED))
            .count()
            > 20
    });
    let rows = &person.state.rows;
    let lines = match (person.state.focus, person.state.tab) {
        (Focus::Tree, _) => rows.tree.len(),
        (Focus::Relocs, _) => rows.relocs.len(),
        (Focus::Tabs, Tab::Findings) => rows.findings.len(),
        (Focus::Tabs, Tab::Events) => rows.events.len(),
        (Focus::Tabs, Tab::Timeline) => person.picture.story.lanes.len(),
        (Focus::Tabs, Tab::Hooks) => person.picture.hooks.len(),
    };
    assert_eq!(reversed, lines > 0, "{:?} {:?} {lines}", person.state.focus, person.state.tab);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_the_selection_is_on_the_screen(
        steps in prop::collection::vec(step(), 1..60), replay: bool, empty in proptest::bool::weighted(0.3),
    ) {
        // From a host where every list is longer than its window, or from nothing.
        let picture = if empty { Picture::new(origin()) } else { Recorded::Demo.whole().unwrap().0 };
        let mut person = Person::live(picture, 0, Size { width: 80, height: 24 });
        if replay {
            person.state.source = Source::Replay(Tape { events: 5, position: 2, ..Tape::default() });
        }
        let map = Keymap::default();
        for step in steps {
            match step {
                Step::Key(key) => {
                    let key = key.parse().unwrap();
                    let _ = map.action(key);
                    person.state.key(key, &person.picture);
                }
                Step::Size(width, height) => person.state.resize(Size { width, height }, &person.picture),
                Step::Event(event) => person.picture.apply(*event),
            }
            selection_is_seen(&mut person);
        }
    }
}
