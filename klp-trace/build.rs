//! Tells the compiler which commit is built, for `klp-trace --version`, and of when it is, for the manual pages.
//!
//! The commit comes from the environment (`KLP_TRACE_COMMIT`, for packages and for the test VMs), or, in a release build out
//! of klp-trace's own git repository, from git. A tarball has neither, and a development build is rebuilt too often to ask
//! each time: both say "unknown".

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=KLP_TRACE_COMMIT");
    let given = std::env::var("KLP_TRACE_COMMIT").ok().filter(|given| !given.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let known = given.is_some();
    let commit = given.or_else(|| release.then(from_git).flatten());
    println!("cargo:rustc-env=KLP_TRACE_BUILT_AT={}", date(release && !known && commit.is_some()));
    // One word or two, whatever the environment holds: it is printed as it is.
    let plain = |commit: &String| {
        commit.len() <= 80 && commit.bytes().all(|b| b.is_ascii_alphanumeric() || b" -.+_".contains(&b))
    };
    println!(
        "cargo:rustc-env=KLP_TRACE_BUILT_FROM={}",
        commit.filter(plain).unwrap_or_else(|| "unknown".to_owned())
    );
}

/// When what is built was committed, in seconds since 1970; nothing where that is not known.
fn date(release: bool) -> String {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let seconds = given.or_else(|| release.then(|| git(&["log", "-1", "--format=%ct"])).flatten());
    seconds.filter(|seconds| seconds.bytes().all(|b| b.is_ascii_digit())).unwrap_or_default()
}

/// The commit that is checked out, and whether the sources differ from it.
fn from_git() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?.canonicalize().ok()?;
    // A tarball that was unpacked inside of somebody else's repository is not of that repository.
    let top = git(&["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root {
        return None;
    }
    for file in ["HEAD", "logs/HEAD", "index"] {
        println!(
            "cargo:rerun-if-changed={}",
            git(&["rev-parse", "--path-format=absolute", "--git-path", file])?
        );
    }
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=../klp-trace-ebpf");
    let commit = git(&["rev-parse", "--verify", "HEAD"])?;
    let sources = ["status", "--porcelain", "--", ".", "../klp-trace-ebpf", "../Cargo.lock"];
    let changed = git(&sources).is_none_or(|changes| !changes.is_empty());
    Some(if changed { format!("{commit} and local changes") } else { commit })
}

fn git(words: &[&str]) -> Option<String> {
    let output = Command::new("git").args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
