//! Reading a journal as anybody could: from its lines alone, without klp-trace's own code.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;
use serde_json::Value;

/// One relocation of one load of a patch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The patch.
    pub patch: String,
    /// Address of its module and the load there.
    pub load: (String, u64),
    /// The section's name.
    pub section: String,
    /// The entry's index.
    pub index: u32,
}

/// What a journal says of one relocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// The object that gates it.
    pub object: String,
    /// r_offset, type and symbol as written; and the addend.
    pub entry: (String, String, String, i64),
    /// Its target, once there was one.
    pub address: Option<u64>,
    /// The bytes last read there, hex; none when the last record had none.
    pub actual: Option<String>,
    /// The bytes that should have been there, by the last record.
    pub expected: Option<String>,
    /// The last verdict's reason.
    pub reason: Option<String>,
    /// The verdicts, one for each record that has another than the one before.
    pub verdicts: Vec<String>,
    /// Records that tell neither of another verdict nor of another reason for it.
    pub repeated: usize,
    /// Records whose `previous` is not the verdict before.
    pub torn: usize,
    /// Records without a verdict (R_*_NONE).
    pub unjudged: usize,
}

impl Said {
    /// The last verdict.
    pub fn verdict(&self) -> &str {
        self.verdicts.last().map_or("", String::as_str)
    }
}

/// A finding, as far as a scenario asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its id.
    pub id: String,
    /// The whole record, as JSON.
    pub text: String,
}

impl Finding {
    /// What it says, for people.
    pub fn brief(&self) -> String {
        let value: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let part =
            |name: &str| value.pointer(&format!("/finding/{name}")).and_then(Value::as_str).unwrap_or("?");
        format!("{}: {} ({}; {})", self.id, part("message"), part("why"), part("action"))
    }
}

/// All that was read so far.
#[derive(Debug, Default)]
pub struct Journal {
    /// The relocations.
    pub relocs: BTreeMap<Key, Said>,
    /// The loads of each patch, in the order in which they were first spoken of.
    pub loads: BTreeMap<String, Vec<(String, u64)>>,
    /// Patches whose last load has gone: what it held says nothing of the next.
    pub gone: BTreeSet<String>,
    /// The findings.
    pub findings: Vec<Finding>,
    /// The findings closed, by id, each with what ended it.
    pub closed: Vec<(String, String)>,
    /// The `events_lost` records.
    pub lost: Vec<String>,
    /// Which ELF witness (`file`, `memory`, `differs`) each patch's relocations rest on.
    pub witnesses: BTreeMap<String, BTreeSet<String>>,
    /// Verdicts for which the tool had to ask, because no hook had read the bytes.
    pub demanded: usize,
    /// The first line.
    pub session: Option<Value>,
    /// The last.
    pub end: Option<Value>,
    /// The relocation that was spoken of last.
    pub last: Option<Key>,
    /// Offset and addend of each entry, by the latest metadata of its patch and section.
    pub entries: BTreeMap<Place, (String, i64)>,
    /// What was read last of each entry.
    pub reads: BTreeMap<Place, Read>,
    /// Lines that are not what a journal has.
    pub problems: Vec<String>,
    /// How many lines.
    pub lines: u64,
}

/// A patch, a section, an index.
pub type Place = (String, String, u32);

#[derive(Deserialize)]
struct Line {
    seq: Option<u64>,
    event: EventRef,
    patch: Option<PatchRef>,
    object: Option<NameRef>,
    section: Option<NameRef>,
    reloc: Option<RelocRef>,
    target: Option<Target>,
    read: Option<String>,
    verdict: Option<String>,
    reason: Option<String>,
    previous: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    entries: Vec<Read>,
    #[serde(default)]
    relocations: Vec<RelocRef>,
    module: Option<ModuleRef>,
    finding: Option<Value>,
    closed: Option<ClosedRef>,
}

#[derive(Deserialize)]
struct ModuleRef {
    name: String,
    action: String,
}

#[derive(Deserialize)]
struct ClosedRef {
    id: String,
    end: String,
}

#[derive(Deserialize)]
struct EventRef {
    kind: String,
}

#[derive(Deserialize)]
struct NameRef {
    name: String,
}

#[derive(Deserialize)]
struct PatchRef {
    name: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    load: u64,
}

#[derive(Deserialize)]
struct RelocRef {
    index: u32,
    #[serde(default)]
    offset: String,
    #[serde(default, rename = "type")]
    rtype: String,
    #[serde(default)]
    symbol: String,
    #[serde(default)]
    addend: i64,
    expected: Option<String>,
    actual: Option<String>,
}

