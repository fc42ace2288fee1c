//! Each layer uses only those below it (ARCHITECTURE.md, "The layers"): no circle, no arrow up.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers, lowest first.
const LAYERS: [&str; 18] = [
    "model",
    "arch",
    "journal",
    "elf",
    "klog",
    "verify",
    "kernel",
    "probe",
    "lint",
    "late_cost",
    "check_host",
    "policy",
    "source",
    "output",
    "metrics",
    "session",
    "tui",
    "cli",
];

/// What is below, and not to be known all the same: what is shown does not depend on where it comes from.
const STRANGERS: [(&str, &str); 6] = [
    ("output", "source"),
    ("output", "kernel"),
    ("output", "probe"),
    ("metrics", "source"),
    ("metrics", "kernel"),
    ("metrics", "probe"),
];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The first words of the paths that begin with `crate::`, those in braces too.
fn named(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (at, start) in code.match_indices("crate::") {
        let rest = &code[at + start.len()..];
        let Some(inside) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut fresh) = (1, true);
        for (at, c) in inside.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                _ if depth == 1 && fresh && !c.is_whitespace() => {
                    found.insert(word(&inside[at..]));
                    fresh = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

#[test]
fn names_are_found_in_every_form() {
    let text = "use crate::model::Bytes; // crate::cli\nuse crate::{\n    arch::{Arch, x86_64},\n    elf,\n};\nfn f() { crate::tui::run() }";
    assert_eq!(named(text), ["arch", "elf", "model", "tui"].map(str::to_owned).into());
}

#[test]
fn each_layer_uses_only_those_below_it() {
    let mut all = Vec::new();
    files(&src(), &mut all);
    let place = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let (mut arrows, mut wrong) = (0, Vec::new());
    for path in &all {
        let inside = path.strip_prefix(src()).expect("it is in there");
        let first = inside.iter().next().and_then(|part| part.to_str()).unwrap_or_default();
        let own = first.trim_end_matches(".rs");
        if matches!(own, "lib" | "main") {
            continue;
        }
        let here = place(own).unwrap_or_else(|| panic!("{} belongs to no layer", inside.display()));
        for name in named(&std::fs::read_to_string(path).expect("it is read")) {
            // Macros, and items of the crate's root.
            let Some(there) = place(&name) else { continue };
            arrows += 1;
            if there > here {
                wrong.push(format!("{}: {own} is below {name}", inside.display()));
            }
            if STRANGERS.contains(&(own, name.as_str())) {
                wrong.push(format!("{}: {own} is not to know {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(arrows > 500, "{arrows} arrows: they are not found");
}

/// Texts for people that name the architecture which is supported; what is done because of it stands in `arch/`.
const SPOKEN: [(&str, usize); 7] = [
    // What another tool's programs, or another host, would have to be.
    ("cli/doctor/checks.rs", 1),
    ("cli/failure.rs", 1),
    ("cli/version.rs", 1),
    ("elf/error.rs", 2),
    ("lint/rules/targets.rs", 1),
    ("output/report/sarif.rs", 1),
    ("probe/error.rs", 1),
];

#[test]
fn what_one_architecture_does_stands_in_arch() {
    let mut all = Vec::new();
    files(&src(), &mut all);
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for path in all {
        let inside = path.strip_prefix(src()).expect("it is in there").display().to_string();
        let is_test = |part: &str| ["test", "rejudged", "hostile"].iter().any(|word| part.contains(word));
        if inside.starts_with("arch/") || inside.split('/').any(is_test) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it is read");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let named = code.lines().filter(|line| {
            let line = line.trim_start().to_lowercase();
            !line.starts_with("//") && (line.contains("x86") || line.contains("amd64"))
        });
        let named: Vec<String> = named.map(|line| line.trim().to_owned()).collect();
        if !named.is_empty() {
            found.insert(inside, named);
        }
    }
    let counts: Vec<(&str, usize)> = found.iter().map(|(file, lines)| (file.as_str(), lines.len())).collect();
    assert_eq!(counts, SPOKEN, "{found:#?}");
}

#[test]
fn architecture_names_every_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("it is read");
    let mut last = usize::MAX;
    for layer in LAYERS {
        let row = format!("| `{layer}/` |");
        let at = text.find(&row).unwrap_or_else(|| panic!("no row {row}"));
        assert!(at < last, "the row of {layer} is not below those that it uses");
        last = at;
    }
}
