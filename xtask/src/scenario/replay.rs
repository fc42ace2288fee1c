//! A journal is evidence: judged again without the kernel, and without the verdicts in it, it must say the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::exchange::RunReport;
use super::journal::{Follower, Journal, Key};

/// Replays the journal in `folder` with `tool`: as it is, without any conclusion in it, and with one digit of one
/// relocation's bytes changed. What is wrong.
pub fn check(tool: &Path, folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(error) = check_all(tool, folder, &mut wrong) {
        wrong.push(format!("replay: {error:#}"));
    }
    wrong
}

/// Replays the journal of a run that SIGKILL ended: what is whole of it is judged as it was, and the rest is said to be
/// missing.
pub fn check_torn(tool: &Path, folder: &Path) -> Vec<String> {
    let torn = || -> anyhow::Result<Vec<String>> {
        let source = folder.join("journal.ndjson");
        let live = follow(&source)?;
        let (again, said) = replay(tool, &source, &folder.join("replayed.ndjson"))?;
        let mut wrong = Vec::new();
        if !said.contains("session_end") {
            wrong.push(format!("nothing was said of the journal's missing end, but {said:?}"));
        }
        let fewer = |(key, (live, again)): (Key, (Vec<String>, Vec<String>))| {
            (!live.starts_with(&again))
                .then(|| format!("torn: {} {}: {live:?}, {again:?}", key.section, key.index))
        };
        wrong.extend(differing(&live, &again).into_iter().filter_map(fewer).take(3));
        Ok(wrong)
    };
    torn().unwrap_or_else(|error| vec![format!("replay: {error:#}")])
}

fn check_all(tool: &Path, folder: &Path, wrong: &mut Vec<String>) -> anyhow::Result<()> {
    let source = folder.join("journal.ndjson");
    let text =
        std::fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    let live = follow(&source)?;
    let (again, _) = replay(tool, &source, &folder.join("replayed.ndjson"))?;
    compare("replayed", &live, &again, wrong);
    let report: RunReport = super::judge::read(&folder.join("run.json"))?;
    let asserted = assert(tool, &source)?;
    if report.exit.is_some_and(|exit| exit != asserted) {
        wrong.push(format!(
            "assert --from ends with {asserted}, klp-trace watch ended with {:?}",
            report.exit
        ));
    }
    let stripped = write(folder, "stripped", &strip(&text)?)?;
    let (again, _) = replay(tool, &stripped, &folder.join("stripped-replayed.ndjson"))?;
    compare("replayed without its verdicts and findings", &live, &again, wrong);
    if let Some((forged, victim)) = forge(&text) {
        let forged = write(folder, "forged", &forged)?;
        let (again, _) = replay(tool, &forged, &folder.join("forged-replayed.ndjson"))?;
        compare_forged(&live, &again, &victim, wrong);
    }
    if wrong.is_empty() {
        // They are as large as the journal, and can be made again from it.
        for name in ["replayed", "stripped", "stripped-replayed", "forged", "forged-replayed"] {
            let _ = std::fs::remove_file(folder.join(format!("{name}.ndjson")));
        }
    }
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{name}.ndjson"));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn follow(path: &Path) -> anyhow::Result<Journal> {
    let mut follower = Follower::default();
    follower.advance(path, u64::MAX)?;
    Ok(follower.journal)
}

fn replay(tool: &Path, from: &Path, to: &Path) -> anyhow::Result<(Journal, String)> {
    let mut command = Command::new(tool);
    command.args(["watch", "--format", "ndjson", "--overwrite", "--from"]).arg(from).arg("--output").arg(to);
    let done = command.output().with_context(|| format!("cannot run {}", tool.display()))?;
    let code = done.status.code().unwrap_or(-1);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!([0, 1, 5].contains(&code), "watch --from {} ended with {code}: {said}", from.display());
    Ok((follow(to)?, said))
}

