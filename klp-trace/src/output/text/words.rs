//! Words for what the kernel and the events say in numbers and names.

use crate::journal::{EndReason, LossCause, Standing, TransitionStep};
use crate::model::{FindingEnd, Hook};

/// An error that the hooked functions return, with its name (include/uapi/asm-generic/errno-base.h).
pub(super) fn errno(ret: i64) -> String {
    let name = match ret {
        -1 => "EPERM",
        -2 => "ENOENT",
        -8 => "ENOEXEC",
        -11 => "EAGAIN",
        -12 => "ENOMEM",
        -14 => "EFAULT",
        -16 => "EBUSY",
        -17 => "EEXIST",
        -19 => "ENODEV",
        -22 => "EINVAL",
        -28 => "ENOSPC",
        -34 => "ERANGE",
        -38 => "ENOSYS",
        _ => return ret.to_string(),
    };
    format!("{ret} ({name})")
}

/// Why records were lost.
pub(super) const fn cause(cause: LossCause) -> &'static str {
    match cause {
        LossCause::RingFull => "the ring buffer was full",
        LossCause::Recursion => "the kernel skipped a program because another was running",
        LossCause::MissedExit => "a function's return was not seen",
        LossCause::MapFull => "the programs' map of sections is full",
        LossCause::CallsFull => "the programs' map of calls is full",
        LossCause::HelperRefused => "the kernel refused a helper to a program",
        LossCause::BlindWindow => "a module was loaded and the hooks did not fire",
        LossCause::FtraceDisabled => "kernel.ftrace_enabled is 0: no hook fires",
        LossCause::Incomplete => "a section's records arrived incomplete",
    }
}

/// A step of a transition.
pub(super) const fn step(step: TransitionStep) -> &'static str {
    match step {
        TransitionStep::Patching => "tasks are being moved to the patched functions",
        TransitionStep::Unpatching => "tasks are being moved back to the original functions",
        TransitionStep::Complete => "the transition is complete",
        TransitionStep::Forced => "the transition was forced: tasks may still run the other functions",
        TransitionStep::Detached => {
            "disabled or replaced; its relocations stay as they are until it is removed"
        }
    }
}

/// Where a livepatch stands.
pub(in crate::output) const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Enabled => "enabled",
        Standing::Enabling => "enabled, its transition is under way",
        Standing::Disabling => "being disabled, its transition is under way",
        Standing::Detached => "disabled or replaced, and still loaded",
        Standing::Loading => "still being loaded",
    }
}

/// Why a session ended.
pub(super) const fn end(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Signal => "ended by a signal",
        EndReason::Duration => "ended after --duration",
        EndReason::EndOfRecording => "end of the recording",
        EndReason::OutputClosed => "the reader of the output went away",
        EndReason::Failure => "ended by a failure",
        EndReason::Complete => "complete",
    }
}

/// Why a finding does not hold any more.
pub(crate) const fn ended(end: FindingEnd) -> &'static str {
    match end {
        FindingEnd::PatchRemoved => "the patch's module was removed",
        FindingEnd::Cleared => "the object is not loaded, and none of its values is left",
        FindingEnd::Written => "the object is loaded, and the values are right",
        FindingEnd::Superseded => "another finding says what is wrong now",
        FindingEnd::ObjectUnloaded => "the object was unloaded",
        FindingEnd::ObjectLoaded => "the object was loaded",
        FindingEnd::ObjectListed => "the patch lists the object now",
        FindingEnd::TransitionWentOn => "the transition has ended or was reversed",
        FindingEnd::FileAgrees => "the file is what was loaded",
        FindingEnd::ReadAgain => "everything was read again",
        FindingEnd::SymbolModuleGone => "the symbol's module was unloaded, see the finding of that",
        FindingEnd::SymbolModuleHeld => "something keeps the symbol's module loaded",
        FindingEnd::PatchDetached => "the patch is out of use",
    }
}

/// Whose records, in a sentence.
pub(super) fn whose(hook: Hook) -> String {
    match hook {
        Hook::Demand => "the tool's own reads".to_owned(),
        hook => hook.name().to_owned(),
    }
}
