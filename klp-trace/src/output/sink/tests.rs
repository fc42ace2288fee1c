use super::*;
use std::io::Read;
use std::os::fd::OwnedFd;

fn sink_to(fd: OwnedFd) -> LineSink {
    LineSink::new(Target::File(File::from(fd), PathBuf::from("test")))
}

#[test]
fn lines_arrive_whole_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = LineSink::create_new(&path).unwrap();
    sink.line(b"one").unwrap();
    sink.line(b"two").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"", "nothing before the flush");
    sink.flush().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
    sink.line(b"three").unwrap();
    sink.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\nthree\n");
}

#[test]
fn much_pending_is_written_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = LineSink::create_new(&path).unwrap();
    sink.line(&vec![b'x'; BATCH]).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), BATCH as u64 + 1);
}

#[test]
fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = LineSink::create_new(&path).unwrap();
    sink.line(b"one").unwrap();
    sink.finish().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_full_disk_is_said_and_stays_said() {
    let mut sink = LineSink::create(Path::new("/dev/full")).unwrap();
    sink.line(b"lost").unwrap();
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, SinkError::Full { .. }), "{error:?}");
    assert!(error.to_string().starts_with("cannot write /dev/full: No space left"), "{error}");
    assert!(matches!(sink.flush().unwrap_err(), SinkError::Full { .. }), "no write after a gap");
}

#[test]
fn a_closed_pipe_is_no_failure_but_an_end() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let mut sink = sink_to(writer.into());
    sink.line(b"unread").unwrap();
    assert!(sink.flush().unwrap_err().is_closed());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let error = LineSink::create(Path::new("/nonexistent/out")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/out: No such file"), "{error}");
}

/// A regular file that takes 10 bytes more and then fails, as a full disk does: by a file size limit in a child, since
/// the limit is the whole process's.
#[test]
fn a_torn_line_is_cut_back_to_the_last_whole_one() {
    const CHILD: &str = "KLP_TRACE_TEST_FSIZE";
    if let Some(path) = std::env::var_os(CHILD) {
        limited_child(Path::new(&path));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    // Its output is caught: were it a file, the limit would hold for that one too.
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "output::sink::tests::a_torn_line_is_cut_back_to_the_last_whole_one"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(std::fs::read(&path).unwrap(), b"first\nsecond\n");
}

fn limited_child(path: &Path) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // SIGXFSZ kills by default; ignored, the write fails with EFBIG. A pending flag is as good as ignoring.
    let flag = std::sync::Arc::default();
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag).unwrap();
    setrlimit(Resource::Fsize, Rlimit { current: Some(16), maximum: Some(16) }).unwrap();
    let mut sink = LineSink::create_new(path).unwrap();
    for line in ["first", "second", "third"] {
        sink.line(line.as_bytes()).unwrap();
    }
    let error = sink.flush().unwrap_err();
    assert!(matches!(error, SinkError::Full { .. }), "{error:?}");
}

#[test]
fn a_file_that_another_writer_has_grown_is_not_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out");
    let mut sink = LineSink::create_new(&path).unwrap();
    sink.line(b"ours").unwrap();
    sink.flush().unwrap();
    let mut other = OpenOptions::new().append(true).open(&path).unwrap();
    io::Write::write_all(&mut other, b"theirs\n").unwrap();
    sink.cut_back(2);
    assert_eq!(std::fs::read(&path).unwrap(), b"ours\ntheirs\n");
}

#[test]
fn a_reader_that_is_slow_on_a_non_blocking_pipe_gets_everything() {
    let (reader, writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let reading = std::thread::spawn(move || {
        let mut reader = reader;
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        all.len()
    });
    let mut sink = sink_to(writer.into());
    for _ in 0..1000 {
        sink.line(&[b'x'; 999]).unwrap();
    }
    sink.finish().unwrap();
    assert_eq!(reading.join().unwrap(), 1_000_000);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_report_takes_its_name_when_all_is_written_and_not_before() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let [path, link] = ["out", "link"].map(|name| dir.path().join(name));
    std::fs::write(&path, "before").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("out", &link).unwrap();
    for to in [&path, &link] {
        let mut sink = LineSink::create(to).unwrap();
        sink.line(&vec![b'x'; BATCH]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        drop(sink);
        assert_eq!(
            (std::fs::read(&path).unwrap(), names(dir.path())),
            (b"before".to_vec(), vec!["link".to_owned(), "out".to_owned()])
        );
    }
    let mut sink = LineSink::create(&link).unwrap();
    sink.line(b"after").unwrap();
    sink.finish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"after\n");
    assert!(link.is_symlink());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(names(dir.path()), ["link", "out"]);
}

#[test]
fn a_journal_replaces_nothing_unasked_and_leaves_nothing_empty() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    drop(LineSink::journal(&path, false).unwrap());
    assert!(names(dir.path()).is_empty(), "nothing was written");
    let mut sink = LineSink::journal(&path, false).unwrap();
    sink.line(b"first").unwrap();
    sink.flush().unwrap();
    drop(sink);
    assert_eq!(std::fs::read(&path).unwrap(), b"first\n", "what is written stays");
    assert!(matches!(LineSink::journal(&path, false).unwrap_err(), SinkError::Taken { .. }));
    drop(LineSink::journal(&path, true).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"first\n");
    let mut sink = LineSink::journal(&path, true).unwrap();
    sink.line(b"second").unwrap();
    sink.flush().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"second\n");
    drop(sink);
    assert_eq!(
        (std::fs::read(&path).unwrap(), names(dir.path())),
        (b"second\n".to_vec(), vec!["j".to_owned()])
    );
}
