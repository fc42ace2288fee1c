//! Which tasks hold up a livepatch transition: /proc/PID/task/TID/patch_state (Documentation/livepatch/livepatch.rst).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::capabilities::Capability;

/// Tasks told of one transition; the others are counted.
const MOST: usize = 16;
/// Lines of a stack told.
const FRAMES: usize = 12;

/// A task that has not reached the state of the transition under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocking {
    /// Its thread id.
    pub pid: u32,
    /// Its process.
    pub tgid: u32,
    /// Its name, as the kernel has it.
    pub comm: Vec<u8>,
    /// 0: it still runs unpatched functions; 1: patched ones.
    pub patch_state: i8,
    /// Its kernel stack, innermost first; empty when this process may not read it ([`STACK_RIGHTS`]).
    pub stack: Vec<String>,
}

/// What a look at the tasks came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Search {
    /// The first tasks whose state is neither the one wanted nor undefined (-1: no transition concerns it).
    pub blocking: Vec<Blocking>,
    /// How many such tasks there are.
    pub count: u32,
    /// Threads whose state was read.
    pub read: u32,
    /// Threads, or whole processes, whose state could not be read.
    pub unread: u32,
    /// Why not every task was looked at; none: each was.
    pub hindrance: Option<Hindrance>,
}

/// Why tasks could not be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// `patch_state` has mode 0400 and belongs to the task's user; it asks for no more (fs/proc/base.c, 6.1 to 7.x).
    Denied,
    /// /proc does not show the kernel's threads: it is mounted with hidepid, or belongs to another PID namespace.
    Hidden,
    /// The same with this process in a PID namespace of its own, where no right helps.
    Namespace,
    /// /proc cannot be listed.
    NoProc,
}

/// What reading the stacks of all tasks wants beside the right to read their states (fs/proc/base.c, `proc_pid_stack`:
/// `CAP_SYS_ADMIN`, and the ptrace access check of `lock_trace`).
pub const STACK_RIGHTS: [Capability; 2] = [Capability::SysAdmin, Capability::SysPtrace];

impl Hindrance {
    /// The capabilities that would let this process look; empty: none would.
    pub const fn rights(self) -> &'static [Capability] {
        match self {
            Self::Denied => &[Capability::DacReadSearch],
            Self::Hidden => &[Capability::DacReadSearch, Capability::SysPtrace],
            Self::Namespace | Self::NoProc => &[],
        }
    }
}

/// Looks at every task for those whose state is not `wanted`. Reads all of /proc: not for every second.
pub fn blocking(root: &Path, wanted: i8) -> Search {
    let mut search = Search::default();
    let proc = root.join("proc");
    let Ok(processes) = numbered(&proc) else {
        return Search { hindrance: Some(Hindrance::NoProc), ..search };
    };
    let mut denied = false;
    for (tgid, process) in processes {
        let threads = match numbered(&process.join("task")) {
            Ok(threads) => threads,
            Err(error) => {
                if !is_gone(&error) {
                    denied = true;
                    search.unread += 1;
                }
                continue;
            }
        };
        for (pid, task) in threads {
            match state(&task) {
                Ok(Some(patch_state)) => {
                    search.read += 1;
                    if patch_state != wanted && patch_state != -1 {
                        search.found(pid, tgid, patch_state, &task);
                    }
                }
                Ok(None) => {}
                Err(_) => {
                    denied = true;
                    search.unread += 1;
                }
            }
        }
    }
    search.hindrance = match view(root) {
        Ok(()) if denied => Some(Hindrance::Denied),
        Ok(()) => None,
        Err(hindrance) => Some(hindrance),
    };
    search
}

/// Whether this process may see all tasks and their states: tried on the kernel's own kthreadd.
pub fn may_look(root: &Path) -> Result<(), Hindrance> {
    view(root)?;
    match state(&root.join("proc").join(KTHREADD)) {
        Ok(_) => Ok(()),
        Err(_) => Err(Hindrance::Denied),
    }
}

/// Whether this process may read the kernel's stacks: tried on kthreadd, which sleeps.
pub fn may_read_stacks(root: &Path) -> bool {
    std::fs::read(root.join("proc").join(KTHREADD).join("stack")).is_ok_and(|stack| !stack.is_empty())
}

impl Search {
    fn found(&mut self, pid: u32, tgid: u32, patch_state: i8, task: &Path) {
        self.count += 1;
        if self.blocking.len() < MOST {
            let comm = std::fs::read(task.join("comm")).unwrap_or_default();
            let comm = comm.strip_suffix(b"\n").unwrap_or(&comm).to_vec();
            let stack = text(&task.join("stack")).unwrap_or_default();
            let stack = stack.lines().take(FRAMES).map(frame).collect();
            self.blocking.push(Blocking { pid, tgid, comm, patch_state, stack });
        }
    }
}

/// The thread that makes all others of the kernel; its number is always 2 (init/main.c, `rest_init`).
const KTHREADD: &str = "2";

/// `PF_KTHREAD` (include/linux/sched.h).
const PF_KTHREAD: u64 = 0x0020_0000;

/// The first PID namespace, in /proc/self/ns/pid (include/linux/proc_ns.h, `PROC_PID_INIT_INO`).
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

/// Whether this process is in the first PID namespace, whose numbers the kernel's records use; none: /proc does not tell.
pub fn in_first_namespace(root: &Path) -> Option<bool> {
    let link = std::fs::read_link(root.join("proc/self/ns/pid")).ok()?;
    Some(link == Path::new(FIRST_NAMESPACE))
}

/// Whether /proc shows every task: those of the kernel itself are in the first PID namespace alone, and belong to root.
fn view(root: &Path) -> Result<(), Hindrance> {
    if !root.join("proc/self").exists() && !root.join("proc/1").exists() {
        return Err(Hindrance::NoProc);
    }
    let seen = text(&root.join("proc").join(KTHREADD).join("stat")).is_ok_and(|stat| is_kernel_thread(&stat));
    match (seen, in_first_namespace(root)) {
        (true, _) => Ok(()),
        (false, Some(false)) => Err(Hindrance::Namespace),
        (false, _) => Err(Hindrance::Hidden),
    }
}

/// By the flags in /proc/PID/stat: the ninth field, the seventh behind the name's parenthesis.
fn is_kernel_thread(stat: &str) -> bool {
    let flags =
        stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// A thread's `patch_state`; `None`: the thread has gone.
fn state(task: &Path) -> std::io::Result<Option<i8>> {
    match text(&task.join("patch_state")) {
        Ok(text) => text.trim().parse().map(Some).map_err(|_| ErrorKind::InvalidData.into()),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a file of a task cannot be read because the task has ended.
fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

/// `[<0>] function+0x1/0x2 [module]` without its hidden address.
fn frame(line: &str) -> String {
    line.split_once("] ").map_or(line, |(_, rest)| rest).to_owned()
}

/// The folders of a folder whose names are numbers.
fn numbered(folder: &Path) -> std::io::Result<Vec<(u32, PathBuf)>> {
    let entries = std::fs::read_dir(folder)?.flatten();
    let mut found: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    found.sort();
    Ok(found)
}

fn text(path: &Path) -> std::io::Result<String> {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
