//! A recording as a source of pictures: at its end, and at any place in it.

use super::picture::Picture;
use super::state::Tape;
use crate::arch::Arch;
use crate::journal::recording::{self, RecordingError};
use crate::journal::zstd::Frames;
use crate::journal::{Body, Event, Integrity, Origin};
use crate::verify::{Outcome, Verifier};
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::PathBuf;
use thiserror::Error;

/// News kept of a recording.
const NEWS: usize = 1 << 14;

/// The recording that `--demo` shows: a livepatch's module unloaded and loaded again, on Debian's 6.1 kernel in a VM.
const DEMO: &[u8] = include_bytes!("../../bundled/demo.ndjson.zst");

/// Where a recording is.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// In files.
    Files(PathBuf),
    /// In this program.
    Demo,
}

/// Why there is no picture of a recording.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// It is of an architecture that cannot be judged.
    #[error("relocations of {0} cannot be judged")]
    Architecture(String),
}

/// What a recording says up to some place.
#[derive(Debug, Default)]
struct Replay {
    picture: Picture,
    verifier: Option<Verifier>,
    /// Of the sessions that have ended.
    outcome: Outcome,
    tape: Tape,
    /// The last news were of relocations.
    told_states: bool,
    /// Of arch that cannot be judged.
    refused: Option<String>,
}

impl Recorded {
    /// The whole recording: the picture at its end, and its tape.
    pub fn whole(&self) -> Result<(Picture, Tape, Integrity, Outcome), ReplayError> {
        let mut replay = Replay::default();
        let integrity = self.read(u64::MAX, &mut replay)?;
        replay.end_session();
        let outcome = replay.outcome;
        let mut tape = replay.tape;
        tape.position = tape.events;
        tape.damage = crate::output::text::short_integrity(&integrity).map(|short| {
            let lines = crate::output::text::integrity(&integrity);
            (short, lines.into_iter().next().unwrap_or_else(|| "the recording is damaged".to_owned()))
        });
        Ok((replay.picture, tape, integrity, outcome))
    }

    /// The picture at a place, and the time there.
    pub fn at(&self, position: u64) -> Result<(Picture, u64), ReplayError> {
        let mut replay = Replay::default();
        self.read(position, &mut replay)?;
        Ok((replay.picture, replay.tape.now_ns))
    }

    fn read(&self, to: u64, replay: &mut Replay) -> Result<Integrity, ReplayError> {
        let take = &mut |origin: &Origin, event: Event| {
            if replay.tape.events >= to {
                return ControlFlow::Break(());
            }
            replay.take(origin, event)
        };
        let integrity = match self {
            Self::Files(path) => recording::replay(path, take)?,
            Self::Demo => {
                let mut input = BufReader::new(Frames::new(DEMO));
                recording::replay_from(&mut input, "the demo", take)?
            }
        };
        replay.finish();
        match replay.refused.take() {
            Some(arch) => Err(ReplayError::Architecture(arch)),
            None => Ok(integrity),
        }
    }
}

impl Replay {
    /// What has been read is said, whatever comes after it.
    fn finish(&mut self) {
        let Some(verifier) = &mut self.verifier else { return };
        let picture = &mut self.picture;
        let (mut found, mut at) = (false, 0);
        verifier.finish(&mut |event| {
            (found, at) = (true, event.mono_ns);
            picture.apply(event);
        });
        if found && self.tape.news.len() < NEWS {
            self.tape.news.push((self.tape.events, at, true));
        }
    }

    fn end_session(&mut self) {
        if let Some(verifier) = self.verifier.take() {
            self.outcome = self.outcome.and(&verifier.outcome());
        }
    }

    fn take(&mut self, origin: &Origin, event: Event) -> ControlFlow<()> {
        if matches!(event.body, Body::Session(_)) || self.verifier.is_none() {
            self.finish();
            let Some(arch) = Arch::from_uname(&origin.host.kernel.arch) else {
                self.refused = Some(origin.host.kernel.arch.clone());
                return ControlFlow::Break(());
            };
            self.end_session();
            self.verifier = Some(Verifier::new(arch).on(&origin.host.kernel.release));
            self.picture.origin = Some(origin.clone());
        }
        let Some(verifier) = &mut self.verifier else { return ControlFlow::Break(()) };
        let at = event.mono_ns;
        let (picture, mut found, mut news, mut states) = (&mut self.picture, false, false, false);
        verifier.feed(event, &mut |event| {
            found |= matches!(event.body, Body::Finding(_));
            news |= is_news(&event.body);
            states |= matches!(event.body, Body::RelocState(_));
            picture.apply(event);
        });
        let tape = &mut self.tape;
        tape.events += 1;
        tape.span = match tape.events {
            1 => (at, at),
            _ => (tape.span.0.min(at), tape.span.1.max(at)),
        };
        tape.now_ns = tape.now_ns.max(at);
        // The sections of one object are read one after the other: their news are one.
        let states = states && !found;
        let goes_on =
            states && self.told_states && tape.news.last().is_some_and(|news| news.0 + 1 == tape.events);
        let news = (found || news).then_some((tape.events, at, found));
        if let Some(news) = news {
            if goes_on {
                tape.news.pop();
            }
            if tape.news.len() < NEWS {
                tape.news.push(news);
            }
        }
        if news.is_some() {
            self.told_states = states;
        }
        ControlFlow::Continue(())
    }
}

/// Whether something is otherwise than before.
fn is_news(body: &Body) -> bool {
    match body {
        Body::RelocState(state) => state.verdict != state.previous,
        Body::Transition(_) | Body::EventsLost(_) | Body::Finding(_) => true,
        Body::Module(module) => super::picture::tail::is_news(&Body::Module(module.clone())),
        Body::Hook(hook) => hook.ret.is_some_and(|ret| ret < 0),
        _ => false,
    }
}
