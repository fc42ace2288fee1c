//! The picture of a recording.

use super::run::{Command, Loop, Shared, Wake, listen};
use super::{Args, state};
use crate::cli::ending::judged;
use crate::cli::{Exit, Failure};
use crate::journal::recording::RecordingError;
use crate::tui::config::Config;
use crate::tui::replay::{Recorded, ReplayError};
use crate::tui::state::Source;
use std::sync::mpsc::{Receiver, Sender, channel};

pub(super) fn run(args: &Args, config: Config, recorded: Recorded) -> Result<Exit, Failure> {
    let (picture, tape, integrity, outcome) = recorded.whole().map_err(failure)?;
    let now = tape.now_ns;
    let mut state = state(args, config, Source::Replay(tape), &picture)?;
    state.now_ns = now;
    let shared = Shared::new(picture);
    let (wake, woken) = channel();
    let (commands, commanded) = channel();
    listen(&wake)?;
    let mover = {
        let shared = std::sync::Arc::clone(&shared);
        std::thread::spawn(move || follow(&recorded, &shared, &commanded, &wake))
    };
    let command = |command| {
        // A mover that has ended has ended the loop too.
        let _ = commands.send(command);
    };
    Loop { state, shared: &shared, wake: &woken, command: &command }.run()?;
    command(Command::Stop);
    // It ends with the program, if it is in the middle of a long recording.
    drop(mover);
    Ok(judged(&outcome, !integrity.is_sound(), (&args.fail).into()))
}

/// Moves in the recording as asked: to the latest place asked for, past those before it.
fn follow(recorded: &Recorded, shared: &Shared, commanded: &Receiver<Command>, wake: &Sender<Wake>) {
    while let Ok(command) = commanded.recv() {
        let last = commanded.try_iter().last().unwrap_or(command);
        let told = match last {
            Command::Stop => return,
            Command::Audit => continue,
            Command::Journal => Wake::Notice("this is a recording: it is a journal already".to_owned()),
            Command::Seek(to) => match recorded.at(to) {
                Ok((mut picture, at)) => {
                    let mut shown = shared.lock();
                    // What was derived from the picture before is not to be taken for this one's.
                    picture.shape = picture.shape.max(shown.shape) + 1;
                    *shown = picture;
                    Wake::Moved(to, at)
                }
                Err(error) => Wake::Notice(error.to_string()),
            },
        };
        if wake.send(told).is_err() {
            return;
        }
    }
}

fn failure(error: ReplayError) -> Failure {
    let exit = match &error {
        ReplayError::Recording(RecordingError::Open { .. } | RecordingError::NotAJournal { .. }) => {
            Exit::Usage
        }
        ReplayError::Recording(RecordingError::Read { .. }) => Exit::Runtime,
        ReplayError::Architecture(_) => Exit::Precondition,
    };
    let failure = Failure::new(exit, error);
    match exit {
        Exit::Precondition => failure,
        _ => failure.hint("name a file that `klp-trace watch --journal FILE` wrote"),
    }
}
