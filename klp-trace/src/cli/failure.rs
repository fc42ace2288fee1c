//! What a command says when it cannot go on: what happened, why, and what to do next.

use std::fmt;

use super::exit::Exit;
use crate::journal::recording::RecordingError;
use crate::output::escape::Escaped;
use crate::output::sink::SinkError;
use crate::session::SessionError;

/// The end of a command that could not do its job.
///
/// Shown as `klp-trace: what: why` and, where there is one, a line `  hint: what to do`. Names from files and
/// the kernel are escaped here, so callers may put them in as they are.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl Failure {
    /// A failure with its exit code; the chain of `error` becomes "what: why".
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into(), hint: None }
    }

    /// Adds what the person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What and why, in one line without "klp-trace:", and what to do: for a line that says more than this.
    pub fn in_short(&self) -> String {
        let text = self.to_string();
        let text = text.strip_prefix("klp-trace: ").unwrap_or(&text);
        text.replace("\n  hint: ", "; ")
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for cause in self.error.chain().map(ToString::to_string) {
            // Many an error's own text names its cause already; a reader wants it once.
            if !said.contains(&cause) {
                said = if said.is_empty() { cause } else { format!("{said}: {cause}") };
            }
        }
        write!(f, "klp-trace: {}", Escaped::new(said.as_bytes()))?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {}", Escaped::new(hint.as_bytes()))?;
        }
        Ok(())
    }
}

/// Without a better word, what broke a command is a run-time failure.
impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(Exit::Runtime, error)
    }
}

impl From<SinkError> for Failure {
    fn from(error: SinkError) -> Self {
        let full = matches!(error, SinkError::Full { .. });
        if matches!(error, SinkError::Taken { .. }) {
            return Self::new(Exit::Usage, error).hint(
                "name another file; or let it have files of its own with --rotate-size 64M; or give --overwrite, and what is \
                 in it is lost",
            );
        }
        let failure = Self::new(Exit::Runtime, error);
        if full {
            failure.hint("make room and run it again; what was written is whole lines")
        } else {
            failure
        }
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Sink(error) => error.into(),
            SessionError::Recording(error) => error.into(),
            SessionError::NotRedacted(error) => Self::new(Exit::Precondition, error).hint(
                "record it anew, with CAP_SYSLOG and kernel.kptr_restrict below 2; or keep what it says to yourself",
            ),
            SessionError::NotLive(_) => Self::new(Exit::Precondition, error).hint(
                "run it on x86_64; what can be done elsewhere: klp-trace inspect FILE, klp-trace watch --from JOURNAL",
            ),
            SessionError::Probe(_) | SessionError::Architecture(_) => Self::new(Exit::Precondition, error),
            SessionError::Interrupted(_) => Self::new(Exit::Interrupted, error),
            SessionError::Wait(_) | SessionError::Signals(_) => Self::new(Exit::Runtime, error),
        }
    }
}

impl From<RecordingError> for Failure {
    fn from(error: RecordingError) -> Self {
        let exit = match error {
            RecordingError::Open { .. } | RecordingError::NotAJournal { .. } => Exit::Usage,
            RecordingError::Read { .. } => Exit::Runtime,
        };
        Self::new(exit, error).hint("name a file that `klp-trace watch --journal FILE` wrote")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::{Context, anyhow};

    #[test]
    fn shows_what_why_and_what_to_do() {
        let error: anyhow::Error = Err::<(), _>(anyhow!("No such file"))
            .context("cannot read /x.ko")
            .expect_err("built as an error");
        let failure = Failure::new(Exit::Runtime, error).hint("name the patch with --ko");
        assert_eq!(
            failure.to_string(),
            "klp-trace: cannot read /x.ko: No such file\n  hint: name the patch with --ko"
        );
    }

    #[test]
    fn a_cause_is_said_once() {
        let source = std::io::Error::from_raw_os_error(28);
        let failure = Failure::from(SinkError::Full { to: "/x".to_owned(), source });
        assert_eq!(
            failure.to_string(),
            "klp-trace: cannot write /x: No space left on device (os error 28)\n  hint: make room and run it again; what \
             was written is whole lines"
        );
        assert_eq!(failure.exit(), Exit::Runtime);
    }

    #[test]
    fn hostile_names_cannot_write_to_the_terminal() {
        let failure = Failure::from(anyhow!("cannot read evil\u{1b}[2J\u{202e}.ko"));
        let shown = failure.to_string();
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
        assert_eq!(failure.exit(), Exit::Runtime);
    }
}
