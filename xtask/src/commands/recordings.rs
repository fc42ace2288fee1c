//! `cargo xtask recordings`: keeps the journals of the scenarios' last runs in tests/recordings, for tests without a VM.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::testbed;

/// Journals larger than this are left out: 20,000 relocations, hundreds of cycles. Bytes.
const LARGEST: u64 = 1 << 20;
/// What all of them together may take, compressed. Bytes.
const ALL: u64 = 5 << 20;

/// Arguments of `cargo xtask recordings`.
#[derive(clap::Args)]
pub struct Args {}

/// Adds to tests/recordings the journals that the last `cargo xtask test` left under target/, where there is none of that
/// name: the screens of the TUI's tests are drawn from some of them, so delete those that are to be made anew. Run it after
/// a run in which everything passed: a recording is what `cargo test` then holds klp-trace to.
pub fn run(_: &Args) -> anyhow::Result<()> {
    let folder = testbed::workspace().join("tests/recordings");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (mut added, mut left_out) = (0, Vec::new());
    for (name, journal) in journals()? {
        let path = folder.join(format!("{name}.ndjson.zst"));
        if path.exists() {
            continue;
        }
        let bytes = fs::read(&journal).with_context(|| format!("cannot read {}", journal.display()))?;
        // A journal cut off by SIGKILL is no recording of its scenario.
        if bytes.len() as u64 > LARGEST || !has_end(&bytes) {
            left_out.push(name);
            continue;
        }
        let packed =
            ruzstd::encoding::compress_to_vec(&bytes[..], ruzstd::encoding::CompressionLevel::Fastest);
        fs::write(&path, &packed).with_context(|| format!("cannot write {}", path.display()))?;
        added += 1;
    }
    let sizes = entries(&folder)?.into_iter().map(|path| fs::metadata(path).map_or(0, |data| data.len()));
    let (kept, all) = sizes.fold((0, 0), |(kept, all), size| (kept + 1, all + size));
    println!("{added} added: {kept} recordings, {} KiB; left out: {}", all / 1024, left_out.join(", "));
    ensure!(kept > 0, "no journals under {}: run cargo xtask test first", testbed::cache_dir().display());
    ensure!(all <= ALL, "that is more than {} KiB", ALL / 1024);
    Ok(())
}

fn has_end(journal: &[u8]) -> bool {
    let last = journal.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    String::from_utf8_lossy(last).contains("\"kind\":\"session_end\"")
}

/// `SERIES-SCENARIO` and its journal, of those attached by fentry: kprobe's are the same but for the hooks' mechanism.
fn journals() -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for series in entries(&testbed::cache_dir().join("scenarios"))? {
        for group in entries(&series)? {
            // What a stress goes through another seed draws otherwise: it is no story of its own. A second try shows what went
            // wrong, not what goes right; boots in a row all play the same.
            let group_name = name(&group);
            let left_out = ["-kprobe", "-again"].iter().any(|end| group_name.ends_with(end));
            if left_out || group_name == "stress" || group_name.starts_with("boot-") {
                continue;
            }
            for scenario in entries(&group.join("out"))? {
                let journal = scenario.join("journal.ndjson");
                if journal.is_file() {
                    found.push((format!("{}-{}", name(&series), name(&scenario)), journal));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The last part of a path.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is in a folder; nothing where there is none.
pub(super) fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
}