/// What a `section_read` says of one relocation.
#[derive(Debug, Clone, Deserialize)]
pub struct Read {
    /// Its index.
    pub index: u32,
    /// Where it is.
    pub address: String,
    /// What was there.
    pub bytes: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    address: Option<String>,
    actual: Option<String>,
    expected: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    elf: ElfRef,
    #[serde(default)]
    entries: Vec<MetaRef>,
}

#[derive(Deserialize)]
struct MetaRef {
    index: u32,
    #[serde(default)]
    offset: String,
    #[serde(default)]
    addend: i64,
}

#[derive(Deserialize)]
struct ElfRef {
    source: String,
}

impl Journal {
    /// Reads one line, without its newline.
    pub fn line(&mut self, text: &str) {
        self.lines += 1;
        match serde_json::from_str::<Line>(text) {
            Ok(line) => self.take(line, text),
            Err(error) => self.problem(&format!("{error}"), text),
        }
    }

    fn problem(&mut self, what: &str, text: &str) {
        let shown: String = text.chars().take(300).collect();
        self.problems.push(format!("line {}: {what}: {shown}", self.lines));
    }

    fn take(&mut self, line: Line, text: &str) {
        if self.end.is_some() {
            self.problem("comes after session_end", text);
        }
        if line.seq.is_some_and(|seq| seq != self.lines) {
            self.problem("seq leaves a gap", text);
        }
        match line.event.kind.as_str() {
            "reloc_state" => self.reloc(line, text),
            "section_read" => self.section_read(line, text),
            "section_state" => self.section_state(line, text),
            "module" => {
                let left = line.module.filter(|module| ["freed", "absent"].contains(&module.action.as_str()));
                self.gone.extend(left.map(|module| module.name));
            }
            "patch_metadata" => match (line.patch, line.section, line.metadata) {
                (Some(patch), Some(section), Some(metadata)) => {
                    for MetaRef { index, offset, addend } in metadata.entries {
                        let place = (patch.name.clone(), section.name.clone(), index);
                        self.entries.insert(place, (offset, addend));
                    }
                    self.witnesses.entry(patch.name).or_default().insert(metadata.elf.source);
                }
                _ => self.problem("metadata without its patch or witness", text),
            },
            "finding" => match line.finding.as_ref().and_then(|f| f.get("id")).and_then(Value::as_str) {
                Some(id) => self.findings.push(Finding { id: id.to_owned(), text: text.to_owned() }),
                None => self.problem("a finding without an id", text),
            },
            "finding_closed" => match line.closed {
                Some(ClosedRef { id, end }) => self.closed.push((id, end)),
                None => self.problem("a finding_closed without its finding", text),
            },
            "events_lost" => self.lost.push(text.to_owned()),
            "session" if self.lines == 1 => self.session = serde_json::from_str(text).ok(),
            "session" => self.problem("a second session", text),
            "session_end" => self.end = serde_json::from_str(text).ok(),
            _ => {}
        }
    }

    fn section_read(&mut self, line: Line, text: &str) {
        let (Some(patch), Some(section)) = (line.patch, line.section) else {
            return self.problem("a read without its patch or section", text);
        };
        for read in line.entries {
            self.reads.insert((patch.name.clone(), section.name.clone(), read.index), read);
        }
    }

    /// The state of a relocation, as earlier versions wrote it.
    fn reloc(&mut self, mut line: Line, text: &str) {
        let Some(reloc) = line.reloc.take() else {
            return self.problem("a relocation's state without reloc", text);
        };
        let target = line.target.take();
        self.state(&line, &reloc, target, text);
    }

    fn section_state(&mut self, mut line: Line, text: &str) {
        let (Some(patch), Some(section)) = (&line.patch, &line.section) else {
            return self.problem("a state without its patch or section", text);
        };
        let (patch, section) = (patch.name.clone(), section.name.clone());
        if line.relocations.is_empty() {
            self.problem("a state of no relocation", text);
        }
        for mut reloc in std::mem::take(&mut line.relocations) {
            let place = (patch.clone(), section.clone(), reloc.index);
            match self.entries.get(&place) {
                Some(entry) => (reloc.offset, reloc.addend) = entry.clone(),
                None => self.problem("a state of a relocation that no metadata lists", text),
            }
            let read = self.reads.get(&place).cloned();
            let (mut expected, mut actual) = (reloc.expected.clone(), reloc.actual.clone());
            // As it should be: what was read.
            if line.verdict.as_deref() == Some("applied") && expected.is_none() && actual.is_none() {
                actual = read.as_ref().and_then(|read| read.bytes.clone());
                expected.clone_from(&actual);
                if actual.is_none() {
                    self.problem("applied, and not read", text);
                }
            }
            let address = read.map(|read| read.address);
            self.state(&line, &reloc, Some(Target { address, actual, expected }), text);
        }
    }

