//! klp-trace itself, running beside the steps.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{FIXTURES, TOOL, system};
use crate::scenario::exchange::{Colour, Run, TEXT};
use crate::scenario::journal::Follower;

/// Until every probe is attached: the verifier works under TCG, beside another VM.
const READY: Duration = Duration::from_mins(4);
/// From SIGTERM to the end.
const END: Duration = Duration::from_mins(3);

/// A running `klp-trace watch` and its journal.
pub struct Watch {
    child: Child,
    /// Whether the child is `unshare`, and klp-trace the child of that.
    wrapped: bool,
    status: Option<ExitStatus>,
    /// Where it writes.
    pub journal: PathBuf,
    /// What was read of that so far.
    pub follower: Follower,
}

impl Watch {
    /// Starts it and waits until it says that it is ready.
    pub fn start(run: &Run, folder: &Path) -> anyhow::Result<Self> {
        let journal = folder.join("journal.ndjson");
        let ready = folder.join("ready");
        if run.unprivileged {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777))
                .context("cannot open the folder to nobody")?;
        }
        let stderr = File::create(folder.join("stderr.txt")).context("cannot make stderr.txt")?;
        let stdout = stderr.try_clone().context("cannot make stderr.txt")?;
        let mut command = if run.unprivileged { system_as_nobody()? } else { Command::new(TOOL) };
        if run.pid_namespace {
            command = in_pid_namespace(&command);
        }
        let (words, stdout): (&[&str], Stdio) = match run.narrate {
            Some(Colour::Always) => (&["--color", "always", "--journal"], Stdio::piped()),
            Some(Colour::Never) => (&["--color", "never", "--journal"], Stdio::piped()),
            None if run.text => {
                let text = File::create(folder.join(TEXT)).context("cannot make the text's file")?;
                (&["--journal"], text.into())
            }
            None => (&["--format", "ndjson", "--output"], stdout.into()),
        };
        command
            .args(["watch", "--ko", FIXTURES, "--overwrite"])
            .args(words)
            .arg(&journal)
            .arg("--ready-file")
            .arg(&ready)
            .args(&run.args)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        let child = command.spawn().context("cannot start klp-trace")?;
        let wrapped = run.pid_namespace;
        let mut watch = Self { child, wrapped, status: None, journal, follower: Follower::default() };
        let deadline = Instant::now() + READY;
        while !ready.exists() {
            if let Some(code) = watch.ended()? {
                let text = std::fs::read_to_string(folder.join("stderr.txt")).unwrap_or_default();
                bail!("klp-trace ended with {code} before it was ready: {}", text.trim());
            }
            if Instant::now() > deadline {
                watch.kill()?;
                bail!("klp-trace was not ready after {} s", READY.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(watch)
    }

    /// Its exit code, if it has ended.
    pub fn ended(&mut self) -> anyhow::Result<Option<i32>> {
        if self.status.is_none() {
            self.status = self.child.try_wait().context("cannot wait for klp-trace")?;
        }
        Ok(self.status.map(code))
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> anyhow::Result<i32> {
        if self.wrapped {
            self.signal("-KILL")?;
        }
        self.child.kill().context("cannot kill klp-trace")?;
        let status = self.child.wait().context("cannot wait for klp-trace")?;
        self.status = Some(status);
        Ok(code(status))
    }

    /// What it writes to standard output, where people are told: once.
    pub fn text(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// SIGTERM, and its exit code.
    pub fn stop(&mut self) -> anyhow::Result<i32> {
        self.end_by("-TERM")
    }

    /// SIGINT, and its exit code.
    pub fn interrupt(&mut self) -> anyhow::Result<i32> {
        self.end_by("-INT")
    }

    fn end_by(&mut self, signal: &str) -> anyhow::Result<i32> {
        if let Some(code) = self.ended()? {
            return Ok(code);
        }
        self.signal(signal)?;
        let deadline = Instant::now() + END;
        loop {
            if let Some(code) = self.ended()? {
                return Ok(code);
            }
            if Instant::now() > deadline {
                self.kill()?;
                bail!("klp-trace had not ended {} s after SIG{}", END.as_secs(), &signal[1..]);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends klp-trace itself a signal.
    fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let mut id = self.child.id().to_string();
        if self.wrapped {
            let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))
                .context("cannot read who the child of unshare is")?;
            match children.split_whitespace().next() {
                Some(child) => child.clone_into(&mut id),
                // It has ended.
                None => return Ok(()),
            }
        }
        Command::new("kill").args([signal, &id]).status().context("cannot run kill")?;
        Ok(())
    }

    /// Reads what is new in the journal; whether there was anything.
    pub fn advance(&mut self) -> anyhow::Result<bool> {
        self.follower.advance(&self.journal, u64::MAX)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.kill();
        }
    }
}

fn system_as_nobody() -> anyhow::Result<Command> {
    let capabilities = system::capabilities_named_by_doctor()?;
    Ok(system::as_nobody(&capabilities, TOOL))
}

/// The command in a PID namespace of its own, whose /proc shows its own processes alone. `unshare` waits for it, and ends with
/// its exit code.
fn in_pid_namespace(command: &Command) -> Command {
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--pid", "--fork", "--mount-proc"]).arg(command.get_program()).args(command.get_args());
    wrapped
}

/// The exit code; 128 and the number of the signal that ended it.
pub fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}
