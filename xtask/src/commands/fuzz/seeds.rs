//! What fuzzing starts from: the committed seeds, and the fixtures that were built for the tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::testbed;

/// Larger modules are no seeds: each of their bytes is one that mutation may hit in vain.
const LARGEST: u64 = 48 << 10;

/// Fills a target's corpus; gives the number of seeds.
pub fn fill(target: &str, corpus: &Path) -> anyhow::Result<usize> {
    fs::create_dir_all(corpus).with_context(|| format!("create {}", corpus.display()))?;
    let mut count = 0;
    for file in of(target) {
        let seed = corpus.join(format!("seed-{}", name(&file)));
        fs::copy(&file, &seed).with_context(|| format!("copy {} to {}", file.display(), seed.display()))?;
        count += 1;
    }
    anyhow::ensure!(count > 0, "fuzz/seeds has no seeds for {target}");
    Ok(count)
}

/// The seeds of a target: journals for the one, modules for the other.
fn of(target: &str) -> Vec<PathBuf> {
    let is_journal = |file: &Path| file.extension().is_some_and(|end| end == "ndjson");
    let mut found = files(&testbed::workspace().join("fuzz/seeds"));
    if target == "journal" {
        // One line of each kind, as the writer's test has it.
        found.push(testbed::workspace().join("klp-trace/src/journal/writer/golden.ndjson"));
        found.retain(|file| is_journal(file));
    } else {
        let built = files(&testbed::cache_dir().join("fixtures"));
        found.extend(
            built
                .into_iter()
                .filter(|file| file.extension().is_some_and(|end| end == "ko") && is_small(file)),
        );
        found.retain(|file| !is_journal(file));
    }
    found
}

fn is_small(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.len() <= LARGEST)
}

/// Files of a folder and its folders; none when it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    found
}

/// A file's name that tells its folder too: fixtures of several kernels have the same names.
fn name(file: &Path) -> String {
    let part = |path: Option<&Path>| {
        path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    format!("{}-{}", part(file.parent()), part(Some(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_seeds_are_taken() {
        for (target, seed) in [("patch_file", "seeds-minimal.ko.xz"), ("journal", "seeds-reload.ndjson")] {
            let found = of(target);
            let names: Vec<_> = found.iter().map(|file| name(file)).collect();
            assert!(names.contains(&seed.to_owned()), "{names:?}");
            assert!(found.iter().all(|file| is_small(file)), "{names:?}");
        }
    }
}
