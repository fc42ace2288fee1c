//! The TUI from recordings of real VM runs, without a terminal.

mod demo;
mod hostile;
mod keys;
mod property;
mod screen;
mod snapshots;
mod svg;

use super::keymap::Key;
use super::picture::Picture;
use super::replay::Recorded;
use super::state::{Effect, Source, State, Tape};
use super::theme::Theme;
use super::view;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use std::path::Path;

pub(super) const SIZES: [Size; 3] =
    [Size { width: 80, height: 24 }, Size { width: 120, height: 40 }, Size { width: 200, height: 50 }];

/// A recording of tests/recordings.
pub(super) fn recorded(name: &str) -> Recorded {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings");
    Recorded::Files(folder.join(format!("{name}.ndjson.zst")))
}

/// Somebody at a terminal.
#[derive(Clone)]
pub(super) struct Person {
    pub state: State,
    pub picture: Picture,
    recorded: Option<Recorded>,
}

impl Person {
    /// Before a picture as `tui` shows it live.
    pub(super) fn live(picture: Picture, now_ns: u64, size: Size) -> Self {
        let mut state = State::new(Source::Live, size);
        state.now_ns = now_ns;
        state.audit_ns = Some(now_ns);
        state.sync(&picture);
        Self { state, picture, recorded: None }
    }

    /// Before a recording, at its end.
    pub(super) fn replay(recorded: Recorded, size: Size) -> Self {
        let (picture, tape, ..) = recorded.whole().unwrap();
        let now = tape.now_ns;
        let mut state = State::new(Source::Replay(tape), size);
        state.now_ns = now;
        state.sync(&picture);
        Self { state, picture, recorded: Some(recorded) }
    }

    /// Presses keys, separated by spaces.
    pub(super) fn press(&mut self, keys: &str) -> Effect {
        let mut last = Effect::Draw;
        for key in keys.split(' ').filter(|key| !key.is_empty()) {
            let key: Key = key.parse().unwrap();
            last = self.state.key(key, &self.picture);
            if let Effect::Seek(to) = last {
                self.seek(to);
            }
        }
        last
    }

    /// Types a text, a character a key.
    pub(super) fn type_text(&mut self, text: &str) {
        for typed in text.chars() {
            let key = if typed == ' ' { "space".to_owned() } else { typed.to_string() };
            self.press(&key);
        }
    }

    pub(super) fn seek(&mut self, to: u64) {
        let (mut picture, at) = self.recorded.as_ref().unwrap().at(to).unwrap();
        picture.shape = picture.shape.max(self.picture.shape) + 1;
        self.picture = picture;
        if let Source::Replay(tape) = &mut self.state.source {
            (tape.position, tape.now_ns) = (to, at);
        }
        self.state.sync(&self.picture);
    }

    pub(super) fn tape(&self) -> Tape {
        match &self.state.source {
            Source::Replay(tape) => tape.clone(),
            Source::Live => Tape::default(),
        }
    }

    /// What is on the screen.
    pub(super) fn screen(&mut self) -> Buffer {
        self.state.sync(&self.picture);
        let Size { width, height } = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view::draw(frame, &self.state, &self.picture)).unwrap();
        terminal.backend().buffer().clone()
    }

    pub(super) fn text(&mut self) -> String {
        screen::text(&self.screen())
    }

    pub(super) fn themed(mut self, theme: Theme) -> Self {
        self.state.theme = theme;
        self
    }

    pub(super) fn sized(mut self, size: Size) -> Self {
        self.state.resize(size, &self.picture);
        self
    }
}