/// How `klp-trace assert` ends of it where no policy is given.
fn assert(tool: &Path, from: &Path) -> anyhow::Result<i32> {
    let mut command = Command::new(tool);
    command.args(["assert", "--from"]).arg(from);
    let done = command.output().with_context(|| format!("cannot run {}", tool.display()))?;
    done.status.code().with_context(|| format!("assert --from {} was killed", from.display()))
}

/// The same journal with its conclusions taken out: verdicts, reasons, expected bytes, findings, the sums at the end.
fn strip(text: &str) -> anyhow::Result<String> {
    let mut stripped = String::with_capacity(text.len());
    for line in text.lines() {
        let mut value: Value = serde_json::from_str(line).context("a line of the journal is no JSON")?;
        let kind = value.pointer("/event/kind").and_then(Value::as_str);
        if matches!(kind, Some("finding" | "finding_closed" | "section_state")) {
            continue;
        }
        if let Some(record) = value.as_object_mut() {
            for field in ["verdict", "previous", "reason"] {
                record.remove(field);
            }
        }
        for (at, fields) in
            [("/target", &["expected"][..]), ("/end", &["verdicts", "findings", "open", "lost"])]
        {
            let Some(part) = value.pointer_mut(at).and_then(Value::as_object_mut) else { continue };
            // What a reader must find there is emptied, not removed.
            for field in fields {
                match part.get_mut(*field) {
                    Some(Value::Object(map)) => map.clear(),
                    Some(Value::Number(number)) => *number = 0.into(),
                    _ => drop(part.remove(*field)),
                }
            }
        }
        stripped.push_str(&value.to_string());
        stripped.push('\n');
    }
    Ok(stripped)
}

/// The journal with one digit of what was read changed, of a relocation of the first record that says `applied` of bytes it
/// read; which relocation that is, and which of its verdicts.
fn forge(text: &str) -> Option<(String, (Key, usize))> {
    let mut journal = Journal::default();
    let mut reads = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        journal.line(line.trim_end());
        let value: Value = serde_json::from_str(line).ok()?;
        let word = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let applied = word("/event/kind") == Some("section_state") && word("/verdict") == Some("applied");
        if word("/event/kind") == Some("section_read") {
            reads.push((at, line, value));
        } else if applied && value.get("read").is_some() {
            let key = journal.last.clone()?;
            let number = journal.relocs.get(&key)?.verdicts.len() - 1;
            let of =
                |read: &Value| ["patch", "section"].iter().all(|part| read.get(*part) == value.get(*part));
            let entry = format!("{{\"index\":{},\"address\":", key.index);
            let (start, line, _) =
                reads.iter().rev().find(|(_, line, read)| of(read) && entries(line).contains(&entry))?;
            let after = line.len() - entries(line).len() + entries(line).find(&entry)?;
            let digit = start + after + line.get(after..)?.find("\"bytes\":\"")? + "\"bytes\":\"".len();
            let (before, rest) = text.split_at(digit);
            let other = if rest.starts_with('1') { "2" } else { "1" };
            return Some(([before, other, rest.get(1..)?].concat(), (key, number)));
        }
        at += line.len();
    }
    None
}

/// A `section_read` from its entries on.
fn entries(line: &str) -> &str {
    line.split_once("\"entries\":").map_or("", |(_, entries)| entries)
}

fn compare(what: &str, live: &Journal, again: &Journal, wrong: &mut Vec<String>) {
    if !again.problems.is_empty() {
        wrong.push(format!("{what}: {:?}", again.problems.iter().take(3)));
    }
    let differing = differing(live, again);
    if let Some((key, (live, again))) = differing.first_key_value() {
        wrong.push(format!(
            "{what}: {} relocations are judged otherwise, such as {} {}[{}]: {live:?} live, {again:?} {what}",
            differing.len(),
            key.patch,
            key.section,
            key.index
        ));
    }
    if live.closed != again.closed {
        wrong.push(format!("{what}: {:?} are closed, live {:?}", again.closed, live.closed));
    }
    let (live, again) = (findings(live), findings(again));
    if live != again {
        wrong.push(format!("{what}: the findings are {again:?}, live {live:?}"));
    }
}