    fn state(&mut self, line: &Line, reloc: &RelocRef, target: Option<Target>, text: &str) {
        let (Some(patch), Some(object), Some(section)) = (&line.patch, &line.object, &line.section) else {
            return self.problem("a relocation's state without patch, object or section", text);
        };
        let load = (patch.address.clone(), patch.load);
        let loads = self.loads.entry(patch.name.clone()).or_default();
        if !loads.contains(&load) {
            self.gone.remove(&patch.name);
            loads.push(load.clone());
        }
        let key = Key { patch: patch.name.clone(), load, section: section.name.clone(), index: reloc.index };
        self.last = Some(key.clone());
        let said = self.relocs.entry(key).or_default();
        said.object.clone_from(&object.name);
        said.entry = (reloc.offset.clone(), reloc.rtype.clone(), reloc.symbol.clone(), reloc.addend);
        if let Some(target) = target {
            said.address = target.address.and_then(|text| hex(&text)).or(said.address);
            said.actual = target.actual;
            said.expected = target.expected;
        }
        let same_reason = said.reason == line.reason;
        said.reason.clone_from(&line.reason);
        let Some(verdict) = &line.verdict else {
            said.unjudged += 1;
            return;
        };
        if line.previous.as_ref() != said.verdicts.last() {
            said.torn += 1;
        }
        // Before the patch's init nothing is written that a hook could see; and of an orphan, nothing ever.
        let unwritten = ["pending", "orphaned"].contains(&verdict.as_str());
        self.demanded += usize::from(line.read.as_deref() == Some("demand") && !unwritten);
        if said.verdicts.last() == Some(verdict) {
            said.repeated += usize::from(same_reason);
        } else {
            said.verdicts.push(verdict.clone());
        }
    }

    /// Which load of its patch a relocation belongs to, from 0.
    pub fn load_number(&self, key: &Key) -> Option<usize> {
        self.loads.get(&key.patch)?.iter().position(|load| *load == key.load)
    }

    /// The relocations of the patches in `loaded`, each in its patch's last load; without R_*_NONE.
    pub fn current<'a>(&'a self, loaded: &'a [String]) -> impl Iterator<Item = (&'a Key, &'a Said)> {
        self.relocs.iter().filter(|(key, said)| {
            self.loads.get(&key.patch).and_then(|loads| loads.last()) == Some(&key.load)
                && !said.verdicts.is_empty()
                && loaded.contains(&key.patch)
                && !self.gone.contains(&key.patch)
        })
    }

    /// How many of the current relocations have each verdict, by `patch>object`.
    pub fn counts(&self, loaded: &[String]) -> BTreeMap<String, BTreeMap<String, usize>> {
        let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (key, said) in self.current(loaded) {
            let group = counts.entry(format!("{}>{}", key.patch, said.object)).or_default();
            *group.entry(said.verdict().to_owned()).or_default() += 1;
        }
        counts
    }

    /// How many findings of each id there are.
    pub fn found(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.id.clone()).or_default() += 1;
        }
        counts
    }
}

/// Follows a journal that grows.
#[derive(Debug, Default)]
pub struct Follower {
    /// What was read.
    pub journal: Journal,
    /// Bytes of whole lines read.
    pub bytes: u64,
}

impl Follower {
    /// Reads the whole lines that are there and not read yet, none beyond `limit` bytes; whether there were any.
    pub fn advance(&mut self, path: &Path, limit: u64) -> anyhow::Result<bool> {
        let Ok(mut file) = std::fs::File::open(path) else { return Ok(false) };
        let before = self.bytes;
        file.seek(SeekFrom::Start(before)).context("cannot seek in the journal")?;
        let mut text = Vec::new();
        file.take(limit.saturating_sub(before)).read_to_end(&mut text).context("cannot read the journal")?;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(whole) = line.strip_suffix(b"\n") else { break };
            self.bytes += line.len() as u64;
            self.journal.line(&String::from_utf8_lossy(whole));
        }
        Ok(self.bytes > before)
    }
}

/// The number that `0x…` writes.
pub fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests;
