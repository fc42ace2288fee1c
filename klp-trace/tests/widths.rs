//! Text for people at every width, and where the terminal has no colour or no Unicode: held against what was looked at.
//! `KLP_TRACE_BLESS=1` writes them anew; look at them before you keep them.

#![allow(clippy::expect_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the command writes, run in the root of the repository in a UTF-8 locale.
fn written(args: &str, env: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.args(args.split_whitespace()).current_dir(root()).stdin(Stdio::null());
    for name in ["LC_ALL", "LC_CTYPE", "NO_COLOR", "TERM", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8").envs(env.iter().copied());
    let out = command.output().expect("klp-trace starts");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code().is_some_and(|code| code < 2 || code == 5), "{args}: {said}");
    String::from_utf8(out.stdout).expect("text")
}

fn golden(name: &str, actual: &str) {
    let path = root().join("tests/widths").join(name);
    if std::env::var_os("KLP_TRACE_BLESS").is_some() {
        std::fs::write(&path, actual).expect("tests/widths is there");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, actual, "{name}");
}

const STALE: &str = "tests/journals/event-1.ndjson";
const VETH: &str = "tests/fixtures/kpatch-veth-6.12.107+deb13-cloud-amd64.ko.xz";

/// The commands that write text for people from files alone.
fn commands() -> [(&'static str, String); 8] {
    [
        ("watch", format!("watch --from {STALE}")),
        ("watch-quiet", format!("watch --quiet --from {STALE}")),
        ("assert", format!("assert --from {STALE}")),
        ("audit", format!("audit --from {STALE}")),
        ("verify-journal", format!("verify-journal -v {STALE}")),
        ("inspect", format!("inspect {VETH}")),
        ("late-cost", format!("inspect --late-cost {VETH}")),
        ("explain", "explain stale symbol-not-found not-enabled".to_owned()),
    ]
}

/// Words that no line can be broken in: paths, commands, names of sections.
fn longest_word(line: &str) -> usize {
    line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0)
}

/// A command to be pasted is one line, whatever the width.
fn is_command(line: &str) -> bool {
    ["echo ", "while ", "rmmod ", "modprobe ", "insmod "]
        .iter()
        .any(|word| line.trim_start().starts_with(word))
}

#[test]
fn each_text_at_each_width() {
    for (name, command) in commands() {
        for width in [60_usize, 80, 120, 200] {
            let text = written(&format!("{command} --width {width}"), &[]);
            golden(&format!("{name}-{width}.txt"), &text);
            for line in text.lines().filter(|line| !is_command(line)) {
                let cells = line.chars().count();
                let indent = cells - line.trim_start().chars().count();
                let unbroken = indent + longest_word(line) >= cells;
                assert!(cells <= width || unbroken, "{name} at {width}: {cells} cells: {line}");
            }
        }
    }
}

/// What it says depends on the host that the test runs on; how it looks does not.
#[test]
fn doctor_fits_and_leaves_what_is_to_be_pasted_whole() {
    for width in [60_usize, 80, 120, 200] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(["doctor", "--ascii", "--width", &width.to_string()]).stdin(Stdio::null());
        let out = command.output().expect("klp-trace starts");
        let text = String::from_utf8(out.stdout).expect("text");
        assert!(text.contains("klp-trace ") && text.contains("architecture"), "{text}");
        let mut at_end = false;
        for line in text.lines() {
            at_end |= line.starts_with("Not ready: ");
            let pasted = line.trim_start().starts_with("-> ") || (at_end && line.starts_with("      "));
            let unbroken = line.len() - line.trim_start().len() + longest_word(line) >= line.len();
            assert!(pasted || unbroken || line.len() <= width, "at {width}: {line}");
        }
    }
}

#[test]
fn no_word_is_lost_at_any_width() {
    for (name, command) in commands() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let whole = words(&written(&command, &[]));
        for width in [20, 61, 97, 1000] {
            assert_eq!(
                words(&written(&format!("{command} --width {width}"), &[])),
                whole,
                "{name} at {width}"
            );
        }
    }
}

#[test]
fn poor_terminals_get_ascii_without_colour() {
    for (name, command) in commands() {
        for (kind, env) in [("c", ("LC_ALL", "C")), ("dumb", ("TERM", "dumb"))] {
            let text = written(&format!("{command} --width 80"), &[env]);
            assert!(text.is_ascii() && !text.contains('\u{1b}'), "{name} {kind}: {text}");
            golden(&format!("{name}-ascii.txt"), &text);
        }
        let text = written(&format!("{command} --width 80"), &[("NO_COLOR", "1"), ("TERM", "xterm")]);
        assert!(!text.contains('\u{1b}'), "{name}: {text}");
        golden(&format!("{name}-80.txt"), &text);
    }
}

#[test]
fn help_is_not_wider_than_its_terminal_and_its_headings_are_in_place() {
    let help = written("watch --help", &[]);
    let journal = help.split("Journal options").nth(1).expect("the journal's options have a heading");
    let journal = journal.split("\n\nExamples:").next().unwrap_or_default();
    for option in
        ["--filter", "--fail-on", "--duration", "--ko", "--color", "--ascii", "--verbose", "--attach"]
    {
        assert!(!journal.contains(&format!(" {option}")), "{option} stands under the journal's options");
        assert!(help.contains(&format!(" {option}")), "{option}");
    }
    for option in ["--rotate-size", "--sync", "--sign-key", "--compress"] {
        assert!(journal.contains(&format!(" {option}")), "{option}");
    }
    assert_eq!(written("help watch", &[]), help);
    assert_eq!(written("lint --help", &[]), written("inspect --help", &[]));
}

#[test]
fn version_is_a_line_and_its_long_form_says_what_is_built() {
    assert_eq!(written("-V", &[]).lines().count(), 1);
    let long = written("--version", &[]);
    for part in ["commit: ", "eBPF object: sha256 ", "kernels tested: 6.1, 6.12, 7.x"] {
        assert!(long.contains(part), "{long}");
    }
    assert_eq!(written("version", &[]), long);
}
