//! The exit codes, one closed list for every command, and which of several wins.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a command ended. The discriminants are the process's exit codes and part of the interface.
///
/// 4 is kselftest's SKIP: a kernel CI that runs klp-trace on a kernel without livepatching skips, not fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked was done and nothing is wrong.
    Clean = 0,
    /// At least one finding at or above `--fail-on`.
    Finding = 1,
    /// Wrong usage or configuration; nothing was done.
    Usage = 2,
    /// The command failed while it ran: an unreadable file, a full disk, a kernel interface that broke off.
    Runtime = 3,
    /// This host does not allow the command: no livepatch support, no privilege, a hook missing.
    Precondition = 4,
    /// Nothing wrong was seen, but not everything could be judged: events lost, verdicts `unknown`.
    Inconclusive = 5,
    /// The command that `assert` ran failed, and nothing worse happened.
    CommandFailed = 6,
    /// Interrupted before there was a verdict.
    Interrupted = 130,
}

impl Exit {
    /// All codes, in the order of precedence: of several that apply, the first here is the exit code.
    pub const PRECEDENCE: [Self; 8] = [
        Self::Usage,
        Self::Precondition,
        Self::Runtime,
        Self::Interrupted,
        Self::Finding,
        Self::Inconclusive,
        Self::CommandFailed,
        Self::Clean,
    ];

    /// The number that the process exits with.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The code's meaning in one line, as help texts and man pages show it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Finding => "a finding at or above --fail-on",
            Self::Usage => "wrong usage or configuration",
            Self::Runtime => "failed while running",
            Self::Precondition => "precondition unmet: no livepatch support, no privilege, a hook missing",
            Self::Inconclusive => "inconclusive: events were lost, or verdicts are unknown",
            Self::CommandFailed => "the command that was run failed, nothing worse",
            Self::Interrupted => "interrupted before a verdict",
        }
    }

    /// Which of two ends is the process's: the one that comes first in [`Exit::PRECEDENCE`].
    #[must_use]
    pub const fn worse(self, other: Self) -> Self {
        if self.rank() <= other.rank() { self } else { other }
    }

    /// The worst of several ends; [`Exit::Clean`] when there are none.
    pub fn worst(ends: impl IntoIterator<Item = Self>) -> Self {
        ends.into_iter().fold(Self::Clean, Self::worse)
    }

    /// The place in [`Exit::PRECEDENCE`]; a match so that a new code cannot be forgotten.
    const fn rank(self) -> u8 {
        match self {
            Self::Usage => 0,
            Self::Precondition => 1,
            Self::Runtime => 2,
            Self::Interrupted => 3,
            Self::Finding => 4,
            Self::Inconclusive => 5,
            Self::CommandFailed => 6,
            Self::Clean => 7,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The "Exit codes" section of a command's help, of the codes that this command can end with.
pub fn help_section(codes: &[Exit]) -> String {
    let mut text = String::from("Exit codes:\n");
    let mut by_number = codes.to_vec();
    by_number.sort_by_key(|exit| exit.code());
    for exit in by_number {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    let first = Exit::PRECEDENCE.iter().filter(|exit| codes.contains(exit));
    let first: Vec<String> = first.map(|exit| exit.code().to_string()).collect();
    let _ = write!(text, "If several apply, the first of {}.", first.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes: Vec<u8> = Exit::PRECEDENCE.iter().map(|e| e.code()).collect();
        assert_eq!(codes, [2, 4, 3, 130, 1, 5, 6, 0]);
    }

    #[test]
    fn rank_is_the_place_in_precedence() {
        for (place, exit) in Exit::PRECEDENCE.iter().enumerate() {
            assert_eq!(usize::from(exit.rank()), place, "{exit:?}");
        }
    }

    #[test]
    fn of_two_the_first_in_precedence_wins_from_either_side() {
        for (i, a) in Exit::PRECEDENCE.iter().enumerate() {
            for b in &Exit::PRECEDENCE[i..] {
                assert_eq!(a.worse(*b), *a);
                assert_eq!(b.worse(*a), *a);
            }
        }
    }

    #[test]
    fn worst_of_none_is_clean_and_of_many_the_first() {
        assert_eq!(Exit::worst([]), Exit::Clean);
        let ends = [Exit::Clean, Exit::Inconclusive, Exit::Finding, Exit::CommandFailed];
        assert_eq!(Exit::worst(ends), Exit::Finding);
        assert_eq!(Exit::worst(ends.into_iter().chain([Exit::Runtime])), Exit::Runtime);
    }

    #[test]
    fn help_section_lists_only_what_a_command_can_end_with() {
        let text = help_section(&[Exit::Clean, Exit::Precondition]);
        assert!(text.contains("\n    0  clean\n"), "{text}");
        assert!(text.contains("\n    4  precondition unmet"), "{text}");
        assert!(!text.contains("--fail-on"), "{text}");
        assert!(text.ends_with("the first of 4, 0."), "{text}");
        let all = help_section(&Exit::PRECEDENCE);
        let numbers: Vec<u8> =
            all.lines().filter_map(|line| line.trim().split(' ').next()?.parse().ok()).collect();
        assert!(numbers.is_sorted() && numbers.len() == 8, "{all}");
    }
}
