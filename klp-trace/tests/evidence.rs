//! Journals that are not as they were written, and what is made of them: every command says the same, and none launders.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use klp_trace::journal::chain::{Hash, seal};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHfK9mW2SmyCkUj0oA/xOHc9MC08PpUcQlQ0DvLvXYob\n-----END PRIVATE KEY-----\n";

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// A session in which nothing is wrong.
fn good() -> String {
    let packed = std::fs::read(tests().join("recordings/7-reload.ndjson.zst")).expect("a recording");
    let mut text = String::new();
    klp_trace::journal::zstd::Frames::new(&packed[..]).read_to_string(&mut text).expect("it is unpacked");
    text
}

/// A session with a finding.
fn stale() -> String {
    std::fs::read_to_string(tests().join("journals/event-1.ndjson")).expect("a journal that was kept")
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// The same records with seals that fit their bytes.
fn sealed_anew(text: &str) -> String {
    let mut prev = Hash::ZERO;
    let mut out = Vec::new();
    for line in text.lines() {
        let (before, _) = line.rsplit_once(",\"prev\":\"").expect("a record");
        if line.contains("\"kind\":\"session\",") {
            prev = Hash::ZERO;
        }
        let mut bytes = format!("{before},\"prev\":\"{prev}\"}}").into_bytes();
        prev = seal(&mut bytes);
        out.extend(bytes);
        out.push(b'\n');
    }
    String::from_utf8(out).expect("UTF-8")
}

/// One digit of the bytes of one relocation changed.
fn altered(text: &str) -> String {
    let at = text.find("\"actual\":\"").expect("a relocation was read") + 10;
    let digit = if text[at..].starts_with('0') { "1" } else { "0" };
    format!("{}{digit}{}", &text[..at], &text[at + 1..])
}

fn spaced(text: &str) -> String {
    text.replace("{\"schema\":", "{ \"schema\": ")
}

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder for the test"));
        bench.write("key", KEY);
        let key = bench.path("key");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(key, private).expect("the key is made private");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("it is written");
        path
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command.output().expect("klp-trace starts")
    }

    fn code(&self, words: &[&str]) -> i32 {
        let out = self.run(words);
        out.status.code().unwrap_or_else(|| panic!("{words:?}: {out:?}"))
    }

    /// How verify-journal, watch, assert and audit end of it.
    fn codes(&self, name: &str) -> [i32; 4] {
        [
            self.code(&["verify-journal", name]),
            self.code(&["watch", "--from", name]),
            self.code(&["assert", "--from", name]),
            self.code(&["audit", "--from", name]),
        ]
    }

    fn first_record(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path(name)).expect("it was written");
        serde_json::from_str(text.lines().next().expect("a line")).expect("a record")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What is damaged, and how verify-journal ends of it.
fn damaged() -> Vec<(&'static str, String, i32)> {
    let good = good();
    let all = lines(&good);
    let count = all.len();
    vec![
        ("altered", altered(&good), 1),
        ("cut", all[..count / 2].concat(), 5),
        ("without its last line", all[..count - 1].concat(), 5),
        ("torn", good[..good.len() - 40].to_owned(), 1),
        ("a line gone", [&all[..count / 3], &all[count / 3 + 1..]].concat().concat(), 1),
        ("without its start", all[1..].concat(), 1),
        ("a line twice", [&all[..9], &all[8..]].concat().concat(), 1),
        ("the end of a session gone", [all[..count - 1].concat(), another_boot(&good)].concat(), 1),
        ("an empty line", format!("{good}\n"), 1),
        ("CRLF", good.replace('\n', "\r\n"), 1),
        ("BOM", format!("\u{feff}{good}"), 1),
        ("reformatted", spaced(&good), 1),
    ]
}

/// The same session, as one recorded after another boot: of that its number is made.
fn another_boot(good: &str) -> String {
    let first: Value = serde_json::from_str(good.lines().next().expect("a line")).expect("a record");
    let id = first["event"]["id"].as_str().expect("an id").trim_end_matches("-1").to_owned();
    let other = if id.starts_with('0') { id.replacen('0', "1", 1) } else { format!("0{}", &id[1..]) };
    let boot = first["host"]["boot_id"].as_str().expect("an id").to_owned();
    let reboot: String = boot.chars().map(|digit| if digit == '0' { '1' } else { digit }).collect();
    assert_ne!(boot, reboot);
    sealed_anew(&good.replace(&id, &other).replace(&boot, &reboot))
}

