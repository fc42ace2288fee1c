//! KLP010: a transition that does not end, and who holds it up.

use super::verifier::Verifier;
use crate::{
    journal::{Blocking, Body, Finding, Hindrance, PatchRef, Stall, Stalled},
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
    let unseen = unseen(found);
    let mut tasks: Vec<String> = found.blocking.iter().take(NAMED).map(task).collect();
    let named = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    if found.tasks > named {
        tasks.push(format!("{} more", found.tasks - named));
    }
    let who = match (tasks.is_empty(), &unseen) {
        (true, None) => "it waits for no task that is left".to_owned(),
        (true, Some(why)) => format!("which tasks hold it up could not be seen: {why}"),
        (false, None) => format!("it waits for {}", tasks.join("; ")),
        (false, Some(why)) => {
            format!("it waits for {}, and perhaps for others that could not be seen: {why}", tasks.join("; "))
        }
    };
    let looked = unseen.and(found.looked.as_ref());
    let right = match looked {
        Some(looked) if !looked.missing.is_empty() => {
            format!("give klp-trace {} to see all of them; ", looked.missing.join(" and "))
        }
        Some(looked) if looked.hindrance == Some(Hindrance::PidNamespace) => {
            "run klp-trace in the host's PID namespace to see all of them; ".to_owned()
        }
        Some(_) | None => String::new(),
    };
    Finding {
        id: FindingId::Klp010,
        // Looked at once, it may be about to end.
        severity: if found.waited_ns.is_some() { Severity::Warning } else { Severity::Info },
        message: format!("patch {name} {since}; {who}"),
        why: "a task changes over when it is seen outside all patched functions: asleep, with a stack that the kernel can read, \
              or on its way out of the kernel"
            .to_owned(),
        action: format!(
            "{right}wake or end what holds it up; or reverse the transition (write the other value to \
             /sys/kernel/livepatch/{name}/enabled); forcing it leaves tasks in the other code, and {name} in memory for good"
        ),
        patch: Some(patch.clone()),
        object: None,
        section: None,
        sections: Vec::new(),
        relocations: 0,
        first: None,
        commands: Vec::new(),
        kernel: Vec::new(),
        opened_ns: 0,
    }
}

/// Why there may be more tasks than those found; none: all tasks were looked at.
fn unseen(found: &Stalled) -> Option<String> {
    let Some(looked) = &found.looked else {
        // An older version wrote down no more than what it found.
        return found
            .blocking
            .is_empty()
            .then(|| "the recording does not tell whether it was looked for".to_owned());
    };
    Some(match looked.hindrance? {
        Hindrance::Denied => format!(
            "the states of {} tasks could not be read (/proc/PID/task/TID/patch_state), for lack of {}",
            looked.unread,
            looked.missing.join(" and ")
        ),
        Hindrance::Hidden => {
            "/proc hides tasks (mounted with hidepid, or of another PID namespace)".to_owned()
        }
        Hindrance::PidNamespace => {
            "klp-trace runs in a PID namespace, whose /proc shows its own tasks alone".to_owned()
        }
        Hindrance::NoProc => "/proc cannot be listed".to_owned(),
    })
}

/// `nfsd (pid 812, patch_state 0) in svc_recv+0x4d/0x90 [sunrpc]`.
fn task(task: &Blocking) -> String {
    let Blocking { pid, comm, patch_state, stack, .. } = task;
    let at = stack.first().map(|frame| format!(" in {frame}")).unwrap_or_default();
    format!("{comm} (pid {pid}, patch_state {patch_state}){at}")
}
