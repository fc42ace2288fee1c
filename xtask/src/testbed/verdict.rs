//! How a boot ended.

use std::fmt;

use super::console::Sign;
use super::qemu::Run;

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The command ended by itself with this exit code and the kernel had nothing to complain of.
    Exited(i32),
    /// The kernel panicked; the line that said so.
    Panic(String),
    /// The kernel oopsed or found a bug in itself, whatever the command's exit code.
    Oops(String),
    /// A processor, or a task, was stuck.
    SoftLockup(String),
    /// Neither the command nor the kernel came to an end in time.
    TimedOut,
    /// Two starts, and init's first line came in neither.
    NeverStarted,
}

impl Verdict {
    /// The verdict on a run: a good exit code does not hide the kernel's complaint.
    pub fn of(run: Run) -> Self {
        match (run.complaint, run.exit) {
            _ if !run.started => Self::NeverStarted,
            (Some((Sign::Panic, line)), _) => Self::Panic(line),
            (Some((Sign::SoftLockup, line)), _) => Self::SoftLockup(line),
            (Some((_, line)), _) => Self::Oops(line),
            (None, Some(code)) => Self::Exited(code),
            // It said nothing of an end: time ran out, or QEMU itself was ended.
            (None, None) => Self::TimedOut,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "the guest's command ended with exit code {code}"),
            Self::Panic(line) => write!(f, "the guest's kernel panicked: {line}"),
            Self::Oops(line) => write!(f, "the guest's kernel oopsed: {line}"),
            Self::SoftLockup(line) => write!(f, "the guest was stuck: {line}"),
            Self::TimedOut => f.write_str("the guest did not come to an end in time"),
            Self::NeverStarted => f.write_str("the guest's init did not start, in two tries"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(started: bool, exit: Option<i32>, complaint: Option<Sign>) -> Verdict {
        let complaint = complaint.map(|sign| (sign, "line".to_owned()));
        Verdict::of(Run { started, exit, complaint, ..Run::default() })
    }

    #[test]
    fn a_good_exit_code_does_not_hide_the_kernels_complaint() {
        assert_eq!(of(true, Some(0), None), Verdict::Exited(0));
        assert_eq!(of(true, Some(0), Some(Sign::Oops)), Verdict::Oops("line".into()));
        assert_eq!(of(true, Some(0), Some(Sign::SoftLockup)), Verdict::SoftLockup("line".into()));
        assert_eq!(of(true, None, Some(Sign::Panic)), Verdict::Panic("line".into()));
    }

    #[test]
    fn no_exit_code_is_never_a_success() {
        assert_eq!(of(true, None, None), Verdict::TimedOut);
        assert_eq!(of(false, None, Some(Sign::Panic)), Verdict::NeverStarted);
        assert_eq!(of(false, Some(0), None), Verdict::NeverStarted);
    }
}
