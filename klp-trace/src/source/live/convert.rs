//! From what the probes report to events.

use crate::{
    journal::{Blocking, Hindrance, Looked, ModuleUsage, Stalled, Standing, Task, TransitionStep},
    kernel::{modules::Modules, sysfs, tasks},
    model::Hook,
    probe::event as raw,
};
use std::{path::Path, sync::Arc};

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

/// Who holds up a transition towards `wanted` (1: patched).
pub(in crate::source) fn stalled(root: &Path, wanted: i8, waited_ns: Option<u64>) -> Stalled {
    let search = tasks::blocking(root, wanted);
    let text = |line: String| crate::elf::names::display(line.as_bytes());
    let blocking = search.blocking.into_iter().map(|task| Blocking {
        pid: task.pid,
        tgid: task.tgid,
        comm: Arc::from(crate::elf::names::display(&task.comm)),
        patch_state: task.patch_state,
        stack: task.stack.into_iter().map(text).collect(),
    });
    let rights = search.hindrance.map_or(&[][..], tasks::Hindrance::rights);
    let looked = Looked {
        read: search.read,
        unread: search.unread,
        hindrance: search.hindrance.map(hindrance),
        missing: rights.iter().map(|right| Arc::from(right.name())).collect(),
    };
    Stalled { waited_ns, tasks: search.count, blocking: blocking.collect(), looked: Some(looked) }
}

const fn hindrance(hindrance: tasks::Hindrance) -> Hindrance {
    match hindrance {
        tasks::Hindrance::Denied => Hindrance::Denied,
        tasks::Hindrance::Hidden => Hindrance::Hidden,
        tasks::Hindrance::Namespace => Hindrance::PidNamespace,
        tasks::Hindrance::NoProc => Hindrance::NoProc,
    }
}

/// Where a patch in livepatch's list stands.
pub(in crate::source) const fn standing(patch: &sysfs::Patch) -> Standing {
    match (patch.enabled, patch.transition) {
        // Nothing is left of it but the folders.
        (false, false) => Standing::Detached,
        (false, true) => Standing::Disabling,
        (true, true) => Standing::Enabling,
        (true, false) => Standing::Enabled,
    }
}

/// The objects that a patch lists; none where not all of them are there yet, or any more.
pub(in crate::source) fn objects(patch: &sysfs::Patch) -> Option<Vec<Arc<str>>> {
    let name = |object: &sysfs::PatchObject| Arc::from(crate::elf::names::display(object.name.as_bytes()));
    patch.whole.then(|| patch.objects.iter().map(name).collect())
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

/// What keeps a module loaded; none where it is not on the list.
pub(in crate::source) fn usage(modules: &Modules, name: &str) -> Option<ModuleUsage> {
    let module = modules.get(name)?;
    let holders = modules.holders(name);
    let mut holders: Vec<Arc<str>> =
        holders.into_iter().map(|holder| Arc::from(crate::elf::names::display(holder.as_bytes()))).collect();
    holders.sort();
    Some(ModuleUsage { refcount: module.refcount, permanent: module.permanent, holders })
}