#[test]
fn what_is_made_of_a_damaged_journal_says_so_for_ever() {
    let bench = Bench::new();
    for (what, journal, verified) in damaged() {
        bench.write("source.ndjson", &journal);
        let codes = bench.codes("source.ndjson");
        assert_eq!(codes, [verified, 5, 5, 5], "{what}");
        let hash =
            journal.rsplit("\"hash\":").find_map(|end| end.get(..66).filter(|hash| hash.ends_with('"')));
        let hash =
            hash.expect("a line has its hash").trim_matches('"').trim_start_matches(' ').trim_matches('"');
        // Without its session record there is nothing to say it in, nor to redact by: what is made of it has no start either.
        let headless = what == "without its start";
        for (how, options) in
            [("json", &[][..]), ("signed", &["--sign-key", "key"]), ("redacted", &["--redact-addresses"])]
        {
            let new = &format!("{how}.ndjson");
            let make = |from: &str, to: &str| {
                let words = [&["watch", "--json", "--from", from, "-o", to, "--overwrite"], options].concat();
                bench.code(&words)
            };
            if headless {
                assert_eq!(make("source.ndjson", new), if how == "redacted" { 4 } else { 5 }, "{how}");
                assert!(how == "redacted" || bench.codes(new) == [1, 5, 5, 5], "{how}");
                continue;
            }
            assert_eq!(make("source.ndjson", new), 5, "{what} {how}");
            assert_eq!(bench.codes(new), [5; 4], "{what} {how}");
            let said = text(&bench.run(&["verify-journal", new]).stdout);
            assert!(said.contains("whole, derived from a damaged journal: 1 file"), "{what} {how}: {said}");
            let derived = bench.first_record(new)["session"]["derived"].clone();
            assert_eq!(derived["hash"], hash, "{what} {how}: {derived}");
            // Of what was derived, again: the first source stays the one that is named.
            assert_eq!(make(new, "twice.ndjson"), 5, "{what} {how}");
            assert_eq!(bench.codes("twice.ndjson"), [5; 4], "{what} {how}");
            assert_eq!(bench.first_record("twice.ndjson")["session"]["derived"], derived, "{what} {how}");
        }
        assert_eq!(
            bench.code(&["policy", "init", "--from", "source.ndjson", "-o", "policy.toml"]),
            5,
            "{what}"
        );
        bench.write("good.ndjson", &good());
        let judged = bench.run(&["assert", "--from", "good.ndjson", "--policy", "policy.toml"]);
        assert!(matches!(judged.status.code(), Some(1 | 5)), "{what}: {}", text(&judged.stdout));
        assert!(
            text(&judged.stdout).contains("made of a damaged journal"),
            "{what}: {}",
            text(&judged.stdout)
        );
    }
}

#[test]
fn what_is_made_of_a_sound_journal_is_sound_and_a_finding_wins() {
    let bench = Bench::new();
    bench.write("good.ndjson", &good());
    assert_eq!(bench.codes("good.ndjson"), [0; 4]);
    assert_eq!(bench.code(&["watch", "--json", "--from", "good.ndjson", "-o", "new.ndjson"]), 0);
    assert_eq!(bench.codes("new.ndjson"), [0; 4]);
    assert!(bench.first_record("new.ndjson")["session"].get("derived").is_none());
    bench.write("stale.ndjson", &altered(&stale()));
    assert_eq!(bench.codes("stale.ndjson"), [1; 4]);
    assert_eq!(bench.code(&["watch", "--json", "--from", "stale.ndjson", "-o", "stale2.ndjson"]), 1);
    assert_eq!(bench.codes("stale2.ndjson"), [5, 1, 1, 1]);
}

#[test]
fn what_arrives_damaged_says_so_in_its_end() {
    let bench = Bench::new();
    for (what, journal, _) in damaged() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(["watch", "--json", "--from", "-", "--overwrite", "-o"]).arg(bench.path("new.ndjson"));
        let mut child =
            command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("klp-trace starts");
        child.stdin.take().expect("a pipe").write_all(journal.as_bytes()).expect("it is read");
        assert_eq!(child.wait().expect("it ends").code(), Some(5), "{what}");
        let verified = if what == "without its start" { 1 } else { 5 };
        assert_eq!(bench.codes("new.ndjson"), [verified, 5, 5, 5], "{what}");
    }
}