fn compare_forged(live: &Journal, again: &Journal, victim: &(Key, usize), wrong: &mut Vec<String>) {
    let differing = differing(live, again);
    let what = "after one digit of one relocation's bytes was changed";
    let (key, number) = victim;
    let changed = again.relocs.get(key).and_then(|said| said.verdicts.get(*number));
    if changed.is_none_or(|verdict| verdict == "applied") {
        wrong.push(format!("{what}: its verdict is {changed:?}"));
    }
    if let Some(other) = differing.keys().find(|other| *other != key) {
        wrong.push(format!(
            "{what}: {} others changed their verdicts, such as {} {}[{}]",
            differing.len() - 1,
            other.patch,
            other.section,
            other.index
        ));
    }
}

/// The relocations whose verdicts are not the same in both, with both.
fn differing(live: &Journal, again: &Journal) -> BTreeMap<Key, (Vec<String>, Vec<String>)> {
    let verdicts = |journal: &Journal, key: &Key| {
        journal.relocs.get(key).map(|said| said.verdicts.clone()).unwrap_or_default()
    };
    let keys = live.relocs.keys().chain(again.relocs.keys());
    keys.filter_map(|key| {
        let both = (verdicts(live, key), verdicts(again, key));
        (both.0 != both.1).then(|| (key.clone(), both))
    })
    .collect()
}

/// The findings in their order, with what they are about and without what differs from one session to the next.
fn findings(journal: &Journal) -> Vec<Value> {
    let about = |text: &str| -> Value {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let parts = ["finding", "patch", "object", "section", "reloc"];
        parts.iter().filter_map(|part| Some(((*part).to_owned(), value.get(part)?.clone()))).collect()
    };
    journal.findings.iter().map(|finding| about(&finding.text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> String {
        let path = crate::testbed::workspace().join("klp-trace/src/journal/writer/golden.ndjson");
        std::fs::read_to_string(path).unwrap()
    }

    fn read(text: &str) -> Journal {
        let mut journal = Journal::default();
        text.lines().for_each(|line| journal.line(line));
        journal
    }

    #[test]
    fn nothing_of_the_conclusions_is_left() {
        let stripped = strip(&golden()).unwrap();
        let journal = read(&stripped);
        assert!(journal.findings.is_empty());
        assert!(journal.relocs.values().all(|said| said.verdicts.is_empty()));
        for word in ["\"verdict\":", "\"previous\":", "\"expected\":", "KLP001"] {
            assert!(!stripped.contains(word), "{word}");
        }
        assert!(stripped.contains("\"bytes\":"));
    }

    #[test]
    fn one_digit_is_changed_and_nothing_else() {
        let text = golden();
        let (forged, (key, number)) = forge(&text).unwrap();
        assert_eq!(forged.len(), text.len());
        assert_eq!(forged.bytes().zip(text.bytes()).filter(|(a, b)| a != b).count(), 1);
        assert_eq!(read(&text).relocs[&key].verdicts[number], "applied");
    }

    #[test]
    fn a_difference_is_seen() {
        let text = golden();
        let live = read(&text);
        let mut wrong = Vec::new();
        compare("again", &live, &read(&text), &mut wrong);
        assert!(wrong.is_empty(), "{wrong:?}");
        compare("again", &live, &read(&text.replace("\"applied\"", "\"mismatch\"")), &mut wrong);
        compare("again", &live, &read(&text.replace("12 relocations", "11 relocations")), &mut wrong);
        compare(
            "again",
            &live,
            &read(&text.replace("\"end\":\"written\"", "\"end\":\"cleared\"")),
            &mut wrong,
        );
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }
}
