//! A policy that says what a session shows: a start for one that says what must be.

use super::{Observed, observed::Section};
use crate::journal::Derived;
use crate::model::Verdict;
use crate::model::escape::must_escape;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Writes a policy that the session meets, but for its bad and unknown verdicts, of which it demands none.
pub fn init(seen: &Observed, source: Option<&Derived>) -> String {
    let mut text = String::from(
        "# What `klp-trace assert --policy` checks this host against; docs/policy.md says what else can be demanded.\n\
         schema = \"klp-trace.policy/1\"\n\n[findings]\nfail-on = \"error\"\n\n[limits]\nloss = 0\nunknown = 0\n",
    );
    if let Some(source) = source {
        let damaged = quoted(&source.to_string());
        let _ = write!(
            text,
            "\n# The journal is not whole: `klp-trace assert` with this policy is inconclusive (exit code 5) at best.\n\
             [source]\ndamaged = {damaged}\n"
        );
    }
    for (name, patch) in seen.patches.iter().filter(|(_, patch)| patch.loaded) {
        let state = match patch.enabled {
            Some(true) => "enabled",
            Some(false) => "disabled",
            None => "loaded",
        };
        let _ = write!(text, "\n[[patch]]\nname = {}\nstate = \"{state}\"\n", quoted(name));
    }
    // A livepatch is no object of its own: where it went before it was known as one, its name is here too.
    for (name, there) in seen.objects.iter().filter(|(name, _)| !seen.patches.contains_key(*name)) {
        let state = if *there { "loaded" } else { "absent" };
        let _ = write!(text, "\n[[object]]\nname = {}\nstate = \"{state}\"\n", quoted(name));
    }
    let mut groups: BTreeMap<_, crate::journal::Totals> = BTreeMap::new();
    for section in seen.sections.values() {
        let Section { patch, object, .. } = section;
        let totals = groups.entry((patch, object)).or_default();
        for (verdict, number) in section.verdicts() {
            *totals.entry(verdict).or_default() += number;
        }
    }
    for ((patch, object), totals) in groups {
        let good = totals.iter().filter(|(verdict, _)| !verdict.is_bad() && **verdict != Verdict::Unknown);
        let mut that: Vec<String> =
            good.map(|(verdict, number)| format!("\"{verdict} == {number}\"")).collect();
        that.extend(["\"mismatch == 0\"", "\"stale == 0\"", "\"missing == 0\""].map(str::to_owned));
        let _ = write!(
            text,
            "\n[[count]]\npatch = {}\nobject = {}\nthat = [{}]\n",
            quoted(patch),
            quoted(object),
            that.join(", ")
        );
    }
    text
}

/// A TOML basic string of any text; what could drive a terminal is written as `\u202e`, or `\U000e0001` (TOML 1.0).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            // A String takes whatever is written.
            '"' | '\\' => out.extend(['\\', c]),
            c if must_escape(c) || c.is_control() => {
                let code = u32::from(c);
                let _ =
                    if code > 0xffff { write!(out, "\\U{code:08x}") } else { write!(out, "\\u{code:04x}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_read_back_and_none_drives_a_terminal() {
        for name in
            ["lp_one", "a\u{202e}b", "\u{9b}2J\u{1b}[0m", "\u{e0001}\u{feff}", "\"\\\n\u{7f}", "größe"]
        {
            let text = format!("name = {}", quoted(name));
            let read: toml::Table = toml::from_str(&text).unwrap();
            assert_eq!(read.get("name").and_then(|name| name.as_str()), Some(name), "{text}");
            assert!(!text.chars().any(|c| c != '\\' && must_escape(c)), "{text:?}");
        }
    }
}
