//! Policies, configurations and arguments, made of the words that they know and of those that they do not.

use fastrand::Rng;

const WORDS: [&str; 22] = [
    "0",
    "-1",
    "1.5",
    "true",
    "\"\"",
    "\"lp_one\"",
    "\"*\"",
    "[]",
    "{}",
    "2027-03-31",
    "\"error\"",
    "\"KLP001\"",
    "18446744073709551616",
    "\"applied == 16\"",
    "\"pending in 4..0\"",
    "\"object x: coming, ...\"",
    "\"9999999999999999999s\"",
    "[\"stale == 0\"]",
    "\"\\u202e\"",
    "\"\\u001b[2J\"",
    "nan",
    "'''\n'''",
];

/// Policies to begin with.
pub fn policies() -> Vec<String> {
    [
        "schema = \"klp-trace.policy/1\"\n[findings]\nfail-on = \"error\"\n[limits]\nloss = 0\nunknown = 0\n",
        "[[patch]]\nname = \"lp_one\"\nstate = \"enabled\"\n[[object]]\nname = \"klp_target\"\nstate = \"loaded\"\n",
        "[[count]]\npatch = \"lp_one\"\nobject = \"klp_target\"\nthat = [\"applied == 16\", \"stale == 0\"]\n",
        "order = [\"object klp_target: coming, apply, ...\"]\n",
        "[[allow]]\nid = \"KLP001\"\nreason = \"known\"\nexpires = 2027-03-31\n[[deny]]\nid = \"KLP009\"\n",
        "[source]\ndamaged = \"line 3: the record was altered\"\n",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Configurations to begin with.
pub fn configurations() -> Vec<String> {
    [
        "[tui]\npalette = \"default\"\n",
        "[tui]\npalette = \"mono\"\nascii = true\n",
        "[tui.keys]\nquit = \"q\"\nhelp = [\"?\", \"f1\"]\n",
        "[tui]\nascii = false\n[tui.keys]\nup = \"ctrl-p\"\n",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// One of the seeds with values, keys or lines made others.
pub fn draw(rng: &mut Rng, seeds: &[String]) -> Vec<u8> {
    let mut text = seeds[rng.usize(0..seeds.len())].clone();
    if rng.bool() {
        text.push_str(&seeds[rng.usize(0..seeds.len())]);
    }
    for _ in 0..rng.usize(1..4) {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = rng.usize(0..lines.len());
        match rng.u8(0..10) {
            0..6 => {
                if let Some((key, _)) = lines[at].split_once(" = ") {
                    lines[at] = format!("{key} = {}", WORDS[rng.usize(0..WORDS.len())]);
                }
            }
            6 => lines[at] = lines[at].replacen(['a', 'e', 'o'], "x", 1),
            7 => lines.insert(at, format!("key{} = {}", rng.u8(..), "[".repeat(rng.usize(0..2000)))),
            8 => {
                let long = "n".repeat(rng.usize(0..80_000));
                lines[at] = lines[at].replacen('"', &format!("\"{long}"), 1);
            }
            _ => drop(lines.remove(at)),
        }
        if lines.is_empty() {
            break;
        }
        text = lines.join("\n") + "\n";
    }
    let mut bytes = text.into_bytes();
    if rng.u8(0..12) == 0 && !bytes.is_empty() {
        let at = rng.usize(0..bytes.len());
        bytes[at] = rng.u8(..);
    }
    bytes
}

/// Arguments: words of the command line in any order, with values that do not fit.
pub fn arguments(rng: &mut Rng) -> Vec<String> {
    const COMMANDS: [&str; 11] = [
        "watch",
        "audit",
        "assert",
        "verify-journal",
        "inspect",
        "policy",
        "config",
        "explain",
        "schema",
        "completions",
        "doctor",
    ];
    const OPTIONS: [&str; 26] = [
        "--from",
        "IN",
        "--json",
        "--format",
        "--filter",
        "--fail-on",
        "--verbose",
        "--color",
        "--ascii",
        "--report",
        "--policy",
        "--expect-hash",
        "--public-key",
        "--sign-key",
        "--allow",
        "--deny",
        "--object-file",
        "--summary",
        "--redact-addresses",
        "--no-attach",
        "-v",
        "check",
        "init",
        "--help",
        "--version",
        "--",
    ];
    const VALUES: [&str; 24] = [
        "text",
        "json",
        "ndjson",
        "csv",
        "summary",
        "junit",
        "sarif",
        "error",
        "info",
        "verdict=stale",
        "patch=lp*",
        "patch!=x,y kind=hook",
        "=",
        "verdict=",
        "x\u{202e}y",
        "\u{1b}[2J",
        "-1",
        "99999999999999999999",
        "KLP001",
        "KLP999",
        "events",
        "bash",
        "0s",
        "junit=/nonexistent/x",
    ];
    let mut words = vec![COMMANDS[rng.usize(0..COMMANDS.len())].to_owned()];
    // Often what works, so that what is behind the parser is reached.
    match (words[0].as_str(), rng.u8(0..3)) {
        ("watch" | "audit" | "assert", 0..2) => words.extend(["--from".to_owned(), "IN".to_owned()]),
        ("verify-journal" | "inspect", 0..2) => words.push("IN".to_owned()),
        ("doctor", 0..2) => words.push("--no-attach".to_owned()),
        ("schema", 0..2) => words.push("events".to_owned()),
        ("completions", 0..2) => words.push("bash".to_owned()),
        _ => {}
    }
    for _ in 0..rng.usize(0..4) {
        words.push(match rng.u8(0..8) {
            0..4 => OPTIONS[rng.usize(0..OPTIONS.len())].to_owned(),
            4..7 => VALUES[rng.usize(0..VALUES.len())].to_owned(),
            _ => "w".repeat(rng.usize(0..60_000)),
        });
    }
    // Nothing of the kernel, and nothing that waits: a watch without a recording would.
    if matches!(words[0].as_str(), "watch" | "audit" | "assert") && !words.iter().any(|word| word == "--from")
    {
        words.extend(["--from".to_owned(), "IN".to_owned()]);
    }
    if let Some(at) = words.iter().position(|word| word == "--") {
        words.truncate(at);
    }
    words
}
