//! Running other programs, with errors that say what was run and what it answered.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

/// Lines of a failed program's output that its error shows.
const SHOWN_LINES: usize = 25;

/// Runs `command` to its end and gives its standard output.
///
/// `purpose` completes "cannot …" in the error, which ends with the program's last lines.
pub fn output(command: &mut Command, purpose: &str) -> anyhow::Result<String> {
    let done = command.output().with_context(|| format!("cannot {purpose}: {command:?} did not start"))?;
    let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(stdout);
    }
    let said = format!("{stdout}{}", String::from_utf8_lossy(&done.stderr));
    bail!("cannot {purpose}: {command:?} ended with {}\n{}", done.status, tail(&said, SHOWN_LINES));
}

/// The last `count` lines of `text`.
pub fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}

/// Where `program` is: in PATH, or in one of the folders that PATH lacks for users who are not root.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_purpose_and_the_programs_last_words() {
        let error =
            output(Command::new("sh").args(["-c", "echo said; echo why >&2; exit 3"]), "ask the shell")
                .unwrap_err()
                .to_string();
        assert!(error.starts_with("cannot ask the shell"), "{error}");
        assert!(error.contains("said") && error.contains("why") && error.contains('3'), "{error}");
    }

    #[test]
    fn the_tail_is_no_longer_than_asked() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
    }
}
