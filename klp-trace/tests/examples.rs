//! The examples for CI, run: the scripts, and the commands of the workflows.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A kernel that does not clear: KLP001 and KLP009 are found.
const STALE: &str = "tests/journals/event-1.ndjson";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn example(name: &str) -> PathBuf {
    root().join("examples/ci").join(name)
}

/// The journal with its end before anything went wrong: nothing bad was seen.
fn ended_after(lines: usize) -> String {
    let text = std::fs::read_to_string(root().join(STALE)).expect("a journal that was kept");
    let mut out: Vec<String> = text.lines().take(lines).map(str::to_owned).collect();
    let before = out.last().expect("a line");
    let hash = before.rsplit('"').nth(1).expect("a hash").to_owned();
    let end = text.lines().last().expect("a line");
    let number = text.lines().count();
    let end = end.replacen(&format!("\"seq\":{number},"), &format!("\"seq\":{},", lines + 1), 1);
    let end = end.replacen(&format!("-{number}\"}}"), &format!("-{}\"}}", lines + 1), 1);
    let (record, _) = end.rsplit_once(",\"prev\":").expect("a record");
    let mut end = format!("{record},\"prev\":\"{hash}\"}}").into_bytes();
    klp_trace::journal::chain::seal(&mut end);
    out.push(String::from_utf8(end).expect("UTF-8"));
    out.join("\n") + "\n"
}

/// The journals that the examples judge, and the exit codes of `assert`.
fn journals() -> [(String, i32); 4] {
    let stale = std::fs::read_to_string(root().join(STALE)).expect("a journal that was kept");
    let foreign = stale.replace("\"arch\":\"x86_64\"", "\"arch\":\"riscv64\"");
    // Up to the first read of both sections, with the object there and everything in its place.
    let good = ended_after(good_lines(&stale));
    let altered = good.replacen("testbed", "testbad", 1);
    [(good, 0), (stale, 1), (altered, 5), (foreign, 4)]
}

/// Lines up to the last one before the object goes.
fn good_lines(text: &str) -> usize {
    text.lines()
        .position(|line| line.contains("\"hook\":{\"name\":\"klp_module_going\""))
        .expect("the object goes")
}

/// The commands under `run:` and `script:` of a workflow.
fn commands(yaml: &str) -> Vec<String> {
    let value: serde_json::Value = serde_saphyr::from_str(yaml).expect("it is YAML");
    let mut found = Vec::new();
    collect(&value, &mut found);
    found
}

fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value) {
                    ("run", serde_json::Value::String(command)) => found.push(command.clone()),
                    ("script", serde_json::Value::Array(commands)) => {
                        found.extend(commands.iter().filter_map(|one| one.as_str().map(str::to_owned)));
                    }
                    _ => collect(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

/// Runs the commands until one fails, with klp-trace on the PATH and a journal and a policy at hand.
fn run(folder: &Path, journal: &str, commands: &[String]) -> (i32, String) {
    std::fs::write(folder.join("klp.ndjson"), journal).expect("a journal is written");
    std::fs::write(folder.join("klp.toml"), "[limits]\nunknown = 0\n").expect("a policy is written");
    let built = Path::new(env!("CARGO_BIN_EXE_klp-trace")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
    let mut said = String::new();
    for command in commands {
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).current_dir(folder).env("PATH", &path);
        sh.env("KLP_JOURNAL", "klp.ndjson").env("KLP_POLICY", "klp.toml");
        let out = sh.output().expect("sh starts");
        said.push_str(&String::from_utf8_lossy(&out.stdout));
        said.push_str(&String::from_utf8_lossy(&out.stderr));
        if !out.status.success() {
            return (out.status.code().expect("an exit code"), said);
        }
    }
    (0, said)
}

#[test]
fn the_workflows_do_what_they_say() {
    for (name, written) in [("github.yml", &["klp.xml", "klp.sarif"][..]), ("gitlab.yml", &["klp.xml"])] {
        let commands = commands(&std::fs::read_to_string(example(name)).expect("the example is there"));
        assert_eq!(commands.len(), 2, "{name}: {commands:?}");
        for (journal, code) in journals() {
            let folder = tempfile::tempdir().expect("a folder for the test");
            let (ended, said) = run(folder.path(), &journal, &commands);
            assert_eq!(ended, code, "{name}: {said}");
            for file in written {
                assert!(folder.path().join(file).exists(), "{name}: {file}");
            }
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (_, said) = run(folder.path(), &journals()[1].0, &commands);
        assert!(name != "github.yml" || said.contains("\n::error title=KLP001"), "{said}");
    }
}

#[test]
fn the_kselftest_script_ends_as_kselftest_wants_it() {
    let script = vec![format!("'{}' nfsd", example("klp_reload.sh").display())];
    let [good, stale, altered, foreign] = journals();
    for ((journal, _), code, line) in [
        (good, 0, "ok 1 findings"),
        (stale, 1, "not ok 1 KLP001"),
        (altered, 1, "(unknown)"),
        (foreign, 4, "# SKIP"),
    ] {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let (ended, text) = run(folder.path(), &journal, &script);
        assert_eq!(ended, code, "{text}");
        assert!(text.starts_with("KTAP version 1\n") && text.contains(line), "{text}");
    }
}

/// Runs the commands of the package's workflow on files under klp-trace/tests/cases, with another policy.
fn judge_package(files: &[&str], policy: &str) -> (i32, String, String, String) {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for dir in ["package", "modules"] {
        std::fs::create_dir(folder.path().join(dir)).expect("a folder");
    }
    for file in files {
        let from = root().join("klp-trace/tests/cases").join(file);
        std::fs::copy(from, folder.path().join("package").join(file)).expect("a case");
    }
    std::fs::copy(root().join("klp-trace/tests/cases/modf.ko"), folder.path().join("modules/modf.ko"))
        .expect("a module");
    std::fs::write(folder.path().join("package.toml"), policy).expect("a policy is written");
    let commands = commands(&std::fs::read_to_string(example("package.yml")).expect("the example is there"));
    assert_eq!(commands.len(), 3, "{commands:?}");
    let built = Path::new(env!("CARGO_BIN_EXE_klp-trace")).parent().expect("a folder").to_owned();
    let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap_or_default());
    let mut said = String::new();
    // The third asks the kernel that the tests happen to run on.
    for command in commands.iter().take(2) {
        let mut sh = Command::new("sh");
        sh.args(["-c", command]).current_dir(folder.path()).env("PATH", &path);
        sh.envs([("KLP_PACKAGE", "package"), ("KLP_MODULES", "modules"), ("KLP_POLICY", "package.toml")]);
        let out = sh.output().expect("sh starts");
        said.push_str(&String::from_utf8_lossy(&out.stdout));
        said.push_str(&String::from_utf8_lossy(&out.stderr));
        if !out.status.success() {
            let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap_or_default();
            return (out.status.code().expect("an exit code"), said, read("klp.sarif"), read("klp.xml"));
        }
    }
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap_or_default();
    (0, said, read("klp.sarif"), read("klp.xml"))
}

fn package_policy() -> String {
    std::fs::read_to_string(example("package.toml")).expect("the example is there")
}

#[test]
fn a_package_is_let_pass_failed_or_left_open() {
    // Its object's file is not there, and --strict takes that for no pass.
    let (code, said, sarif, xml) = judge_package(&["02c-hand-callback-only.ko"], &package_policy());
    assert_eq!(code, 5, "{said}");
    assert!(sarif.contains("\"kind\": \"open\"") && !xml.is_empty(), "{sarif}");
    let (code, said, sarif, _) = judge_package(&["lp_dash.ko"], &package_policy());
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("::error ") && sarif.contains("\"kind\": \"fail\""), "{said}");
    let (code, said, sarif, _) = judge_package(&["modf.ko"], &package_policy());
    assert_eq!(code, 1, "no livepatch: {said}");
    assert!(sarif.contains("--strict wants one"), "{sarif}");
    let (code, ..) = judge_package(&[], &package_policy());
    assert_eq!(code, 3);
    let allow = |id: &str, more: &str| format!("[[allow]]\nid = \"{id}\"\nreason = \"looked at\"\n{more}\n");
    let open = allow("KLP008", "") + &allow("KLP014", "");
    let (code, said, ..) = judge_package(&["02c-hand-callback-only.ko"], &open);
    assert_eq!(code, 0, "{said}");
    let denied = open + "[[deny]]\nid = \"KLP008\"\n";
    assert_eq!(judge_package(&["02c-hand-callback-only.ko"], &denied).0, 5, "what is denied is not excused");
}

#[test]
fn the_command_line_denies_what_a_policy_excuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.toml");
    let allow = |id: &str| format!("[[allow]]\nid = \"{id}\"\nreason = \"looked at\"\n");
    std::fs::write(&policy, allow("KLP008") + &allow("KLP014")).expect("a policy is written");
    let file = root().join("klp-trace/tests/cases/02c-hand-callback-only.ko");
    let exit = |deny: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_klp-trace"));
        command.args(["inspect", "--strict", "--policy"]).arg(&policy).args(deny).arg(&file);
        command.output().expect("it starts").status.code()
    };
    assert_eq!(exit(&[]), Some(0));
    assert_eq!(exit(&["--deny", "KLP014"]), Some(5));
    assert_eq!(exit(&["--deny", "symbol-not-in-object"]), Some(5));
    assert_eq!(exit(&["--deny", "KLP015"]), Some(0));
}

