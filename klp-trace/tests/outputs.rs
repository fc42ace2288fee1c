//! What a command writes replaces nothing that it reads, and nothing at all when it fails.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests")
}

/// A folder with a journal, a module, a policy, a key, each with a symbolic and a hard link.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let bench = Self(tempfile::tempdir().expect("a folder for the test"));
        std::fs::create_dir(bench.path("in")).expect("a folder");
        let journal =
            std::fs::read(tests().join("journals/event-1.ndjson")).expect("a journal that was kept");
        bench.put("j.ndjson", &journal);
        // What it is does not matter: it is not to be touched.
        bench.put("m.ko", b"\x7fELF and no more");
        bench.put("p.toml", b"[limits]\nloss = 0\n");
        bench
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path("in").join(name);
        std::fs::write(&path, bytes).expect("it is written");
        std::os::unix::fs::symlink(&path, self.path(&format!("soft-{name}"))).expect("a link");
        std::fs::hard_link(&path, self.path(&format!("hard-{name}"))).expect("a link");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("klp-trace starts")
    }

    /// Every file and what is in it.
    fn state(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        for folder in [self.0.path().to_owned(), self.path("in")] {
            for entry in std::fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_file() {
                    all.push((path.clone(), std::fs::read(&path).expect("it is read")));
                }
            }
        }
        all.sort();
        all
    }
}