#[test]
fn one_verdict_over_all_sessions() {
    let bench = Bench::new();
    let (good, stale) = (good(), stale());
    for journal in [[stale.clone(), good.clone()].concat(), [good.clone(), stale.clone()].concat()] {
        bench.write("two.ndjson", &journal);
        assert_eq!(bench.codes("two.ndjson"), [0, 1, 1, 1]);
    }
    // Loss and doubt of an earlier session are not forgotten either.
    bench.write("two.ndjson", &[lines(&good)[..40].concat(), another_boot(&good)].concat());
    assert_eq!(bench.codes("two.ndjson"), [1, 5, 5, 5]);
}

#[test]
fn what_mail_did_is_named_alike_by_every_command() {
    let bench = Bench::new();
    let good = good();
    for (journal, word) in [
        (good.replace('\n', "\r\n"), "CR LF"),
        (format!("\u{feff}{good}"), "byte order mark"),
        (spaced(&good), "written anew"),
        (format!("Dear auditor,\nthe journal:\n{good}"), "line 1: not a record"),
    ] {
        bench.write("mail.ndjson", &journal);
        assert_eq!(bench.codes("mail.ndjson"), [1, 5, 5, 5], "{word}");
        for words in
            [&["verify-journal"][..], &["watch", "--from"], &["assert", "--from"], &["audit", "--from"]]
        {
            let out = bench.run(&[words, &["mail.ndjson"]].concat());
            let said = [text(&out.stdout), text(&out.stderr)].concat();
            assert!(said.contains(word), "{words:?}: {said}");
        }
    }
    let first: Value = serde_json::from_str(good.lines().next().expect("a line")).expect("a record");
    let pretty = serde_json::to_string_pretty(&first).expect("JSON");
    for (journal, word) in
        [(pretty.as_str(), "several lines"), ("hello\n", "not a record"), ("", "not one record")]
    {
        bench.write("none.ndjson", journal);
        assert_eq!(bench.codes("none.ndjson"), [2; 4], "{word}");
        for words in [
            &["verify-journal"][..],
            &["watch", "--from"],
            &["audit", "--from"],
            &["policy", "init", "--from"],
        ] {
            let said = text(&bench.run(&[words, &["none.ndjson"]].concat()).stderr);
            assert!(said.contains(word) && !said.contains("line 1 column"), "{words:?}: {said}");
        }
    }
}

#[test]
fn numbers_times_and_ids_are_checked_by_every_command() {
    let bench = Bench::new();
    let good = good();
    let by_line = |alter: &dyn Fn(usize, &str) -> String| {
        let altered: String =
            good.lines().enumerate().map(|(number, line)| alter(number, line) + "\n").collect();
        assert_ne!(altered, good);
        sealed_anew(&altered)
    };
    let down = by_line(&|number, line| {
        let seq = format!("\"seq\":{},", number + 1);
        line.replacen(&seq, &format!("\"seq\":{},", u64::MAX - number as u64), 1)
    });
    let time = by_line(&|number, line| {
        if number == 7 { line.replacen("\"time\":\"20", "\"time\":\"19", 1) } else { line.to_owned() }
    });
    let id = by_line(&|number, line| {
        if number == 7 { line.replacen("-8\"}", "-9\"}", 1) } else { line.to_owned() }
    });
    for (journal, word) in [(down, "number (seq)"), (time, "time is"), (id, "(event.id)")] {
        bench.write("odd.ndjson", &journal);
        assert_eq!(bench.codes("odd.ndjson"), [1, 5, 5, 5], "{word}");
        let said = text(&bench.run(&["verify-journal", "odd.ndjson"]).stdout);
        assert!(said.contains(word), "{said}");
    }
}

/// The names of a journal's first relocation, made `length` characters long.
fn long_names(text: &str, pointer: &str, length: usize) -> String {
    let mut record = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let name = record.find_map(|record| Some(record.pointer(pointer)?.as_str()?.to_owned()));
    let name = name.unwrap_or_else(|| panic!("no {pointer}"));
    let long = format!("\"{}\"", "n".repeat(length));
    sealed_anew(&text.replace(&format!("\"{name}\""), &long))
}

