//! What kind of refusal an error of the kernel is, by its error number: the host's doing, or something else.

use std::{error::Error, io};

use aya::programs::ProgramError;

use super::hooks::verdict;

/// Why a program was refused; the later one says more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    /// The object's or the kernel's doing
    Other,
    /// The host's doing: EPERM or EACCES
    Denied,
    /// The same of a perf event, which a kprobe is
    PerfEvent,
}

/// The system call that a kprobe is made with.
const PERF_EVENT: &str = "perf_event_open";

impl Refusal {
    /// Of a program that was not loaded or not attached.
    pub fn of(error: &ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                Self::load(io_error, &verifier_log.to_string())
            }
            ProgramError::SyscallError(call) if call.call == PERF_EVENT && Self::denied(call) => {
                Self::PerfEvent
            }
            other if Self::denied(other) => Self::Denied,
            _ => Self::Other,
        }
    }

    /// Of a program that was not loaded. The verifier's word for nearly everything is EACCES: where it has spoken, that is no
    /// lack of rights.
    fn load(error: &io::Error, log: &str) -> Self {
        if verdict(log).is_none() && Self::denied(error) { Self::Denied } else { Self::Other }
    }

    /// Whether an error, or what it stems from, is EPERM or EACCES.
    pub fn denied(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::PermissionDenied)
            {
                return true;
            }
            next = error.source();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aya::sys::SyscallError;
    use rustix::io::Errno;

    fn call(call: &'static str, errno: Errno) -> ProgramError {
        ProgramError::SyscallError(SyscallError { call, io_error: errno.into() })
    }

    fn load(errno: Errno, log: &str) -> Refusal {
        Refusal::load(&errno.into(), log)
    }

    #[test]
    fn a_refusal_is_told_by_its_error_number() {
        for errno in [Errno::PERM, Errno::ACCESS] {
            assert_eq!(Refusal::of(&call("bpf_link_create", errno)), Refusal::Denied);
            assert_eq!(Refusal::of(&call(PERF_EVENT, errno)), Refusal::PerfEvent);
            assert_eq!(load(errno, ""), Refusal::Denied);
            assert_eq!(load(errno, "0: (85) call\nunknown func\nprocessed 1 insns\n"), Refusal::Other);
            assert_eq!(load(errno, "processed 1 insns\n"), Refusal::Denied);
        }
        assert_eq!(Refusal::of(&call(PERF_EVENT, Errno::NOENT)), Refusal::Other);
        assert_eq!(Refusal::of(&ProgramError::NotLoaded), Refusal::Other);
        assert!(Refusal::PerfEvent > Refusal::Denied && Refusal::Denied > Refusal::Other);
    }

    #[test]
    fn words_that_look_like_an_error_number_are_none() {
        let text: io::Error = io::Error::other("section (os error 13) is broken");
        assert!(!Refusal::denied(&text));
    }
}