#[test]
fn an_allowed_rule_passes_until_its_last_day() {
    let policy = |expires: &str, rule: &str| {
        let ids = ["KLP008", "KLP014"].map(|id| format!("[[allow]]\nid = \"{id}\"\nreason = \"no files\"\n"));
        format!(
            "{}[[allow]]\nid = \"KLP015\"\nrule = \"{rule}\"\nreason = \"old kernels\"\nexpires = {expires}\n",
            ids.concat()
        )
    };
    let file = "05-unconverted-undef.ko";
    let (_, said, sarif, _) = judge_package(&[file], &policy("2999-01-01", "klp-arch-leftover"));
    let found: serde_json::Value = serde_json::from_str(&sarif).expect("SARIF");
    let results = found.pointer("/runs/0/results").and_then(|r| r.as_array()).cloned().unwrap_or_default();
    let rule = results
        .iter()
        .find_map(|result| result["ruleId"].as_str()?.strip_prefix("KLP015/"))
        .unwrap_or_else(|| panic!("{said}"))
        .to_owned();
    let suppressed = |policy: &str| {
        let (code, said, sarif, _) = judge_package(&[file], policy);
        (code, said, sarif.contains("\"justification\": \"old kernels\""))
    };
    let (code, said, justified) = suppressed(&policy("2999-01-01", &rule));
    assert_eq!((code, justified), (0, true), "{said}");
    let (code, said, justified) = suppressed(&policy("2020-01-01", &rule));
    assert_eq!((code, justified), (1, false), "{said}");
    let denied = policy("2999-01-01", &rule) + &format!("[[deny]]\nid = \"KLP015\"\nrule = \"{rule}\"\n");
    assert_eq!(suppressed(&denied).0, 1);
    let (code, said, ..) = judge_package(&[file], &policy("2999-01-01", "klp-arch-leftovr"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("klp-arch-leftover"), "{said}");
}

/// The configuration in the manifest of Kubernetes is one that serve takes.
#[test]
fn the_configuration_for_kubernetes_can_be_used() {
    let text = std::fs::read_to_string(root().join("examples/kubernetes/configmap.yaml"))
        .expect("the example is there");
    let manifest: serde_json::Value = serde_saphyr::from_str(&text).expect("it is YAML");
    let config = manifest["data"]["serve.toml"].as_str().expect("it holds serve.toml");
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("serve.toml");
    std::fs::write(&path, config).expect("a configuration is written");
    let out = Command::new(env!("CARGO_BIN_EXE_klp-trace"))
        .args(["serve", "--check-config", "--config"])
        .arg(&path)
        .output()
        .expect("klp-trace starts");
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && said.contains("0.0.0.0:11216"), "{said}");
}
