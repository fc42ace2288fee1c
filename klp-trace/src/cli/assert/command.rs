//! The command that is run under watch.

use crate::{
    cli::{Exit, Failure},
    output::report::Command,
    policy::{Check, Rule, Status},
};
use std::{
    ffi::OsString,
    os::fd::AsFd as _,
    os::unix::{ffi::OsStrExt as _, process::ExitStatusExt as _},
    process::{Child, ExitStatus, Stdio},
};

/// Longer command lines are cut where they are shown, characters.
const SHOWN: usize = 120;

/// A command that runs.
pub(super) struct Running {
    child: Child,
    line: Vec<String>,
}

/// Starts it. Its standard output goes to standard error: standard output is the report's.
pub(super) fn start(command: &[OsString]) -> Result<Option<Running>, Failure> {
    let Some((program, arguments)) = command.split_first() else { return Ok(None) };
    let line: Vec<_> =
        command.iter().map(|word| crate::model::escape::escape(word.as_bytes()).into_owned()).collect();
    let error = std::io::stderr().as_fd().try_clone_to_owned().map_err(anyhow::Error::new)?;
    let child = std::process::Command::new(program).args(arguments).stdout(Stdio::from(error)).spawn();
    let child = child.map_err(|error| {
        let what = format!("cannot start {}", line.first().map_or("", String::as_str));
        Failure::new(Exit::Usage, anyhow::Error::new(error).context(what))
            .hint("what stands behind -- is a program and its arguments; for more, use -- sh -c '…'")
    })?;
    Ok(Some(Running { child, line }))
}

impl Running {
    /// Whether it has ended, and how.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        self.child
            .try_wait()
            .map_err(|error| anyhow::Error::new(error).context("cannot wait for the command").into())
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
    }

    /// What the report says of it.
    pub(super) fn report(self, status: ExitStatus) -> (Command, Check) {
        let (end, code) = match (status.code(), status.signal()) {
            (Some(code), _) => (format!("exited with {code}"), Some(code)),
            (None, Some(signal)) => (format!("was killed by signal {signal}"), Some(128 + signal)),
            (None, None) => ("ended in a way that is not known".to_owned(), None),
        };
        let mut shown: String = self.line.join(" ").chars().take(SHOWN).collect();
        if shown.chars().count() == SHOWN {
            shown.push('…');
        }
        let met = if status.success() { Status::Pass } else { Status::Fail };
        let mut check = Check::new(Rule::Command, format!("the command succeeds: {shown}"), met)
            .what(format!("it {end}"));
        if met == Status::Fail {
            check.why = "the command's own failure, whatever klp-trace found".into();
        }
        (Command { line: self.line, end, code }, check)
    }
}
