//! The built command, as scripts meet it: exit codes, standard output that is full or closed, doctor's JSON.

#![allow(clippy::expect_used, reason = "a test")]

use std::fs::OpenOptions;
use std::process::{Command, Output, Stdio};

fn klp_trace(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
    command.args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    klp_trace(args).output().expect("klp-trace starts")
}

#[test]
fn help_and_version_are_answers() {
    for args in [&["--help"][..], &["--version"], &["doctor", "--help"], &["man", "-h"]] {
        let out = output(args);
        assert_eq!(out.status.code(), Some(0), "{args:?}");
        assert!(!out.stdout.is_empty() && out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn wrong_usage_is_2_and_nothing_is_written_to_standard_output() {
    for args in [&[][..], &["nonsense"], &["doctor", "--format", "csv"], &["man", "nonsense"]] {
        let out = output(args);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn what_could_drive_the_terminal_is_repeated_escaped() {
    for (args, shown) in [
        (&["policy", "x\u{202e}y"][..], "x\\u{202e}y"),
        (&["doctor", "--format", "\u{7}json"], "\\x07json"),
        (&["watch", "--no\u{200b}sense"], "--no\\u{200b}sense"),
    ] {
        let out = output(args);
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(said.contains(shown), "{args:?}: {said}");
        assert!(!said.contains(['\u{202e}', '\u{7}', '\u{200b}']), "{args:?}: {said:?}");
    }
}

#[test]
fn a_full_disk_is_said_and_is_3() {
    for args in [&["--help"][..], &["man"], &["completions", "bash"], &["doctor", "--no-attach"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("/dev/full is there");
        let out = klp_trace(args).stdout(full).output().expect("klp-trace starts");
        assert_eq!(out.status.code(), Some(3), "{args:?}");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            said.starts_with("klp-trace: cannot write standard output: No space left"),
            "{args:?}: {said}"
        );
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    for args in [&["--help"][..], &["man"], &["completions", "zsh"], &["doctor", "--no-attach"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let out = klp_trace(args).stdout(writer).output().expect("klp-trace starts");
        assert!(out.stderr.is_empty(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        assert_ne!(out.status.code(), Some(3), "{args:?}");
    }
}

#[test]
fn without_a_terminal_there_is_no_colour_and_with_ascii_nothing_else() {
    let out = output(&["doctor", "--no-attach", "--ascii"]);
    assert!(out.stdout.is_ascii() && !out.stdout.contains(&0x1b));
    let always = output(&["doctor", "--no-attach", "--color", "always"]);
    assert!(always.stdout.contains(&0x1b));
}

/// On whatever machine the tests run: the exit code follows from the checks, and every lack has its remedy.
#[test]
fn doctor_s_exit_code_follows_from_its_checks() {
    let out = output(&["doctor", "--no-attach", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).expect("one JSON document");
    assert_eq!(report["schema"], "klp-trace.doctor/1");
    let checks = report["checks"].as_array().expect("a list of checks");
    let lacks: Vec<_> = checks.iter().filter(|check| check["status"] == "lack").collect();
    assert!(lacks.iter().all(|lack| lack["remedy"].is_string()), "{lacks:?}");
    assert_eq!(report["ready"], lacks.is_empty());
    assert_eq!(out.status.code(), Some(if lacks.is_empty() { 0 } else { 4 }));
    if !std::path::Path::new("/sys/kernel/livepatch").exists() {
        assert!(lacks.iter().any(|lack| lack["id"] == "livepatch"), "{lacks:?}");
    }
}

#[test]
fn output_goes_to_a_file_that_is_replaced() {
    let dir = tempfile::tempdir().expect("a folder for the test");
    let path = dir.path().join("doctor.json");
    std::fs::write(&path, vec![b'x'; 100_000]).expect("an older file");
    let out = output(&["doctor", "--no-attach", "--json", "--output", path.to_str().expect("a UTF-8 path")]);
    assert!(out.stdout.is_empty());
    let text = std::fs::read(&path).expect("the file is there");
    serde_json::from_slice::<serde_json::Value>(&text)
        .expect("one JSON document and nothing of the older file");
}

/// Which configuration was checked is said, and that there is none.
#[test]
fn config_check_says_what_it_checked() {
    let home = tempfile::tempdir().expect("a folder");
    let check = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(["config", "check"]).args(words).env_remove("XDG_CONFIG_HOME").env("HOME", home.path());
        let out = command.output().expect("klp-trace starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    let file = home.path().join(".config/klp-trace/config.toml");
    let none = format!("no configuration file at {}; the defaults hold\n", file.display());
    assert_eq!(check(&[]), (Some(0), none, String::new()));
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("it is made");
    std::fs::write(&file, "[tui]\nascii = true\n").expect("it is written");
    let valid = format!("{}: valid\n", file.display());
    assert_eq!(check(&[]), (Some(0), valid, String::new()));
    std::fs::write(&file, "[tui]\n\npalete = \"mono\"\n").expect("it is written");
    let (code, out, said) = check(&[]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(
        said.contains("config.toml: line 3: unknown key \"palete\"")
            && said.contains("did you mean palette?"),
        "{said}"
    );
    assert!(said.contains("\n  hint: fix it"), "{said}");
    std::fs::write(&file, b"[tui]\n# gr\xfcn\n").expect("it is written");
    let (code, _, said) = check(&[]);
    assert_eq!(code, Some(2));
    assert!(said.contains("config.toml: line 2: byte 0xfc at offset 10 is not UTF-8"), "{said}");
}

#[test]
fn a_configuration_of_serve_is_checked_without_privilege() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("serve.toml");
    let name = path.to_str().expect("UTF-8");
    std::fs::write(&path, "[look]\ninterval = \"1m\"\n").expect("it is written");
    let good = output(&["serve", "--config", name, "--check-config"]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    let said = String::from_utf8_lossy(&good.stdout);
    assert!(said.contains(": valid\n") && said.contains("full look: every 60 s"), "{said}");
    std::fs::write(&path, "[look]\nintervall = \"1m\"\n").expect("it is written");
    for args in [&["serve", "--config", name, "--check-config"][..], &["serve", "--config", name]] {
        let bad = output(args);
        assert_eq!(bad.status.code(), Some(2), "{bad:?}");
        let said = String::from_utf8_lossy(&bad.stderr);
        assert!(
            said.contains("serve.toml: line 2: unknown key \"intervall\"")
                && said.contains("did you mean interval?"),
            "{said}"
        );
    }
    let missing = output(&["serve", "--config", "/no/such/serve.toml"]);
    assert_eq!(missing.status.code(), Some(2), "a file that was named");
}