#[test]
fn no_width_is_taken_from_a_name() {
    let bench = Bench::new();
    for pointer in ["/patch/name", "/object/name", "/section/name", "/reloc/symbol"] {
        for length in [60_000, 65_536] {
            bench.write("long.ndjson", &long_names(&stale(), pointer, length));
            for words in [
                &["watch", "--verbose", "--from"][..],
                &["watch", "--json", "--from"],
                &["assert", "--format", "text", "--from"],
                &["assert", "--format", "junit", "--from"],
                &["audit", "--verbose", "--from"],
                &["audit", "--format", "csv", "--from"],
                &["audit", "--format", "summary", "--from"],
                &["policy", "init", "--from"],
                &["verify-journal"],
            ] {
                let out = bench.run(&[words, &["long.ndjson"]].concat());
                let said = text(&out.stderr);
                assert!(
                    matches!(out.status.code(), Some(0 | 1 | 5)),
                    "{pointer} {length} {words:?}: {:?}",
                    out.status
                );
                assert!(!said.contains("panicked") && !out.stdout.is_empty(), "{words:?}: {said}");
            }
            let recorded = klp_trace::tui::replay::Recorded::Files(bench.path("long.ndjson"));
            assert!(recorded.whole().is_ok());
        }
    }
}

#[test]
fn the_last_hash_is_held_against_the_expected_one_and_all_damage_is_named() {
    let bench = Bench::new();
    let good = good();
    let last =
        good.lines().last().and_then(|line| line.get(line.len() - 66..line.len() - 2)).expect("a hash");
    bench.write("good.ndjson", &good);
    let verify = |words: &[&str]| {
        let out = bench.run(&[&["verify-journal", "good.ndjson"], words].concat());
        (out.status.code(), text(&out.stdout), text(&out.stderr))
    };
    assert_eq!(verify(&["--expect-hash", last]).0, Some(0));
    let (code, said, _) = verify(&["--expect-hash", &last.chars().rev().collect::<String>()]);
    assert!(code == Some(1) && said.contains("not the expected one"), "{said}");
    assert_eq!(verify(&["--expect-hash", "abc"]).0, Some(2));
    let (_, said, _) = verify(&[]);
    assert!(
        said.contains("recorded on ") && said.contains(" UTC to ") && said.contains("by klp-trace 0."),
        "{said}"
    );
    bench.write("good.ndjson", &good.replace('\n', "\r\n"));
    let count = good.lines().count();
    let (_, said, _) = verify(&["-v"]);
    assert_eq!(said.matches("CR LF").count(), count, "{said}");
    let (_, said, _) = verify(&["--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["files"][0]["all_damages"].as_array().map(Vec::len), Some(count));
    assert!(said["recorded"][0]["kernel"].is_string());
}

#[test]
fn the_key_is_named_by_its_fingerprint() {
    let bench = Bench::new();
    bench.write("good.ndjson", &good());
    assert_eq!(
        bench.code(&["watch", "--json", "--from", "good.ndjson", "-o", "new.ndjson", "--sign-key", "key"]),
        0
    );
    bench.write("key.pub", "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAk2w1b2gchE/MUTNK9nAd10OK6dgSb7UMKvl8tdZAn64=\n-----END PUBLIC KEY-----\n");
    let out = bench.run(&["verify-journal", "--public-key", "key.pub", "new.ndjson"]);
    assert_eq!(out.status.code(), Some(0));
    // openssl pkey -pubin -in key.pub -outform DER | sha256sum
    let der = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x93, 0x6c, 0x35, 0x6f, 0x68,
        0x1c, 0x84, 0x4f, 0xcc, 0x51, 0x33, 0x4a, 0xf6, 0x70, 0x1d, 0xd7, 0x43, 0x8a, 0xe9, 0xd8, 0x12, 0x6f,
        0xb5, 0x0c, 0x2a, 0xf9, 0x7c, 0xb5, 0xd6, 0x40, 0x9f, 0xae,
    ];
    let said = text(&out.stdout);
    assert!(said.contains(&Hash::of(&der).to_string()), "{said}");
}
