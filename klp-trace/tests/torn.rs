//! What is on disk when writing a journal ends badly: valid to its last line, whatever ended it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use klp_trace::journal::check::FileCheck;
use klp_trace::journal::recording;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// As `watch` writes at once; a run writes several.
const BATCH: usize = 256 * 1024;

/// A real session, what happened in it over and over: 90 KB each time.
fn recorded(times: usize) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals/event-1.ndjson");
    let text = std::fs::read_to_string(path).expect("a journal that was kept");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let [first, between @ .., last] = &lines[..] else { panic!("it has lines") };
    [*first, &between.concat().repeat(times), *last].concat().into_bytes()
}

fn klp_trace() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.args(["watch", "--from", "-", "--format", "ndjson"]).stderr(Stdio::null());
    command
}

/// Nothing but sessions that were cut off where the file ends.
fn assert_valid_to_its_last_line(file: &Path) -> FileCheck {
    let bytes = std::fs::read(file).expect("the file is there");
    let whole = memchr::memchr_iter(b'\n', &bytes).count() as u64;
    let Ok(integrity) = recording::check(&[file], None) else {
        assert_eq!(whole, 0, "without a record it is no journal yet");
        return FileCheck::default();
    };
    let checked = integrity.files.into_iter().next().expect("one file");
    // A kill in the middle of a write may leave a part of the last line: named as such, and nothing before it is touched.
    if bytes.last().is_none_or(|byte| *byte == b'\n') {
        assert_eq!(checked.first, None);
    } else {
        let damage = checked.first.as_ref().expect("a torn line is damage");
        assert_eq!((damage.line, checked.damages), (whole + 1, 1), "{damage}");
    }
    assert_eq!(checked.records, whole);
    checked
}

/// A generator of numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % (limit as u64)).expect("it fits")
    }
}

/// SIGKILL comes when a part of random length has been handed over, while it is judged and written.
#[test]
fn killed_at_two_hundred_random_moments() {
    let recorded = recorded(11);
    let folder = tempfile::tempdir().expect("a folder for the test");
    let (mut dice, mut under_way, mut begun) = (Dice(5), 0, 0);
    for round in 0..200 {
        let file = folder.path().join(format!("{round}.ndjson"));
        let mut child =
            klp_trace().arg("--output").arg(&file).stdin(Stdio::piped()).spawn().expect("klp-trace starts");
        let mut input = child.stdin.take().expect("a pipe");
        let given = recorded.get(..dice.below(recorded.len())).expect("a part");
        input.write_all(given).expect("klp-trace reads");
        // SIGKILL on Linux.
        child.kill().expect("a process of our own");
        assert!(!child.wait().expect("it ends").success());
        if !file.exists() {
            continue;
        }
        begun += 1;
        let checked = assert_valid_to_its_last_line(&file);
        under_way += u32::from(checked.records > 0);
        std::fs::remove_file(&file).expect("it was there");
    }
    // Else the moments were none: most are after the first batch of four was written.
    assert!(begun > 150 && under_way > 80, "{begun} had begun, {under_way} had written");
}

/// Runs `watch` under `sh -c limit`, which names the program as "$@"; its file, and what it said.
fn limited(folder: &Path, limit: &str, file: &Path) -> (Option<i32>, String) {
    let input = folder.join("in.ndjson");
    std::fs::write(&input, recorded(24)).expect("the input is written");
    let mut command = Command::new("sh");
    command.args(["-c", limit, "sh", env!("CARGO_BIN_EXE_klp-trace")]);
    command.args(["watch", "--format", "ndjson", "--from"]).arg(&input).arg("--output").arg(file);
    let out = command.output().expect("sh starts");
    (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
}

fn assert_full(file: &Path, (code, said): &(Option<i32>, String)) {
    assert_eq!(*code, Some(3), "{said}");
    assert!(said.contains(&format!("cannot write {}: ", file.display())), "{said}");
    let checked = assert_valid_to_its_last_line(file);
    assert!(checked.records > 100 && !checked.ended, "{checked:?}");
    // A torn line is cut off as long as someone is there to do it.
    assert!(std::fs::read(file).expect("the file is there").ends_with(b"\n"));
}

#[test]
fn a_file_that_may_not_grow_is_valid_to_its_last_line() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for blocks in [700, 1101, 2222] {
        let file = folder.path().join(format!("{blocks}.ndjson"));
        // Ignored, the signal leaves the error to the program.
        let out = limited(folder.path(), &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\""), &file);
        assert_full(&file, &out);
    }
}

/// Needs a mount namespace: not every machine grants one.
#[test]
fn a_full_disk_leaves_what_was_written_before() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).expect("a folder is made");
    let kept: PathBuf = folder.path().join("kept.ndjson");
    let mount = format!("mount -t tmpfs -o size=700k none '{}'", disk.display());
    let mut probe = Command::new("unshare");
    let granted = probe.args(["--mount", "--map-root-user", "sh", "-c", &mount]).output();
    if !granted.is_ok_and(|out| out.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: no file system can be mounted here");
        return;
    }
    let file = disk.join("klp.ndjson");
    // The disk is gone with its namespace: the file is copied out of it.
    let inner = format!(
        "{mount} && {{ \"$@\"; code=$?; cp '{}' '{}'; exit $code; }}",
        file.display(),
        kept.display()
    );
    let limit =
        format!("exec unshare --mount --map-root-user sh -c '{}' sh \"$@\"", inner.replace('\'', "'\\''"));
    let (code, said) = limited(folder.path(), &limit, &file);
    std::fs::rename(&kept, folder.path().join("klp.ndjson")).expect("the file was copied");
    let said = said.replace("/disk/", "/");
    assert_full(&folder.path().join("klp.ndjson"), &(code, said));
}

/// Whoever reads slowly holds the writer up and loses nothing; whoever goes away has whole lines up to a point.
#[test]
fn a_slow_reader_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let input = folder.path().join("in.ndjson");
    std::fs::write(&input, recorded(24)).expect("the input is written");
    for enough in [usize::MAX, BATCH + 1000] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(["watch", "--format", "ndjson", "--from"]).arg(&input).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("klp-trace starts");
        let mut output = child.stdout.take().expect("a pipe");
        let (mut read, mut part) = (Vec::new(), [0; 8192]);
        while read.len() < enough {
            let count = output.read(&mut part).expect("a pipe is read");
            if count == 0 {
                break;
            }
            read.extend_from_slice(part.get(..count).expect("as many as were read"));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        drop(output);
        let out = child.wait_with_output().expect("it ends");
        // What was recorded holds a finding; that a reader goes away is no failure.
        assert_eq!(out.status.code(), Some(1), "{out:?}");
        let gone = enough != usize::MAX;
        let file = folder.path().join("read.ndjson");
        std::fs::write(&file, &read).expect("it is written");
        let checked = assert_valid_to_its_last_line(&file);
        assert_eq!(checked.ended, !gone);
        assert!(gone || checked.records > 1000, "{checked:?}");
    }
}
