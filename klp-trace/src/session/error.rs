//! Why a session cannot be held, or not to its end.

use crate::journal::recording::RecordingError;
use crate::output::sink::SinkError;
use crate::probe::ProbeError;
use crate::source::redacted::NotRedacted;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a session cannot be held, or not to its end.
#[derive(Debug, Error)]
pub enum SessionError {
    /// An output cannot be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// It should be redacted and cannot be.
    #[error(transparent)]
    NotRedacted(#[from] NotRedacted),
    /// The journal cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The probes cannot be attached.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The running kernel is of an architecture whose livepatches are not judged live.
    #[error("the livepatches of a running {0} kernel cannot be judged")]
    NotLive(String),
    /// The journal is of an architecture whose relocations are not judged.
    #[error("relocations of {0} cannot be judged")]
    Architecture(String),
    /// A signal came before all of the journal was read.
    #[error("interrupted before all of {0} was read")]
    Interrupted(PathBuf),
    /// poll(2) failed.
    #[error("cannot wait for the probes: {0}")]
    Wait(io::Error),
    /// Handlers of signals cannot be set.
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
}
