//! The TUI at a terminal: whatever ends or stops it, the terminal is as it was.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a test that cannot go on fails")]

use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const PATIENCE: Duration = Duration::from_mins(1);

/// klp-trace at a terminal of its own.
struct Session {
    master: File,
    slave: File,
    child: Child,
    written: Receiver<Vec<u8>>,
    seen: String,
    before: String,
}

fn modes(terminal: &File) -> String {
    format!("{:?}", tcgetattr(terminal).unwrap())
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        let master: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = OpenOptions::new().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = modes(&slave);
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let child = Command::new("setsid")
            .args(["--ctty", env!("CARGO_BIN_EXE_klp-trace"), "tui", "--config", "/dev/null"])
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .stdin(stdio())
            .stdout(stdio())
            .stderr(stdio())
            .spawn()
            .unwrap();
        let master = File::from(master);
        let (send, written) = channel();
        let mut from = master.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                if send.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { master, slave, child, written, seen: String::new(), before }
    }

    /// Reads until `what` was written; forgets what stands before its end.
    fn until(&mut self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(what) {
                self.seen.drain(..at + what.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.written.recv_timeout(left) else {
                panic!("{what:?} was not written; what was: {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// `setsid` has become klp-trace: it does not fork when it need not.
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }

    fn ends_with(mut self, code: i32) {
        self.until(LEAVE);
        assert_eq!(self.child.wait().unwrap().code(), Some(code));
        assert_eq!(modes(&self.slave), self.before, "the terminal's modes are as they were");
    }
}

#[test]
fn q_ends_with_the_verdicts_code_and_the_terminal_as_it_was() {
    let mut session = Session::start(&["--demo"]);
    session.until(ENTER);
    session.until("KLP009");
    assert_ne!(modes(&session.slave), session.before, "raw while it draws");
    session.press("q");
    session.ends_with(1);
}

#[test]
fn a_signal_to_end_is_the_normal_end() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut session = Session::start(&["--demo"]);
        session.until("KLP009");
        session.signal(signal);
        session.ends_with(1);
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() {
    for by_key in [true, false] {
        let mut session = Session::start(&["--demo"]);
        session.until("KLP009");
        if by_key {
            session.press("\u{1a}");
        } else {
            session.signal(Signal::TSTP);
        }
        session.until(LEAVE);
        let deadline = Instant::now() + PATIENCE;
        while session.state() != 'T' {
            assert!(Instant::now() < deadline, "it did not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(modes(&session.slave), session.before);
        session.signal(Signal::CONT);
        session.until(ENTER);
        session.until("KLP009");
        session.press("q");
        session.ends_with(1);
    }
}

#[test]
fn a_new_size_is_drawn_in_and_a_small_one_is_said() {
    let mut session = Session::start(&["--demo"]);
    session.until("KLP009");
    let mut resize = |columns, rows, expected: &str| {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&session.slave, size).unwrap();
        session.until(expected);
    };
    resize(70, 20, "this");
    resize(120, 40, "expected");
    session.press("\u{c}");
    session.until("KLP009");
    session.press("q");
    session.ends_with(1);
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let Output { status, stderr, stdout } = Command::new(env!("CARGO_BIN_EXE_klp-trace"))
        .args(["tui", "--demo", "--config", "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(stdout.is_empty());
    let said = String::from_utf8(stderr).unwrap();
    assert!(said.contains("klp-trace watch") && said.contains("klp-trace audit"), "{said}");
}

/// What is damaged, and what is made of it, ends the TUI as it ends the other commands.
#[test]
fn damage_and_what_is_made_of_it_end_it_with_5_and_a_finding_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let tests = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let packed = std::fs::read(tests.join("recordings/7-reload.ndjson.zst")).unwrap();
    let mut good = String::new();
    klp_trace::journal::zstd::Frames::new(&packed[..]).read_to_string(&mut good).unwrap();
    let stale = std::fs::read_to_string(tests.join("journals/event-1.ndjson")).unwrap();
    let lines: Vec<_> = good.split_inclusive('\n').collect();
    let at = good.find("\"actual\":\"").unwrap() + 10;
    let digit = if good[at..].starts_with('0') { "1" } else { "0" };
    let altered = format!("{}{digit}{}", &good[..at], &good[at + 1..]);
    for (name, text, code) in [
        ("good", good.clone(), 0),
        ("cut", lines[..lines.len() / 2].concat(), 5),
        ("altered", altered, 5),
        ("gap", [&lines[..20], &lines[21..]].concat().concat(), 5),
        ("stale", stale.replace('\n', "\r\n"), 1),
        ("two", [stale, good.clone()].concat(), 1),
    ] {
        std::fs::write(path(name), text).unwrap();
        let derived = format!("{name}.derived");
        let made = Command::new(env!("CARGO_BIN_EXE_klp-trace"))
            .args(["watch", "--json", "--from", &path(name), "-o", &path(&derived)])
            .status()
            .unwrap();
        assert_eq!(made.code(), Some(code), "{name}");
        for journal in [path(name), path(&derived)] {
            let mut session = Session::start(&["--from", &journal]);
            session.until(ENTER);
            session.until("quit");
            session.press("q");
            session.ends_with(code);
        }
    }
}
