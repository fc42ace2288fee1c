//! Which tasks hold up a livepatch transition: /proc/PID/task/TID/patch_state (Documentation/livepatch/livepatch.rst).

use std::path::{Path, PathBuf};

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
    /// Its kernel stack, innermost first; empty when this process may not read it (CAP_SYS_ADMIN).
    pub stack: Vec<String>,
}

/// Every task whose state is neither `wanted` nor undefined (-1: no transition concerns it). The first few, and how many
/// there are. Reads all of /proc: not for every second.
pub fn blocking(root: &Path, wanted: i8) -> (Vec<Blocking>, u32) {
    let (mut found, mut count) = (Vec::new(), 0);
    for (tgid, process) in numbered(&root.join("proc")) {
        for (pid, task) in numbered(&process.join("task")) {
            let Some(patch_state) = text(&task.join("patch_state")).and_then(|text| text.trim().parse().ok())
            else {
                continue;
            };
            if patch_state == wanted || patch_state == -1 {
                continue;
            }
            count += 1;
            if found.len() < MOST {
                let comm = std::fs::read(task.join("comm")).unwrap_or_default();
                let comm = comm.strip_suffix(b"\n").unwrap_or(&comm).to_vec();
                let stack = text(&task.join("stack")).unwrap_or_default();
                let stack = stack.lines().take(FRAMES).map(frame).collect();
                found.push(Blocking { pid, tgid, comm, patch_state, stack });
            }
        }
    }
    (found, count)
}

/// `[<0>] function+0x1/0x2 [module]` without its hidden address.
fn frame(line: &str) -> String {
    line.split_once("] ").map_or(line, |(_, rest)| rest).to_owned()
}

/// The folders of a folder whose names are numbers. A process that has gone has none.
fn numbered(folder: &Path) -> Vec<(u32, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path()))).collect();
    found.sort();
    found
}

fn text(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_that_are_not_there_yet() {
        let root = tempfile::tempdir().unwrap();
        for (task, state, comm) in
            [("1/task/1", "1", "init"), ("7/task/7", "0", "nfsd"), ("7/task/9", "-1", "x")]
        {
            let task = root.path().join("proc").join(task);
            std::fs::create_dir_all(&task).unwrap();
            std::fs::write(task.join("patch_state"), format!("{state}\n")).unwrap();
            std::fs::write(task.join("comm"), format!("{comm}\n")).unwrap();
        }
        let stack = "[<0>] klp_sleeper_wait+0x4d/0x90 [klp_sleeper]\n[<0>] kthread+0xda/0x100\n";
        std::fs::write(root.path().join("proc/7/task/7/stack"), stack).unwrap();
        std::fs::create_dir_all(root.path().join("proc/self/task/3")).unwrap();
        let (found, count) = blocking(root.path(), 1);
        assert_eq!(count, 1);
        assert_eq!((found[0].pid, found[0].tgid, found[0].patch_state), (7, 7, 0));
        assert_eq!(found[0].comm, b"nfsd");
        assert_eq!(found[0].stack, ["klp_sleeper_wait+0x4d/0x90 [klp_sleeper]", "kthread+0xda/0x100"]);
        let (found, _) = blocking(root.path(), 0);
        assert_eq!(found[0].comm, b"init");
        assert_eq!(found[0].stack, [""; 0]);
    }
}
