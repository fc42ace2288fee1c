use super::*;

const KTHREADD_STAT: &str = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0\n";

/// A /proc that shows all tasks.
fn host() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    put(&root, "proc/2/stat", KTHREADD_STAT);
    put(&root, "proc/2/patch_state", "1\n");
    put(&root, "proc/2/task/2/patch_state", "1\n");
    namespace(&root, "pid:[4026531836]");
    root
}

fn put(root: &tempfile::TempDir, path: &str, text: &str) {
    let path = root.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn namespace(root: &tempfile::TempDir, name: &str) {
    let folder = root.path().join("proc/self/ns");
    std::fs::create_dir_all(&folder).unwrap();
    let _ = std::fs::remove_file(folder.join("pid"));
    std::os::unix::fs::symlink(name, folder.join("pid")).unwrap();
}

#[test]
fn tasks_that_are_not_there_yet() {
    let root = host();
    for (task, state, comm) in [("1/task/1", "1", "init"), ("7/task/7", "0", "nfsd"), ("7/task/9", "-1", "x")]
    {
        put(&root, &format!("proc/{task}/patch_state"), &format!("{state}\n"));
        put(&root, &format!("proc/{task}/comm"), &format!("{comm}\n"));
    }
    let stack = "[<0>] klp_sleeper_wait+0x4d/0x90 [klp_sleeper]\n[<0>] kthread+0xda/0x100\n";
    put(&root, "proc/7/task/7/stack", stack);
    std::fs::create_dir_all(root.path().join("proc/self/task/3")).unwrap();
    let search = blocking(root.path(), 1);
    assert_eq!((search.count, search.read, search.unread, search.hindrance), (1, 4, 0, None));
    let first = &search.blocking[0];
    assert_eq!((first.pid, first.tgid, first.patch_state), (7, 7, 0));
    assert_eq!(first.comm, b"nfsd");
    assert_eq!(first.stack, ["klp_sleeper_wait+0x4d/0x90 [klp_sleeper]", "kthread+0xda/0x100"]);
    let back = blocking(root.path(), 0);
    assert_eq!(back.blocking[0].comm, b"init");
    assert_eq!(back.blocking[0].stack, [""; 0]);
}

#[test]
fn a_state_that_cannot_be_read_is_no_state() {
    let root = host();
    // A folder in its place: cannot be read, as root either.
    std::fs::create_dir_all(root.path().join("proc/7/task/7/patch_state")).unwrap();
    // A thread that has ended meanwhile has no such file.
    std::fs::create_dir_all(root.path().join("proc/8/task/8")).unwrap();
    let search = blocking(root.path(), 1);
    assert_eq!((search.count, search.read, search.unread), (0, 1, 1));
    assert_eq!(search.hindrance, Some(Hindrance::Denied));
    assert_eq!(Hindrance::Denied.rights(), [Capability::DacReadSearch]);
    std::fs::remove_file(root.path().join("proc/2/patch_state")).unwrap();
    std::fs::create_dir_all(root.path().join("proc/2/patch_state")).unwrap();
    assert_eq!(may_look(root.path()), Err(Hindrance::Denied));
}

#[test]
fn a_proc_without_the_kernels_threads_does_not_show_all() {
    let root = host();
    assert_eq!(may_look(root.path()), Ok(()));
    std::fs::remove_dir_all(root.path().join("proc/2")).unwrap();
    put(&root, "proc/1/task/1/patch_state", "1\n");
    assert_eq!(blocking(root.path(), 1).hindrance, Some(Hindrance::Hidden));
    assert_eq!(may_look(root.path()), Err(Hindrance::Hidden));
    // Another process that got the number 2 in a namespace of its own.
    put(&root, "proc/2/stat", "2 (a) b) S 1 2 2 0 -1 4194560 0 0\n");
    namespace(&root, "pid:[4026532300]");
    assert_eq!(blocking(root.path(), 1).hindrance, Some(Hindrance::Namespace));
    assert_eq!(Hindrance::Namespace.rights(), [] as [Capability; 0]);
    // In a namespace of its own, with the host's /proc: all is there.
    put(&root, "proc/2/stat", KTHREADD_STAT);
    assert_eq!(blocking(root.path(), 1).hindrance, None);
    assert_eq!(in_first_namespace(root.path()), Some(false));
}

#[test]
fn without_proc_nothing_was_looked_at() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(blocking(root.path(), 1).hindrance, Some(Hindrance::NoProc));
    std::fs::create_dir_all(root.path().join("proc")).unwrap();
    assert_eq!(blocking(root.path(), 1).hindrance, Some(Hindrance::NoProc), "not mounted");
    assert_eq!(may_look(root.path()), Err(Hindrance::NoProc));
    assert!(!may_read_stacks(root.path()));
    assert_eq!(in_first_namespace(root.path()), None);
}