/// Commands that read IN and write OUT, and of which kind IN is.
const COMMANDS: &[(&str, &[&str])] = &[
    ("j.ndjson", &["watch", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["watch", "--json", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["watch", "--json", "--overwrite", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["watch", "--from", "IN", "--journal", "OUT"]),
    ("j.ndjson", &["watch", "--from", "IN", "--journal", "OUT", "--overwrite", "-o", "beside"]),
    ("j.ndjson", &["audit", "--from", "IN", "--journal", "OUT"]),
    ("j.ndjson", &["audit", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["audit", "--format", "csv", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["audit", "--json", "--overwrite", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["assert", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["assert", "--from", "IN", "--report", "junit=OUT"]),
    ("j.ndjson", &["policy", "init", "--from", "IN", "-o", "OUT"]),
    ("j.ndjson", &["verify-journal", "IN", "-o", "OUT"]),
    ("j.ndjson", &["verify-journal", "--json", "IN", "-o", "OUT"]),
    ("m.ko", &["inspect", "IN", "-o", "OUT"]),
    ("m.ko", &["inspect", "--format", "json", "IN", "-o", "OUT"]),
    ("p.toml", &["assert", "--from", "in/j.ndjson", "--policy", "IN", "-o", "OUT"]),
    ("p.toml", &["assert", "--from", "in/j.ndjson", "--policy", "IN", "--report", "sarif=OUT"]),
];

fn filled(words: &[&str], input: &str, output: &str) -> Vec<String> {
    words.iter().map(|word| word.replace("IN", input).replace("OUT", output)).collect()
}

#[test]
fn an_output_is_no_input_by_whatever_name() {
    let bench = Bench::new();
    let before = bench.state();
    for (kind, words) in COMMANDS {
        let names = [format!("in/{kind}"), format!("soft-{kind}"), format!("hard-{kind}")];
        let mut pairs = Vec::new();
        for input in &names {
            pairs.extend(names.iter().map(|output| (input.clone(), output.clone())));
        }
        // A member of the folder that is read.
        if words.contains(&"verify-journal")
            || words.contains(&"inspect")
            || words.contains(&"--from") && *kind == "j.ndjson"
        {
            pairs.push(("in".to_owned(), format!("in/{kind}")));
            pairs.push(("in".to_owned(), format!("hard-{kind}")));
        }
        for (input, output) in pairs {
            let words = filled(words, &input, &output);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let out = bench.run(&words);
            assert_eq!(out.status.code(), Some(2), "{words:?}: {out:?}");
            assert!(String::from_utf8_lossy(&out.stderr).contains("hint: "), "{words:?}: {out:?}");
            assert!(bench.state() == before, "{words:?} changed something");
        }
    }
}

#[test]
fn standard_input_and_output_are_files_too() {
    let bench = Bench::new();
    let before = bench.state();
    let journal = bench.path("in/j.ndjson");
    for words in [
        &["watch", "--from", "-", "-o", "in/j.ndjson"][..],
        &["watch", "--json", "--from", "-", "-o", "hard-j.ndjson", "--overwrite"],
        &["assert", "--from", "-", "-o", "soft-j.ndjson"],
        &["audit", "--from", "-", "-o", "hard-j.ndjson"],
        &["verify-journal", "-", "-o", "hard-j.ndjson"],
    ] {
        let input = File::open(&journal).expect("the journal");
        let out = bench.command(words).stdin(input).output().expect("klp-trace starts");
        assert_eq!(out.status.code(), Some(2), "{words:?}: {out:?}");
        assert!(bench.state() == before, "{words:?} changed something");
    }
    for words in [
        &["watch", "--from", "hard-j.ndjson"][..],
        &["watch", "--json", "--from", "in"],
        &["assert", "--from", "soft-j.ndjson"],
        &["audit", "--from", "in/j.ndjson"],
        &["verify-journal", "in/j.ndjson"],
        &["policy", "init", "--from", "in/j.ndjson"],
    ] {
        // As `>> in/j.ndjson` does.
        let append = OpenOptions::new().append(true).open(&journal).expect("the journal");
        let out =
            bench.command(words).stdout(append).stderr(Stdio::piped()).spawn().expect("klp-trace starts");
        let out = out.wait_with_output().expect("it ends");
        assert_eq!(out.status.code(), Some(2), "{words:?}: {out:?}");
        assert!(bench.state() == before, "{words:?} changed something");
    }
}

#[test]
fn a_run_that_fails_leaves_what_was_there() {
    let bench = Bench::new();
    std::fs::write(bench.path("kept"), "kept").expect("it is written");
    std::fs::write(bench.path("junk"), "no journal, no module, no policy").expect("it is written");
    let before = bench.state();
    for (_, words) in COMMANDS {
        for input in ["junk", "missing"] {
            // A list says of each file that it could not be read.
            if words.contains(&"inspect") && words.contains(&"json") {
                continue;
            }
            for output in ["kept", "new", "nowhere/new"] {
                let words = filled(words, input, output);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let out = bench.run(&words);
                assert!(matches!(out.status.code(), Some(2 | 3)), "{words:?}: {out:?}");
                assert!(
                    bench.state() == before,
                    "{words:?} changed something: {:?}",
                    std::fs::read_dir(bench.path(""))
                );
            }
        }
    }
}

#[test]
fn a_journal_replaces_no_file_that_holds_anything() {
    let bench = Bench::new();
    std::fs::write(bench.path("kept.ndjson"), "kept").expect("it is written");
    for words in [
        &["watch", "--json", "--from", "in/j.ndjson", "-o", "kept.ndjson"][..],
        &["audit", "--json", "--from", "in/j.ndjson", "-o", "kept.ndjson"],
    ] {
        let before = bench.state();
        let out = bench.run(words);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert!(said.contains("--overwrite") && said.contains("--rotate-size"), "{said}");
        assert!(bench.state() == before);
    }
    let replaced = ["watch", "--json", "--from", "in/j.ndjson", "-o", "kept.ndjson", "--overwrite"];
    assert_eq!(bench.run(&replaced).status.code(), Some(1));
    assert!(std::fs::metadata(bench.path("kept.ndjson")).expect("it is there").len() > 10_000);
    // An empty file holds nothing.
    std::fs::write(bench.path("empty.ndjson"), "").expect("it is written");
    let new = ["watch", "--json", "--from", "in/j.ndjson", "-o", "empty.ndjson"];
    assert_eq!(bench.run(&new).status.code(), Some(1));
}

#[test]
fn signatures_and_rotated_files_spare_inputs_too() {
    let bench = Bench::new();
    let journal = std::fs::read(bench.path("in/j.ndjson")).expect("the journal");
    // The key would become the signature of what is written.
    std::fs::write(bench.path("new.ndjson.sig"), "key").expect("it is written");
    // A set that is read, with room for nothing.
    std::fs::write(bench.path("set.000001.ndjson"), &journal).expect("it is written");
    std::fs::write(bench.path("set.000002.ndjson"), &journal).expect("it is written");
    let before = bench.state();
    let rotated = ["--rotate-size", "64K", "--rotate-keep", "128K"];
    for words in [
        &["watch", "--json", "--from", "in/j.ndjson", "-o", "new.ndjson", "--sign-key", "new.ndjson.sig"][..],
        &[&["watch", "--json", "--from", "set.ndjson", "-o", "set.ndjson"][..], &rotated].concat(),
        &[&["watch", "--json", "--from", "set.000001.ndjson", "-o", "set"][..], &rotated].concat(),
        &[&["watch", "--json", "--from", ".", "-o", "./set.ndjson"][..], &rotated].concat(),
        &["assert", "--from", "in/j.ndjson", "-o", "new", "--report", "junit=in/../new"],
    ] {
        let out = bench.run(words);
        assert_eq!(out.status.code(), Some(2), "{words:?}: {out:?}");
        assert!(bench.state() == before, "{words:?} changed something");
    }
}

#[test]
fn a_journal_is_kept_beside_what_is_shown() {
    let bench = Bench::new();
    for (command, options) in
        [("watch", &["--from"][..]), ("audit", &["--from"]), ("audit", &["--format", "csv", "--from"])]
    {
        let words = [&[command], options, &["in/j.ndjson"]].concat();
        let alone = bench.run(&words);
        let both = bench.run(&[&words[..], &["--journal", "beside.ndjson", "--overwrite"]].concat());
        assert_eq!((both.status.code(), &both.stdout), (alone.status.code(), &alone.stdout), "{both:?}");
        assert_eq!(alone.status.code(), Some(1));
        let checked = bench.run(&["verify-journal", "beside.ndjson"]);
        assert_eq!(checked.status.code(), Some(0), "{checked:?}");
        let replayed = bench.run(&[&[command], options, &["beside.ndjson"]].concat());
        assert_eq!((replayed.status.code(), &replayed.stdout), (alone.status.code(), &alone.stdout));
    }
    // Two journals: what goes to the pipe is the same as what is kept.
    let out = bench.run(&["watch", "--json", "--from", "in/j.ndjson", "--journal", "two.ndjson"]);
    let kept = std::fs::read(bench.path("two.ndjson")).expect("it was kept");
    assert!(out.status.code() == Some(1) && out.stdout == kept && !kept.is_empty());
}

#[test]
fn what_the_journal_lacks_fails_the_run_and_a_reader_that_goes_does_not() {
    let bench = Bench::new();
    let out = bench.run(&["watch", "--from", "in/j.ndjson", "--journal", "/dev/full"]);
    let text = String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(3), "{out:?}");
    assert!(text.lines().last().is_some_and(|line| line.starts_with("exit 3: ")), "{text}");
    // `| head`: the evidence is kept all the same.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let words = ["watch", "--from", "in/j.ndjson", "--journal", "kept.ndjson"];
    let status = bench.command(&words).stdout(writer).status().expect("klp-trace starts");
    assert_eq!(status.code(), Some(1));
    assert_eq!(bench.run(&["verify-journal", "kept.ndjson"]).status.code(), Some(0));
    for words in [
        &["audit", "--from", "in/j.ndjson", "--overwrite"][..],
        &["watch", "--from", "in/j.ndjson", "--rotate-size", "64K"],
        &["watch", "--json", "--from", "in/j.ndjson", "--rotate-size", "64K"],
        &["watch", "--json", "--from", "in/j.ndjson", "--overwrite"],
    ] {
        let out = bench.run(words);
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(2), "{words:?}: {said}");
        assert!(said.contains("--journal"), "{words:?}: {said}");
    }
}

/// The mode of a file that was just written by a command with a umask.
fn mode(bench: &Bench, umask: &str, file: &str, words: &[&str]) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    let script = format!("umask {umask}; exec \"$0\" \"$@\"");
    let out = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_klp-trace")])
        .args(words)
        .current_dir(bench.0.path())
        .output()
        .expect("a shell starts");
    let about = std::fs::metadata(bench.path(file));
    let about = about.unwrap_or_else(|error| panic!("{words:?}: {error}: {out:?}"));
    about.permissions().mode() & 0o777
}

#[test]
fn what_can_hold_no_address_is_as_the_umask_has_it_and_the_rest_its_owners_alone() {
    let bench = Bench::new();
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/lp_twice.ko");
    let open: &[(&str, &[&str])] = &[
        ("i.json", &["inspect", "--json", "-o", "i.json", module]),
        ("i.sarif", &["inspect", "--report", "sarif=i.sarif", module]),
        ("d.txt", &["doctor", "-o", "d.txt"]),
        ("p2.toml", &["policy", "init", "--from", "in/j.ndjson", "-o", "p2.toml"]),
    ];
    for (file, words) in open {
        assert_eq!(mode(&bench, "027", file, words), 0o640, "{words:?}");
    }
    let closed: &[(&str, &[&str])] = &[
        ("w.ndjson", &["watch", "--from", "in/j.ndjson", "--format", "ndjson", "-o", "w.ndjson"]),
        ("w.txt", &["watch", "--from", "in/j.ndjson", "-o", "w.txt"]),
        ("b.ndjson", &["watch", "-q", "--from", "in/j.ndjson", "--journal", "b.ndjson"]),
        ("a.txt", &["assert", "--from", "in/j.ndjson", "-o", "a.txt"]),
        ("a.sarif", &["assert", "--from", "in/j.ndjson", "--report", "sarif=a.sarif"]),
        ("v.json", &["verify-journal", "--json", "-o", "v.json", "in/j.ndjson"]),
    ];
    for (file, words) in closed {
        assert_eq!(mode(&bench, "000", file, words), 0o600, "{words:?}");
    }
    // What is replaced keeps its own.
    std::fs::set_permissions(bench.path("d.txt"), std::os::unix::fs::PermissionsExt::from_mode(0o604))
        .expect("a mode");
    assert_eq!(mode(&bench, "022", "d.txt", &["doctor", "-o", "d.txt"]), 0o604);
}
