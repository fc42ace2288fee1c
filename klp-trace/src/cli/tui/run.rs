//! The loop that takes keys, signals and news, and draws: on change only, at most thirty times a second.

use super::terminal::{self, Screen};
use crate::cli::Failure;
use crate::source::live::now;
use crate::tui::keymap::Key;
use crate::tui::picture::Picture;
use crate::tui::state::{Effect, Source, State};
use crate::tui::view;
use anyhow::Context as _;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ratatui::layout::Size;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(34);
/// How often ages are drawn anew when nothing happens.
const AGES: Duration = Duration::from_secs(10);

/// What wakes the loop.
#[derive(Debug)]
pub(super) enum Wake {
    /// A key, or another size.
    Input(Event),
    /// A signal.
    Signal(i32),
    /// The picture has changed.
    Changed,
    /// Everything was read again.
    Audited(u64),
    /// Something to say until the next key.
    Notice(String),
    /// The recording was moved in: the position and the time there.
    Moved(u64, u64),
    /// Collecting has ended.
    Ended,
}

/// What the loop asks of the collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// Read everything again.
    Audit,
    /// Write a journal of what was seen.
    Journal,
    /// Go to a place in the recording.
    Seek(u64),
    /// End.
    Stop,
}

/// The picture, and whether the loop knows of its latest change.
#[derive(Debug, Default)]
pub(super) struct Shared {
    picture: Mutex<Picture>,
    told: AtomicBool,
}

impl Shared {
    pub(super) fn new(picture: Picture) -> Arc<Self> {
        Arc::new(Self { picture: Mutex::new(picture), told: AtomicBool::new(false) })
    }

    /// The picture; a panic elsewhere has ended the program before this could be poisoned.
    pub(super) fn lock(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the picture has changed, once until the loop has taken note: the queue stays short.
    pub(super) fn changed(&self, wake: &Sender<Wake>) {
        if !self.told.swap(true, Ordering::AcqRel) {
            // A loop that has ended needs no waking.
            let _ = wake.send(Wake::Changed);
        }
    }
}

/// Has keys and signals wake the loop, from threads of their own.
pub(super) fn listen(wake: &Sender<Wake>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP]).context("cannot watch for signals")?;
    let to = wake.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if to.send(Wake::Signal(signal)).is_err() {
                return;
            }
        }
    });
    let to = wake.clone();
    std::thread::spawn(move || {
        loop {
            // A terminal that is gone ends the program as a hang-up does.
            let input = event::read().map_or(Wake::Signal(SIGHUP), Wake::Input);
            let gone = matches!(input, Wake::Signal(_));
            if to.send(input).is_err() || gone {
                return;
            }
        }
    });
    Ok(())
}

/// The loop's own.
pub(super) struct Loop<'a> {
    pub state: State,
    pub shared: &'a Shared,
    pub wake: &'a Receiver<Wake>,
    /// Hands a command to the collector.
    pub command: &'a dyn Fn(Command),
}

/// Whether the loop goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    On,
    End,
}

impl Loop<'_> {
    /// Runs until the person, a signal or the collector ends it.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let failed = "cannot write to the terminal";
        let mut screen = Screen::take().context("cannot take the terminal")?;
        let mut held: Option<Picture> = None;
        let mut drawn = Instant::now().checked_sub(FRAME);
        let mut dirty = true;
        self.resize(terminal::size(), held.as_ref());
        loop {
            let due = drawn.map(|at| at + FRAME).filter(|due| *due > Instant::now());
            if dirty && due.is_none() {
                self.draw(&mut screen, held.as_ref()).context(failed)?;
                (drawn, dirty) = (Some(Instant::now()), false);
            }
            let wait = match due {
                Some(due) if dirty => due.saturating_duration_since(Instant::now()),
                _ => AGES,
            };
            let mut next = match self.wake.recv_timeout(wait) {
                Ok(wake) => Some(wake),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            dirty = true;
            while let Some(wake) = next {
                if self.take(wake, &mut screen, &mut held).context(failed)? == Next::End {
                    return Ok(());
                }
                next = self.wake.try_recv().ok();
            }
        }
    }

    fn draw(&mut self, screen: &mut Screen, held: Option<&Picture>) -> std::io::Result<()> {
        if self.state.source == Source::Live && held.is_none() {
            self.state.now_ns = now();
        }
        let state = &mut self.state;
        let shared = self.shared;
        screen.draw(|frame| {
            if let Some(picture) = held {
                return view::draw(frame, state, picture);
            }
            // Cells are made under the lock; the terminal is written to after it.
            let picture = shared.lock();
            shared.told.store(false, Ordering::Release);
            state.sync(&picture);
            view::draw(frame, state, &picture);
        })
    }

    fn with<T>(&mut self, held: Option<&Picture>, act: impl FnOnce(&mut State, &Picture) -> T) -> T {
        match held {
            Some(picture) => act(&mut self.state, picture),
            None => act(&mut self.state, &self.shared.lock()),
        }
    }

    fn resize(&mut self, size: Size, held: Option<&Picture>) {
        self.with(held, |state, picture| state.resize(size, picture));
    }

    fn take(&mut self, wake: Wake, screen: &mut Screen, held: &mut Option<Picture>) -> std::io::Result<Next> {
        match wake {
            Wake::Input(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                let effect = self.with(held.as_ref(), |state, picture| state.key(Key::of(key), picture));
                return self.effect(effect, screen, held);
            }
            Wake::Input(Event::Resize(width, height)) => self.resize(Size { width, height }, held.as_ref()),
            Wake::Signal(SIGTSTP) => screen.suspend()?,
            Wake::Signal(_) | Wake::Ended => return Ok(Next::End),
            Wake::Input(_) | Wake::Changed => {}
            Wake::Audited(at) => self.state.audit_ns = Some(at),
            Wake::Notice(text) => self.state.notice = Some(text),
            Wake::Moved(position, at) => {
                if let Source::Replay(tape) = &mut self.state.source {
                    (tape.position, tape.now_ns) = (position, at);
                    self.state.now_ns = at;
                }
            }
        }
        Ok(Next::On)
    }

    fn effect(
        &mut self,
        effect: Effect,
        screen: &mut Screen,
        held: &mut Option<Picture>,
    ) -> std::io::Result<Next> {
        match effect {
            Effect::Draw => {}
            Effect::Quit => return Ok(Next::End),
            Effect::Suspend => screen.suspend()?,
            Effect::Redraw => screen.clear()?,
            Effect::Pause(true) => *held = Some(self.shared.lock().clone()),
            Effect::Pause(false) => *held = None,
            Effect::Audit => (self.command)(Command::Audit),
            Effect::Journal => (self.command)(Command::Journal),
            Effect::Seek(to) => {
                // The next key counts from there, even if the picture comes later.
                if let Source::Replay(tape) = &mut self.state.source {
                    tape.position = to;
                }
                (self.command)(Command::Seek(to));
            }
            Effect::Copy(text) => Screen::copy(&text)?,
        }
        Ok(Next::On)
    }
}
