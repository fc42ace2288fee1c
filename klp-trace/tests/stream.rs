//! `--from -` over a pipe that stays open: what arrives is judged as it arrives, and a signal ends it with its verdict.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

fn stale() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals/event-1.ndjson");
    std::fs::read_to_string(path).expect("a journal that was kept")
}

fn good() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/7-reload.ndjson.zst");
    let packed = std::fs::read(path).expect("a recording");
    let mut text = String::new();
    klp_trace::journal::zstd::Frames::new(&packed[..]).read_to_string(&mut text).expect("it is unpacked");
    text
}

struct Running {
    child: Child,
    pipe: Option<ChildStdin>,
    written: Receiver<Vec<u8>>,
}

impl Running {
    fn start(words: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("klp-trace starts");
        let mut from = child.stdout.take().expect("a pipe");
        let (send, written) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if send.send(buffer.get(..count).unwrap_or_default().to_vec()).is_err() {
                    return;
                }
            }
        });
        let pipe = child.stdin.take();
        Self { child, pipe, written }
    }

    fn feed(&mut self, text: &str) {
        self.pipe.as_mut().expect("it is open").write_all(text.as_bytes()).expect("it is read");
    }

    /// Waits until everything that was fed is read, and a moment more.
    fn until_read(&self) {
        let pipe = self.pipe.as_ref().expect("it is open");
        while rustix::io::ioctl_fionread(pipe).expect("it is a pipe") > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
    }

    /// What is written within a time, or until nothing comes for a while.
    fn within(&self, time: Duration) -> String {
        let (end, mut all) = (Instant::now() + time, Vec::new());
        while let Ok(bytes) = self.written.recv_timeout(end.saturating_duration_since(Instant::now())) {
            all.extend(bytes);
            if all.ends_with(b"\n") && self.written.recv_timeout(Duration::from_millis(5)).is_err() {
                break;
            }
        }
        String::from_utf8_lossy(&all).into_owned()
    }

    fn end_by(mut self, signal: Signal) -> (Option<i32>, String) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        let status = self.child.wait().expect("it ends");
        let mut all = Vec::new();
        while let Ok(bytes) = self.written.recv() {
            all.extend(bytes);
        }
        drop(self.pipe);
        (status.code(), String::from_utf8_lossy(&all).into_owned())
    }
}

#[test]
fn each_record_is_shown_within_a_second() {
    let mut running = Running::start(&["watch", "--json", "--from", "-"]);
    let (mut shown, mut slowest) = (0, Duration::ZERO);
    for line in stale().lines() {
        running.feed(&format!("{line}\n"));
        // These wait for the read that they belong to, or are concluded anew.
        let told = ["\"kind\":\"reloc_state\"", "\"kind\":\"finding\"", "\"kind\":\"session_end\""];
        if told.iter().any(|kind| line.contains(kind)) {
            continue;
        }
        let start = Instant::now();
        // A machine that does much else is given more; what waits for more input would wait for ever.
        let said = running.within(Duration::from_secs(10));
        assert!(!said.is_empty(), "nothing was said of {line}");
        slowest = slowest.max(start.elapsed());
        shown += 1;
    }
    assert!(shown > 20, "{shown}");
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    drop(running.pipe.take());
    assert_eq!(running.child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn signals_end_it_with_the_verdict_of_what_has_arrived() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        for (journal, code) in [(stale(), 1), (good(), 0)] {
            // A session that goes on: without its end.
            let lines: Vec<_> = journal.split_inclusive('\n').collect();
            let most = lines.get(..lines.len() - 1).expect("it has lines").concat();
            for words in
                [&["watch", "--from", "-"][..], &["assert", "--from", "-"], &["audit", "--from", "-"]]
            {
                let mut running = Running::start(words);
                running.feed(&most);
                running.until_read();
                let (ended, said) = running.end_by(signal);
                assert_eq!(ended, Some(code), "{words:?} {signal:?}: {said}");
                assert!(said.contains("exit ") || words.contains(&"assert"), "{words:?}: {said}");
            }
        }
    }
}

#[test]
fn a_pipe_that_breaks_off_is_a_journal_without_its_end() {
    let journal = good();
    let lines: Vec<_> = journal.split_inclusive('\n').collect();
    let mut running = Running::start(&["watch", "--from", "-"]);
    running.feed(&lines.get(..lines.len() / 2).expect("it has lines").concat());
    drop(running.pipe.take());
    assert_eq!(running.child.wait().expect("it ends").code(), Some(5));
}
