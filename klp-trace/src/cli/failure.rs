//! What a command says when it cannot go on: what happened, why, and what to do next.

use std::fmt;

use super::exit::Exit;
use crate::output::escape::Escaped;

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

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // anyhow's alternate form is the chain "what: why: root cause".
        let chain = format!("{:#}", self.error);
        write!(f, "klp-trace: {}", Escaped::new(chain.as_bytes()))?;
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
    fn hostile_names_cannot_write_to_the_terminal() {
        let failure = Failure::from(anyhow!("cannot read evil\u{1b}[2J\u{202e}.ko"));
        let shown = failure.to_string();
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
        assert_eq!(failure.exit(), Exit::Runtime);
    }
}
