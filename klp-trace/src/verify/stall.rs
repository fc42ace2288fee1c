//! KLP010: a transition that does not end, and who holds it up.

use super::verifier::Verifier;
use crate::{
    event::{Blocking, Body, Finding, PatchRef, Stall, Stalled},
    model::{FindingId, Severity},
};

/// Tasks named in a finding.
const NAMED: usize = 3;

const NS_PER_S: u64 = 1_000_000_000;

impl Verifier {
    /// KLP010, once a transition.
    pub(super) fn stall(&mut self, mut stall: Stall, say: &mut dyn FnMut(Body)) {
        let patch = self.patches.get_mut(&stall.patch.address.0);
        let said = patch.is_some_and(|patch| {
            stall.patch = patch.r.clone();
            !patch.said.insert(FindingId::Klp010)
        });
        let finding = (!said).then(|| stalled(&stall.patch, &stall.found));
        say(Body::Stall(stall));
        if let Some(finding) = finding {
            self.say_finding(finding, say);
        }
    }
}

fn stalled(patch: &PatchRef, found: &Stalled) -> Finding {
    let name = &patch.name;
    let since = match found.waited_ns {
        Some(waited) => format!("has been in transition for {} s", waited / NS_PER_S),
        None => "is in transition".to_owned(),
    };
    let mut tasks: Vec<String> = found.blocking.iter().take(NAMED).map(task).collect();
    let named = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    if found.tasks > named {
        tasks.push(format!("{} more", found.tasks - named));
    }
    let who = if tasks.is_empty() { "no task that is left".to_owned() } else { tasks.join("; ") };
    Finding {
        id: FindingId::Klp010,
        // Looked at once, it may be about to end.
        severity: if found.waited_ns.is_some() { Severity::Warning } else { Severity::Info },
        message: format!("patch {name} {since}; it waits for {who}"),
        why: "a task changes over when it is seen outside all patched functions: asleep, with a stack that the kernel can read, \
              or on its way out of the kernel"
            .to_owned(),
        action: format!(
            "wake or end what holds it up; or reverse the transition (write the other value to \
             /sys/kernel/livepatch/{name}/enabled); forcing it leaves tasks in the other code, and {name} in memory for good"
        ),
        patch: Some(patch.clone()),
        object: None,
        section: None,
        relocations: 0,
        first: None,
        kernel: Vec::new(),
    }
}

/// `nfsd (pid 812, patch_state 0) in svc_recv+0x4d/0x90 [sunrpc]`.
fn task(task: &Blocking) -> String {
    let Blocking { pid, comm, patch_state, stack, .. } = task;
    let at = stack.first().map(|frame| format!(" in {frame}")).unwrap_or_default();
    format!("{comm} (pid {pid}, patch_state {patch_state}){at}")
}
