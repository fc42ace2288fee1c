//! From what the probes report to events.

use crate::{
    event::{Task, TransitionStep},
    model::Hook,
    probe::event as raw,
};
use std::sync::Arc;

pub(in crate::source) fn hook(hook: raw::Hook) -> Hook {
    match hook {
        raw::Hook::Coming => Hook::KlpModuleComing,
        raw::Hook::Going => Hook::KlpModuleGoing,
        raw::Hook::Cleanup => Hook::KlpCleanupModulePatchesLimited,
        raw::Hook::Apply => Hook::ApplyRelocateAdd,
        raw::Hook::Clear => Hook::ClearRelocateAdd,
        raw::Hook::ModuleLoad => Hook::ModuleLoad,
        raw::Hook::ModuleFree => Hook::ModuleFree,
        raw::Hook::Demand => Hook::Demand,
        raw::Hook::InitTransition => Hook::KlpInitTransition,
        raw::Hook::CompleteTransition => Hook::KlpCompleteTransition,
        raw::Hook::ForceTransition => Hook::KlpForceTransition,
        raw::Hook::WriteObjectRelocs => Hook::KlpWriteObjectRelocs,
        raw::Hook::FreePatch => Hook::KlpFreePatchWorkFn,
    }
}

/// A kernel name as text: what a terminal could act on is escaped.
pub(in crate::source) fn name(name: &raw::KernelName) -> Arc<str> {
    Arc::from(crate::elf::names::display(&name.0))
}

pub(in crate::source) fn task(task: &raw::Task) -> Arc<Task> {
    Arc::new(Task {
        pid: task.pid,
        tgid: task.tgid,
        ppid: task.ppid,
        uid: task.uid,
        auid: task.auid,
        comm: name(&task.comm),
    })
}

/// What a transition hook means for its patch; none for those that are only counted.
pub(in crate::source) fn step(transition: &raw::Transition) -> Option<TransitionStep> {
    match (transition.hook, transition.target) {
        (raw::Hook::InitTransition, Some(false)) => Some(TransitionStep::Unpatching),
        (raw::Hook::InitTransition, _) => Some(TransitionStep::Patching),
        (raw::Hook::CompleteTransition, _) => Some(TransitionStep::Complete),
        (raw::Hook::ForceTransition, _) => Some(TransitionStep::Forced),
        (raw::Hook::FreePatch, _) => Some(TransitionStep::Detached),
        _ => None,
    }
}
